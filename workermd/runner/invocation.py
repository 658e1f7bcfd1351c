"""One invocation of a run: admission, then attempts under supervision, each settled, until there is an answer (S2).

    order    input → key → look-up → schema ─────────────────────────→ replay, rejection or refusal
                                        └→ lock → claim (T1) → attempt → verdict → settle (T2) ─→ answer
                                                     ↑______ back-off ______|  while the deadline and the attempts last

Nothing here prints. What happens on the way is published as events; what is printed at the end is in the
`Answered`, and by then it is on disk.
"""

import time
from typing import TYPE_CHECKING

from workermd.protocol.envelope import Failure, Status
from workermd.protocol.errors import LedgerBusy
from workermd.runner import run_key
from workermd.runner import session as sessions
from workermd.runner.admission import Admission
from workermd.runner.answers import Answered, Answers
from workermd.runner.request import Input, InputRefused, Request, read_input
from workermd.runner.session import Session
from workermd.runner.trace import of_environment

if TYPE_CHECKING:
    pass


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


def before_an_attempt(session: Session, request: Request) -> Answered | Input:
    """The answer that needs no attempt (a replay, a refusal), or the input that may be attempted. Raises as `invoke` does."""
    run_key.refuse_without(request.worker.contract, request.key)
    return _Invocation(session, request).admitted()


def _busy(answers: Answers, busy: LedgerBusy) -> Answered:
    return answers.failed(Status.RETRYABLE_ERROR, Failure("ledger_busy", busy.message, True, busy.hint))


class _Invocation:
    def __init__(self, session: Session, request: Request) -> None:
        self.session = session
        self.request = request
        self.worker = request.worker
        self.trace = request.trace or of_environment()
        folder = session.artifacts_folder
        self.answers = Answers(request.worker, self.trace.shown, request.key.given or None, time.monotonic(), folder)

    def answer(self) -> Answered:
        found = self.admitted()
        if isinstance(found, Answered):
            return found
        from workermd.runner.attempts import attempted  # a replay has nothing to supervise

        return attempted(self.session, self.request, self.answers, self.trace, found)

    def admitted(self) -> Answered | Input:
        """The input that may be attempted, or the answer that needs no attempt."""
        admission = Admission(self.session, self.request, self.answers)
        try:
            given = read_input(self.request)
        except InputRefused as refused:
            return admission.reject(refused.message, refused.hint, refused.code)
        self.answers.run_id = given.run_id
        if self.request.again_by:
            from workermd.runner.again import grant

            grant(self.session, self.worker, given, self.request.again_by)
        return admission.answer_without_attempt(given) or given
