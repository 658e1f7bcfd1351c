"""What may be done to a ledger in one transaction: admit, claim, close, settle, reopen, decide, prune."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from workermd.ledger.records import Answer, Attempt, Key, NewQuestion, Rejection, Run
from workermd.ledger.sqlite import questions, rows, statements
from workermd.ledger.sqlite.migrations import answer_digest
from workermd.ledger.sqlite.opening import LedgerFault, refusal
from workermd.protocol.envelope import Document, Status
from workermd.system.crash import point

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS


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
        self._execute(statements.ADMIT, values)
        row = self._execute(statements.RUN_BY_KEY, (key.worker_id, key.run_id)).fetchone()
        return rows.run(self._path, row)

    def start_attempt(self, run: Run, token: str, owner: str, key: bytes | None = None) -> Run:
        """Claim the next attempt of a waiting run. `token` names its result file, `key` marks it, `owner` is for people."""
        n = run.attempts + 1
        self._change_one(statements.CLAIM, (run.id, run.attempts))
        self._change_one(statements.START, (run.id, n, token, owner, self._now(), key))
        self._kind = "t1"
        return run._replace(state="running", attempts=n, open_token=token, open_key=key)

    def take_call(self, scope: bytes, calls: int, seconds: int, token: str) -> float:
        """Count a call against a rate of `calls` in any `seconds`; 0, or the seconds until one may be counted.

        The clock may have been set back: calls of a far future are forgotten.
        """
        now, window = self._now(), seconds * MICROSECONDS
        self._execute(statements.FORGET_CALLS, (now, now + DAY))
        row = self._execute(statements.NEWEST_CALL, (scope, now - window, calls - 1)).fetchone()
        if row is not None:
            return max(int(row[0]) + window - now, 1) / MICROSECONDS
        self._execute(statements.NOTE_CALL, (scope, now, now + window, token))
        return 0.0

    def close_attempt(
        self, run: Run, outcome: str, detail: Document, answer: Answer | None, question: NewQuestion | None = None
    ) -> Run:
        """Close the open attempt, fresh or adopted: with a final answer, or back to waiting without one.

        A run out of attempts needs an answer; `retryable_error` is one only then. `question` is what an answer
        `needs_human` asks of a person: it is there if and only if the answer is.
        """
        out_of_attempts = run.attempts >= run.max_attempts
        if answer is None and out_of_attempts:
            raise self._fault("a run without attempts left has to be settled")
        if answer is not None and answer.status == Status.RETRYABLE_ERROR.value and not out_of_attempts:
            raise self._fault("retryable_error is no final answer while attempts are left")
        now = self._now()
        self._change_one(statements.END, (outcome, json.dumps(detail, allow_nan=False), now, run.id, run.attempts))
        self._kind = self._kind or "t2"
        if answer is None:
            self._change_one(statements.WAIT, (run.id, run.attempts))
            return run._replace(state="waiting", open_token=None, open_key=None)
        self._change_one(statements.SETTLE, (*answer, now, run.id, run.attempts))
        if question is not None:
            self._change_one(questions.ASK, questions.values_of(run.id, run.attempts, question, now))
        digest = answer_digest(answer.output, answer.envelope)
        run = run._replace(state="done", settled_at=now, open_token=None, open_key=None, answer_sha256=digest)
        return run._replace(**answer._asdict())

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]:
        """The attempts of a run in their order, as this transaction sees them."""
        return tuple(rows.attempt(self._path, row) for row in self._execute(statements.ATTEMPTS, (run_row_id,)))

    def reopen(self, run: Run, granted: int, who: str, reason: str) -> Run:
        """Grant a settled run `granted` more attempts (S3.2). Its answer is set aside with who did it and why.

        Only a run that is `done` and not `ok`; look it up inside the same transaction.
        """
        self._change_one(
            statements.NOTE_REOPENING, (granted, who, reason, self._now(), run.id, run.worker_id, run.run_id)
        )
        self._change_one(statements.REOPEN, (granted, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def decide(self, run: Run, answer: str, who: str, reason: str) -> Run:
        """Record what a person decided on the open request of a run, and grant the one start that goes on (S9.2).

        Look the request up inside the same transaction.
        """
        now = self._now()
        self._change_one(statements.NOTE_REOPENING, (1, who, reason, now, run.id, run.worker_id, run.run_id))
        self._change_one(questions.DECIDE, (run.id, run.attempts, answer, who, reason, now))
        self._kind = "decision"
        self._change_one(statements.REOPEN, (1, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def deny_for_good(self, run: Run, who: str, reason: str) -> Run:
        """Record a denial of the open request that grants no start: the run gets the answer kept for this (S9.3)."""
        now = self._now()
        self._change_one(questions.DENY, (who, reason, now, run.id, run.attempts))
        self._kind = "decision"
        self._change_one(questions.SETTLE_DENIED, (now, run.id, run.attempts))
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
        where, values = statements.where(filters)
        for table in ("decisions", "requests", "attempts", "reopenings"):
            self._execute(
                f"DELETE FROM {table} WHERE run IN (SELECT id FROM runs WHERE state = 'done' AND {where})",  # noqa: S608
                values,
            )
        removed = self._execute(f"DELETE FROM runs WHERE state = 'done' AND {where}", values).rowcount  # noqa: S608
        if run_id is None and status is None:
            where, values = statements.where({"at < ?": before, "worker_id = ?": worker_id})
            self._execute(f"DELETE FROM rejections WHERE {where}", values)  # noqa: S608
        return removed

    def note_rejection(self, rejection: Rejection) -> None:
        self._execute(statements.REJECT, rejection)

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
        return rows.run(self._path, self._execute(statements.RUN_BY_KEY, (run.worker_id, run.run_id)).fetchone())

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
