"""workermd runs worker.md contracts: one bounded, auditable step at a time.

A function behind a worker imports from here: `Task` is what it is given, `Reply` is one way to
answer, and the four exceptions are the ways to fail. A program that calls workers imports from here too: `run`,
`arun`, `Session`, `load`, `pending` and `decide`; see docs/python.md. The names load on first use, so that
`workermd --version` costs an interpreter start and little more.
"""

TYPE_CHECKING = False  # type checkers know the name; importing typing costs as much as starting the interpreter

if TYPE_CHECKING:
    from workermd.library.calls import CallerSession as Session
    from workermd.library.calls import arun as arun
    from workermd.library.calls import decide as decide
    from workermd.library.calls import load as load
    from workermd.library.calls import pending as pending
    from workermd.library.calls import run as run
    from workermd.library.happenings import RunEvent as RunEvent
    from workermd.library.outcome import Outcome as Outcome
    from workermd.library.outcome import OutcomeError as OutcomeError
    from workermd.protocol.errors import WorkermdError as WorkermdError
    from workermd.task.task import InvalidRequest as InvalidRequest
    from workermd.task.task import NeedsHuman as NeedsHuman
    from workermd.task.task import Refused as Refused
    from workermd.task.task import Reply as Reply
    from workermd.task.task import Retryable as Retryable
    from workermd.task.task import Task as Task

__version__ = "0.1.0"

_TASK = "workermd.task.task"
_CALLS = "workermd.library.calls"
_HOMES = {
    **dict.fromkeys(("InvalidRequest", "NeedsHuman", "Refused", "Reply", "Retryable", "Task"), _TASK),
    **dict.fromkeys(("arun", "decide", "load", "pending", "run"), _CALLS),
    "Outcome": "workermd.library.outcome",
    "OutcomeError": "workermd.library.outcome",
    "RunEvent": "workermd.library.happenings",
    "Session": _CALLS,
    "WorkermdError": "workermd.protocol.errors",
}

__all__ = [
    "InvalidRequest",
    "NeedsHuman",
    "Outcome",
    "OutcomeError",
    "Refused",
    "Reply",
    "Retryable",
    "RunEvent",
    "Session",
    "Task",
    "WorkermdError",
    "__version__",
    "arun",
    "decide",
    "load",
    "pending",
    "run",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), "CallerSession" if name == "Session" else name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
