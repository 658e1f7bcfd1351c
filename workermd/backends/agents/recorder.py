"""A conversation kept, or given back: models and tools answer as they did, and nothing is asked (S6.3)."""

import asyncio
import json
from typing import Any

from workermd.protocol.codec import to_document
from workermd.protocol.envelope import Document
from workermd.task import recording
from workermd.task.binding import Binding
from workermd.task.masking import Mask
from workermd.task.recording import Miss, Recording, differences
from workermd.task.task import Result, Task


class Recorder:
    """Keeps what passes between an attempt and the world; `save` writes it where the binding says so."""

    def __init__(self, binding: Binding, task: Task) -> None:
        self._binding = binding
        self._task = task
        self._tools: list[Document] = []
        self._exchanges: list[Document] = []
        self._calls: list[Document] = []

    def note_tool(self, name: str, description: str, schema: Document) -> None:
        self._tools.append({"name": name, "description": description, "schema": schema})

    def note_exchange(
        self, agent: str, request: Document, status: int, headers: dict[str, str], content: bytes
    ) -> None:
        if not self._binding.record:
            return  # a long conversation is not held twice
        kept = {name: value for name, value in headers.items() if name in ("retry-after", "retry-after-ms")}
        try:
            answer: Any = json.loads(content)
        except (ValueError, RecursionError):
            answer = content.decode("utf-8", "replace")
        self._exchanges.append(
            {"agent": agent, "request": request, "status": status, "headers": kept, "answer": answer}
        )

    def note_call(self, agent: str, tool: str, arguments: Document, text: str) -> None:
        self._calls.append({"agent": agent, "tool": tool, "arguments": arguments, "text": text})

    def save(self, result: Result) -> None:
        """Keep what the attempt came to, where the binding says so."""
        if self._binding.record:
            key, outcome = recording.key_of(self._task), to_document(result)
            parts = (tuple(self._tools), tuple(self._exchanges), tuple(self._calls))
            recording.save(Recording(self._binding.kind, key, outcome, *parts), self._binding)


PATIENCE = 1.0
"""Seconds that an answer waits for the earlier ones; then the conversation is another one, and a later miss says so."""

SETTLED = 0.01
"""Seconds that agents get to go on from an answer before another agent, who is waiting already, gets its own."""


class Player:
    """Gives a recorded conversation back, in its order: agents that speak side by side hear each other in the order in
    which they were answered. Everything here raises `Miss`."""

    def __init__(self, binding: Binding, task: Task) -> None:
        found = recording.find(binding, task)
        self.tools = found.tools
        self._mask = Mask(binding, task.input)
        self._exchanges = [{**exchange, "number": number} for number, exchange in enumerate(found.exchanges)]
        self._not_given = set(range(len(self._exchanges)))
        self._turn = asyncio.Condition()
        self._calls = list(found.calls)
        if not found.exchanges and not found.calls and found.kind != binding.kind:
            raise Miss(
                f"the recording is of kind {found.kind}, without a conversation; replay it with --backend replay"
            )

    async def answer(self, agent: str, request: Document) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content of the recorded answer to this request."""
        found = self._taken(self._exchanges, "request", agent, self._mask.value(request), "request to a model")
        await self._in_turn(found["number"])
        answer = found["answer"]
        content = answer if isinstance(answer, str) else json.dumps(answer)
        return found["status"], found["headers"], content.encode()

    async def _in_turn(self, number: int) -> None:
        def is_next() -> bool:
            return number <= min(self._not_given, default=number)

        async with self._turn:
            if not is_next():
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._turn.wait_for(is_next)
                except TimeoutError:
                    self._not_given -= set(range(number))
                await asyncio.sleep(SETTLED)
            self._not_given.discard(number)
            self._turn.notify_all()

    def result_of(self, agent: str, tool: str, arguments: Document) -> str:
        """The text of the recorded answer to this call."""
        call = self._mask.value({"tool": tool, "arguments": arguments})
        text: str = self._taken(self._calls, "", agent, call, "tool call")["text"]
        return text

    def _taken(self, left: list[Document], part: str, agent: str, wanted: Document, what: str) -> Document:
        """The first that is the same; each is given once."""

        def seen(entry: Document) -> Document:
            found: Document = entry[part] if part else {"tool": entry["tool"], "arguments": entry["arguments"]}
            return found

        for index, entry in enumerate(left):
            if entry["agent"] == agent and seen(entry) == wanted:
                return left.pop(index)
        same = [entry for entry in left if entry["agent"] == agent]
        if not same:
            raise Miss(f"the recording has no further {what} of agent {agent[:60]!r}; record again")
        places = list(differences(wanted, seen(same[0])))
        raise Miss(
            f"agent {agent[:60]!r}: this {what} differs from the recorded one in {', '.join(places[:3])}; record again"
        )
