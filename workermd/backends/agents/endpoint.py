"""One request to one model's endpoint and its whole answer: no retry, no redirect, no time limit but the attempt's."""

import json
import os
import ssl
from typing import NamedTuple

import httpx2

from workermd.backends.agents import event_stream
from workermd.backends.agents.transport import origin_of, route_to
from workermd.protocol.envelope import Document
from workermd.task.binding import Model
from workermd.task.task import Result, failed

MAX_BODY_BYTES = 64 << 20
"""A larger answer of an endpoint is not read to its end, however small it travels."""


class EndpointResponse(NamedTuple):
    """What HTTP returned, its body as it was before any compression. `sent` False: a library refused it before."""

    status: int
    headers: dict[str, str]
    content: bytes
    sent: bool = True

    @property
    def document(self) -> Document | None:
        """The JSON object of the body, put together where it came as a stream; None for anything else."""
        if event_stream.is_stream(self.headers.get("content-type", ""), self.content):
            return event_stream.put_together(self.content)
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class EndpointLost(Exception):
    """There was no answer. `result` says what that means for the attempt."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Endpoint:
    """The way to one model: its address, its key, its headers, its certificates, its proxy."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.key = os.environ.get(model.api_key_env, "") if model.api_key_env else ""
        self.origin = origin_of(model.base_url)
        proxy = os.environ.get(model.proxy_env, "") if model.proxy_env else ""
        self._live = route_to(model.base_url, model.ca_file, proxy)

    async def close(self) -> None:
        await self._live.aclose()

    async def asked(self, address: httpx2.URL | str, document: Document, span: str) -> EndpointResponse:
        """Raises `EndpointLost`."""
        url = httpx2.URL(address)
        if self.model.api_version:
            url = url.copy_set_param("api-version", self.model.api_version)
        request = httpx2.Request(
            "POST",
            url,
            headers=self._headers(span, streams=bool(document.get("stream"))),
            content=json.dumps(document).encode(),
            extensions={"timeout": {}},
        )
        try:
            response = await self._live.handle_async_request(request)
            response.request = request
            try:
                return EndpointResponse(response.status_code, dict(response.headers), await self._body(response))
            finally:
                await response.aclose()
        except (httpx2.HTTPError, OSError) as error:
            raise EndpointLost(self._lost(error)) from error

    async def _body(self, response: httpx2.Response) -> bytes:
        chunks, size = [], 0
        async for chunk in response.aiter_bytes():  # decompressed: some compress though nobody asked for it
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                told = f"{self.origin} answered with more than {MAX_BODY_BYTES >> 20} MiB"
                raise EndpointLost(failed("refused", "backend_failed", told))
            chunks.append(chunk)
        return b"".join(chunks)

    def _headers(self, span: str, *, streams: bool) -> dict[str, str]:
        accept = "text/event-stream" if streams else "application/json"
        headers = {"content-type": "application/json", "accept": accept, "accept-encoding": "identity"}
        headers["user-agent"] = "workermd"
        headers |= {name: os.environ.get(variable, "") for name, variable in self.model.headers.items()}
        if self.key:
            name, before = self.model.key_header
            headers[name] = f"{before}{self.key}"
        if traceparent := os.environ.get("TRACEPARENT"):
            version, trace_id, _, flags = traceparent.split("-", 3)
            headers["traceparent"] = f"{version}-{trace_id}-{span}-{flags}"
        return headers

    def _lost(self, error: BaseException) -> Result:
        cause = _cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return failed(
                "refused",
                "backend_failed",
                f"the certificate of {self.origin} is not trusted ({cause.verify_message}); name the file of its "
                'authority: ca_file = "…" in the table of the model',
            )
        number = getattr(cause, "errno", None)
        told = os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__
        return failed("retryable", "backend_unavailable", f"{self.origin} cannot be reached ({told})")


def _cause(error: BaseException) -> BaseException:
    """What the transport wrapped: the innermost error of the system says most."""
    found, seen = error, error.__cause__ or error.__context__
    while seen is not None:
        if isinstance(seen, OSError) and (seen.strerror or isinstance(seen, ssl.SSLError)):
            found = seen
        if isinstance(seen, ExceptionGroup):
            seen = seen.exceptions[0]
            continue
        seen = seen.__cause__ or seen.__context__
    return found
