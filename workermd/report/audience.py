"""Everybody who is told what goes on in a run: the terminal, a file of events, the spans."""

from collections.abc import Sequence
from typing import Protocol

from workermd.protocol.envelope import Document
from workermd.report.live import Live


class Listener(Protocol):
    """Told of attempts and of what happens in them, in order; and, at the end, of the envelope."""

    def attempt(self, n: int, most: int) -> None: ...
    def event(self, event: Document) -> None: ...
    def ended(self, outcome: str, code: str) -> None: ...
    def finished(self, envelope: Document) -> None: ...


class Audience:
    """A `Watch`: the live line, and the listeners behind it."""

    def __init__(self, live: Live, listeners: Sequence[Listener]) -> None:
        self._live = live
        self._listeners = listeners
        self.waits = live.waits
        self.log = live.log
        self.tick = live.tick
        self.interrupted = live.interrupted

    def attempt(self, n: int, most: int, deadline: float) -> None:
        self._live.attempt(n, most, deadline)
        for listener in self._listeners:
            listener.attempt(n, most)

    def event(self, event: Document) -> None:
        self._live.event(event)
        for listener in self._listeners:
            listener.event(event)

    def ended(self, outcome: str, code: str) -> None:
        self._live.ended(code)
        for listener in self._listeners:
            listener.ended(outcome, code)

    def finished(self, envelope: Document) -> None:
        for listener in self._listeners:
            listener.finished(envelope)
