"""The kind `function` (S8.3): a Python callable, `module:callable` or an entry point, answers the task."""

import asyncio
import inspect
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from workermd.backends.core import CancellationToken, Caught, dispatch
from workermd.backends.reply import result_of
from workermd.backends.reported_usage import held
from workermd.task import callables
from workermd.task.binding import Binding
from workermd.task.failure import failure_of
from workermd.task.task import Limits, Result, Task
from workermd.workers import NEEDS

ENTRY_POINTS = "workermd.functions"
"""The group in which an installed package names its functions."""

Function = Callable[[Task], Any]


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    """Resolve the function, call it with the task, and turn its ending into a `Result`. Never raises.

    Changes `sys.path`, and runs the worker's module where `unusable` was not asked: call it in the attempt's own
    process only.
    """
    package = binding.function.partition(":")[0].partition(".")[0]
    with Caught() as caught:
        function, package = callables.resolved(
            "function", binding.function, ENTRY_POINTS, _place(binding), binding.folder
        )

        async def answered(task: Task, _token: CancellationToken) -> Result:
            return held(result_of(await _answer(function, task), task, limits), binding, limits)

        return dispatch(task, answered, limits.deadline, lambda error: failure_of(error, package))
    return failure_of(caught.error or RuntimeError("the task ended without a result"), package)


def unusable(binding: Binding) -> str:
    """Why there is no such function, found by importing its module."""
    missing = [module for module in NEEDS.get(binding.function, ()) if find_spec(module) is None]
    if missing:
        needed = " and ".join(missing)
        return f"function {binding.function}: {needed} cannot be found; run: pip install 'workermd[workers]'"
    return callables.why_unusable("function", binding.function, ENTRY_POINTS, _place(binding), binding.folder)


def _place(binding: Binding) -> str:
    return f"function {binding.function} ({binding.origin})"


async def _answer(function: Function, task: Task) -> object:
    """What the function returns. A sync one runs in a thread, so that the loop's clock goes on."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - asks what it is, not whether
        return await function(task)
    answer = await _in_thread(function, task)
    return await answer if inspect.isawaitable(answer) else answer


async def _in_thread(function: Function, task: Task) -> object:
    """A thread cannot be cancelled: whoever cancels this waits until the function has ended (H1)."""
    answers: list[object] = []
    caught = Caught()

    def call() -> None:
        with caught:
            answers.append(function(task))

    thread = asyncio.ensure_future(asyncio.to_thread(call))
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    if caught.error is not None:
        raise caught.error
    return answers[0]
