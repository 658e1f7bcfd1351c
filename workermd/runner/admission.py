"""From an input to an attempt, or to the answer that needs none: read, look up, check (S2.2, S2.3).

No process is started here, and nothing is loaded that starts one: a rejected input and a replay cost neither.
"""

from workermd.ledger.records import Run
from workermd.protocol.envelope import Failure, Status
from workermd.runner import requirements, run_key, verdict
from workermd.runner.answers import Answered, Answers
from workermd.runner.request import Input, Request, means_the_same
from workermd.runner.session import Session


class Admission:
    """The way of one input to an attempt, or to the answer that needs none."""

    def __init__(self, session: Session, request: Request, answers: Answers) -> None:
        self._session = session
        self._worker = request.worker
        self._answers = answers
        self._checked_by = request.checked_by

    def answer_without_attempt(self, given: Input) -> Answered | None:
        """The stored answer, or a refusal; None for an input that may be attempted. The key stays free.

        Raises ConfigurationError where the contract tells a model nothing to do.
        """
        row = self._session.ledger.look(given.key.worker_id, given.key.run_id) if given.key else None
        if row is not None and self._is_replay(row, given):
            return self._answers.replay(row)
        if (rejected := self._mismatch(given)) is not None:
            return rejected
        if row is not None and (refused := self._answers.refusal(row, given)) is not None:
            return refused
        requirements.refuse_without_purpose(self._worker.contract, self._worker.binding)
        return None

    def _is_replay(self, row: Run, given: Input) -> bool:
        """Settled, and with this very input under this very contract: that input was checked then."""
        return row.state == "done" and given.is_that_of(row) and means_the_same(row, self._worker.contract)

    def _mismatch(self, given: Input) -> Answered | None:
        mismatches = self._worker.input_checker.check(given.value)
        if mismatches:
            message = f"The input does not match its schema {verdict.told(mismatches)}."
            hint = run_key.hint(given.value, self._worker.contract)
            shown_by = self._checked_by and f"see all of it with: {self._checked_by}"
            return self.reject(message, hint or shown_by)
        return self.reject(given.problem) if given.key is None else None

    def reject(self, message: str, hint: str = "", code: str = "input_schema_mismatch") -> Answered:
        """Refuse before any attempt: noted, but the key stays free (S2.2)."""
        self._session.ledger.reject(self._worker.contract.id, self._answers.run_id, code, None)
        return self._answers.failed(Status.INVALID_REQUEST, Failure(code, message, False, hint))
