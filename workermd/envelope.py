"""The vocabulary of answers: statuses, exit codes, error codes, and the record of a run (S1, S5)."""

from enum import StrEnum
from typing import Any, NamedTuple, Self

SCHEMA_VERSION = 1

Document = dict[str, Any]


class Status(StrEnum):
    """The five statuses of worker.md, each with its sentence, its exit code and its finality (S1.1)."""

    def __new__(cls, value: str, exit_code: int, final: bool, sentence: str) -> Self:
        status = str.__new__(cls, value)
        status._value_ = value
        status.exit_code = exit_code
        status.final = final
        status.sentence = sentence
        return status

    exit_code: int
    final: bool
    sentence: str

    OK = "ok", 0, True, "The output is valid."
    INVALID_REQUEST = (
        "invalid_request",
        3,
        True,
        "The input or the idempotency key is unusable; do not retry unchanged.",
    )
    INVALID_OUTPUT = "invalid_output", 4, True, "No valid output within the attempts, or the task failed for good."
    RETRYABLE_ERROR = "retryable_error", 5, False, "A transient failure or the deadline; safe to retry."
    NEEDS_HUMAN = "needs_human", 6, True, "Approval or a decision is required."


EXIT_OWN_STATUS = 7
"""A status that the contract added and does not list in `success_statuses` (S1.6)."""

EXIT_BUG = 1
EXIT_UNUSABLE = 2
EXIT_FINDINGS = 1
EXIT_INTERRUPTED = 130


def exit_code(status: str, success_statuses: tuple[str, ...] = (Status.OK.value,)) -> int:
    """The exit code of `run` for a status of ours or of the contract's own."""
    if status in success_statuses:
        return 0
    return _EXIT_CODES.get(status, 0) or EXIT_OWN_STATUS


_EXIT_CODES = {status.value: status.exit_code for status in Status}


ERROR_CODES: dict[str, str] = {
    "input_schema_mismatch": "The input is not strict JSON or does not match the input schema.",
    "input_rejected": "The task looked at a well-formed input and refused it.",
    "idempotency_conflict": "The same key was used before with another input.",
    "contract_changed": "The contract's meaning changed while the run was unfinished.",
    "run_in_progress": "Another process is executing this run.",
    "timeout": "The deadline of the run or of the attempt passed; everything it started was ended.",
    "attempt_crashed": "The attempt's process ended without an answer.",
    "attempts_exhausted": "No attempt is left and the last one's outcome is unknown.",
    "rate_limited": "A provider asked to slow down.",
    "backend_unavailable": "Something the task depends on did not answer; trying again may help.",
    "backend_failed": "The task failed in a way that trying again will not mend.",
    "output_not_json": "The reply is not one strict JSON object.",
    "output_schema_mismatch": "The reply does not match the output schema.",
    "status_not_allowed": "The reply's status is not in the contract's enum.",
    "run_id_mismatch": "The reply bears another run's id.",
    "output_too_large": "The reply is larger than max_output_bytes.",
    "output_truncated": "The reply was cut off before its end.",
    "budget_exceeded": "A bound on tokens, cost or tool calls was reached.",
    "tool_denied": "A tool call outside the allow-list was refused.",
    "approval_required": "A person has to decide before the run can go on.",
    "approval_denied": "A person decided against it.",
    "cancelled": "The run was interrupted; the attempt was ended.",
}
"""Every error code with its sentence (S5.5). Codes are added, never renamed or reused."""


class Failure(NamedTuple):
    """Why a run or an attempt did not succeed. `message` quotes no value of an input or output."""

    code: str
    message: str
    retryable: bool
    hint: str = ""

    def document(self) -> Document:
        """`{code, message, retryable}` and, where there is one, `hint`."""
        error: Document = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.hint:
            error["hint"] = self.hint
        return error
