"""The attempts of an admitted run: claim one, supervise it, settle it, until there is an answer (S2.4, S3)."""

import math
import time

from workermd.attempt.spawn import LoadingKilled
from workermd.ledger.run_lock import RunLock
from workermd.protocol.envelope import EXIT_INTERRUPTED, Failure, Status
from workermd.protocol.errors import Interrupted
from workermd.runner import verdict
from workermd.runner.answers import Answered, Answers
from workermd.runner.claims import ClaimedAttempt, Claims, TooSoon, deadline_of, needs_attempt
from workermd.runner.events import AttemptEnded, Waiting
from workermd.runner.request import Input, Request
from workermd.runner.session import Session
from workermd.runner.settlement import Settlement
from workermd.runner.supervision import Supervisor
from workermd.runner.trace import Trace
from workermd.runner.verdict import Verdict
from workermd.system.crash import point


def attempted(session: Session, request: Request, answers: Answers, trace: Trace, given: Input) -> Answered:
    """The answer to an input that was admitted. Raises as `invoke` does."""
    request = request._replace(worker=request.worker.hiding(given.value))
    with session.locks() as lock:
        attempts = _Attempts(session, request, answers, trace, lock)
        try:
            return attempts.answer(given)
        finally:
            attempts.supervisor.end_host()
            lock.release()  # also from a process that the caller forked meanwhile, which has a copy of it


class _Attempts:
    def __init__(self, session: Session, request: Request, answers: Answers, trace: Trace, lock: RunLock) -> None:
        self.session = session
        self.request = request
        self.worker = request.worker
        self.answers = answers
        self.lock = lock
        self.settlement = Settlement(session, request.worker, answers)
        self.claims = Claims(session, request, answers, self.settlement)
        self.supervisor = Supervisor(session, request, self.settlement, lock, trace)

    def answer(self, given: Input) -> Answered:
        """Claim under the run's lock, and attempt."""
        key = given.key
        assert key is not None
        row = None
        try:
            if not self.claims.take_lock(self.lock, key, deadline_of(self.worker), self.supervisor.tick):
                message = "This run is being executed by another process."
                failure = Failure("run_in_progress", message, True, "ask again later")
                return self.answers.failed(Status.RETRYABLE_ERROR, failure)
            point("lock_taken")
            row = self.session.ledger.look(key.worker_id, key.run_id)
            left = self.claims.left_over(row)
            if needs_attempt(row, left):
                self.supervisor.start_host(key.run_id)
                self.supervisor.wait_ready(deadline_of(self.worker))
            deadline = deadline_of(self.worker)
            claimed = self.claimed_in_time(given, left, deadline)
        except Interrupted:
            return self.answers.interrupted(self.session.ledger, row, verdict.not_begun())
        except LoadingKilled as killed:
            return self.killed_loading(killed)
        return claimed if isinstance(claimed, Answered) else self.to_the_end(claimed, deadline)

    def claimed_in_time(self, given: Input, left: Verdict | None, deadline: float) -> ClaimedAttempt | Answered:
        """Claim, waiting within the deadline for the contract's rate to allow it (S3.9). Raises Interrupted."""
        while isinstance(claimed := self.claims.claim(given, left, self.supervisor.name, deadline), TooSoon):
            until = time.monotonic() + claimed.seconds
            if until >= deadline or not self.request.wait:
                message = f"The contract's rate_limit ({self.worker.rate}) allows no further call now."
                hint = f"ask again in {math.ceil(claimed.seconds)} s"
                return self.answers.failed(Status.RETRYABLE_ERROR, Failure("rate_limited", message, True, hint))
            self.request.publish(Waiting(f"the contract's rate_limit ({self.worker.rate})", until))
            self.supervisor.wait(until)
        return claimed

    def to_the_end(self, claim: ClaimedAttempt, deadline: float) -> Answered:
        """Attempt until the run is settled, or until no further attempt fits into the deadline."""
        while True:
            judged, duration = self.supervisor.attempt(claim, deadline)
            self.request.publish(AttemptEnded(judged.outcome, judged.failure.code if judged.failure else ""))
            row = self.settlement.settle(claim.row, judged, duration, claim.token)
            if row.state == "done":
                answered = self.answers.settled(row)
                return answered._replace(exit_code=EXIT_INTERRUPTED) if judged.outcome == "cancelled" else answered
            if judged.outcome == "cancelled":
                return self.answers.interrupted(self.session.ledger, row, judged)
            try:
                if not self.supervisor.pause(row, judged, deadline):
                    return self.answers.unfinished(self.session.ledger, row, judged)
                claim = self.claims.claim_next(claim, row, self.supervisor.name, deadline)
            except Interrupted:
                return self.answers.interrupted(self.session.ledger, row, verdict.not_begun())
            except LoadingKilled as killed:
                return self.killed_loading(killed)

    def killed_loading(self, killed: LoadingKilled) -> Answered:
        """No attempt had been claimed, so none is used up, and the next call may have more luck (S3.1)."""
        failure = Failure(
            "attempt_crashed",
            f"T{killed.message[1:]}; no attempt was used up.",
            True,
            "look for what ended it, such as too little memory; then run the same command again",
        )
        return self.answers.failed(Status.RETRYABLE_ERROR, failure)
