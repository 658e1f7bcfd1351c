"""The run ledger: who may start an attempt, what it came to, and the answers that were given (S4).

Two transactions carry a run. The first admits it and claims an attempt, and is committed before the attempt
starts; the second closes the attempt, and is committed before anything is printed. Everything else here reads,
lists, reopens or prunes.

Times are Unix microseconds and only label rows: no clock decides anything (S4.2).
"""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from workermd.ledger import results
from workermd.ledger.sqlite import requests
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.ledger.sqlite.opening import (
    BUSY_SECONDS,
    LedgerFault,
    connect,
    connect_read_only,
    limit_busy_wait,
    prepare_folder,
    real_path,
    refusal,
    refusing,
)
from workermd.ledger.sqlite.requests import Asked, Asking, Decision
from workermd.protocol.envelope import Document, Status
from workermd.protocol.errors import LedgerUnavailable
from workermd.system.crash import point

if TYPE_CHECKING:
    from workermd.ledger.sqlite.write_queue import WriteQueue

__all__ = [
    "Answer",
    "Asked",
    "Asking",
    "Attempt",
    "Decision",
    "Key",
    "Ledger",
    "LedgerFault",
    "Rejection",
    "Reopening",
    "Run",
    "RunSummary",
    "Transaction",
]

_SWEEP_EVERY_SECONDS = 3600
_LEFTOVERS_STAY_SECONDS = 86400
_CLOSE_SECONDS = 0.5
_REJECT_SECONDS = 0.5
_REJECTED_RUN_ID_LENGTH = 256


class Run(NamedTuple):
    """One row of the ledger, as it was when it was read.

    `state` is `waiting` (an attempt may be claimed), `running` (attempt `attempts` is open) or `done`.
    `status`, `output` (the exact bytes printed), `envelope` and `settled_at` are set exactly when it is
    `done`. `open_token` names the result file of the open attempt.
    """

    id: int
    worker_id: str
    run_id: str
    input_sha256: bytes
    input: bytes
    contract_sha256: bytes
    max_attempts: int
    attempts: int
    state: str
    status: str | None
    output: bytes | None
    envelope: bytes | None
    created_at: int
    settled_at: int | None
    open_token: str | None


class RunSummary(NamedTuple):
    """A run without its documents."""

    id: int
    worker_id: str
    run_id: str
    max_attempts: int
    attempts: int
    state: str
    status: str | None
    created_at: int
    settled_at: int | None


class Attempt(NamedTuple):
    """One start of the task. `outcome` and `ended_at` are None while it is open."""

    n: int
    token: str
    owner: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    detail: Document | None


class Key(NamedTuple):
    """What a run is admitted with: its key, its canonical input and its bound."""

    worker_id: str
    run_id: str
    input_sha256: bytes
    input: bytes
    contract_sha256: bytes
    max_attempts: int


class Answer(NamedTuple):
    """A final answer. `output` holds the bytes to print, now and at every replay."""

    status: str
    output: bytes
    envelope: bytes


class Reopening(NamedTuple):
    """Who granted more attempts, and the envelope of the answer that was set aside."""

    n: int
    granted: int
    who: str
    reason: str
    envelope: bytes
    at: int


class Rejection(NamedTuple):
    """An input that was refused before any attempt. It binds no run_id (S2.2)."""

    worker_id: str
    run_id: str | None
    code: str
    input_sha256: bytes | None
    at: int


_RUN = """
SELECT r.id, r.worker_id, r.run_id, r.input_sha256, r.input, r.contract_sha256, r.max_attempts, r.attempts, r.state,
       r.status, r.output, r.envelope, r.created_at, r.settled_at, a.token
FROM runs r LEFT JOIN attempts a ON a.run = r.id AND a.n = r.attempts AND a.outcome IS NULL
"""
_RUN_BY_KEY = _RUN + "WHERE r.worker_id = ? AND r.run_id = ?"
_RUN_BY_RUN_ID = _RUN + "WHERE r.run_id = ? ORDER BY r.id DESC"
_ATTEMPTS = "SELECT n, token, owner, started_at, ended_at, outcome, detail FROM attempts WHERE run = ? ORDER BY n"
_ADMIT = """
INSERT INTO runs (worker_id, run_id, input_sha256, input, contract_sha256, max_attempts, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (worker_id, run_id) DO NOTHING
"""
_CLAIM = """
UPDATE runs SET state = 'running', attempts = attempts + 1
WHERE id = ? AND state = 'waiting' AND attempts = ? AND attempts < max_attempts
"""
_START = "INSERT INTO attempts (run, n, token, owner, started_at) VALUES (?, ?, ?, ?, ?)"
_END = "UPDATE attempts SET outcome = ?, detail = ?, ended_at = ? WHERE run = ? AND n = ? AND outcome IS NULL"
_WAIT = "UPDATE runs SET state = 'waiting' WHERE id = ? AND attempts = ? AND state = 'running'"
_SETTLE = """
UPDATE runs SET state = 'done', status = ?, output = ?, envelope = ?, settled_at = ?
WHERE id = ? AND attempts = ? AND state = 'running'
"""
_NOTE_REOPENING = """
INSERT INTO reopenings (run, n, granted, who, reason, envelope, at)
SELECT r.id, 1 + (SELECT count(*) FROM reopenings o WHERE o.run = r.id), ?, ?, ?, r.envelope, ?
FROM runs r WHERE r.id = ? AND r.worker_id = ? AND r.run_id = ? AND r.state = 'done' AND r.status <> 'ok'
"""
_REOPEN = """
UPDATE runs SET max_attempts = max_attempts + ?, state = 'waiting',
                status = NULL, output = NULL, envelope = NULL, settled_at = NULL
WHERE id = ? AND worker_id = ? AND run_id = ? AND state = 'done' AND status <> 'ok'
"""
_REJECT = "INSERT INTO rejections (worker_id, run_id, code, input_sha256, at) VALUES (?, ?, ?, ?, ?)"


def unix_microseconds() -> int:
    return time.time_ns() // 1000


class Ledger:
    """One connection to one ledger. Not for sharing between threads, nor for carrying over a fork.

    Every method that reads raises LedgerUnavailable when the file cannot be read.
    """

    def __init__(
        self, path: str, connection: sqlite3.Connection, queue: "WriteQueue | None", now: Callable[[], int]
    ) -> None:
        self.path = path
        """Links resolved. The result files of this ledger are in `results_folder`."""
        self.results_folder = path + ".results"
        self._connection = connection
        self._queue = queue
        self._now = now
        self._busy_milliseconds = int(BUSY_SECONDS * 1000)
        self._transaction: Transaction | None = None

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
                    connection = connect(path, migrations)
                    ledger = cls(path, connection, queue, now)
                    try:
                        ledger._tend_results()
                    except BaseException:
                        connection.close()
                        raise
                finally:
                    queue.leave()
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

    def look(self, worker_id: str, run_id: str) -> Run | None:
        """The run as it is now. Inside a transaction: as that transaction sees it."""
        rows = self._select(_RUN_BY_KEY, (worker_id, run_id))
        return Run(*rows[0]) if rows else None

    def find(self, run_id: str) -> tuple[Run, ...]:
        """The runs of this id under all workers, newest first."""
        return tuple(Run(*row) for row in self._select(_RUN_BY_RUN_ID, (run_id,)))

    def runs(
        self,
        *,
        worker_id: str | None = None,
        status: str | None = None,
        state: str | None = None,
        limit: int | None = None,
    ) -> tuple[RunSummary, ...]:
        """All runs, newest first, by the order in which they were admitted."""
        where, values = _where({"worker_id = ?": worker_id, "status = ?": status, "state = ?": state})
        columns = ", ".join(RunSummary._fields)
        rows = self._select(
            f"SELECT {columns} FROM runs WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - names of columns
            (*values, -1 if limit is None else limit),
        )
        return tuple(RunSummary(*row) for row in rows)

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]:
        """The attempts of a run in their order."""
        return tuple(_attempt(row) for row in self._select(_ATTEMPTS, (run_row_id,)))

    def tokens(self) -> set[str]:
        """The tokens of all attempts: what result files and artifacts may be named by."""
        return {token for (token,) in self._select("SELECT token FROM attempts", ())}

    def reopenings(self, run_row_id: int) -> tuple[Reopening, ...]:
        """The reopenings of a run in their order."""
        rows = self._select(
            "SELECT n, granted, who, reason, envelope, at FROM reopenings WHERE run = ? ORDER BY n", (run_row_id,)
        )
        return tuple(Reopening(*row) for row in rows)

    def asked(self, run_row_id: int) -> tuple[Asked, ...]:
        """What the attempts of a run asked of people, in their order, with what was decided."""
        return tuple(requests.read(row) for row in self._select(requests.OF_A_RUN, (run_row_id,)))

    def pending(self, worker_id: str | None = None) -> tuple[Asked, ...]:
        """The requests that nobody has decided yet, the oldest first."""
        return tuple(requests.read(row) for row in self._select(requests.PENDING, (worker_id,)))

    def rejections(self, limit: int | None = None) -> tuple[Rejection, ...]:
        """Refused inputs, newest first."""
        rows = self._select(
            "SELECT worker_id, run_id, code, input_sha256, at FROM rejections ORDER BY id DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return tuple(Rejection(*row) for row in rows)

    @contextmanager
    def transaction(self, give_up_at: float) -> "Iterator[Transaction]":
        """A write transaction: committed (and synced) at the end of the block, rolled back when it raises.

        Waits for others who write until `give_up_at` (on `time.monotonic()`'s clock). Raises LedgerUnavailable
        when nothing was written, or when the disk failed while it was; LedgerFault for a bug of ours.
        """
        if self._queue is None or self._transaction is not None:
            raise LedgerFault("a transaction needs a ledger that is open for writing and has none under way")
        with refusing(self.path):
            _enter(self._queue, self.path, give_up_at)
        try:
            transaction = self._begin(give_up_at)
            try:
                yield transaction
                transaction.commit()
            finally:
                transaction.end()
                self._transaction = None
        finally:
            self._queue.leave()

    def reject(self, worker_id: str, run_id: str | None, code: str, input_sha256: bytes | None) -> None:
        """Note a refused input (S2.2). Never raises: an answer must not depend on this note."""
        # A refused run_id has passed no schema: its length and its characters can be anything.
        shortened = None if run_id is None else _encodable(run_id[:_REJECTED_RUN_ID_LENGTH])
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

    def _select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise refusal(self.path, error) from error
        except UnicodeEncodeError:
            return []  # A text that is not Unicode is in no row.

    def _tend_results(self) -> None:
        """Make the folder of result files; now and then sweep it."""
        stamp = os.path.join(self.results_folder, ".swept")
        try:
            age = time.time() - os.stat(stamp).st_mtime
        except FileNotFoundError:
            os.makedirs(self.results_folder, mode=0o700, exist_ok=True)
            results.sync_folder(os.path.dirname(self.path))
        else:
            if abs(age) < _SWEEP_EVERY_SECONDS:
                return
        os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(stamp)
        tokens = self._connection.execute("SELECT token FROM attempts WHERE outcome IS NULL")
        results.sweep(self.results_folder, {token for (token,) in tokens}, _LEFTOVERS_STAY_SECONDS)


class Transaction:
    """What may be done to the ledger, in the block of `Ledger.transaction`.

    A deed that finds something else than the run it was given raises LedgerFault, and the transaction will
    not be committed. Every deed returns the run as it is afterwards.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, now: Callable[[], int]) -> None:
        self._path = path
        self._connection = connection
        self._now = now
        self._ended = False
        self._broken = False
        self._kind = ""

    def admit(self, key: Key) -> Run:
        """The run of this key, admitted now if there was none.

        Whether a run that was there has the same input and contract is for the caller to compare.
        """
        values = (*key, self._now())
        self._execute(_ADMIT, values)
        row = self._execute(_RUN_BY_KEY, (key.worker_id, key.run_id)).fetchone()
        return Run(*row)

    def start_attempt(self, run: Run, token: str, owner: str) -> Run:
        """Claim the next attempt of a waiting run. `token` names its result file, `owner` is for people."""
        n = run.attempts + 1
        self._change_one(_CLAIM, (run.id, run.attempts))
        self._change_one(_START, (run.id, n, token, owner, self._now()))
        self._kind = "t1"
        return run._replace(state="running", attempts=n, open_token=token)

    def close_attempt(
        self, run: Run, outcome: str, detail: Document, answer: Answer | None, asking: Asking | None = None
    ) -> Run:
        """Close the open attempt, fresh or adopted: with a final answer, or back to waiting without one.

        A run out of attempts needs an answer; `retryable_error` is one only then. `asking` is what an answer
        `needs_human` asks of a person: it is there if and only if the answer is.
        """
        out_of_attempts = run.attempts >= run.max_attempts
        if answer is None and out_of_attempts:
            raise self._fault("a run without attempts left has to be settled")
        if answer is not None and answer.status == Status.RETRYABLE_ERROR.value and not out_of_attempts:
            raise self._fault("retryable_error is no final answer while attempts are left")
        now = self._now()
        self._change_one(_END, (outcome, json.dumps(detail, allow_nan=False), now, run.id, run.attempts))
        self._kind = self._kind or "t2"
        if answer is None:
            self._change_one(_WAIT, (run.id, run.attempts))
            return run._replace(state="waiting", open_token=None)
        self._change_one(_SETTLE, (*answer, now, run.id, run.attempts))
        if asking is not None:
            self._change_one(requests.ASK, requests.values_of(run.id, run.attempts, asking, now))
        return run._replace(state="done", settled_at=now, open_token=None, **answer._asdict())

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]:
        """The attempts of a run in their order, as this transaction sees them."""
        return tuple(_attempt(row) for row in self._execute(_ATTEMPTS, (run_row_id,)))

    def reopen(self, run: Run, granted: int, who: str, reason: str) -> Run:
        """Grant a settled run `granted` more attempts (S3.2). Its answer is set aside with who did it and why.

        Only a run that is `done` and not `ok`; look it up inside the same transaction.
        """
        self._change_one(_NOTE_REOPENING, (granted, who, reason, self._now(), run.id, run.worker_id, run.run_id))
        self._change_one(_REOPEN, (granted, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def decide(self, run: Run, answer: str, who: str, reason: str) -> Run:
        """Record what a person decided on the open request of a run, and grant the one start that goes on (S9.2).

        Look the request up inside the same transaction.
        """
        now = self._now()
        self._change_one(_NOTE_REOPENING, (1, who, reason, now, run.id, run.worker_id, run.run_id))
        self._change_one(requests.DECIDE, (run.id, run.attempts, answer, who, reason, now))
        self._kind = "decision"
        self._change_one(_REOPEN, (1, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def deny_for_good(self, run: Run, who: str, reason: str) -> Run:
        """Record a denial of the open request that grants no start: the run gets the answer kept for this (S9.3)."""
        now = self._now()
        self._change_one(requests.DENY, (who, reason, now, run.id, run.attempts))
        self._kind = "decision"
        self._change_one(requests.SETTLE_DENIED, (now, run.id, run.attempts))
        return self._again(run)

    def prune(
        self,
        *,
        before: int | None = None,
        worker_id: str | None = None,
        run_id: str | None = None,
        status: str | None = None,
    ) -> int:
        """Remove settled runs, with all that is kept of them; how many runs went (S4.6).

        `before` is in Unix microseconds and compared with `settled_at`. Without any bound all settled runs go.
        Unfinished runs always stay. Rejections go too where only `before` and `worker_id` choose.
        """
        filters = {"settled_at < ?": before, "worker_id = ?": worker_id, "run_id = ?": run_id, "status = ?": status}
        where, values = _where(filters)
        for table in ("decisions", "requests", "attempts", "reopenings"):
            self._execute(
                f"DELETE FROM {table} WHERE run IN (SELECT id FROM runs WHERE state = 'done' AND {where})",  # noqa: S608
                values,
            )
        removed = self._execute(f"DELETE FROM runs WHERE state = 'done' AND {where}", values).rowcount  # noqa: S608
        if run_id is None and status is None:
            where, values = _where({"at < ?": before, "worker_id = ?": worker_id})
            self._execute(f"DELETE FROM rejections WHERE {where}", values)  # noqa: S608
        return removed

    def note_rejection(self, rejection: Rejection) -> None:
        self._execute(_REJECT, rejection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone: when the block raises, only what it did is rolled back.

        For many runs in one transaction. LedgerUnavailable concerns them all: let it pass.
        """
        kind = self._kind
        self._execute("SAVEPOINT part", ())
        try:
            yield
        except BaseException:
            # A full disk may have ended the whole transaction; then it stays broken.
            if self._connection.in_transaction and not self._ended:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
                self._broken, self._kind = False, kind
            raise
        self._execute("RELEASE part", ())

    def commit(self) -> None:
        """Called by the ledger at the end of the block."""
        if self._broken:
            raise LedgerFault("a transaction in which something was refused is not committed")
        if self._kind:
            point(self._kind + "_open")
        self._execute("COMMIT", ())
        if self._kind:
            point(self._kind + "_committed")

    def end(self) -> None:
        """Called by the ledger: rolls back what was not committed. After this nothing more can be done."""
        self._ended = True
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return  # The disk failed; what is not committed is gone with the connection.

    def _again(self, run: Run) -> Run:
        return Run(*self._execute(_RUN_BY_KEY, (run.worker_id, run.run_id)).fetchone())

    def _execute(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        if self._ended:
            raise LedgerFault("this transaction is over")
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            self._broken = True
            raise refusal(self._path, error) from error

    def _change_one(self, sql: str, values: Sequence[object]) -> None:
        changed = self._execute(sql, values).rowcount
        if changed != 1:
            raise self._fault(f"a change of one row found {changed}")

    def _fault(self, reason: str) -> LedgerFault:
        self._broken = True
        return LedgerFault(f"the ledger {self._path} refused a change: {reason}")


def _enter(queue: "WriteQueue", path: str, give_up_at: float) -> None:
    if not queue.enter(give_up_at):
        raise LedgerUnavailable(
            f"the ledger {path} cannot be used: another process has been writing to it all the time",
            "end or continue a stopped workermd process, then run the same command again",
        )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    attempt = Attempt(*row)
    return attempt if row[-1] is None else attempt._replace(detail=json.loads(row[-1]))


def _where(filters: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    """The conditions whose value is not None, as SQL, and their values."""
    chosen = {condition: value for condition, value in filters.items() if value is not None}
    return " AND ".join(chosen) or "1", tuple(chosen.values())


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
