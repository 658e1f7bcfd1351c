"""What an exception means that leaves a worker's code (S8.3): one table for every kind that runs Python."""

import math
import sys
import traceback
from types import TracebackType
from typing import Any

from workermd.protocol.envelope import ERROR_CODES, Document
from workermd.task.question import asked
from workermd.task.task import InvalidRequest, NeedsHuman, Result, Retryable, TaskError, failed

ENDINGS: tuple[tuple[type[BaseException], str, str], ...] = (
    (Retryable, "retryable", "backend_unavailable"),
    (InvalidRequest, "invalid_request", "input_rejected"),
    (NeedsHuman, "needs_human", "approval_required"),
    (TaskError, "refused", "backend_failed"),
    (ConnectionError, "retryable", "backend_unavailable"),
    (TimeoutError, "retryable", "backend_unavailable"),
    (BaseException, "refused", "backend_failed"),
)
"""Exception, kind of failure, error code; the first row that fits. `Retryable` may name another known code."""


def failure_of(error: BaseException, package: str) -> Result:
    """The failure for an exception. A `TaskError`'s message is shown; that of any other exception may hold a
    secret, so type and place are shown and the traceback goes to stderr, the attempt's log.

    `package` is the top-level package of the worker's code, to find the place in.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # a coroutine cannot raise it as it is
    kind, code = next((kind, code) for row, kind, code in ENDINGS if isinstance(error, row))
    if isinstance(error, NeedsHuman):
        options, asked_for, proposed = (getattr(error, name, None) for name in ("options", "kind", "proposed"))
        return asked(_said(error), options, asked_for or "question", proposed)
    if isinstance(error, TaskError):
        details = _details(error)
        return failed(kind, details.pop("code", code), _said(error), **details)
    traceback.print_exception(error, file=sys.stderr)
    name = type(error).__name__
    place = place_of(error, package)
    where = f" at {place}" if place else ""
    if isinstance(error, ModuleNotFoundError) and place_in_shipped_workers(error):
        missing = error.name or "a module"
        return failed(kind, code, f"{name}{where}: {missing} is not installed; run: pip install 'workermd[workers]'")
    return failed(kind, code, f"{name}{where}; the traceback is in the attempt's log")


def _said(error: TaskError) -> str:
    first = error.args[0] if error.args else ""
    return first if isinstance(first, str) and first.strip() else f"the task raised {type(error).__name__}"


def _details(error: TaskError) -> Document:
    """What else a `TaskError` carries, as far as it is usable."""
    details: Document = {}
    if isinstance(error, Retryable):
        if error.code in ERROR_CODES:
            details["code"] = error.code
        after: Any = error.after
        if isinstance(after, int | float) and not isinstance(after, bool) and 0 <= after < math.inf:
            details["after"] = after
    return details


def place_of(error: BaseException, package: str) -> str:
    """`file.py:12`, the innermost line of the package's own code that the exception passed, else of any code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_base(error.filename)}:{error.lineno}"
    inside = outside = ""
    for trace in _traces(error):
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        file = trace.tb_frame.f_code.co_filename
        if file.startswith("<frozen"):
            continue
        outside = f"{_base(file)}:{trace.tb_lineno}"
        if name.partition(".")[0] == package:
            inside = outside
    return inside or outside


def place_in_shipped_workers(error: BaseException) -> bool:
    """True when the exception passed through a worker that ships with this package."""
    names = [str(trace.tb_frame.f_globals.get("__name__", "")) for trace in _traces(error)]
    return any(name == "workermd.workers" or name.startswith("workermd.workers.") for name in names)


def _traces(error: BaseException) -> list[TracebackType]:
    """From the outermost to the innermost."""
    traces: list[TracebackType] = []
    trace = error.__traceback__
    while trace is not None:
        traces.append(trace)
        trace = trace.tb_next
    return traces


def _base(path: str) -> str:
    return path.rpartition("/")[2]
