"""The run ledger: who may start an attempt, what it came to, and the answers that were given (S4).

Two transactions carry a run. The first admits it and claims an attempt, and is committed before the attempt
starts; the second closes the attempt, and is committed before anything is printed. Everything else here reads,
lists, reopens or prunes.

Times are Unix microseconds and only label rows: no clock decides anything (S4.2).
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from workermd.ledger import results
from workermd.ledger.records import Rejection
from workermd.ledger.sqlite import log_mark, statements
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.ledger.sqlite.opening import (
    BUSY_SECONDS,
    LedgerFault,
    connect,
    connect_read_only,
    limit_busy_wait,
    prepare_folder,
    real_path,
    refusing,
)
from workermd.ledger.sqlite.reader import LedgerReader
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.errors import LedgerBusy, LedgerUnavailable

if TYPE_CHECKING:
    from workermd.ledger.sqlite.write_queue import WriteQueue

_SWEEP_EVERY_SECONDS = 3600
_LEFTOVERS_STAY_SECONDS = 86400
_CLOSE_SECONDS = 0.5
_REJECT_SECONDS = 0.5
_REJECTED_RUN_ID_LENGTH = 256


def unix_microseconds() -> int:
    return time.time_ns() // 1000


class Ledger(LedgerReader):
    """One connection to one ledger. For one thread at a time, and not for carrying over a fork."""

    def __init__(
        self, path: str, connection: sqlite3.Connection, queue: "WriteQueue | None", now: Callable[[], int]
    ) -> None:
        super().__init__(path, connection)
        self._queue = queue
        self._now = now
        self._busy_milliseconds = int(BUSY_SECONDS * 1000)
        self._transaction: Transaction | None = None
        self._shared: Callable[[float], AbstractContextManager[Transaction]] | None = None

    @classmethod
    def open(
        cls,
        path: str,
        *,
        give_up_at: float | None = None,
        now: Callable[[], int] = unix_microseconds,
        migrations: tuple[str, ...] = MIGRATIONS,
    ) -> "Ledger":
        """Open a ledger for writing; the file, its folder and its companions are made when missing.

        `give_up_at` (on `time.monotonic()`'s clock; default: in 5 s) bounds the wait for others who write.
        Raises LedgerUnavailable and nothing else.
        """
        give_up_at = time.monotonic() + BUSY_SECONDS if give_up_at is None else give_up_at
        if os.name != "posix":
            raise LedgerUnavailable(
                f"the ledger {path} cannot be written to on this platform", "carry out runs on Linux"
            )
        from workermd.ledger.sqlite.write_queue import WriteQueue

        path = real_path(path)
        with refusing(path):
            prepare_folder(path)
            queue = WriteQueue(path + ".lock")
            try:
                _enter(queue, path, give_up_at)
                try:
                    log_mark.refuse_cut_log(queue.fd, path)
                    connection = connect(path, migrations)
                    ledger = cls(path, connection, queue, now)
                    try:
                        sweep = ledger._sweep_if_due()
                    except BaseException:
                        connection.close()
                        raise
                finally:
                    queue.leave()
                sweep()
            except BaseException:
                queue.close()
                raise
        return ledger

    @classmethod
    def open_read_only(cls, path: str) -> "Ledger | None":
        """Open a ledger for reading; None when there is none. No ledger is made. Raises LedgerUnavailable."""
        path = real_path(path)
        with refusing(path):
            connection = connect_read_only(path, len(MIGRATIONS))
        return None if connection is None else cls(path, connection, None, unix_microseconds)

    def close(self) -> None:
        """Close it. Never raises: what was committed is safe, and there is no more to lose."""
        if self._queue is None:
            self._connection.close()
            return
        # The last one to close moves the log into the file, which belongs in the queue. A stopped process at its
        # head must not keep us: it has the file open, so we are not the last and nothing will be moved.
        try:
            self._queue.enter(time.monotonic() + _CLOSE_SECONDS)
        except OSError:
            pass
        finally:
            self._connection.close()
            self._queue.close()
            self._queue = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self, give_up_at: float) -> "Iterator[Transaction]":
        """A write transaction: committed (and synced) at the end of the block, rolled back when it raises.

        Waits for others who write until `give_up_at` (on `time.monotonic()`'s clock). Raises LedgerUnavailable
        when nothing was written, or when the disk failed while it was; LedgerFault for a bug of ours.
        """
        if self._shared is not None:
            with self._shared(give_up_at) as transaction:
                yield transaction
            return
        transaction = self.begin(give_up_at)
        done = False
        try:
            yield transaction
            done = True
        finally:
            self.end(transaction, commit=done)

    def share_commits(self, transaction: "Callable[[float], AbstractContextManager[Transaction]]") -> None:
        """From now on this connection only reads; its write transactions are parts of `transaction`, which several
        connections of a process share. They keep what `transaction` promises: the part is on disk at the block's end."""
        self._shared = transaction

    def begin(self, give_up_at: float) -> "Transaction":
        """Begin a write transaction that `end` ends: the two halves of `transaction`. Raises as it does."""
        if self._queue is None or self._transaction is not None:
            raise LedgerFault("a transaction needs a ledger that is open for writing and has none under way")
        with refusing(self.path):
            _enter(self._queue, self.path, give_up_at)
        try:
            return self._begin(give_up_at)
        except BaseException:
            self._queue.leave()
            raise

    def end(self, transaction: "Transaction", *, commit: bool) -> None:
        """Commit it and have it synced, or roll it back."""
        assert self._queue is not None
        try:
            if commit:
                transaction.commit()
                log_mark.note(self._queue.fd, self.path)
        finally:
            transaction.end()
            self._transaction = None
            self._queue.leave()

    def give_space_back(self, pages: int) -> None:
        """Cut free pages off the file, at most so many, where it was made for that."""
        assert self._queue is not None
        with refusing(self.path):
            _enter(self._queue, self.path, time.monotonic() + BUSY_SECONDS)
            try:
                self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # steps to its end
            finally:
                self._queue.leave()

    def forget(self) -> None:
        """Empty the log, which still has what was removed. Raises LedgerUnavailable where somebody reads all the time."""
        assert self._queue is not None
        with refusing(self.path):
            _enter(self._queue, self.path, time.monotonic() + BUSY_SECONDS)
            try:
                busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self._queue.leave()
        if busy:
            raise LedgerUnavailable(
                f"the ledger {self.path} is being read, and its log still has what was removed",
                "end whoever reads it, then run the same command again",
            )

    def reject(self, worker_id: str, run_id: str | None, code: str, input_sha256: bytes | None) -> None:
        """Note a refused input (S2.2). Never raises: an answer must not depend on this note."""
        # A refused run_id has passed no schema: its length and its characters can be anything.
        shortened = None if run_id is None else statements.encodable(run_id[:_REJECTED_RUN_ID_LENGTH])
        try:
            with self.transaction(time.monotonic() + _REJECT_SECONDS) as transaction:
                transaction.note_rejection(Rejection(worker_id, shortened, code, input_sha256, self._now()))
        except (LedgerUnavailable, LedgerFault):
            return

    def _begin(self, give_up_at: float) -> "Transaction":
        with refusing(self.path):
            self._busy_milliseconds = limit_busy_wait(self._connection, give_up_at, self._busy_milliseconds)
            self._connection.execute("BEGIN IMMEDIATE")
        self._transaction = Transaction(self.path, self._connection, self._now)
        return self._transaction

    def _sweep_if_due(self) -> Callable[[], None]:
        """Make the folder of result files. Now and then it is to be swept: by what is given, outside the queue.

        The open attempts are those of now. What begins later writes files that are younger than any that goes.
        """
        stamp = os.path.join(self.results_folder, ".swept")
        try:
            age = time.time() - os.stat(stamp).st_mtime
        except FileNotFoundError:
            os.makedirs(self.results_folder, mode=0o700, exist_ok=True)
            results.sync_folder(os.path.dirname(self.results_folder))
        else:
            if abs(age) < _SWEEP_EVERY_SECONDS:
                return lambda: None
        os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(stamp)
        tokens = self._open_tokens()
        before = time.time() - _LEFTOVERS_STAY_SECONDS

        def sweep() -> None:
            if results.sweep(self.results_folder, tokens, before) == results.MOST_SWEPT:
                with suppress(OSError):
                    os.utime(stamp, (0, 0))  # there is more: the next who opens the ledger goes on

        return sweep

    def _open_tokens(self) -> set[str]:
        return {token for (token,) in self._connection.execute(statements.OPEN_TOKENS)}


def _enter(queue: "WriteQueue", path: str, give_up_at: float) -> None:
    if not queue.enter(give_up_at):
        raise LedgerBusy(
            f"the ledger {path} cannot be used: another process has been writing to it all the time",
            "end or continue a stopped workermd process, then run the same command again",
        )
