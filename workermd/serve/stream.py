"""A run's events as server-sent events (the EventSource format of HTML)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response, StreamingResponse

from workermd.protocol.envelope import Document
from workermd.serve.feed import Feed

_END = b"event: end\ndata: {}\n\n"

QUIET_SECONDS = 15.0
"""A comment after as long keeps a proxy from closing the connection."""


LOOK_SECONDS = 1.0
"""How often the ledger is asked about a run that another process carries out."""

Told = tuple[list[tuple[int, Document]], bool]
"""Events with their numbers, and whether there will be no more."""


def number_of(last_event_id: str) -> int:
    """The number of the event that a client saw last; 0 for none, and for what is no number of ours."""
    usable = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 10
    return int(last_event_id) if usable else 0


def of_feed(feed: Feed, seen: int) -> Response:
    """Everything after the event that the client saw last, as it comes."""
    return _stream(_messages(feed, seen))


def of_ledger(look: Callable[[], Awaitable[Told | None]], told: Told, seen: int) -> Response:
    """The same for a run that is not carried out here; 204 where nothing is left, which ends a client's retries."""
    events, ended = told
    if ended and all(number <= seen for number, _ in events):
        return Response(status_code=204)
    return _stream(_looked_up(look, told, seen))


def _stream(messages: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(messages, 200, {"X-Accel-Buffering": "no"}, "text/event-stream")


async def _looked_up(look: Callable[[], Awaitable[Told | None]], told: Told | None, seen: int) -> AsyncIterator[bytes]:
    quiet = 0.0
    while told is not None:
        events, ended = told
        for number, document in events:
            if number > seen:
                seen, quiet = number, 0.0
                yield _message(number, document)
        if ended:
            break
        await asyncio.sleep(LOOK_SECONDS)
        quiet += LOOK_SECONDS
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            yield b": still here\n\n"
        told = await look()
    yield _END


async def _messages(feed: Feed, seen: int) -> AsyncIterator[bytes]:
    yield b": the run's events, numbered\n\n"
    async for each in feed.after(seen, QUIET_SECONDS):
        yield b": still here\n\n" if each is None else _message(*each)
    yield _END


def _message(number: int, document: Document) -> bytes:
    data = json.dumps(document, ensure_ascii=False)
    return f"id: {number}\ndata: {data}\n\n".encode("utf-8", "replace")
