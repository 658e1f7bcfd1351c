"""The kind `function` (S8.3): a Python callable, `module:callable` or an entry point, answers the task."""

import asyncio
import importlib
import importlib.metadata
import inspect
import re
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, PathFinder
from pathlib import Path
from typing import Any

from workermd.backend import Binding, Limits, Refused, Result, Task
from workermd.backends.failure import failure_of
from workermd.backends.reply import result_of
from workermd.runtime import CancellationToken, Caught, dispatch

ENTRY_POINTS = "workermd.functions"
"""The group in which an installed package names its functions."""

Function = Callable[[Task], Any]


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    """Resolve the function, call it with the task, and turn its ending into a `Result`. Never raises.

    Changes `sys.path` and runs the worker's module: call it in the attempt's own process only.
    """
    package = binding.function.partition(":")[0].partition(".")[0]
    with Caught() as caught:
        function, package = _resolved(binding)

        async def answered(task: Task, _token: CancellationToken) -> Result:
            return result_of(await _answer(function, task), task, limits)

        return dispatch(task, answered, limits.deadline, lambda error: failure_of(error, package))
    return failure_of(caught.error or RuntimeError("the task ended without a result"), package)


def unusable(named: str) -> str:
    """Why there is no such function, without importing it: an entry point or a module that cannot be found."""
    try:
        module, _ = _named(named)
    except Refused as error:
        return str(error)
    path = [str(Path.cwd()), *sys.path] if ":" in named else list(sys.path)
    known = ""
    for part in module.split("."):
        known = f"{known}.{part}" if known else part
        # As if it stood at the top: a dotted name may ask for its parent's module, which is not imported here.
        spec = BuiltinImporter.find_spec(known) or PathFinder.find_spec(part, path)
        if spec is None:
            return f"function {named}: there is no module {known}, neither installed nor in the current folder"
        path = list(spec.submodule_search_locations or ())
    return ""


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


def _resolved(binding: Binding) -> tuple[Function, str]:
    """The callable and its top-level package. Raises `Refused`, or whatever the module's import raises."""
    module, attribute = _named(binding.function)
    place = f"function {binding.function} ({binding.origin})"
    # As `python -m` does; but a worker shipped with this package must not meet the folder's modules.
    if ":" in binding.function and not module.startswith("workermd.") and str(Path.cwd()) not in sys.path[:1]:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error, module, place) from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Refused(f"{place}: module {module} has no {attribute}; correct the name") from None
    if not callable(found):
        raise Refused(f"{place}: {attribute} of module {module} is a {type(found).__name__}, not a callable")
    return found, module.partition(".")[0]


def _named(function: str) -> tuple[str, str]:
    """Module and attribute, from `module:callable` or from an entry point's name."""
    if ":" not in function:
        return _entry_point(function)
    module, _, attribute = function.partition(":")
    if not re.fullmatch(r"\w+(\.\w+)*", module) or not re.fullmatch(r"\w+(\.\w+)*", attribute):
        raise Refused(f"function {function}: write it as module:callable, for example shop.orders:run")
    return module, attribute


def _entry_point(name: str) -> tuple[str, str]:
    found = {point.value: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)}
    if not found:
        raise Refused(
            f"function {name}: no installed package has an entry point of that name in the group {ENTRY_POINTS}; "
            "install the package, or write module:callable"
        )
    if len(found) > 1:
        raise Refused(f"function {name}: several packages name it ({', '.join(sorted(found))}); write module:callable")
    point = next(iter(found.values()))
    if not point.attr:
        raise Refused(f"function {name}: its entry point names the module {point.module} without a callable")
    return point.module, point.attr


def _missing(error: ModuleNotFoundError, module: str, place: str) -> Refused:
    missing = error.name or "?"
    if module == missing or module.startswith(missing + "."):
        return Refused(f"{place}: there is no module {missing}, neither installed nor in the current folder")
    if module.startswith("workermd.workers"):
        return Refused(f"{place}: it needs {missing}, which is not installed; run: pip install 'workermd[workers]'")
    return Refused(f"{place}: module {module} needs {missing}, which is not installed; install what provides it")
