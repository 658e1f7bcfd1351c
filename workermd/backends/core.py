"""The one seam to autogen-core: a task becomes a message to an agent, a deadline becomes a token (S7.1).

Nothing else of this package imports autogen-core. Its hazards, numbered H1 to H20 in docs/autogen-core.md, are
met here; a comment names the hazard where a line exists because of it.
"""

import asyncio
import hashlib
import logging
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Any, Literal, Self

from autogen_core import (
    JSON_DATA_CONTENT_TYPE,
    AgentId,
    CancellationToken,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    rpc,
)
from opentelemetry import context as trace_context
from opentelemetry.trace import NoOpTracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from workermd.protocol.errors import ConfigurationError
from workermd.task.task import Result, Task, timed_out

__all__ = ["CancellationToken", "Caught", "Exchange", "Performer", "ResultMessage", "TaskMessage", "dispatch"]

Performer = Callable[[Task, CancellationToken], Awaitable[Result]]
"""What does the work of one attempt. It may raise anything; every future it awaits for long should be
linked to the token, and it returns once nothing that it started is running any more."""

FailureOf = Callable[[BaseException], Result]
"""The table of a kind: what an exception that left the performer means."""

LEFTOVER_GRACE = 0.25
"""Seconds that background tasks of a finished task get to end after they were cancelled."""


_WARM_UPS, _WARM_UP_SECONDS = 20, 10.0


class Caught:
    """`with Caught() as caught:` keeps in `caught.error` whatever leaves the block.

    The code inside is somebody else's: SystemExit and CancelledError are kept too, or they would end the
    process or the loop around them (H10). In a coroutine nothing may be awaited after the block: what was
    caught may be the GeneratorExit that closes it.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> Literal[True]:
        self.error = error
        return True


@dataclass(frozen=True, slots=True, repr=False)
class TaskMessage:
    """The message to a worker: a task, which never leaves this process, so it is not encoded for it.

    It has neither `__dict__` nor a telling repr: the runtime formats both into log lines (H16).
    """

    task: Task

    def __post_init__(self) -> None:
        _check(self.task, Task)

    def __repr__(self) -> str:
        return f"TaskMessage(attempt {self.task.attempt})"


@dataclass(frozen=True, slots=True, repr=False)
class ResultMessage:
    """What a worker answers. None, which the runtime gives when nobody answered, is never one (H8)."""

    result: Result

    def __post_init__(self) -> None:
        _check(self.result, Result)

    def __repr__(self) -> str:
        return "ResultMessage()"


def _check(value: object, kind: type) -> None:
    """The runtime checks no types (H18)."""
    if not isinstance(value, kind):
        raise TypeError(f"a message holds a {kind.__name__}, not a {type(value).__name__}")


class _Sealed:
    """Stands in for the JSON serializer of a message, which the runtime calls only to log and trace (H14, H16)."""

    data_content_type = JSON_DATA_CONTENT_TYPE

    def __init__(self, message_type: type[Any]) -> None:
        self.type_name = message_type.__name__

    def serialize(self, _message: object) -> bytes:
        return b'"sealed"'

    def deserialize(self, _payload: bytes) -> object:
        raise TypeError(f"{self.type_name} does not leave its process")


class _Worker(RoutedAgent):
    """One registered worker. It holds what it was made with and never changes: orders may overlap (H13)."""

    def __init__(self, answer: Callable[[TaskMessage, CancellationToken], Awaitable[ResultMessage]]) -> None:
        super().__init__("performs one task within its deadline")
        self._answer = answer

    @rpc
    async def on_order(self, message: TaskMessage, ctx: MessageContext) -> ResultMessage:
        return await self._answer(message, ctx.cancellation_token)


class Exchange:
    """A runtime with one worker: opened once, closed once, made anew for every attempt (H12)."""

    def __init__(self, worker_id: str, perform: Performer, failure_of: FailureOf) -> None:
        self._worker_type = agent_type(worker_id)
        self._perform = perform
        self._failure_of = failure_of
        # Tracing off (H14), no error of a handler swallowed (H11), no intervention handlers (H17).
        self._runtime = SingleThreadedAgentRuntime(
            tracer_provider=NoOpTracerProvider(), ignore_unhandled_exceptions=False
        )
        self._state = "new"
        self._works: dict[asyncio.Task[Result], CancellationToken] = {}
        self._own: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Register the worker and start. Raises RuntimeError when it was opened before."""
        if self._state != "new":
            raise RuntimeError(f"this exchange is {self._state}: make a new one for every attempt")
        _silence()
        await _Worker.register(
            self._runtime,
            self._worker_type,
            lambda: _Worker(self._answer),
            skip_class_subscriptions=True,
            skip_direct_message_subscription=True,
        )
        for message_type in (TaskMessage, ResultMessage):
            self._runtime.add_message_serializer(_Sealed(message_type))
        self._runtime.start()
        self._own = asyncio.all_tasks()
        self._state = "open"

    async def send(self, order: TaskMessage, worker_id: str, run_id: str, token: CancellationToken) -> ResultMessage:
        """The worker's answer, or CancelledError once the token is cancelled: the work may then still run
        until `close` has returned. Raises RuntimeError when not open, ConfigurationError for a worker that
        is not here, TypeError for another message."""
        if self._state != "open":  # H5: the runtime would wait without end
            raise RuntimeError(f"this exchange is {self._state}: nothing can be sent")
        if token.is_cancelled():  # H4: the runtime would run the worker all the same
            raise asyncio.CancelledError
        if not isinstance(order, TaskMessage):
            raise TypeError(f"a worker is sent a TaskMessage, not a {type(order).__name__}")
        if agent_type(worker_id) != self._worker_type:  # H9: a bare Exception otherwise
            raise ConfigurationError("the task names a worker that is not registered here")
        answer = await self._runtime.send_message(
            order, AgentId(self._worker_type, agent_key(run_id)), cancellation_token=token
        )
        if not isinstance(answer, ResultMessage):  # H8
            raise TypeError("the worker gave no ResultMessage: nothing handles this type of message")
        return answer

    async def close(self) -> None:
        """Wait until all work has ended, whatever it takes (H1), then stop. The supervisor bounds the wait
        from outside, by killing the process."""
        if self._state != "open":
            return
        self._state = "closing"
        for work, token in self._works.items():
            if not token.is_cancelled():  # else it was cancelled already, and may be cleaning up
                work.cancel()
        if self._works:
            await asyncio.wait(self._works)
        await asyncio.sleep(0)  # the runtime's own steps behind the work
        await self._end_leftovers()
        await self._runtime.stop()  # H6: only now, it drops what is pending. H7: not stop_when_idle
        self._state = "closed"

    async def _answer(self, order: TaskMessage, token: CancellationToken) -> ResultMessage:
        # H15: the runtime's queue cuts the trace; the task started here copies the context it finds.
        carrier = {name: str(order.task.trace.get(name, "")) for name in ("traceparent", "tracestate")}
        cut = trace_context.attach(TraceContextTextMapPropagator().extract(carrier))
        try:
            work = asyncio.create_task(self._work(order.task, token))
        finally:
            trace_context.detach(cut)
        self._works[work] = token
        token.link_future(work)  # H2; H20: a link never raises, and stands before any of the performer's
        await asyncio.wait((work,))
        if token.is_cancelled():  # the sender has gone: an answer now would be put into a queue being stopped
            raise asyncio.CancelledError
        return ResultMessage(work.result())

    async def _work(self, task: Task, token: CancellationToken) -> Result:
        with Caught() as caught:
            return await self._perform(task, token)
        return self._failure_of(caught.error or RuntimeError("the task ended without a result"))

    async def _end_leftovers(self) -> None:
        """Cancel what the task left running in the loop. It gets a moment; the process ends anyway."""
        leftovers: set[asyncio.Task[Any]] = asyncio.all_tasks() - self._own - self._works.keys()
        for leftover in leftovers:
            leftover.cancel()
        leftovers.add(asyncio.ensure_future(asyncio.get_running_loop().shutdown_asyncgens()))
        _, pending = await asyncio.wait(leftovers, timeout=LEFTOVER_GRACE)
        if pending:
            print(f"{len(pending)} background task(s) of the worker did not end when cancelled", file=sys.stderr)  # noqa: T201 - the attempt's log


def dispatch(task: Task, perform: Performer, deadline: float, failure_of: FailureOf) -> Result:
    """Perform a task as a message to an agent of a fresh runtime, in an event loop of its own.

    `deadline` is on `time.monotonic()`'s clock. There the token is cancelled and with it the work. Never
    raises for what the performer did, and returns only once its work has ended: work that cannot be
    stopped, such as a thread, is ended by killing the process. An end after the deadline is a timeout.
    """
    if time.monotonic() >= deadline:
        return timed_out()
    loop = asyncio.new_event_loop()
    token = CancellationToken()
    try:
        loop.call_at(deadline, token.cancel)  # the loop's clock is time.monotonic()
        ending = _driven(loop, loop.create_task(_exchanged(task, perform, token, failure_of)))
    finally:
        loop.close()
    if token.is_cancelled() or time.monotonic() >= deadline:  # H3: a blocked loop answers late
        return timed_out()
    return ending if isinstance(ending, Result) else failure_of(ending)


def warm_up() -> None:
    """Perform nothing, a few times: what is made on first use is there then for every process forked from this one, and
    the interpreter has settled on its quick instructions, which it writes into the code, page by page.
    """

    async def nothing(_task: Task, _token: CancellationToken) -> Result:
        return Result(output="{}")

    nobody = Task("warm-up", "", "warm-up", 1, 1, 1.0, "", "", {}, {}, None, (), (), {}, "", {})
    for _ in range(_WARM_UPS):
        dispatch(nobody, nothing, time.monotonic() + _WARM_UP_SECONDS, lambda _error: Result())
    PathFinder.find_spec("no_such_module_anywhere")  # reads the folders in which modules are looked for


async def _exchanged(task: Task, perform: Performer, token: CancellationToken, failure_of: FailureOf) -> Result:
    exchange = Exchange(task.worker_id, perform, failure_of)
    order = TaskMessage(task)
    try:
        await exchange.open()
        answer = await exchange.send(order, task.worker_id, task.run_id, token)
    finally:
        await exchange.close()
    return answer.result


def _driven(loop: asyncio.AbstractEventLoop, main: asyncio.Task[Result]) -> Result | BaseException:
    """Run the loop until `main` has ended. SystemExit in a task that the worker started in the background
    throws the loop itself out (H10): the attempt has then failed, and its work is still brought to its end."""
    astray: BaseException | None = None
    while not main.done():
        with Caught() as caught:
            loop.run_until_complete(main)
        if caught.error is not None and not main.done():
            if astray is None:
                main.cancel()  # once: the second one would break off the wait for the work
            astray = astray or caught.error
    if astray is not None:
        return astray
    return asyncio.CancelledError() if main.cancelled() else main.exception() or main.result()


def agent_type(worker_id: str) -> str:
    """The worker id as an agent type, which must match `[\\w\\-.]+`; unlike ids stay unlike."""
    if re.fullmatch(r"[\w\-.]+", worker_id):
        return worker_id
    return re.sub(r"[^\w\-.]", "_", worker_id)[:100] + "-" + _digest(worker_id)


def agent_key(run_id: str) -> str:
    """The run id as an agent key. Keys are not checked by the runtime and reach its log lines: what is
    long or could break a line is replaced by its digest."""
    return run_id if re.fullmatch(r"[\w\-.:/]{1,200}", run_id) else "sha256-" + _digest(run_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _silence() -> None:
    """H16: at INFO the runtime logs bodies. Set at every opening: the worker's import may have changed it."""
    for name in ("autogen_core", "autogen_core.events", "autogen_core.trace"):
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
