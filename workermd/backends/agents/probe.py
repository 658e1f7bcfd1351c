"""What a model's endpoint takes, found by a handful of small requests: the keys that its table needs."""

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple

from workermd.backends.agents import completion, dialect, refusals
from workermd.backends.agents.endpoint import Endpoint, EndpointLost
from workermd.protocol.envelope import Document
from workermd.task.binding import Model
from workermd.task.task import Result

SECONDS = 30.0
"""Time for each request. A model that is loaded by the first one may need all of it."""

MOST_TOKENS = 64

_ASK = 'Reply with the JSON object {"ok": true} and nothing else.'
_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_FORMS: dict[str, Document] = {
    "auto": {"type": "json_schema", "json_schema": {"name": "output", "schema": _SCHEMA, "strict": True}},
    "json": {"type": "json_object"},
}


class Probed(NamedTuple):
    """`keys` are those that the model's table needs beside what it says, none where it needs nothing; `steps` are what
    was asked, each with what came of it; `problem` says why nothing more could be found out."""

    keys: Document
    steps: tuple[tuple[str, str], ...]
    problem: str = ""


class _Step(NamedTuple):
    """A question to an endpoint: messages in a form, and the keys that help where it refuses them."""

    told: str
    messages: tuple[Document, ...]
    instead: tuple[Document, ...]


def _user(text: str = _ASK, **more: str) -> Document:
    return {"role": "user", "content": text, **more}


_SYSTEM: Document = {"role": "system", "content": "You answer in JSON."}
_STEPS = (
    _Step("a system prompt", (_SYSTEM, _user()), ({"system": "user"},)),
    _Step("a message that bears a name", (_user(name="ann"),), ({"names": False},)),
    _Step("two messages of one role in a row", (_user("Read on."), _user()), ({"merge_roles": True},)),
)


def probed(model: Model, told: Callable[[str, str], None] = lambda _step, _outcome: None) -> Probed:
    """Ask the model's endpoint. `told` hears each step as it ends."""
    return asyncio.run(_Probe(model, told).probed())


class _Probe:
    def __init__(self, model: Model, told: Callable[[str, str], None]) -> None:
        # From the least that every endpoint takes; what the table says already is found anew or was not needed.
        self._model = model._replace(names=True, system="system", merge_roles=False, stream=False)
        self._told = told
        self._steps: list[tuple[str, str]] = []
        self._keys: Document = {}

    async def probed(self) -> Probed:
        endpoint = Endpoint(self._model)
        try:
            problem = await self._least(endpoint)
            for step in () if problem else _STEPS:
                await self._tried(endpoint, step)
            if not problem:
                await self._form(endpoint)
        finally:
            await endpoint.close()
        return Probed(self._keys, tuple(self._steps), problem)

    async def _least(self, endpoint: Endpoint) -> str:
        """One message of a user; where that is refused, as a stream. Why neither can be, or nothing."""
        failure = await self._asked(endpoint, "a plain request", (_user(),), {})
        if failure is None:
            return ""
        if (failure.failure or {}).get("kind") == "refused":
            streamed = await self._asked(endpoint, "the same as a stream", (_user(),), {"stream": True})
            if streamed is None:
                self._keys["stream"] = True
                return ""
        return str((failure.failure or {}).get("message", ""))

    async def _tried(self, endpoint: Endpoint, step: _Step) -> None:
        if await self._asked(endpoint, step.told, step.messages, {}) is None:
            return
        for keys in step.instead:
            written = ", ".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
            if await self._asked(endpoint, f"with {written}", step.messages, keys) is None:
                self._keys |= keys
                return

    async def _form(self, endpoint: Endpoint) -> None:
        for structured, form in _FORMS.items():
            if await self._asked(endpoint, f"an answer by {form['type']}", (_user(),), {}, form) is None:
                if structured != "auto":
                    self._keys["structured"] = structured
                return
        self._keys["structured"] = "text"

    async def _asked(
        self,
        endpoint: Endpoint,
        step: str,
        messages: tuple[Document, ...],
        keys: Document,
        form: Document | None = None,
    ) -> Result | None:
        """The failure of one request; None where it was answered."""
        spoken = {name: value for name, value in (self._keys | keys).items() if name != "structured"}
        model = self._model._replace(**spoken)
        request: Document = {"model": model.name, "messages": list(messages), "max_tokens": MOST_TOKENS}
        request |= {**model.options} | ({"response_format": form} if form else {})
        url = model.base_url.rstrip("/") + "/chat/completions"
        try:
            async with asyncio.timeout(SECONDS):
                response = await endpoint.asked(url, dialect.spoken(request, model), "0" * 15 + "1")
            document = response.document if response.status == 200 else None
            completion.read(document or {}, 1)
            failure = None
        except completion.NoCompletion as wrong:
            failure = refusals.failure(response, model, endpoint.origin, str(wrong))
        except EndpointLost as lost:
            failure = lost.result
        except TimeoutError:
            failure = Result(failure={"kind": "retryable", "message": f"there was no answer within {SECONDS:g} s"})
        outcome = "answered" if failure is None else str((failure.failure or {}).get("message", ""))
        self._steps.append((step, outcome))
        self._told(step, outcome)
        return failure
