"""What the calls of one caller share: a ledger's connections, loaded processes, and what surrounds the caller.

A connection serves one call at a time and is handed on to the next, from whichever thread that comes.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from workermd.batch.sessions import SharedHosts
from workermd.config import configuration
from workermd.config.configuration import Flags, Settings
from workermd.protocol.errors import UsageError
from workermd.runner import session as sessions
from workermd.runner.session import Session
from workermd.system import environment
from workermd.system.environment import Surroundings


class _Open(NamedTuple):
    session: Session
    closing: ExitStack


class SharedMeans:
    """`warm`: attempts are forked from processes that have loaded their backend (S3.3), else each starts its own."""

    def __init__(self, flags: Flags, surroundings: Surroundings, *, warm: bool) -> None:
        self.flags = flags
        self.surroundings = surroundings
        self.hosts = SharedHosts() if warm else None
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._idle: list[_Open] = []
        self._settings: Settings | None = None
        self._under_way = 0
        self._closed = False

    @property
    def settings(self) -> Settings:
        """The configuration, read at the first call. Raises ConfigurationError."""
        if self._settings is None:
            self._settings = configuration.load(self.flags)
        return self._settings

    @contextmanager
    def used(self) -> Iterator[None]:
        """The surroundings of one call. Raises UsageError in a forked child, and where the session was closed."""
        self._refuse()
        with self._turn:
            self._under_way += 1
        try:
            with environment.within(self.surroundings):
                yield
        finally:
            with self._turn:
                self._under_way -= 1

    def _refuse(self) -> None:
        if self._pid != os.getpid():
            raise UsageError(
                f"this session was opened by process {self._pid}; a process that was forked from it cannot use it",
                "open a Session in the forked process",
            )
        if self._closed:
            raise UsageError("this session was closed", "open another one: with workermd.Session() as session: …")

    @contextmanager
    def session(self, give_up_at: float) -> Iterator[Session]:
        """A session for one call. Raises LedgerUnavailable, ConfigurationError."""
        with self._turn:
            ready = self._idle.pop() if self._idle else None
        if ready is None:
            ready = self._opened(give_up_at)
        try:
            yield ready.session
        except BaseException:
            ready.closing.close()  # whatever went wrong, the next call begins anew
            raise
        with self._turn:
            if not self._closed:
                self._idle.append(ready)
                return
        ready.closing.close()

    def _opened(self, give_up_at: float) -> _Open:
        with ExitStack() as stack:
            path = self.settings.ledger
            opened = (
                sessions.opened(path, give_up_at=give_up_at)
                if self.hosts is None
                else self.hosts.session(path, give_up_at=give_up_at)
            )
            session = stack.enter_context(opened)
            return _Open(session, stack.pop_all())

    def close(self) -> None:
        """Close what is idle. A call that is under way in another thread ends by itself."""
        if self._pid != os.getpid():
            return  # the connections and processes are the parent's
        with self._turn:
            self._closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.closing.close()
        if self.hosts is not None:
            self.hosts.close()
