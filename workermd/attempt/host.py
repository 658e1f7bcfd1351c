"""The attempt's own process: load the backend, take one order, perform it, leave the result to the keeper.

It is started before the parent knows whether there will be an attempt, so that the imports of a
framework overlap with the parent's reading; it does nothing of the user's until the order comes. It
never opens the ledger, nor holds anything of it. Its standard output and error are a log file; the
caller's are out of its reach. The keeper that forked it watches over it.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import sys
import time
from importlib import import_module

from workermd.attempt import keeper
from workermd.attempt.order import ORDER_FD, STATUS_FD, Order, receive, receive_binding
from workermd.protocol.codec import to_document
from workermd.sandbox.fence import STRICT
from workermd.system.crash import point
from workermd.task.binding import Binding
from workermd.task.task import KINDS, Backend, Result

TIMER_GRACE = 0.25
"""Seconds after the deadline at which a host without a supervisor ends itself (durability: host's first lines)."""

MAX_FILE_BYTES = 1 << 30
"""The largest file that an attempt may write, its log included."""

LEAST_FILE_MB = 16
"""The log is a file too, and so is what a task keeps in a temporary folder."""

MAX_OPEN_FILES = 4096


def main() -> None:
    """The keeper's process from its first line, and the host's that it forks. The kind is the argument."""
    kept = begin()
    attempt(load(sys.argv[2]), kept)  # while the supervisor is still reading


def begin() -> keeper.Kept:
    """Hold the descriptors for this process only, and fork the host: it returns, with its keeper behind it.

    An import of the user's may hang. The keeper sees the supervisor go and ends the host until it has been told of an
    attempt; from then on an attempt outlives its supervisor on purpose.
    """
    os.set_inheritable(ORDER_FD, False)
    os.set_inheritable(STATUS_FD, False)
    kept = keeper.part()
    point("host_started")
    if missing := kept.held.missing(kept.fence):
        why = f" ({kept.held.failed})" if kept.held.failed else ""
        asks = "--sandbox strict asks" if kept.fence.mode == STRICT else "the contract's constraints ask"
        _refuse(f"this machine does not hold {', '.join(missing)} as {asks}{why}; see: workermd doctor")
    return kept


def attempt(backend: Backend, kept: keeper.Kept) -> None:
    """Take the binding, then perhaps an order; perform it and end. Does not return."""
    binding = receive_binding(ORDER_FD)
    if binding is None:
        os._exit(0)
    if reason := backend.unusable(binding):
        _refuse(reason)
    gc.freeze()  # it was off since the first line: what imports make stays
    gc.enable()
    os.write(STATUS_FD, f"ready {json.dumps(kept.held._asdict())}\n".encode())
    while (order := receive(ORDER_FD)) is not None:
        result = _carried_out(backend, binding, order, kept)
        if not kept.fence.shared:
            _leave(kept, result)
        _stay(kept, result)
    os._exit(0)  # The supervisor needs no attempt, or is gone before there was one.


def _carried_out(backend: Backend, binding: Binding, order: Order, kept: keeper.Kept) -> Result:
    _hold_bounds(order, kept.fence.max_artifact_mb, stays=bool(kept.fence.shared))
    if kept.journal_fd >= 0:
        order = order._replace(limits=order.limits._replace(journal=f"/proc/self/fd/{kept.journal_fd}"))
    order = order._replace(limits=order.limits._replace(conversation=kept.conversation_fd))
    if kept.decided_fd >= 0:
        order = order._replace(limits=order.limits._replace(decided=f"/proc/self/fd/{kept.decided_fd}"))
    if kept.recordings_fd >= 0:
        binding = binding._replace(record=f"/proc/self/fd/{kept.recordings_fd}")
    point("host_before_task")
    result = _perform(backend, order, binding)
    point("host_after_task")
    return result


def load(kind: str) -> Backend:
    """The kind's module. A missing library is the operator's to mend: it is said before an attempt is used up."""
    try:
        return import_module(KINDS[kind].module)
    except ModuleNotFoundError as error:
        extra = KINDS[kind].extra
        _refuse(
            f"backend {kind!r} needs the module {error.name!r}, which is not installed: "
            f"pip install 'workermd{extra and f'[{extra}]'}'"
        )
    except Exception as error:  # noqa: BLE001 - a plugin's import may raise anything
        _refuse(f"backend {kind!r} could not be loaded: {type(error).__name__}")
    raise AssertionError


def _refuse(message: str) -> None:
    os.write(STATUS_FD, f"cannot: {message}\n".encode())
    os._exit(1)


def _hold_bounds(order: Order, max_artifact_mb: int = -1, *, stays: bool) -> None:
    """Limits that hold even when the supervisor is gone and when Python code cannot run (S3.3).

    A host that stays has used time before; what it may use in all can be raised again for the next attempt.
    """
    left = max(0.001, order.limits.deadline - time.monotonic())
    signal.setitimer(signal.ITIMER_REAL, left + TIMER_GRACE)
    cpu = int(left + TIMER_GRACE + 1) * (os.cpu_count() or 1) + 1
    if stays:
        used = int(time.process_time()) + 1
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (used + cpu, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    else:
        _limit(resource.RLIMIT_CPU, cpu)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES if max_artifact_mb < 0 else _largest_file(max_artifact_mb))
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    os.environ.update(order.environment)


def _largest_file(max_artifact_mb: int) -> int:
    """No artifact is much larger than all may be, so that the keeper sees it; the log of an attempt without any has its room."""
    return min(MAX_FILE_BYTES, max(max_artifact_mb + 1, LEAST_FILE_MB) << 20)


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (most, hard))


def _perform(backend: Backend, order: Order, binding: Binding) -> Result:
    """One attempt of any kind. Kinds that converse keep and replay their conversations themselves."""
    try:
        if KINDS[binding.kind].converses:
            return backend.perform(order.task, binding, order.limits)
        result = backend.perform(order.task, binding, order.limits)
        if binding.record:
            from workermd.task import recording

            key = recording.key_of(order.task)
            recording.save(recording.Recording(binding.kind, key, to_document(result)), binding)
        return result
    except BaseException as error:  # noqa: BLE001 - the last line between a backend's fault and a lost attempt
        return Result(
            failure={
                "kind": "refused",
                "code": "backend_failed",
                "message": f"The backend {binding.kind!r} raised {type(error).__name__}.",
            }
        )


def _leave(kept: keeper.Kept, result: Result) -> None:
    """End without running anybody's exit handlers: the task is over once its keeper has the result."""
    _hand_over(kept, result)
    os._exit(0)


def _stay(kept: keeper.Kept, result: Result) -> None:
    """For the next attempt. The timer goes first: from now on none is under way."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    _hand_over(kept, result)


def _hand_over(kept: keeper.Kept, result: Result) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    keeper.leave(kept.result_fd, result.to_json().encode())
