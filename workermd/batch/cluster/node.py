"""A node: it takes runs that wait, as an engine brings them or the ledger itself, and carries them out (`workermd node run`).

    engine ──┐
    ledger ──┼─▶ keys ─▶ threads with a session each ─▶ invocation: claim, attempt, settle
    reaper ──┘          left behind on this machine, or on a dead one; lost by the engine

The engine runs in a process of its own (`engine_process`). What happens to it ends no lease and no attempt.
"""

import contextlib
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from workermd.batch.cluster.engine import Dispatched, Engine
from workermd.batch.cluster.engine_process import EngineProcess
from workermd.batch.cluster.executing import RunExecutor, WorkerOf
from workermd.batch.sessions import SharedHosts
from workermd.ledger.postgres import dispatches
from workermd.ledger.postgres.liveness import LeaseKeeper
from workermd.ledger.postgres.spool import Spool, open_spool
from workermd.ledger.postgres.store import PostgresLedger
from workermd.protocol.errors import LedgerUnavailable, UsageError
from workermd.runner.events import Event

_TAKE_SECONDS = 10.0
"""A taken run that nobody has claimed by then is taken anew."""

_OPEN_SECONDS = 60.0


class NodeOrders(NamedTuple):
    """`draining` says that nothing more is to be taken, `killed` that what runs is to be ended too."""

    address: str
    jobs: int
    queues: Sequence[str]
    labels: str
    worker_of: WorkerOf
    tell: Callable[[str], None]
    draining: Callable[[], bool]
    killed: Callable[[], bool]
    poll_seconds: float = 0.2
    again_seconds: float = 60.0  # an engine that has not brought a run by then is given it again


class ClusterNode:
    """One machine's node. `hosts` are closed by their maker."""

    def __init__(self, orders: NodeOrders, hosts: SharedHosts, engine: Engine | None, engine_name: str = "") -> None:
        self._orders = orders
        self._hosts = hosts
        self._engine = engine
        self._engine_name = engine_name
        self._keys: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._under_way: dict[str, list[Callable[[Dispatched], None]]] = {}
        self._failed: BaseException | None = None

    def serve(self) -> None:
        """Until it is drained. Raises LedgerUnavailable where the database is not there at the start, UsageError."""
        orders = self._orders
        spool = open_spool(orders.address)
        with _alone(spool):
            lease = LeaseKeeper(orders.address, spool, orders.labels)
            lease.begin(time.monotonic() + _OPEN_SECONDS)
            threads = [threading.Thread(target=self._work, name=f"run {n}") for n in range(orders.jobs)]
            try:
                for thread in threads:
                    thread.start()
                brought = None if self._engine is None else self._started_engine()
                try:
                    self._bring()
                finally:
                    if brought is not None:
                        brought.close()
            finally:
                for _ in threads:
                    self._keys.put(None)
                for thread in threads:
                    thread.join()
                lease.end()
        if self._failed is not None:
            raise self._failed

    def _started_engine(self) -> EngineProcess:
        orders = self._orders
        return EngineProcess(self._engine_name, orders.address, orders.queues, orders.jobs, self.enter)

    def enter(self, key: str, told: Callable[[Dispatched], None]) -> None:
        """Carry a key out in one of our threads, and say what became of it. One that is under way is not begun twice."""
        with self._turn:
            waiting = self._under_way.get(key)
            if waiting is not None:
                waiting.append(told)
                return
            self._under_way[key] = [told]
        self._keys.put(key)

    def _bring(self) -> None:
        """The main thread: keys from the ledger, and what was left behind."""
        orders, last = self._orders, 0.0
        ledger = PostgresLedger.connect(orders.address, give_up_at=time.monotonic() + _OPEN_SECONDS)
        try:
            while not orders.draining() and self._failed is None:
                try:
                    if time.monotonic() - last > 1.0:
                        self._mend(ledger)
                        last = time.monotonic()
                    if self._engine is None:
                        self._take(ledger)
                except LedgerUnavailable as error:
                    orders.tell(error.message)
                self._wake.wait(orders.poll_seconds)
                self._wake.clear()
        finally:
            ledger.close()

    def _take(self, ledger: PostgresLedger) -> None:
        free = self._orders.jobs - len(self._under_way)
        if free > 0:
            for row in dispatches.take(ledger, ",".join(self._orders.queues), free, _TAKE_SECONDS):
                self.enter(str(row), _untold)

    def _mend(self, ledger: PostgresLedger) -> None:
        """Attempts that nobody watches are adopted or closed; keys that an engine may have lost are given to it again."""
        for row in dispatches.left_behind(ledger, 4 * self._orders.jobs):
            self.enter(str(row), _untold)
        if self._engine is not None:
            again = dispatches.give_again(ledger, self._orders.again_seconds, 100)
            if again:
                with contextlib.suppress(Exception):  # an engine that is away is given them again after the next pause
                    self._engine.submit(again)

    def _work(self) -> None:
        """One thread: its own session, one key after the other."""
        orders = self._orders
        try:
            with self._hosts.session(orders.address, give_up_at=time.monotonic() + _OPEN_SECONDS) as session:
                executor = RunExecutor(
                    session, orders.worker_of, interrupted=orders.killed, tell=orders.tell, heard=_nobody
                )
                while (key := self._keys.get()) is not None:
                    outcome = Dispatched(done=False, seconds=1.0)
                    try:
                        if not orders.draining():
                            outcome = executor.execute(key)
                    finally:
                        self._leave(key, outcome)
        except BaseException as error:
            self._failed = error
            raise

    def _leave(self, key: str, outcome: Dispatched) -> None:
        with self._turn:
            waiting = self._under_way.pop(key)
        for told in waiting:
            told(outcome)
        self._wake.set()


def _untold(outcome: Dispatched) -> None:
    del outcome


def _nobody(event: Event) -> None:
    del event


@contextlib.contextmanager
def _alone(spool: Spool) -> Iterator[None]:
    """One node a folder. Raises UsageError."""
    fd = os.open(os.path.join(spool.folder, "node"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{spool.folder}: another node has this spool folder", "end it, or name another folder with --spool"
            ) from None
        yield
    finally:
        os.close(fd)
