"""The worker protocol's response: `status` and `outputs` beside each other, `error` where it failed."""

from typing import NamedTuple

from workermd.protocol.envelope import Document, Status

FIELDS = frozenset(
    {
        "status",
        "outputs",
        "error",
        "error_code",
        "retryable",
        "observability",
        "artifacts",
        "logs",
        "usage",
        "worker_id",
        "version",
        "run_id",
        "trace",
        "trace_id",
    }
)
"""What may stand at the top of a response."""


class ResponseForm(NamedTuple):
    """What a response says. `error_code` and `retryable` are None where it says nothing of them; `usage` likewise."""

    status: str
    outputs: Document
    error_code: str | None
    retryable: bool | None
    usage: Document | None


def read(document: Document) -> ResponseForm | None:
    """The parts of a response; None for a document of another form.

    A failure is one by its status alone. A success has its `outputs`, and nothing that no response has.
    """
    status, outputs = document.get("status"), document.get("outputs")
    if not isinstance(status, str) or status not in {each.value for each in Status}:
        return None
    if status == Status.OK.value and (not isinstance(outputs, dict) or not document.keys() <= FIELDS):
        return None
    error = document.get("error")
    said = error if isinstance(error, dict) else {}
    code = said.get("code", document.get("error_code"))
    retryable = said.get("retryable", document.get("retryable"))
    return ResponseForm(
        status,
        outputs if isinstance(outputs, dict) else {},
        code if isinstance(code, str) else None,
        retryable if isinstance(retryable, bool) else None,
        usage_of(document),
    )


def usage_of(document: Document) -> Document | None:
    """What a response says that it used: names and numbers from 0, at its top or in `observability`."""
    observability = document.get("observability")
    usage = document.get("usage", observability.get("usage") if isinstance(observability, dict) else None)
    if not isinstance(usage, dict) or not all(_is_count(number) for number in usage.values()):
        return None
    return usage


def _is_count(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < float("inf")
