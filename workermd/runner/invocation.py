"""One invocation of a run: admission, then attempts under supervision, each settled, until there is an answer (S2).

    order    input → key → look-up → schema ─────────────────────────→ replay, rejection or refusal
                                        └→ lock → claim (T1) → attempt → verdict → settle (T2) ─→ answer
                                                     ↑______ back-off ______|  while the deadline and the attempts last

Nothing here prints. What happens on the way is published as events; what is printed at the end is in the
`Answered`, and by then it is on disk.
"""

import math
import time

from workermd.ledger.run_lock import RunLock
from workermd.protocol.envelope import EXIT_INTERRUPTED, Failure, Status
from workermd.protocol.errors import Interrupted, LedgerBusy
from workermd.runner import run_key, verdict
from workermd.runner import session as sessions
from workermd.runner.admission import Admission, ClaimedAttempt, TooSoon, deadline_of, needs_attempt
from workermd.runner.answers import Answered, Answers
from workermd.runner.events import AttemptEnded, Waiting
from workermd.runner.request import Input, InputRefused, Request, read_input
from workermd.runner.session import Session
from workermd.runner.settlement import Settlement
from workermd.runner.supervision import Supervisor
from workermd.runner.trace import of_environment
from workermd.runner.verdict import Verdict
from workermd.system.crash import point


def invoke_alone(ledger_path: str, request: Request) -> Answered:
    """Carry out one invocation in a session of its own. Raises as `invoke` does.

    A ledger that others write to all the time, until the run's own deadline, is an answer: the same call may help.
    """
    began = time.monotonic()
    run_key.refuse_without(request.worker.contract, request.key)
    try:
        with sessions.opened(ledger_path, give_up_at=began + request.worker.bounds.timeout) as session:
            return invoke(session, request)
    except LedgerBusy as busy:
        trace = request.trace or of_environment()
        return _busy(Answers(request.worker, trace.shown, _run_id(request), began), busy)


def _run_id(request: Request) -> str | None:
    """The run that could not begin, so that the next call can name it."""
    try:
        return read_input(request).run_id
    except InputRefused:
        return request.key.given or None


def invoke(session: Session, request: Request) -> Answered:
    """Carry out one invocation in a session that is given.

    Raises UsageError, ConfigurationError and LedgerUnavailable (exit 2); everything that concerns the run
    itself is an answer.
    """
    run_key.refuse_without(request.worker.contract, request.key)
    invocation = _Invocation(session, request)
    try:
        return invocation.answer()
    except LedgerBusy as busy:
        return _busy(invocation.answers, busy)


def _busy(answers: Answers, busy: LedgerBusy) -> Answered:
    return answers.failed(Status.RETRYABLE_ERROR, Failure("ledger_busy", busy.message, True, busy.hint))


class _Invocation:
    def __init__(self, session: Session, request: Request) -> None:
        self.session = session
        self.request = request
        self.worker = request.worker
        self.trace = request.trace or of_environment()
        self.answers = Answers(request.worker, self.trace.shown, request.key.given or None, time.monotonic())
        self.settlement = Settlement(session, request.worker, self.answers)
        self.admission = Admission(session, request, self.answers, self.settlement)

    def answer(self) -> Answered:
        try:
            given = read_input(self.request)
        except InputRefused as error:
            return self.admission.reject(error.message, error.hint, error.code)
        self.answers.run_id = given.run_id
        if (answered := self.admission.answer_without_attempt(given)) is not None:
            return answered
        with self.session.locks() as lock:
            supervisor = Supervisor(self.session, self.request, self.settlement, lock, self.trace)
            try:
                return self.locked(given, lock, supervisor)
            finally:
                supervisor.end_host()

    def locked(self, given: Input, lock: RunLock, supervisor: Supervisor) -> Answered:
        """ClaimedAttempt under the run's lock, and attempt."""
        key = given.key
        assert key is not None
        row = None
        deadline = deadline_of(self.worker)
        try:
            if not self.admission.take_lock(lock, key, deadline, supervisor.tick):
                message = "This run is being executed by another process."
                failure = Failure("run_in_progress", message, True, "ask again later")
                return self.answers.failed(Status.RETRYABLE_ERROR, failure)
            point("lock_taken")
            row = self.session.ledger.look(key.worker_id, key.run_id)
            left = self.admission.left_over(row)
            if needs_attempt(row, left):
                supervisor.start_host()
                supervisor.wait_ready(deadline_of(self.worker))
            deadline = deadline_of(self.worker)
            claimed = self.claimed_in_time(given, left, deadline, supervisor)
        except Interrupted:
            return self.answers.interrupted(self.session.ledger, row, verdict.not_begun())
        return claimed if isinstance(claimed, Answered) else self.attempts(claimed, supervisor, deadline)

    def claimed_in_time(
        self, given: Input, left: Verdict | None, deadline: float, supervisor: Supervisor
    ) -> ClaimedAttempt | Answered:
        """Claim, waiting within the deadline for the contract's rate to allow it (S3.9). Raises Interrupted."""
        while isinstance(claimed := self.admission.claim(given, left, deadline), TooSoon):
            until = time.monotonic() + claimed.seconds
            if until >= deadline or not self.request.wait:
                message = f"The contract's rate_limit ({self.worker.rate}) allows no further call now."
                hint = f"ask again in {math.ceil(claimed.seconds)} s"
                return self.answers.failed(Status.RETRYABLE_ERROR, Failure("rate_limited", message, True, hint))
            self.request.publish(Waiting(f"the contract's rate_limit ({self.worker.rate})", until))
            supervisor.wait(until)
        return claimed

    def attempts(self, claim: ClaimedAttempt, supervisor: Supervisor, deadline: float) -> Answered:
        """Attempt until the run is settled, or until no further attempt fits into the deadline."""
        while True:
            judged, duration = supervisor.attempt(claim, deadline)
            self.request.publish(AttemptEnded(judged.outcome, judged.failure.code if judged.failure else ""))
            row = self.settlement.settle(claim.row, judged, duration, claim.token)
            if row.state == "done":
                answered = self.answers.settled(row)
                return answered._replace(exit_code=EXIT_INTERRUPTED) if judged.outcome == "cancelled" else answered
            if judged.outcome == "cancelled":
                return self.answers.interrupted(self.session.ledger, row, judged)
            try:
                if not supervisor.pause(row, judged, deadline):
                    return self.answers.unfinished(self.session.ledger, row, judged)
                claim = self.admission.claim_next(claim, row, deadline)
            except Interrupted:
                return self.answers.interrupted(self.session.ledger, row, verdict.not_begun())
