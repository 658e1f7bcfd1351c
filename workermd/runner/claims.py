"""Claim the attempts of an admitted run: under its lock, after what a dead attempt left was closed (S2.4, S4.2, S4.3)."""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from workermd.contract.json import strict
from workermd.ledger import results
from workermd.ledger.records import Key, Run
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.envelope import Failure, Status
from workermd.runner import run_key, verdict
from workermd.runner.answers import Answered, Answers
from workermd.runner.events import Waiting
from workermd.runner.request import Input, Request
from workermd.runner.session import Session
from workermd.runner.settlement import Settlement, asked_a_person
from workermd.runner.verdict import Verdict
from workermd.runner.worker import Worker
from workermd.system import environment, processes
from workermd.system.digest import sha256
from workermd.system.environment import ACTIVE, ARTIFACTS

_LOOK_SECONDS = 0.2
"""How often another machine is asked after, which nobody tells us of."""


class AttemptName(NamedTuple):
    """What an attempt's files are called by, and what marks its result. Made with its process, before the claim."""

    token: str = ""
    key: bytes = b""


class ClaimedAttempt(NamedTuple):
    """An attempt that may start: committed in the ledger, its folder made. `row` is the run with it open."""

    input: Input
    row: Run
    token: str
    key: bytes


class Claims:
    """The claims of one invocation."""

    def __init__(self, session: Session, request: Request, answers: Answers, settlement: Settlement) -> None:
        self._session = session
        self._request = request
        self._worker = request.worker
        self._answers = answers
        self._settlement = settlement

    def take_lock(self, lock: RunLock, key: Key, until: float, tick: Callable[[], None]) -> bool:
        """Whether the run's lock was had. `until` bounds the wait for another process that executes this run."""
        offset = run_offset(key.worker_id, key.run_id)
        if not lock.try_acquire(offset):
            if not self._request.wait or str(offset) in environment.variables().get(ACTIVE, "").split(","):
                return False
            self._request.publish(Waiting("another process that executes this run", until))
            if not lock.acquire(offset, until, tick):
                return False
        return not self._session.ledger.held_elsewhere(*key[:2]) or self._wait_for_others(key, until, tick)

    def _wait_for_others(self, key: Key, until: float, tick: Callable[[], None]) -> bool:
        """Whether a machine that executes the run has settled it, or is found dead, in time."""
        if not self._request.wait:
            return False
        self._request.publish(Waiting("another machine that executes this run", until))
        while self._session.ledger.held_elsewhere(*key[:2]):
            tick()
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_LOOK_SECONDS, left))
        return True

    def left_over(self, row: Run | None) -> Verdict | None:
        """What a dead attempt left, judged like a fresh one. We hold the lock: nobody writes that file any more."""
        if row is None or row.state != "running" or row.open_token is None:
            return None
        # What its task started may have let go of the lock: it must not go on beside the next attempt.
        folder = os.path.join(self._session.artifacts_folder, row.open_token)
        processes.end_marked(f"{ARTIFACTS}={folder}".encode())
        self._settlement.keep_checkpoint(row, row.open_token)
        left = self._settlement.judged(row.open_token, row.open_key) or verdict.crashed("was lost")
        return self._settlement.with_usage(left, row.open_token)

    def claim(
        self, given: Input, left: Verdict | None, name: AttemptName, give_up_at: float
    ) -> "ClaimedAttempt | TooSoon | Answered":
        """T1: admit the run, close what a dead attempt left, count the call, start an attempt. Committed before anything
        runs; a call that comes too soon leaves nothing behind."""
        try:
            with self._session.ledger.transaction(give_up_at) as transaction:
                row, old_token = self._admitted(transaction, given, left)
                if row.state != "done":
                    self._count_call(transaction, given, name.token)
                    row = self.start(transaction, row, name)
        except _Refused as refused:
            return refused.answered
        except _CalledTooSoon as early:
            return TooSoon(early.seconds)
        if old_token is not None:
            results.remove(self._session.results_folder, old_token)
            if row.state == "done" and not (left and asked_a_person(left)):
                results.forget_progress(self._session.results_folder, row.worker_id, row.run_id)
        if row.state == "done":
            return self._answers.settled(row) if left is not None else self._answers.replay(row)
        return ClaimedAttempt(given, row, *name)

    def _count_call(self, transaction: Transaction, given: Input, token: str) -> None:
        """Count the call against the contract's rate (S3.9). Raises _CalledTooSoon."""
        rate = self._worker.rate
        if rate is None:
            return
        whom = run_key.at_pointer(rate.pointer, given.exact) if rate.pointer else None
        scope = sha256(strict.canonical([self._worker.contract.id, rate.pointer, whom]))
        if seconds := transaction.take_call(scope, rate.calls, rate.seconds, token):
            raise _CalledTooSoon(seconds)

    def _admitted(self, transaction: Transaction, given: Input, left: Verdict | None) -> tuple[Run, str | None]:
        """The admitted run, and the token of an attempt that was found open and is closed now."""
        assert given.key is not None
        row = transaction.admit(given.key, self._worker.text)
        if self._worker.tags and row.state != "done":
            transaction.tag(row, self._worker.tags)
        if (refused := self._answers.refusal(row, given)) is not None:
            raise _Refused(refused)
        if row.state != "running":
            return row, None
        if left is None:  # another machine has claimed it since we looked
            message = "This run is being executed by another process."
            failure = Failure("run_in_progress", message, True, "ask again later")
            raise _Refused(self._answers.failed(Status.RETRYABLE_ERROR, failure))
        return self._settlement.close(transaction, row, left, None), row.open_token

    def start(self, transaction: Transaction, row: Run, name: AttemptName) -> Run:
        """Claim the attempt that a process was started for."""
        assert name.token, "an attempt is claimed for a process that is there"
        return transaction.start_attempt(row, name.token, self._session.owner, name.key)

    def claim_next(self, claim: ClaimedAttempt, row: Run, name: AttemptName, give_up_at: float) -> ClaimedAttempt:
        """The further attempt of a run that waits for one."""
        with self._session.ledger.transaction(give_up_at) as transaction:
            row = self.start(transaction, row, name)
        return ClaimedAttempt(claim.input, row, *name)


class TooSoon(NamedTuple):
    """The call would break the contract's rate; after `seconds` it would not, if nobody else calls."""

    seconds: float


class _CalledTooSoon(Exception):
    """Leaves a transaction without committing it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _Refused(Exception):
    """Leaves a transaction without committing it."""

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered


def needs_attempt(row: Run | None, left: Verdict | None) -> bool:
    """Whether a further attempt is to be claimed; a finished one is adopted also where none could be made."""
    if row is None or left is None:
        return row is None or row.state != "done"
    return left.transient and row.attempts < row.max_attempts


def deadline_of(worker: Worker) -> float:
    """A run that begins now ends by then (`time.monotonic()`)."""
    return time.monotonic() + worker.bounds.timeout
