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

from workermd.batch.brakes import Brakes
from workermd.batch.sessions import SharedHosts
from workermd.batch.sources import Line, given
from workermd.batch.window import Window
from workermd.protocol.envelope import EXIT_INTERRUPTED
from workermd.runner.answers import Answered
from workermd.runner.events import Subscriber
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.run_key import KeySource, refuse_without
from workermd.runner.session import Session
from workermd.runner.worker import Worker

_LOOK_SECONDS = 0.1
"""How often whoever reads the lines looks whether the batch is to end, while there is no room for a further one."""


Put = Callable[[], None]
"""Writes one answer."""


class Orders(NamedTuple):
    """What a batch is asked to do. `heard` makes a subscriber for the line of a number from 0, and what is called at its end.
    `answered` makes of a line's answer what is to be written in its place, and says how many bytes that is.

    `draining` says that no further line is to begin, `killed` that what runs is to be ended too. With `retried_by`, who
    grants a run that failed for good one further start.
    """

    worker: Worker
    key: KeySource
    ledger: str
    jobs: int
    max_input_bytes: int
    answered: Callable[[int, Answered], tuple[Put, int]]
    heard: Callable[[int], tuple[Subscriber, Callable[[], None]]]
    draining: Callable[[], bool]
    killed: Callable[[], bool]
    brakes: Brakes
    ordered: bool = True
    retried_by: str = ""


class _Line(NamedTuple):
    number: int
    data: Line

    @property
    def size(self) -> int:
        return len(self.data) if isinstance(self.data, bytes) else 0


class Batch:
    """One batch. `hosts` outlive it and are closed by their maker."""

    def __init__(self, orders: Orders, hosts: SharedHosts) -> None:
        refuse_without(orders.worker.contract, orders.key)
        self._orders = orders
        self._hosts = hosts
        self._window: Window[Put] = Window(lambda put: put(), ordered=orders.ordered)
        self._lines: queue.SimpleQueue[_Line | None] = queue.SimpleQueue()
        self._equal: dict[Line, list[_Line]] = {}
        self._retried: set[str | None] = set()
        self._turn = threading.Lock()
        self._failed = False

    def carry_out(self, lines: Iterable[Line]) -> None:
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

    def _read(self, lines: Iterable[Line]) -> None:
        for data in lines:
            while not self._window.wait_for_room(_LOOK_SECONDS):
                if self._ending():
                    return
            if self._ending():
                return
            self._enter(data)

    def _ending(self) -> bool:
        return self._failed or bool(self._orders.brakes.stopped) or self._orders.draining()

    def _enter(self, data: Line) -> None:
        size = len(data) if isinstance(data, bytes) else 0
        line = _Line(self._window.enter(size), data)
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
            with self._hosts.session(
                self._orders.ledger,
                give_up_at=give_up_at,
                before_start=lambda: self._orders.brakes.before_start(self._ending),
            ) as session:
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
        publish, close = self._orders.heard(line.number)
        request = self._request(line.data, publish)
        try:
            answered = invoke(session, request)
            if self._is_to_be_retried(answered):
                answered = invoke(session, request._replace(again_by=self._orders.retried_by))
        finally:
            close()
        fine = answered.exit_code in (0, EXIT_INTERRUPTED)
        self._orders.brakes.after_line(answered.envelope, ok=fine)
        put, held = self._orders.answered(line.number, answered)
        self._window.leave(line.number, line.size, put, held)

    def _is_to_be_retried(self, answered: Answered) -> bool:
        """A final failure that was found in the ledger, once in this batch; what waits for a person is none."""
        envelope = answered.envelope
        if not self._orders.retried_by or not envelope["replayed"] or answered.exit_code == 0 or "request" in envelope:
            return False
        with self._turn:
            if envelope["run_id"] in self._retried:
                return False
            self._retried.add(envelope["run_id"])
        return True

    def _request(self, data: Line, publish: Subscriber) -> Request:
        return Request(
            worker=self._orders.worker,
            read_input=lambda: given(data),
            publish=publish,
            interrupted=self._orders.killed,
            key=self._orders.key,
            max_input_bytes=self._orders.max_input_bytes,
        )


def _raise_first(threads: list[Future[None]]) -> None:
    """Every thread has ended; one that could not go on says why."""
    for thread in threads:
        thread.result()
