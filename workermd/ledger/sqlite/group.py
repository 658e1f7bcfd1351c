"""One commit for what several threads of a process have to say to a ledger at the same time.

A commit waits for the disk, and whoever comes meanwhile has to wait anyway: they come next, together. Each one's changes
are a part of their own that can fail alone. Nobody goes on before the commit that has its part is on disk, so nothing is
told, printed or started earlier than it would be alone. Where the commit fails, it has failed for everybody in it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.errors import LedgerBusy, LedgerUnavailable

MOST_PARTS = 64
"""Of one commit: others wait for the ledger too."""

_LOOK_SECONDS = 0.02


class _Group:
    """The parts of one commit."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.parts = 0
        self.done = threading.Event()
        self.error: BaseException | None = None


class CommitGroup:
    """Threads may share it. `ledger` is open for writing, has no transaction under way, and belongs to this from now on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None
        self.commits = 0
        """How many there were, for whoever measures."""

    @contextmanager
    def transaction(self, give_up_at: float) -> Iterator[Transaction]:
        """As `Ledger.transaction`: what the block did is on disk when it has ended, or it raises and did nothing."""
        self._take_turn(give_up_at)
        failed = True
        try:
            group = self._group or self._begin(give_up_at)
            try:
                with group.transaction.savepoint():
                    yield group.transaction
                group.parts += 1
                failed = False
            finally:
                if failed or not self._waiting or group.parts >= MOST_PARTS:
                    self._commit(group)
        finally:
            self._turn.release()
        self._wait_for(group)

    def close(self) -> None:
        self._ledger.close()

    def _take_turn(self, give_up_at: float) -> None:
        with self._counting:
            self._waiting += 1
        try:
            if not self._turn.acquire(timeout=max(0.0, min(give_up_at - time.monotonic(), threading.TIMEOUT_MAX))):
                raise LedgerBusy(
                    f"the ledger {self._ledger.path} cannot be used: other runs of this process write to it all the time",
                    "run the same command again",
                )
        finally:
            with self._counting:
                self._waiting -= 1

    def _begin(self, give_up_at: float) -> _Group:
        self._group = _Group(self._ledger.begin(give_up_at))
        return self._group

    def _commit(self, group: _Group) -> None:
        """By whoever has the turn. An empty group is given up."""
        self._group = None
        self.commits += 1
        try:
            self._ledger.end(group.transaction, commit=group.parts > 0)
        except BaseException as error:
            group.error = error
            if not isinstance(error, (LedgerUnavailable, LedgerFault)):
                raise
        finally:
            group.done.set()

    def _wait_for(self, group: _Group) -> None:
        """Until somebody has committed. Who was expected to may have given up waiting for the turn: then we do."""
        while not group.done.wait(_LOOK_SECONDS):
            if self._turn.acquire(blocking=False):
                try:
                    if self._group is group:
                        self._commit(group)
                finally:
                    self._turn.release()
        if group.error is not None:
            raise group.error
