"""Carry a bench out: repetitions are runs, by threads with a session each; each is scored as soon as it has ended.

A run that was settled before is replayed and starts nothing. Asked `only_known`, nothing is started at all: what was
never run is missing.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from workermd.batch.sessions import SharedHosts
from workermd.bench.repetition import ERROR, MISSING, Repetition, ScoredRun, is_infrastructure, weighed
from workermd.bench.scores import Scorer, judged
from workermd.bench.subjects import BenchSubject
from workermd.protocol.envelope import EXIT_INTERRUPTED, Document
from workermd.runner.events import Subscriber
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.run_key import KeySource
from workermd.runner.session import Session


class Conduct(NamedTuple):
    """How a bench is carried out. `told` hears of every outcome, one at a time; `heard` makes a subscriber for a run."""

    ledger: str
    jobs: int
    max_input_bytes: int
    scorers: tuple[Scorer, ...]
    told: Callable[[ScoredRun], None]
    heard: Callable[[], tuple[Subscriber, Callable[[], None]]]
    draining: Callable[[], bool]
    killed: Callable[[], bool]
    only_known: bool = False


def carry_out(conduct: Conduct, repetitions: Iterable[Repetition]) -> None:
    """Until every repetition has its outcome, or the bench is to end. Raises what `invoke` raises."""
    waiting: queue.SimpleQueue[Repetition] = queue.SimpleQueue()
    for each in repetitions:
        waiting.put(each)
    hosts, bench = SharedHosts(), _Bench(conduct)
    try:
        with ThreadPoolExecutor(conduct.jobs, "bench") as pool:
            threads = [pool.submit(bench.work, hosts, waiting) for _ in range(conduct.jobs)]
        for thread in threads:
            thread.result()
    finally:
        hosts.close()


class _Cancelled(Exception):
    """The bench is to end, and this run was ended for it: the same command goes on with it."""


class _Bench:
    def __init__(self, conduct: Conduct) -> None:
        self._conduct = conduct
        self._turn = threading.Lock()
        self._failed = False
        self._judging: dict[str, threading.Lock] = {}

    def work(self, hosts: SharedHosts, waiting: "queue.SimpleQueue[Repetition]") -> None:
        """One thread: its own session, one repetition after the other."""
        try:
            with hosts.session(self._conduct.ledger) as session:
                while not self._failed and not self._conduct.draining():
                    try:
                        repetition = waiting.get_nowait()
                    except queue.Empty:
                        return
                    self._carry_out(session, repetition)
        except BaseException:
            self._failed = True
            raise

    def _carry_out(self, session: Session, repetition: Repetition) -> None:
        try:
            outcome = self._outcome(session, repetition)
        except _Cancelled:
            return
        with self._turn:
            self._conduct.told(outcome)

    def _outcome(self, session: Session, repetition: Repetition) -> ScoredRun:
        envelope = self._run(session, repetition.subject, repetition.run_id, repetition.data)
        if envelope is None:
            return ScoredRun(repetition, MISSING, None, (), {})
        if is_infrastructure(envelope):
            return ScoredRun(repetition, ERROR, None, (), envelope)

        def ask(judge: BenchSubject, run_id: str, data: bytes) -> Document | None:
            with self._alone(run_id):
                return self._run(session, judge, run_id, data)

        found = tuple(judged(each, repetition.case, envelope, ask) for each in self._conduct.scorers)
        word, value = weighed(found)
        return ScoredRun(repetition, word, value, found, envelope)

    def _alone(self, run_id: str) -> threading.Lock:
        """Equal questions to a judge are one run: the second thread is answered from the ledger."""
        with self._turn:
            return self._judging.setdefault(run_id, threading.Lock())

    def _run(self, session: Session, subject: BenchSubject, run_id: str, data: bytes) -> Document | None:
        """The run's envelope; None where it was never settled and nothing may be started."""
        if self._conduct.only_known:
            row = session.ledger.look(subject.worker.contract.id, run_id)
            if row is None or row.state != "done":
                return None
        publish, close = self._conduct.heard()
        request = Request(
            worker=subject.worker,
            read_input=lambda: data,
            publish=publish,
            interrupted=self._conduct.killed,
            key=KeySource(given=run_id, option="the bench's key"),
            max_input_bytes=self._conduct.max_input_bytes,
        )
        try:
            answered = invoke(session, request)
        finally:
            close()
        if answered.exit_code == EXIT_INTERRUPTED:
            raise _Cancelled
        return answered.envelope
