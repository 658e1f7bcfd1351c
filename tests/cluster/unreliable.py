"""A real engine made worse: of what it is given it loses 10 % and doubles 30 %; what it hands over comes late, and 30 % twice."""

import os
import random
import threading
import time
from collections.abc import Callable, Sequence

from workermd.batch.cluster.engine import Dispatched, Execute, engine_named
from workermd.ledger.postgres.dispatches import Dispatch

NAME = "tests.cluster.unreliable:Unreliable"
_OF_A_DOUBLE = 1_000_000


class Unreliable:
    def __init__(self, address: str) -> None:
        engine = engine_named(os.environ["UNRELIABLE_ENGINE"], address)
        assert engine is not None
        self._engine = engine
        self._random = random.Random(os.environ["UNRELIABLE_ENGINE"])

    def prepare(self) -> None:
        self._engine.prepare()

    def submit(self, runs: Sequence[Dispatch]) -> None:
        kept = [run for run in runs if self._random.random() >= 0.1]
        doubled = [
            run._replace(generation=run.generation + _OF_A_DOUBLE) for run in kept if self._random.random() < 0.3
        ]
        self._engine.submit([*kept, *doubled])

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        def worse(key: str) -> Dispatched:
            time.sleep(self._random.uniform(0, 0.5))
            if self._random.random() < 0.3:
                threading.Thread(target=execute, args=(key,), daemon=True).start()
            return execute(key)

        self._engine.work(worse, queues, jobs, stop)

    def cancel(self, key: str) -> None:
        self._engine.cancel(key)

    def health(self) -> dict[str, object]:
        return self._engine.health()
