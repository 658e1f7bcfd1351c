"""What may be done to a ledger in one transaction: admit, claim, close, settle, reopen, decide, prune."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from workermd.ledger import chain
from workermd.ledger.records import (
    Acceptance,
    Answer,
    Attempt,
    AttemptEvents,
    ContractText,
    Decision,
    Key,
    NewQuestion,
    Rejection,
    Removed,
    Reopening,
    Run,
)
from workermd.ledger.sqlite import links, notes, questions, removal, rows, statements
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

    def admit(self, key: Key, contract: ContractText | None = None) -> Run:
        """The run of this key, admitted now if there was none, with the text of its contract where that is given.

        Whether a run that was there has the same input and contract is for the caller to compare.
        """
        values = (*key, self._now(), self._kept_contract(contract))
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
        digest = answer_digest(answer.output, answer.envelope)
        run = run._replace(state="done", settled_at=now, open_token=None, open_key=None, answer_sha256=digest)
        run = run._replace(**answer._asdict())
        self._link("settled", run, run.attempts, chain.settled(run), now)
        if question is not None:
            self._change_one(questions.ASK, questions.values_of(run.id, run.attempts, question, now))
            self._link("asked", run, run.attempts, chain.asked(run, question, run.attempts, now), now)
        self._execute(notes.WITHDRAW, (run.worker_id, run.run_id))
        return run

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]:
        """The attempts of a run in their order, as this transaction sees them."""
        return tuple(rows.attempt(self._path, row) for row in self._execute(statements.ATTEMPTS, (run_row_id,)))

    def reopen(self, run: Run, granted: int, who: str, reason: str) -> Run:
        """Grant a settled run `granted` more attempts (S3.2). Its answer is set aside with who did it and why.

        Only a run that is `done` and not `ok`; look it up inside the same transaction.
        """
        self._note_reopening(run, granted, who, reason, self._now())
        self._change_one(statements.REOPEN, (granted, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def _note_reopening(self, run: Run, granted: int, who: str, reason: str, now: int) -> None:
        self._change_one(statements.NOTE_REOPENING, (granted, who, reason, now, run.id, run.worker_id, run.run_id))
        reopening = Reopening(*self._execute(statements.LAST_REOPENING, (run.id,)).fetchone())
        self._link("reopened", run, reopening.n, chain.reopened(run, reopening), now)

    def decide(self, run: Run, answer: str, who: str, reason: str) -> Run:
        """Record what a person decided on the open request of a run, and grant the one start that goes on (S9.2).

        Look the request up inside the same transaction.
        """
        now = self._now()
        self._note_reopening(run, 1, who, reason, now)
        self._change_one(questions.DECIDE, (run.id, run.attempts, answer, who, reason, now))
        self._decided(run, Decision(answer, who, reason, False, now))
        self._kind = "decision"
        self._change_one(statements.REOPEN, (1, run.id, run.worker_id, run.run_id))
        return self._again(run)

    def deny_for_good(self, run: Run, who: str, reason: str) -> Run:
        """Record a denial of the open request that grants no start: the run gets the answer kept for this (S9.3)."""
        now = self._now()
        self._change_one(questions.DENY, (who, reason, now, run.id, run.attempts))
        self._decided(run, Decision("deny", who, reason, True, now))
        self._kind = "decision"
        self._change_one(questions.SETTLE_DENIED, (now, run.id, run.attempts))
        run = self._again(run)
        self._link("settled", run, run.attempts, chain.settled(run), now)
        return run

    def _decided(self, run: Run, decision: Decision) -> None:
        self._link("decided", run, run.attempts, chain.decided(run, run.attempts, decision), decision.at)

    def prune(
        self,
        *,
        before: int | None = None,
        worker_id: str | None = None,
        run_id: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> Removed:
        """Remove settled runs, the oldest first, with all that is kept of them (S4.6); at most `limit`.

        `before` is in Unix microseconds and compared with `settled_at`. Without any bound all settled runs go.
        Unfinished runs always stay. Rejections go too where only `before` and `worker_id` choose.
        """
        filters = {"settled_at < ?": before, "worker_id = ?": worker_id, "run_id = ?": run_id, "status = ?": status}
        where, values = statements.where(filters)
        most = -1 if limit is None else limit
        by = "settled_at" if worker_id is None and status is None else "created_at"
        runs = [run for (run,) in self._execute(removal.finished(where, by), (*values, most))]
        tokens = removal.tokens(self._execute, runs)
        if runs:
            links.let_go(self._execute, self._now(), "pruned", runs)
            removal.remove(self._execute, runs)
        if run_id is None and status is None:
            where, values = statements.where({"at < ?": before, "worker_id = ?": worker_id})
            self._execute(f"DELETE FROM rejections WHERE {where}", values)  # noqa: S608
        return Removed(len(runs), tokens)

    def erase(self, run: Run, who: str, reason: str) -> Removed:
        """Remove a run with all that is kept of it, unfinished too, and leave a tombstone without content (S4.13).

        Nobody may execute it: hold its lock. The log of the file still has it until `Ledger.forget`.
        """
        now = self._now()
        buried = (run.id, run.created_at, run.worker_id, removal.key_sha256(run.worker_id, run.run_id))
        self._execute(notes.BURY, (*buried, run.status, run.attempts, who, reason, now))
        tokens = removal.tokens(self._execute, [run.id])
        links.let_go(self._execute, now, "erased", [run.id], (who, reason))
        removal.remove(self._execute, [run.id])
        self._execute(notes.WITHDRAW, (run.worker_id, run.run_id))
        self._execute(removal.REJECTIONS, (run.worker_id, run.run_id))
        return Removed(1, tokens)

    def accept(self, acceptance: Acceptance, contract: ContractText | None = None) -> Acceptance | None:
        """Answer for a run before anybody has claimed it; `contract` is its text, where `acceptance` names it by digest.

        The acceptance that stands now, which may be an earlier one of this key: its request is for the caller to
        compare. None where the run is in the ledger already. It stands until the run is settled, or withdrawn.
        """
        text = self._kept_contract(contract)
        key = (acceptance.worker_id, acceptance.run_id)
        self._execute(
            notes.ACCEPT,
            (*key, acceptance.worker, text, acceptance.binding, acceptance.request, acceptance.who, acceptance.at),
        )
        row = self._execute(notes.ACCEPTED_ONE, key).fetchone()
        return None if row is None else notes.acceptance(row)

    def withdraw(self, worker_id: str, run_id: str) -> None:
        """Forget that a run was accepted: its input was refused, so that it will never be settled."""
        self._execute(notes.WITHDRAW, (worker_id, run_id))

    def keep_events(self, run: Run, events: AttemptEvents) -> None:
        """Keep what an attempt's agents did. They are masked and capped already."""
        values = (run.id, events.n, len(events.documents), events.dropped, notes.lines_of(events))
        self._execute(notes.KEEP_EVENTS, values)

    def tag(self, run: Run, tags: Sequence[str]) -> None:
        """Mark a run with words of the operator's."""
        for tag in tags:
            self._execute(notes.TAG, (run.id, tag))

    def untag(self, run: Run, tags: Sequence[str]) -> None:
        for tag in tags:
            self._execute(notes.UNTAG, (run.id, tag))

    def retain(self, worker_id: str, seconds: int | None) -> None:
        """How long a worker's settled runs stay after they were settled; None is for ever."""
        if seconds is None:
            self._execute(notes.RETAIN_FOR_EVER, (worker_id,))
        else:
            self._execute(notes.RETAIN, (worker_id, seconds, self._now()))

    def _kept_contract(self, contract: ContractText | None) -> int | None:
        """The row of a contract's text, which is kept once."""
        if contract is None:
            return None
        row = self._execute(notes.CONTRACT_ID, (contract.sha256,)).fetchone()
        if row is not None:
            return int(row[0])
        if len(contract.text.encode()) > notes.MOST_CONTRACT_BYTES:
            return None
        return self._execute(notes.KEEP_CONTRACT, (*contract, self._now())).lastrowid

    def _link(self, event: str, run: Run, n: int, document: Document, now: int) -> None:
        links.add(self._execute, chain.Happening(now, event, run.id, n, chain.subject_of(document)))

    def note_rejection(self, rejection: Rejection) -> None:
        """The newest of each worker are kept."""
        self._execute(statements.REJECT, rejection)
        self._execute(statements.FORGET_REJECTIONS, (rejection.worker_id,))

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
