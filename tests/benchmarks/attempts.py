"""Attempts: how late the last process of an unruly task is dead, and what the core runtime costs each task."""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

from tests.attempt import unruly
from tests.attempt_process import a_task, run_attempt
from tests.benchmarks.measure import BrokenError, in_turns, repeated
from tests.benchmarks.table import Row
from workermd.task.binding import Binding
from workermd.task.task import Result

LIMIT = 0.5
OVER = 50.0


def deadline(folder: Path, rounds: int) -> list[Row]:
    """Milliseconds from the deadline until everything that the task started is dead."""

    def trial(name: str) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            binding = Binding(kind="function", origin="the benchmark", function=f"tests.attempt.unruly:{name}")
            outcome = run_attempt(Path(place), a_task(Path(place)), binding, LIMIT)
        for pid in outcome.survivors:
            os.kill(pid, signal.SIGKILL)
        if outcome.survivors or not outcome.killed:
            raise BrokenError(f"{name}: {len(outcome.survivors)} survivors; ended by us: {outcome.killed}")
        return outcome.over

    names = {f"over {LIMIT} s: {each.__name__}": each.__name__ for each in unruly.ENDLESS}
    found = in_turns({what: (lambda name=name: trial(name)) for what, name in names.items()}, rounds)
    return [Row(found[what], most_ms=OVER) for what in names]


def dispatching(folder: Path, rounds: int) -> list[Row]:
    """One task as a message to an agent of a fresh runtime, against the same coroutine in a bare event loop."""
    task = a_task(folder)
    result = Result(output="{}")

    async def perform(*_given: object) -> Result:
        return result

    def failure_of(error: BaseException) -> Result:
        raise BrokenError("the trivial task failed") from error

    from workermd.backends.core import dispatch

    def dispatched() -> None:
        if dispatch(task, perform, time.monotonic() + 60, failure_of) != result:
            raise BrokenError("the trivial task's result was lost")

    bare, what = "asyncio.run of the same", "a trivial task through the runtime"
    found = in_turns({bare: repeated(lambda: asyncio.run(perform())), what: repeated(dispatched)}, rounds)
    return [Row(found[what], found[bare])]
