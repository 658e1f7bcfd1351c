"""The ledger, against the same disk without it."""

import os
import sqlite3
import time
from itertools import count
from pathlib import Path

from tests.benchmarks.measure import in_turns, once
from tests.benchmarks.table import Row
from tests.ledger.ledger_caller import answer, key
from workermd.ledger import results
from workermd.ledger.sqlite.store import Ledger

CALLS = 20
"""Calls in one sample: a single commit is too short for a noisy disk."""


def ledger(folder: Path, rounds: int) -> list[Row]:
    path = str(folder / "ledger.db")
    plain = _plain(str(folder / "plain.db"))
    fresh = count()
    blob = os.urandom(4096)
    with Ledger.open(path) as book, open(folder / "raw", "wb") as raw:

        def pair() -> None:
            """What a run writes: admitted and claimed, then closed and settled."""
            until = time.monotonic() + 60
            with book.transaction(until) as first:
                row = first.start_attempt(first.admit(key(f"run-{next(fresh)}")), results.new_token(), "owner")
            with book.transaction(until) as second:
                second.close_attempt(row, "ok", {}, answer())

        def commits() -> None:
            cursor = plain.execute("INSERT INTO rows (text) VALUES ('a run')")
            plain.execute("UPDATE rows SET text = 'a settled run' WHERE id = ?", (cursor.lastrowid,))

        def synced() -> None:
            raw.seek(0)
            raw.write(blob)
            raw.flush()
            os.fdatasync(raw.fileno())

        def look() -> None:
            with Ledger.open(path) as opened:
                opened.look("example", "run-0")

        def bare_look() -> None:
            connection = _connected(str(folder / "plain.db"))
            connection.execute("SELECT * FROM rows WHERE id = 1").fetchall()
            connection.close()

        bare, sync, bare_open = "two bare FULL commits", "fdatasync of 4 KiB", "bare SQLite: open, set up, select"
        names = "T1 and T2", "open, look, close"
        deeds = {bare: commits, sync: synced, names[0]: pair, bare_open: bare_look, names[1]: look}
        found = in_turns({name: _several(deed) for name, deed in deeds.items()}, rounds)
    plain.close()
    return [
        Row(found[names[0]], found[bare]),
        Row(found[names[0]], found[sync]),
        Row(found[names[1]], found[bare_open]),
    ]


def _several(deed: object) -> object:
    several = once(lambda: [deed() for _ in range(CALLS)])
    return lambda: several() / CALLS


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _plain(path: str) -> sqlite3.Connection:
    connection = _connected(path)
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
    return connection
