"""Care for the file: is it whole, a copy while others write, what can be read of a damaged one, and less of it on disk."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from workermd.ledger.results import sync_folder
from workermd.ledger.sqlite import log_mark
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.ledger.sqlite.opening import NEW_FILE, connect, prepare_folder, real_path, refusing
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.write_queue import WriteQueue
from workermd.protocol.errors import LedgerBusy, LedgerUnavailable, UsageError

_PATIENCE = 10.0
_MOST_FAULTS = 100
_IN_ORDER = (
    *("contracts", "runs", "attempts", "reopenings", "requests", "decisions", "events", "tags", "accepted"),
    *("links", "tombstones", "retention", "rejections", "rate_calls"),
)
"""The tables, each behind those that it names."""


class Salvaged(NamedTuple):
    """Of each table how many rows were read, and how many places could not be; `orphans` named what was lost."""

    rows: dict[str, int]
    lost: dict[str, int]
    orphans: int


def faults(path: str) -> Iterator[str]:
    """What SQLite finds wrong with the file. Nothing is written, and whoever runs something meanwhile is not kept.

    Raises LedgerUnavailable for a file that cannot be opened.
    """
    path = real_path(path)
    with refusing(path):
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None)
    try:
        try:
            for (said,) in connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})"):
                if said != "ok":
                    yield str(said).splitlines()[-1]
            for table, _, other, _ in connection.execute("PRAGMA foreign_key_check"):
                yield f"a row of {table} names a row of {other} that is not there"
        except sqlite3.DatabaseError as error:
            yield f"it cannot be read to its end: {error}"
    finally:
        connection.close()


def back_up(path: str, target: str) -> int:
    """A whole copy of the ledger as it is now, while others write; its bytes. The target is there whole or not at all.

    Raises UsageError for a target that exists, LedgerUnavailable.
    """
    path = real_path(path)
    if os.path.exists(target):
        raise UsageError(f"{target}: is there already", "name a file that is not there yet")
    unfinished = f"{target}.tmp"
    with refusing(path), _connected(path) as source:
        _remove(unfinished)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        copy = sqlite3.connect(unfinished, isolation_level=None)
        try:
            source.backup(copy, pages=1000, sleep=0.001)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(unfinished, target)
        sync_folder(os.path.dirname(os.path.abspath(target)))
    return os.path.getsize(target)


def compact(path: str) -> tuple[int, int]:
    """Write the file anew: without free pages, in pages of today's size, without contracts that no run has. Its bytes
    before and after. Nobody else may have it open. Raises LedgerUnavailable, LedgerBusy.
    """
    path = real_path(path)
    before = os.path.getsize(path)
    with refusing(path), _in_queue(path):
        connection = connect(path, MIGRATIONS)
        try:
            if not _written_anew(connection):
                raise LedgerBusy(
                    f"the ledger {path} cannot be compacted while another process has it open",
                    "let what runs end, stop servers and batches on this ledger, then run the same command again",
                )
        finally:
            connection.close()
    return before, os.path.getsize(path)


def _written_anew(connection: sqlite3.Connection) -> bool:
    """False where somebody else has the file open."""
    connection.execute("PRAGMA busy_timeout = 1000")
    connection.execute(
        "DELETE FROM contracts WHERE id NOT IN (SELECT contract FROM runs WHERE contract IS NOT NULL) "
        "AND id NOT IN (SELECT contract FROM accepted WHERE contract IS NOT NULL)"
    )
    try:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return False
        raise
    for name, value in NEW_FILE:
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = WAL")
    return True


def salvage(path: str, target: str) -> Salvaged:
    """Read what can be read of a damaged ledger into a new one. The old file is not changed.

    Raises UsageError for a target that exists, LedgerUnavailable where not even the schema can be read.
    """
    path, target = real_path(path), real_path(target)
    if os.path.exists(target):
        raise UsageError(f"{target}: is there already", "name a file that is not there yet")
    with refusing(path):
        old = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None)
        try:
            names = {name for (name,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except sqlite3.Error:
            old.close()
            raise
    Ledger.open(target).close()
    new = sqlite3.connect(target, isolation_level=None)
    try:
        return _salvaged(old, new, names)
    finally:
        old.close()
        new.close()


def _salvaged(old: sqlite3.Connection, new: sqlite3.Connection, names: set[str]) -> Salvaged:
    """Rows come as they are, without the rules for changes; those whose run was lost go again at the end."""
    triggers = new.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN IMMEDIATE")
    for name, _ in triggers:
        new.execute(f"DROP TRIGGER {name}")
    rows, lost = {}, {}
    for table in _IN_ORDER:
        if table in names:
            rows[table], lost[table] = _copied(old, new, table)
    orphans = 0
    while found := new.execute("PRAGMA foreign_key_check").fetchall():
        for table, row, *_ in found:
            orphans += _drop_orphans(new, table, row)
    for _, sql in triggers:
        new.execute(sql)
    new.execute("COMMIT")
    return Salvaged(rows, {table: count for table, count in lost.items() if count}, orphans)


def _drop_orphans(new: sqlite3.Connection, table: str, row: int | None) -> int:
    if row is not None:
        return new.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,)).rowcount  # noqa: S608 - our own words
    parents = {"attempts": "runs", "reopenings": "runs", "tags": "runs", "decisions": "requests"}
    key = "id" if parents[table] == "runs" else "run"
    where = f"run NOT IN (SELECT {key} FROM {parents[table]})"  # noqa: S608
    if table == "decisions":
        where += " OR (reopening IS NOT NULL AND (run, reopening) NOT IN (SELECT run, n FROM reopenings))"
    return new.execute(f"DELETE FROM {table} WHERE {where}").rowcount  # noqa: S608


def _copied(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> tuple[int, int]:
    """How many rows were read, and how many places of the table could not be."""
    theirs = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
    ours = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join(name for name in theirs if name in ours)
    marks = ", ".join("?" for name in theirs if name in ours)
    put = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    copied = lost = 0
    for rows in _readable(old, table, columns):
        if rows is None:
            lost += 1
            continue
        for row in rows:
            try:
                copied += new.execute(put, row).rowcount
            except sqlite3.IntegrityError:
                lost += 1
    return copied, lost


def _readable(old: sqlite3.Connection, table: str, columns: str) -> Iterator[list[tuple[object, ...]] | None]:
    """The rows of a table, or None for a place that cannot be read; behind one, from the next row on that can be."""
    try:
        highest = old.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0  # noqa: S608
    except sqlite3.OperationalError:
        highest = None  # a table without row numbers
    except sqlite3.Error:
        highest = _guessed_highest(old, table)
    if highest is None:
        try:
            yield old.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608
        except sqlite3.Error:
            yield None
        return
    at, step = 1, 256
    while at <= highest:
        upto = at + step
        try:
            found = old.execute(
                f"SELECT {columns} FROM {table} WHERE rowid >= ? AND rowid < ?",  # noqa: S608
                (at, upto),
            ).fetchall()
        except sqlite3.Error:
            if step > 1:
                step = max(1, step // 4)
                continue
            found = None
        yield found
        at, step = upto, min(256, step * 2)


def _guessed_highest(old: sqlite3.Connection, table: str) -> int:
    """A bound for the row numbers of a table whose end cannot be read: looked for by halving."""
    low, high = 0, 1 << 34
    while low < high:
        middle = (low + high + 1) // 2
        try:
            some = old.execute(f"SELECT rowid FROM {table} WHERE rowid >= ? LIMIT 1", (middle,)).fetchone()  # noqa: S608
        except sqlite3.Error:
            some = (middle,)
        if some is None:
            high = middle - 1
        else:
            low = middle
    return min(low + 1, 1 << 24)


@contextmanager
def _in_queue(path: str) -> Iterator[None]:
    """Nobody else of ours writes meanwhile."""
    prepare_folder(path)
    queue = WriteQueue(path + ".lock")
    try:
        if not queue.enter(time.monotonic() + _PATIENCE):
            raise LedgerBusy(f"the ledger {path} is being written to all the time", "run the same command again")
        log_mark.refuse_cut_log(queue.fd, path)
        yield
    finally:
        queue.close()


@contextmanager
def _connected(path: str) -> Iterator[sqlite3.Connection]:
    if not os.path.exists(path):
        raise LedgerUnavailable(f"{path}: there is no ledger", "name another --ledger")
    connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
