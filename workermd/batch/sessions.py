"""Sessions for many threads: each has its own connection to the ledger, and all fork their hosts from one process a kind.

A connection stays in the thread that opened it. The loaded processes are shared, one request at a time.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workermd.attempt.in_turn import KeeperInTurn
from workermd.attempt.pool import HostPool, KeepersInTurn, Unused
from workermd.attempt.spawn import Host
from workermd.ledger.run_lock import RunLock
from workermd.ledger.sqlite.group import CommitGroup
from workermd.ledger.sqlite.store import Ledger
from workermd.runner import session as sessions
from workermd.runner.session import Hosts, Session
from workermd.sandbox.fence import Fence
from workermd.task.binding import Binding


def _after(before_start: Callable[[], None], start: Hosts) -> Hosts:
    def started(binding: Binding, lock: RunLock, fence: Fence) -> Host:
        before_start()
        return start(binding, lock, fence)

    return started


class SharedHosts:
    """Hosts for the attempts of all threads. What cannot be forked is started: slower, and as good. `cold`: all are.

    `reuse`: a host performs one attempt after the other, and each sees what the one before left in the process.
    `steady`: the environment stays as it is, and threads that settle at the same time share a commit.
    """

    def __init__(self, *, cold: bool = False, reuse: bool = False, steady: bool = False) -> None:
        self._cold = cold
        self._reuse = reuse
        self._pool = HostPool()
        self._turn = threading.Lock()
        self._steady = steady
        self._groups: dict[str, CommitGroup] = {}

    @property
    def unused(self) -> list[Unused]:
        """The kinds whose hosts were started one by one after all, and why."""
        return self._pool.unused

    @contextmanager
    def session(
        self,
        ledger_path: str,
        *,
        give_up_at: float | None = None,
        before_start: Callable[[], None] = lambda: None,
    ) -> Iterator[Session]:
        """A session for the calling thread. `before_start` is called before each attempt's process; it may wait, and
        raise Interrupted. Raises as `sessions.opened` does."""
        with sessions.opened(ledger_path, give_up_at=give_up_at) as alone:
            if self._steady and isinstance(alone.ledger, Ledger):  # a server shares its waits for the disk itself
                alone.ledger.share_commits(self._group(alone.ledger.path, give_up_at).transaction)
            if self._cold:
                yield alone._replace(hosts=_after(before_start, alone.hosts))
                return
            with RunLock.open(alone.ledger.files) as lock:

                def ask(binding: Binding) -> KeeperInTurn | None:
                    with self._turn:
                        return self._pool.keeper(binding, lock.fd, alone.results_folder)

                def start(binding: Binding, lock: RunLock, fence: Fence) -> Host:
                    if (host := turns.start(binding, fence)) is not None:
                        return host
                    if self._reuse:
                        os.makedirs(fence.own, mode=0o700, exist_ok=True)
                    with self._turn:
                        return self._pool.start(binding, lock.fd, alone.results_folder, fence)

                turns = KeepersInTurn(ask, stays=self._reuse, steady=self._steady)
                try:
                    yield alone._replace(hosts=_after(before_start, start), locks=lock.lent, reuses=self._reuse)
                finally:
                    turns.close()

    def _group(self, path: str, give_up_at: float | None) -> CommitGroup:
        with self._turn:
            if path not in self._groups:
                self._groups[path] = CommitGroup(Ledger.open(path, give_up_at=give_up_at))
            return self._groups[path]

    def close(self) -> None:
        """Let the loaded processes end. Attempts that were forked from them go on."""
        self._pool.close()
        for group in self._groups.values():
            group.close()
