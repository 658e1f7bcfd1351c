"""Many runs of one worker: inputs come in one by one, threads carry them out, answers go out in the inputs' order.

Every line is one invocation, with every promise of one (S2 to S6). A thread holds one run's lock at a time and waits for no
other, so that batches which cross each other go on. Lines that are equal, byte for byte, are one invocation at a time:
the later ones are answered from the ledger once the first is settled.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from workermd.batch.sessions import SharedHosts
from workermd.batch.window import Window
from workermd.runner.answers import Answered
from workermd.runner.events import Subscriber
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.run_key import KeySource, refuse_without
from workermd.runner.session import Session
from workermd.runner.worker import Worker

_LOOK_SECONDS = 0.1
"""How often whoever reads the lines looks whether the batch is to end, while there is no room for a further one."""


class Orders(NamedTuple):
    """What a batch is asked to do. `heard` makes a subscriber for one line, and what is called at its end.

    `draining` says that no further line is to begin, `killed` that what runs is to be ended too.
    """

    worker: Worker
    key: KeySource
    ledger: str
    jobs: int
    max_input_bytes: int
    answered: Callable[[Answered], bytes]
    heard: Callable[[], tuple[Subscriber, Callable[[], None]]]
    draining: Callable[[], bool]
    killed: Callable[[], bool]


class _Line(NamedTuple):
    number: int
    data: bytes


class Batch:
    """One batch. `write` gets the answers in order; `hosts` outlive it and are closed by their maker."""

    def __init__(self, orders: Orders, hosts: SharedHosts, write: Callable[[bytes], None]) -> None:
        refuse_without(orders.worker.contract, orders.key)
        self._orders = orders
        self._hosts = hosts
        self._window = Window(write)
        self._lines: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
        self._equal: dict[bytes, list[_Line]] = {}
        self._turn = threading.Lock()
        self._failed = False

    def carry_out(self, lines: Iterable[bytes]) -> None:
        """Until every line has its answer, or the batch is to end. Raises what `invoke` and `write` raise."""
        with ThreadPoolExecutor(self._orders.jobs, "batch") as pool:
            threads = [pool.submit(self._work) for _ in range(self._orders.jobs)]
            try:
                self._read(lines)
            except BaseException:
                self._failed = True
                raise
            finally:
                for _ in threads:
                    self._lines.put(None)
        _raise_first(threads)

    def _read(self, lines: Iterable[bytes]) -> None:
        for data in lines:
            while not self._window.wait_for_room(_LOOK_SECONDS):
                if self._ending():
                    return
            if self._ending():
                return
            self._enter(data)

    def _ending(self) -> bool:
        return self._failed or self._orders.draining()

    def _enter(self, data: bytes) -> None:
        line = _Line(self._window.enter(len(data)), data)
        with self._turn:
            waiting = self._equal.get(data)
            if waiting is not None:
                waiting.append(line)
                return
            self._equal[data] = []
        self._lines.put(line)

    def _work(self) -> None:
        """One thread: its own session, one line after the other."""
        give_up_at = time.monotonic() + self._orders.worker.bounds.timeout
        try:
            with self._hosts.session(self._orders.ledger, give_up_at=give_up_at) as session:
                while (line := self._lines.get()) is not None:
                    if not self._ending():
                        self._answer_equal(session, line)
        except BaseException:
            self._failed = True
            raise

    def _answer_equal(self, session: Session, line: _Line) -> None:
        self._answer(session, line)
        with self._turn:
            equal = self._equal.pop(line.data)
        for each in equal:
            if self._ending():
                return
            self._answer(session, each)

    def _answer(self, session: Session, line: _Line) -> None:
        publish, close = self._orders.heard()
        try:
            answered = invoke(session, self._request(line.data, publish))
        finally:
            close()
        self._window.leave(line.number, len(line.data), self._orders.answered(answered))

    def _request(self, data: bytes, publish: Subscriber) -> Request:
        return Request(
            worker=self._orders.worker,
            read_input=lambda: data,
            publish=publish,
            interrupted=self._orders.killed,
            key=self._orders.key,
            max_input_bytes=self._orders.max_input_bytes,
        )


def _raise_first(threads: list[Future[None]]) -> None:
    """Every thread has ended; one that could not go on says why."""
    for thread in threads:
        thread.result()
