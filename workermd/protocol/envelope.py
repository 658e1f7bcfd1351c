"""The vocabulary of answers: statuses, exit codes, error codes, and the record of a run (S1, S5)."""

import json
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple, Self

SCHEMA_VERSION = 1
"""Of every JSON document that a command prints. It rises when a field goes or changes its meaning, not when one is added."""

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
    RETRYABLE_ERROR = (
        "retryable_error",
        5,
        False,
        "A transient failure or the deadline; error.retryable says whether the same call may help.",
    )
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
    "request_mismatch": "The request document is for another contract, or loosens one of its bounds.",
    "input_too_large": "The input is larger than max_input_bytes of the configuration.",
    "input_rejected": "The task looked at a well-formed input and refused it.",
    "task_reported": "The task itself answered with a status that is no success; its document says why.",
    "idempotency_conflict": "The same key was used before with another input.",
    "contract_changed": "The contract's meaning changed while the run was unfinished.",
    "run_key_missing": "The contract's input has no field for the run's key, and the call names no run.",
    "run_in_progress": "Another process is executing this run.",
    "ledger_busy": "Other processes wrote to the ledger until the run's deadline.",
    "timeout": "The deadline of the run or of the attempt passed; everything it started was ended.",
    "attempt_crashed": "The attempt's process ended without an answer.",
    "attempts_exhausted": "No attempt is left and the last one's outcome is unknown.",
    "rate_limited": "A provider asked to slow down, or the contract's rate_limit allows no further call now.",
    "backend_unavailable": "Something the task depends on did not answer; trying again may help.",
    "backend_failed": "The task failed in a way that trying again will not mend.",
    "output_not_json": "The reply is not one strict JSON object.",
    "output_schema_mismatch": "The reply does not match the output schema.",
    "status_not_allowed": "The reply's status is not in the contract's enum.",
    "run_id_mismatch": "The reply bears another run's id.",
    "output_too_large": "The reply is larger than max_output_bytes.",
    "secret_in_output": "The reply holds a secret variable's value where masking it would change the reply.",
    "output_truncated": "The reply was cut off before its end.",
    "budget_exceeded": "A bound on tokens, cost, turns, tool calls, memory, processes or artifacts was reached.",
    "model_refused": "The model declined to answer, or its provider's filter withheld the answer.",
    "tool_denied": "A tool call outside the allow-list was refused.",
    "approval_required": "A person has to decide before the run can go on.",
    "approval_denied": "A person decided against it.",
    "cancelled": "The run was interrupted; the attempt was ended.",
}
"""Every error code with its sentence (S5.5). Codes are added, never renamed or reused."""


OUTCOMES = (
    "ok",
    "retryable_error",
    "invalid_request",
    "invalid_output",
    "needs_human",
    "timeout",
    "crashed",
    "cancelled",
)
"""How one attempt can end, as the ledger records it. An answer with a status of the contract's own is `ok`."""


REQUEST_KINDS = ("question", "tool", "plan", "stalled")
"""What a person can be asked: an agent's question, a tool call, a plan, how to go on where nothing moves (S9.1)."""


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


class AttemptRecord(NamedTuple):
    """One attempt as the envelope tells it. `started_at` is Unix microseconds, `duration_ms` None when unknown."""

    n: int
    started_at: int
    outcome: str
    duration_ms: float | None = None
    error: Document | None = None
    usage: Document | None = None
    artifacts: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()
    sandbox: Document | None = None
    resumed_from: Document | None = None


class Record(NamedTuple):
    """Everything an envelope says of a run (S5.4)."""

    worker_id: str
    version: str
    contract_sha256: str
    run_id: str | None
    status: str
    exit_code: int
    outputs: Document | None
    output_valid: bool
    failure: Failure | None
    attempts: tuple[AttemptRecord, ...]
    duration_ms: float
    trace_id: str
    backend: str
    replayed: bool = False
    notes: tuple[str, ...] = ()
    request: Document | None = None


def envelope(record: Record) -> Document:
    """The envelope as a document, keys in the order of its schema."""
    last = record.attempts[-1].n if record.attempts else 0
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "worker_id": record.worker_id,
        "version": record.version,
        "contract_sha256": record.contract_sha256,
        "run_id": record.run_id,
        "status": record.status,
        "exit_code": record.exit_code,
        "outputs": record.outputs,
        "output_valid": record.output_valid,
    }
    if record.failure is not None:
        document["error"] = record.failure.document()
    if record.request is not None:
        document["request"] = record.request
    log_fields: Document = {
        "worker_id": record.worker_id,
        "run_id": record.run_id,
        "attempt": last,
        "status": record.status,
        "duration_ms": record.duration_ms,
    }
    if record.failure is not None:
        log_fields["error_code"] = record.failure.code
    document |= {
        "replayed": record.replayed,
        "attempts": [_attempt(attempt) for attempt in record.attempts],
        "observability": {
            "attempt": last,
            "duration_ms": record.duration_ms,
            "trace_id": record.trace_id,
            "log_fields": log_fields,
        },
        "usage": summed(attempt.usage for attempt in record.attempts),
        "backend": record.backend,
        "artifacts": [artifact for attempt in record.attempts[-1:] for artifact in attempt.artifacts],
        "notes": list(record.notes),
    }
    return document


def _attempt(attempt: AttemptRecord) -> Document:
    document: Document = {
        "n": attempt.n,
        "started_at": timestamp(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
    }
    if attempt.error:
        document["error"] = attempt.error
    if attempt.usage:
        document["usage"] = attempt.usage
    if attempt.sandbox:
        document["sandbox"] = attempt.sandbox
    if attempt.resumed_from:
        document["resumed_from"] = attempt.resumed_from
    return document


def summed(usages: Iterable[Document | None]) -> Document:
    """Usage over all attempts, failed ones included: they were paid for as well."""
    total: Document = {}
    for usage in usages:
        for name, amount in (usage or {}).items():
            if isinstance(amount, int | float) and not isinstance(amount, bool):
                total[name] = total.get(name, 0) + amount
    return total


def timestamp(microseconds: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:03d}Z"


def versioned(document: Document) -> Document:
    """A document that bears the version of its form, as its first field."""
    return {"schema_version": SCHEMA_VERSION, **document}


def encoded(document: Document) -> bytes:
    """A document as it is printed and stored: UTF-8, two spaces, a final newline.

    Inputs and outputs are Unicode by the time they come here; the path of a file need not be.
    """
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode("utf-8", "replace")
