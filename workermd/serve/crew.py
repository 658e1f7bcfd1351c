"""Threads with a session each.

A connection to a ledger stays in the thread that opened it, and a host ends with the thread that started it: these
threads are fixed, and end only when the server does.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from workermd.runner.session import Session

T = TypeVar("T")
Opened = Callable[[], AbstractContextManager[Session]]


class Crew:
    """At most `count` threads. A session that cannot be opened fails the deed that needed it; the next one tries again."""

    def __init__(self, name: str, count: int, opened: Opened) -> None:
        self._count = count
        self._opened = opened
        self._pool = ThreadPoolExecutor(count, name)
        self._own = threading.local()

    def submit(self, deed: Callable[[Session], T]) -> "Future[T]":
        """Carry it out as soon as a thread is free, in the order of submission."""
        return self._pool.submit(lambda: deed(self._session()))

    def close(self) -> None:
        """After everything that was submitted: every thread closes what it opened."""
        together = threading.Barrier(self._count)  # each of these holds one thread until all have one
        wait([self._pool.submit(self._leave, together) for _ in range(self._count)])
        self._pool.shutdown()

    def _session(self) -> Session:
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            stack = ExitStack()
            session = stack.enter_context(self._opened())
            self._own.session, self._own.stack = session, stack
        return session

    def _leave(self, together: threading.Barrier) -> None:
        together.wait()
        stack: ExitStack | None = getattr(self._own, "stack", None)
        if stack is not None:
            stack.close()
