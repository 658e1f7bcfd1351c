"""What a caller is told who gets no answer: a problem document (RFC 9457), one form for every refusal."""

import http
import json
from typing import Any

from starlette.responses import Response

from workermd.protocol.envelope import Document
from workermd.protocol.errors import WorkermdError

MEDIA_TYPE = "application/problem+json"


class HttpProblem(Exception):
    """A refusal. `code` is one of the stable words of docs/serve.md or of a run's error codes."""

    def __init__(self, status: int, code: str, detail: str, hint: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.headers: dict[str, str] = {}
        self.more = more

    def with_headers(self, **headers: str) -> "HttpProblem":
        """The same, with these headers; `_` stands for `-`."""
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self

    @property
    def document(self) -> Document:
        document: Document = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return document | ({"hint": self.hint} if self.hint else {}) | self.more

    def response(self) -> Response:
        body = json.dumps(self.document, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        return Response(body, self.status, self.headers, MEDIA_TYPE)


_STATUS = {"usage": 409, "run_key_missing": 400, "ledger_unavailable": 503, "ledger_busy": 503}


def of_error(error: WorkermdError) -> HttpProblem:
    """What a call that cannot be carried out is told: of the caller's making, of the ledger's, or of the operator's."""
    return HttpProblem(_STATUS.get(error.code, 500), error.code, error.message, error.hint)
