"""A run's events as server-sent events (the EventSource format of HTML)."""

import json
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from workermd.protocol.envelope import Document
from workermd.serve.feed import Feed

QUIET_SECONDS = 15.0
"""A comment after as long keeps a proxy from closing the connection."""


def of_feed(feed: Feed | None, last_event_id: str) -> Response:
    """Everything after the event that the client saw last; 204 where there is nothing, which ends a client's retries."""
    if feed is None:
        return Response(status_code=204)
    seen = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 10 else 0
    return StreamingResponse(_messages(feed, seen), 200, {"X-Accel-Buffering": "no"}, "text/event-stream")


async def _messages(feed: Feed, seen: int) -> AsyncIterator[bytes]:
    yield b": the run's events, numbered\n\n"
    async for each in feed.after(seen, QUIET_SECONDS):
        yield b": still here\n\n" if each is None else _message(*each)
    yield b"event: end\ndata: {}\n\n"


def _message(number: int, document: Document) -> bytes:
    data = json.dumps(document, ensure_ascii=False)
    return f"id: {number}\ndata: {data}\n\n".encode("utf-8", "replace")
