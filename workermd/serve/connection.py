"""One connection, with what uvicorn leaves unbounded: how long a client may take to ask, and how many there may be."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
"""From a connection's begin, or the end of a response, to the end of the next request's headers."""


class Connection(H11Protocol):
    """`most` is set by `bounded`. A connection too many is cut off: to answer it would cost what it is to save."""

    most = 1000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rest()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()

    def _wait(self) -> None:
        if not self.transport.is_closing():
            self._overdue = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _rest(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


def bounded(most: int) -> type[Connection]:
    """The class of connections of a server that has at most so many."""
    return type("BoundedConnection", (Connection,), {"most": most})
