"""The events of one run as an iterator, plain or `async`: the run is carried out in a thread meanwhile."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from workermd.library.outcome import Outcome
from workermd.runner.events import Event, RunFinished

Tell = Callable[["RunEvent"], None]


class RunEvent(NamedTuple):
    """What happened (see `workermd.runner.events`), and in which run; None where the input names none."""

    run_id: str | None
    event: Event


CarryOut = Callable[[Tell, Callable[[], bool]], Outcome]


class Happenings:
    """`for each in happenings: …`, then `happenings.outcome`. The run begins with the first step; who leaves the loop,
    or the `with` block around it, early ends the attempt, and the run stays resumable."""

    def __init__(self, carry_out: CarryOut) -> None:
        self._carry_out = carry_out
        self._stop = threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def outcome(self) -> Outcome:
        """The run's answer. Raises RuntimeError while the events have not come to their end."""
        if self._outcome is None:
            raise RuntimeError("the run has not ended: take its events to the end first")
        return self._outcome

    def __iter__(self) -> Iterator[RunEvent]:
        told: queue.SimpleQueue[RunEvent | None] = queue.SimpleQueue()
        self._begin(told.put)
        try:
            while (event := told.get()) is not None:
                yield event
        finally:
            self.close()
        self._raise()

    async def __aiter__(self) -> AsyncIterator[RunEvent]:
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[RunEvent | None] = asyncio.Queue()

        def put(event: RunEvent | None) -> None:
            try:
                loop.call_soon_threadsafe(told.put_nowait, event)
            except RuntimeError:
                self._stop.set()  # the loop was closed

        self._begin(put)
        over = False
        try:
            while (event := await told.get()) is not None:
                yield event
            over = True
        finally:
            self._stop.set()
            while not over:
                over = await told.get() is None
        self._raise()

    def _begin(self, tell: Callable[[RunEvent | None], None]) -> None:
        if self._thread is not None:
            raise RuntimeError("the events of a run are told once")

        def work() -> None:
            try:
                self._outcome = self._carry_out(tell, self._stop.is_set)
                tell(RunEvent(self._outcome.run_id, RunFinished(self._outcome.envelope)))
            except BaseException as error:  # noqa: BLE001 - raised again where the events are taken
                self._error = error
            tell(None)

        self._thread = threading.Thread(target=work, name="workermd", daemon=True)
        self._thread.start()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the attempt, if one runs, and wait until it is settled."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
