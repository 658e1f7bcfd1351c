"""The one way to a model's endpoint, for every framework: an HTTP transport below OpenAI's own client.

Every framework speaks to its model through `openai.AsyncOpenAI`, so what has to be the same for all of them stands
here: requests are counted and bounded, none is retried, an answer that was cut off or refused ends the attempt, and
so does a provider's error, with what it means. A model with fallbacks is asked once, then each of these once.
"""

import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx2
from openai import AsyncOpenAI

from workermd.backends.agents import completion, dialect, refusals, response_format
from workermd.backends.agents.attempt_end import AttemptEnd
from workermd.backends.agents.completion import Completion, NoCompletion
from workermd.backends.agents.endpoint import Endpoint, EndpointLost, EndpointResponse
from workermd.backends.agents.meter import Exceeded, Meter, used_by
from workermd.backends.agents.provider import ProviderEndpoint, missing
from workermd.backends.agents.recorder import Player, Recorder
from workermd.backends.agents.resumption import Resumption
from workermd.protocol.envelope import Document
from workermd.task.binding import Model, unset_variable
from workermd.task.journal_writer import JournalWriter, new_span
from workermd.task.kept_conversation import Sent
from workermd.task.recording import Miss
from workermd.task.task import Result, failed

_PATH = "/chat/completions"

_UNFIT = re.compile(r"response_format|json_schema|json_object|structured|schema|grammar", re.IGNORECASE)

NO_ANSWER = 0
"""Stands for a status where there was no answer, in events and recordings."""

_KEPT_HEADERS = frozenset({"content-type"})
"""What says how an answer's body is read."""

_ELSEWHERE = frozenset({"backend_unavailable", "rate_limited", "model_refused"})
"""Failures after which another model is asked, where the operator names one."""


class AttemptParts(NamedTuple):
    """What all ways to models share in an attempt. `deny` counts and notes a call of a tool that may not be made,
    `called` is told of the calls in an answer, with their ids. `kept` is what earlier attempts said, and `resumed` is
    told before the first request that goes live after it."""

    meter: Meter
    journal: JournalWriter
    recorder: Recorder
    player: Player | None
    end: AttemptEnd
    deny: Callable[[str, str, str], Awaitable[str]]
    resumption: Resumption


class Exchanged(NamedTuple):
    """What one request came to: a completion, or the failure that it stands for."""

    response: EndpointResponse
    found: Completion | None
    failure: Result | None


class _Way:
    """The way to one model, and how strong a form of answer its endpoint is still asked for."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.endpoint = ProviderEndpoint(model) if model.provider else Endpoint(model)
        self.level = response_format.FIRST[model.structured]

    @property
    def has_form_of_its_own(self) -> bool:
        return "response_format" in self.model.options

    def request(self, wish: Document) -> Document:
        """What a framework wishes, as this endpoint is asked for it. An option is sent as it is, a form of answer too."""
        asked = {**wish, "model": self.model.name, **self.model.options}
        if "response_format" in asked and not self.has_form_of_its_own:
            weaker = response_format.weakened(asked.pop("response_format"), self.level)
            asked |= {} if weaker is None else {"response_format": weaker}
        return dialect.spoken(asked, self.model)


class ModelClient(httpx2.AsyncBaseTransport):
    """One agent's way to one model. `client` is OpenAI's, with its retries and time limits off: both are ours."""

    def __init__(self, agent: str, model: Model, parts: AttemptParts, fallbacks: tuple[Model, ...] = ()) -> None:
        self.agent = agent
        self.model = model
        self._parts = parts
        self._ways = [_Way(each) for each in (model, *fallbacks)]
        self.http_client = httpx2.AsyncClient(transport=self, timeout=None, follow_redirects=False, trust_env=False)
        self.key = self._ways[0].endpoint.key or "none"
        """What a client has to be given for a key; without one nothing is sent."""
        self.client = AsyncOpenAI(
            api_key=self.key,
            base_url=model.base_url,
            max_retries=0,
            timeout=None,
            http_client=self.http_client,
        )

    async def close(self) -> None:
        for way in self._ways:
            await way.endpoint.close()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith(_PATH):
            await self._parts.end.stop(
                failed("refused", "backend_failed", f"the framework asked for {request.url.path}, not for {_PATH}")
            )
        wish: Document = json.loads(await request.aread())
        for number, way in enumerate(self._ways):
            url = request.url if number == 0 else httpx2.URL(way.model.base_url.rstrip("/") + _PATH)
            answered = await self._answered(way, url, wish)
            if answered.failure is None and answered.found is not None:
                await self._note_strange_calls(answered.found, wish)
                return httpx2.Response(200, content=_encoded(answered.found), request=request)
            code, told = _why(answered.failure)
            if answered.failure is not None and (number + 1 == len(self._ways) or code not in _ELSEWHERE):
                await self._parts.end.stop(answered.failure)
            self._note_fallback(way.model.name, self._ways[number + 1].model.name, told)
        raise AssertionError("a client has a model")

    async def _answered(self, way: _Way, url: httpx2.URL, wish: Document) -> Exchanged:
        """What one model comes to. It is asked again only for less: where it refuses the form of the answer."""
        while True:
            sent = way.request(wish)
            answered = await self._asked(way, url, sent)
            if answered.found is not None or not self._weakened(way, answered.response, sent):
                return answered

    def _weakened(self, way: _Way, response: EndpointResponse, sent: Document) -> bool:
        """Whether the endpoint may be asked again for less: it refused the form that was asked for."""
        told = response.content[:4096].decode("utf-8", "replace")
        if response.status not in (400, 404, 415, 422, 500, 501) or "response_format" not in sent:
            return False
        if way.has_form_of_its_own:  # the operator's choice
            return False
        if way.model.structured != "auto" or not _UNFIT.search(told) or way.level + 1 >= len(response_format.LADDER):
            return False
        way.level += 1
        self._note_fallback(response_format.LADDER[way.level - 1], response_format.LADDER[way.level])
        return True

    def _note_fallback(self, asked: str, instead: str, reason: str = "") -> None:
        because = {"reason": reason} if reason else {}
        self._parts.journal.note("fallback", agent=self.agent, asked=asked, instead=instead, **because)

    def _given_again(self, way: _Way, sent: Document) -> Exchanged | None:
        """What an earlier attempt was answered to the same request: it is not asked, and not counted, again (S3.10)."""
        parts = self._parts
        kept = parts.resumption.answer(Sent(self.agent, sent)) if parts.player is None else None
        if kept is None:
            return None
        parts.meter.given += 1
        response = EndpointResponse(200, kept.headers, kept.content.encode())
        answered = self._judged(way, response, kept.turn)
        parts.recorder.note_exchange(self.agent, sent, *response[:3])
        found = answered.found or Completion(None, finish_reason="")
        parts.meter.model = found.model or way.model.name
        parts.journal.note(
            "reply_given_again",
            agent=self.agent,
            model=way.model.name,
            text=found.content or "",
            tools=[call.name for call in found.calls],
        )
        return answered

    async def _asked(self, way: _Way, url: httpx2.URL, sent: Document) -> Exchanged:
        parts = self._parts
        if (again := self._given_again(way, sent)) is not None:
            return again
        try:
            parts.meter.may_ask()
        except Exceeded as exceeded:
            await parts.end.stop(failed("refused", "budget_exceeded", str(exceeded)))
        span, began, turn = new_span(), time.monotonic(), parts.meter.turns + parts.meter.given
        address = httpx2.URL(way.model.base_url)
        parts.journal.note(
            "request",
            agent=self.agent,
            model=way.model.name,
            server=address.host,
            port=address.port or {"http": 80, "https": 443}.get(address.scheme),
            turn=turn,
            span=span,
            usage=parts.meter.usage,
        )
        try:
            response = await self._response(way, url, sent, span)
            parts.meter.take_back(turns=0 if response.sent else 1)
            answered = self._judged(way, response, turn)
        except Miss as miss:
            await parts.end.stop(failed("refused", "backend_failed", str(miss)))
        except EndpointLost as lost:
            response = EndpointResponse(NO_ANSWER, {}, json.dumps(lost.result.failure).encode())
            answered = Exchanged(response, None, lost.result)
        if answered.found is not None and answered.failure is None and parts.player is None:
            headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
            asked = Sent(self.agent, sent)
            parts.resumption.kept.keep_answer(asked, turn, headers, response.content)
        parts.recorder.note_exchange(self.agent, sent, *response[:3])
        self._note_reply(span, began, way.model, answered, self._count(way.model, answered))
        return answered

    async def _response(self, way: _Way, url: httpx2.URL, sent: Document, span: str) -> EndpointResponse:
        """Raises `EndpointLost`, and `Miss` in a replay."""
        if self._parts.player is None:
            return await way.endpoint.asked(url, sent, span)
        response = EndpointResponse(*await self._parts.player.answer(self.agent, sent))
        if response.status == NO_ANSWER:
            raise EndpointLost(Result(failure=response.document))
        return response

    def _judged(self, way: _Way, response: EndpointResponse, turn: int) -> Exchanged:
        origin, fault = way.endpoint.origin, ""
        document = response.document if response.status == 200 else None
        if document is not None and isinstance(document.get("choices"), list) and not refusals.error_of(document):
            try:
                found = completion.read(document, turn)
                return Exchanged(response, found, _refused(found))
            except NoCompletion as wrong:
                fault = str(wrong)
                if wrong.kind != "retryable":
                    told = fault if wrong.kind == "invalid_output" else f"{origin} answered {fault}"
                    return Exchanged(response, None, failed(wrong.kind, wrong.code, told))
        result = refusals.failure(response, way.model, origin, fault)
        print(f"workermd: {_why(result)[1]}", file=sys.stderr)  # noqa: T201 - the attempt's log
        return Exchanged(response, None, result)

    def _count(self, model: Model, answered: Exchanged) -> Document:
        """What a request used. Tokens of whatever tells some are counted; a completion that tells none breaks a bound
        that needs them."""
        found, meter = answered.found, self._parts.meter
        usage = found.usage if found else completion.tokens_of((answered.response.document or {}).get("usage"))
        if found is not None:
            meter.model = found.model or model.name
        if found is None and usage is None:
            return {}
        try:
            meter.count_tokens(model, usage)
        except Exceeded as exceeded:
            self._parts.end.halt(failed("refused", "budget_exceeded", str(exceeded)))
        return used_by(model, usage)

    def _note_reply(self, span: str, began: float, model: Model, answered: Exchanged, used: Document) -> None:
        found = answered.found or Completion(None, finish_reason="")
        told: Document = {
            "text": found.content or "",
            "tools": [call.name for call in found.calls],
            "call_ids": [call.id for call in found.calls],
            "finish_reason": found.finish_reason or None,
            "response_model": found.model,
            "response_id": found.id,
        }
        if answered.failure is not None:
            told["error"] = _why(answered.failure)[0]
        self._parts.journal.note(
            "reply",
            agent=self.agent,
            model=model.name,
            status=answered.response.status,
            **told,
            used=used,
            duration_ms=round((time.monotonic() - began) * 1000, 3),
            span=span,
            usage=self._parts.meter.usage,
        )

    async def _note_strange_calls(self, found: Completion, wish: Document) -> None:
        """Calls of tools that were never offered: no framework runs them, and each answers the model in its way."""
        offered = {tool.get("function", {}).get("name") for tool in wish.get("tools") or ()}
        for call in found.calls:
            if call.name not in offered:
                await self._parts.deny(self.agent, call.name, "there is no such tool here")


def _why(result: Result | None) -> tuple[str, str]:
    """Code and message of a failure."""
    failure = (result.failure if result else None) or {}
    return failure.get("code", ""), failure.get("message", "")


def _encoded(found: Completion) -> bytes:
    return json.dumps(completion.shaped(found)).encode()


def _refused(found: Completion) -> Result | None:
    """The ending of an answer that must not be taken for one; None for one that may."""
    if found.finish_reason == "length":
        return failed("invalid_output", "output_truncated", "the model's reply was cut off by its length limit")
    if found.finish_reason == "content_filter":
        return failed("refused", "model_refused", "the provider's content filter withheld the answer")
    if found.refusal:
        return failed("refused", "model_refused", "the model refused to answer")
    return None


def unusable(model: Model) -> str:
    """Why a model cannot be asked: a variable that is not set, a file that is not there; empty when it can be."""
    if reason := unset_variable(model):
        return reason
    if model.provider and (reason := missing(model)):
        return reason
    if model.ca_file and not os.path.exists(model.ca_file):
        return f"model {model.name}: ca_file: there is no {model.ca_file}; name a file of certificates, or a folder"
    return ""
