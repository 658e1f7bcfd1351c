"""Answers of runs as responses of HTTP: the table of docs/serve.md."""

import http
import os
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.protocol.envelope import Document, Status, encoded
from workermd.runner.answers import Answered
from workermd.runner.worker import Worker
from workermd.serve.jobs import Name, RunCall
from workermd.serve.problem import HttpProblem
from workermd.serve.reading import JSON

_BY_CODE = {
    "run_key_missing": 400,
    "idempotency_conflict": 422,
    "contract_changed": 409,
    "run_in_progress": 409,
    "input_too_large": 413,
    "approval_denied": 409,
    "timeout": 504,
    "rate_limited": 429,
}
_BY_STATUS = {
    Status.INVALID_REQUEST.value: 422,
    Status.INVALID_OUTPUT.value: 502,
    Status.RETRYABLE_ERROR.value: 503,
}
RETRY_AFTER = "1"


def refused_input(worker: Worker, data: bytes) -> tuple[int, list[Document]]:
    """The status for an input that was refused as `input_schema_mismatch`, and what its schema has against it."""
    try:
        value = quick.load_exact(data).value
    except JsonError:
        return 400, []
    if not isinstance(value, dict):
        return 400, []
    found = [
        {"pointer": each.pointer, "schema_pointer": each.schema_pointer, "message": each.message}
        for each in worker.input_checker.check(value)
    ]
    return 422, found


def status_of(envelope: Document) -> int:
    """200 for what a contract's caller has to read: its own statuses, and what waits for a person."""
    status, code = envelope["status"], envelope.get("error", {}).get("code", "")
    if status not in _BY_STATUS:
        return 200
    return _BY_CODE.get(code, _BY_STATUS[status])


def of_answer(answered: Answered, call: RunCall, more: dict[str, str] | None = None) -> Response:
    """The output byte for byte, or a problem document that carries the envelope."""
    envelope = answered.envelope
    headers = _headers(envelope) | (more or {})
    status, problem = status_of(envelope), dict[str, Any]()
    if envelope.get("error", {}).get("code") == "input_schema_mismatch":
        status, findings = refused_input(call.worker, call.data)
        problem = {"findings": findings} if findings else {}
    if status == http.HTTPStatus.OK:
        return Response(answered.output, status, headers, JSON)
    error = envelope.get("error", {})
    told = HttpProblem(
        status,
        error.get("code", envelope["status"]),
        error.get("message", ""),
        error.get("hint", ""),
        **problem,
        envelope=addressed(envelope),
    )
    if error.get("retryable"):
        headers["Retry-After"] = RETRY_AFTER
    told.headers = headers
    return told.response()


def addressed(envelope: Document) -> Document:
    """An envelope whose artifacts can be fetched from this server, in place."""
    attempts, home = envelope.get("attempts") or (), address((envelope["worker_id"], envelope["run_id"] or ""))
    for each in (*envelope.get("artifacts", ()), *(file for made in attempts for file in made.get("artifacts", ()))):
        each["uri"] = f"{home}/artifacts?sha256={each['sha256']}"
    return envelope


def address(name: Name) -> str:
    """The path of a run."""
    return f"/workers/{quote(name[0], safe='')}/runs/{quote(name[1], safe='')}"


def of_file(name: str, file: BinaryIO) -> Response:
    """A file to keep: whatever it is, no browser shows it as a page of this server's."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(os.fstat(file.fileno()).st_size),
    }
    return StreamingResponse(_parts(file), 200, headers, "application/octet-stream")


def _parts(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(1 << 16), b"")


def of_envelope(envelope: Document) -> Response:
    addressed(envelope)
    return Response(encoded(envelope), 200, _headers(envelope), JSON)


def of_document(document: Any, status: int = 200, **headers: str) -> Response:
    """Any document; `_` in a header's name stands for `-`."""
    return Response(encoded(document), status, {name.replace("_", "-"): value for name, value in headers.items()}, JSON)


def _headers(envelope: Document) -> dict[str, str]:
    headers = {"Workermd-Status": envelope["status"], "Workermd-Exit": str(envelope["exit_code"])}
    return headers | ({"Idempotent-Replayed": "true"} if envelope.get("replayed") else {})
