"""The one way to a model's endpoint, for every framework: an HTTP transport below OpenAI's own client.

Every framework speaks to its model through `openai.AsyncOpenAI`, so what has to be the same for all of them stands
here: requests are counted and bounded, none is retried, an answer that was cut off or refused ends the attempt, and
so does a provider's error, with what it means.
"""

import email.utils
import json
import math
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx2
from openai import AsyncOpenAI

from workermd.backends.agents import response_format
from workermd.backends.agents.attempt_end import AttemptEnd
from workermd.backends.agents.completion import called_in, choice_of, fault_of, in_shape
from workermd.backends.agents.meter import Exceeded, Meter
from workermd.backends.agents.recorder import Player, Recorder
from workermd.backends.agents.transport import route_to
from workermd.protocol.envelope import Document
from workermd.task.binding import Model
from workermd.task.journal_writer import JournalWriter, new_span
from workermd.task.recording import Miss
from workermd.task.task import Result, failed

MAX_ANSWER_BYTES = 64 << 20
"""A larger answer of an endpoint is not read to its end."""

_PATH = "/chat/completions"

_STATUSES: dict[int, tuple[str, str, str]] = {
    400: ("refused", "backend_failed", "refused the request as invalid"),
    401: ("refused", "backend_failed", "did not accept the key"),
    402: ("refused", "backend_failed", "wants to be paid first"),
    403: ("refused", "backend_failed", "did not accept the key"),
    404: ("refused", "backend_failed", "knows no such model or path; look at model and base_url"),
    408: ("retryable", "backend_unavailable", "gave up on the request"),
    409: ("retryable", "backend_unavailable", "is in conflict with another request"),
    413: ("refused", "backend_failed", "refused the request as too large; give it less input"),
    422: ("refused", "backend_failed", "refused the request as invalid"),
    425: ("retryable", "backend_unavailable", "is not ready"),
    429: ("retryable", "rate_limited", "asked to slow down"),
}
"""What a status means: kind of failure, error code, and how it is told. What stands nowhere: as 400."""

_ROWS = {
    3: ("refused", "backend_failed", "answered with a redirect, which no key follows; set base_url to its new address"),
    5: ("retryable", "backend_unavailable", "failed on its side"),
}
"""The same for whole hundreds."""

_CODES: dict[str, tuple[str, str, str]] = {
    "insufficient_quota": (
        "refused",
        "backend_failed",
        "has no quota left for this key; raise it, or name another key",
    ),
    "context_length_exceeded": (
        "refused",
        "backend_failed",
        "refused the request: it is longer than the model's context",
    ),
    "content_filter": ("refused", "model_refused", "withheld the answer by its content filter"),
}
"""Codes in a provider's error that say more than its status."""

_UNFIT = re.compile(r"response_format|json_schema|json_object|structured|schema|grammar", re.IGNORECASE)


class EndpointResponse(NamedTuple):
    """An endpoint's answer. `document` is None when the content is no JSON object."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def document(self) -> Document | None:
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


class AttemptParts(NamedTuple):
    """What all ways to models share in an attempt. `deny` counts and notes a call of a tool that may not be made."""

    meter: Meter
    journal: JournalWriter
    recorder: Recorder
    player: Player | None
    end: AttemptEnd
    deny: Callable[[str, str, str], Awaitable[str]]


class ModelClient(httpx2.AsyncBaseTransport):
    """One agent's way to one model. `client` is OpenAI's, with its retries and time limits off: both are ours."""

    def __init__(self, agent: str, model: Model, parts: AttemptParts) -> None:
        self.agent = agent
        self.model = model
        self._parts = parts
        self._key = os.environ.get(model.api_key_env, "") if model.api_key_env else ""
        self._level = response_format.FIRST[model.structured]
        self._live = route_to(model.base_url)
        self.http_client = httpx2.AsyncClient(transport=self, timeout=None, follow_redirects=False, trust_env=False)
        self.key = self._key or "none"
        """What a client has to be given for a key; without one nothing is sent."""
        self.client = AsyncOpenAI(
            api_key=self.key,
            base_url=model.base_url,
            max_retries=0,
            timeout=None,
            http_client=self.http_client,
        )

    async def close(self) -> None:
        await self._live.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith(_PATH):
            await self._parts.end.stop(
                failed("refused", "backend_failed", f"the framework asked for {request.url.path}, not for {_PATH}")
            )
        wish: Document = json.loads(await request.aread()) | self.model.options
        while True:
            sent = self._shaped(wish)
            answer = await self._asked(request, sent)
            if answer.status == 200 and (document := answer.document) is not None:
                await self._look_at(document, sent)
                return httpx2.Response(200, json=in_shape(document, self._parts.meter.turns), request=request)
            if not self._weakened(answer, sent):
                await self._parts.end.stop(self._failure(answer))

    def _shaped(self, wish: Document) -> Document:
        """The request with the form of the answer asked for at the level that this endpoint can do."""
        if "response_format" not in wish:
            return wish
        asked = response_format.weakened(wish["response_format"], self._level)
        rest = {key: value for key, value in wish.items() if key != "response_format"}
        return rest if asked is None else rest | {"response_format": asked}

    def _weakened(self, answer: EndpointResponse, sent: Document) -> bool:
        """Whether the endpoint may be asked again for less: it refused the form that was asked for."""
        told = answer.content[:4096].decode("utf-8", "replace")
        if answer.status not in (400, 404, 415, 422, 501) or "response_format" not in sent or not _UNFIT.search(told):
            return False
        if self.model.structured != "auto" or self._level + 1 >= len(response_format.LADDER):
            return False
        self._level += 1
        self._parts.journal.note(
            "fallback",
            agent=self.agent,
            asked=response_format.LADDER[self._level - 1],
            instead=response_format.LADDER[self._level],
        )
        return True

    async def _asked(self, request: httpx2.Request, sent: Document) -> EndpointResponse:
        parts = self._parts
        try:
            parts.meter.may_ask()
        except Exceeded as exceeded:
            await parts.end.stop(failed("refused", "budget_exceeded", str(exceeded)))
        span, began = new_span(), time.monotonic()
        parts.journal.note(
            "request",
            agent=self.agent,
            model=self.model.name,
            turn=parts.meter.turns,
            span=span,
            usage=parts.meter.usage,
        )
        try:
            answer = (
                await self._exchanged(request, sent, span)
                if parts.player is None
                else await self._played(parts.player, sent)
            )
        except Miss as miss:
            await parts.end.stop(failed("refused", "backend_failed", str(miss)))
        except (httpx2.HTTPError, OSError) as error:
            where = _origin(self.model)
            await parts.end.stop(
                failed("retryable", "backend_unavailable", f"{where} cannot be reached ({type(error).__name__})")
            )
        parts.recorder.note_exchange(self.agent, sent, answer.status, answer.headers, answer.content)
        self._note_reply(answer, span, began)
        return answer

    async def _played(self, player: "Player", sent: Document) -> EndpointResponse:
        return EndpointResponse(*await player.answer(self.agent, sent))

    async def _exchanged(self, request: httpx2.Request, sent: Document, span: str) -> EndpointResponse:
        """One request, one answer, read to its end: no retry, no redirect, no time limit but the attempt's."""
        content = json.dumps(sent).encode()
        headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
        headers |= {"user-agent": "workermd"}
        url = request.url
        if self.model.api_version:
            url = url.copy_set_param("api-version", self.model.api_version)
        if self._key:
            headers |= {"api-key": self._key} if self.model.api_version else {"authorization": f"Bearer {self._key}"}
        if traceparent := os.environ.get("TRACEPARENT"):
            version, trace_id, _, flags = traceparent.split("-", 3)
            headers["traceparent"] = f"{version}-{trace_id}-{span}-{flags}"
        response = await self._live.handle_async_request(
            httpx2.Request("POST", url, headers=headers, content=content, extensions={"timeout": {}})
        )
        try:
            chunks, size = [], 0
            async for chunk in response.stream:  # type: ignore[union-attr]
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    await self._parts.end.stop(
                        failed("refused", "backend_failed", f"{_origin(self.model)} answered with more than 64 MiB")
                    )
                chunks.append(chunk)
        finally:
            await response.aclose()
        return EndpointResponse(response.status_code, dict(response.headers), b"".join(chunks))

    def _note_reply(self, answer: EndpointResponse, span: str, began: float) -> None:
        choice = choice_of(answer.document or {})
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        usage = (answer.document or {}).get("usage") if answer.status == 200 else None
        if answer.status == 200:
            try:
                self._parts.meter.count_tokens(self.model, usage)
            except Exceeded as exceeded:
                self._parts.end.halt(failed("refused", "budget_exceeded", str(exceeded)))
        self._parts.journal.note(
            "reply",
            agent=self.agent,
            model=self.model.name,
            status=answer.status,
            text=message.get("content") or "",
            tools=called_in(message),
            finish_reason=choice.get("finish_reason"),
            duration_ms=round((time.monotonic() - began) * 1000, 3),
            span=span,
            usage=self._parts.meter.usage,
        )

    async def _look_at(self, document: Document, sent: Document) -> None:
        """End the attempt on an answer that must not be taken for one."""
        parts = self._parts
        choice = choice_of(document)
        message = choice.get("message")
        fault = fault_of(message) if isinstance(message, dict) else "there is none"
        if fault or not isinstance(message, dict):
            told = f"{_origin(self.model)} answered without a message that can be read: {fault}"
            await parts.end.stop(failed("retryable", "backend_unavailable", told))
        parts.meter.model = str(document.get("model") or self.model.name)
        if choice.get("finish_reason") == "length":
            await parts.end.stop(
                failed("invalid_output", "output_truncated", "the model's reply was cut off by its length limit")
            )
        if choice.get("finish_reason") == "content_filter":
            await parts.end.stop(
                failed("refused", "model_refused", "the provider's content filter withheld the answer")
            )
        if message.get("refusal"):
            await parts.end.stop(failed("refused", "model_refused", "the model refused to answer"))
        await self._note_strange_calls(message, sent)

    async def _note_strange_calls(self, message: Document, sent: Document) -> None:
        """Calls of tools that were never offered: no framework runs them, and each answers the model in its way."""
        offered = {tool.get("function", {}).get("name") for tool in sent.get("tools") or ()}
        for name in called_in(message):
            if name not in offered:
                await self._parts.deny(self.agent, name, "there is no such tool here")

    def _failure(self, answer: EndpointResponse) -> Result:
        """What an answer means that is none: by the provider's code, else by the status."""
        where = _origin(self.model)
        error = (answer.document or {}).get("error")
        error = error if isinstance(error, dict) else {}
        said = str(error.get("message") or "")[:300]
        print(f"workermd: {where} answered {answer.status}: {said}", file=sys.stderr)  # noqa: T201 - the attempt's log
        if answer.status == 200:
            return failed(
                "retryable", "backend_unavailable", f"{where} answered with something that is not a JSON object"
            )
        row = _ROWS.get(answer.status // 100) or _STATUSES.get(answer.status, _STATUSES[400])
        row = next((_CODES[code] for code in (str(error.get("code")), str(error.get("type"))) if code in _CODES), row)
        kind, code, told = row
        message = f"{where} {told} (HTTP {answer.status})"
        if answer.status in (401, 403):
            name = self.model.api_key_env
            message += (
                f"; the key is that of the variable {name}" if name else "; name its variable: --api-key-env NAME"
            )
        after = _after(answer.headers) if kind == "retryable" else None
        return failed(kind, code, message, **({} if after is None else {"after": after}))


def unreachable_key(model: Model) -> str:
    """Why a model's key cannot be had; empty when it can, or when there is none to be had."""
    if model.api_key_env and not os.environ.get(model.api_key_env):
        return f"model {model.name}: the variable {model.api_key_env} is not set; it has to hold the endpoint's key"
    return ""


def _origin(model: Model) -> str:
    """Scheme, host and port of an endpoint: a path or a query may hold secrets."""
    url = httpx2.URL(model.base_url)
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def _after(headers: dict[str, str]) -> float | None:
    """Seconds that a provider asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date (RFC 9110)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        at = email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return max(0.0, at - time.time())
