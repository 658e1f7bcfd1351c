"""workermd runs worker.md contracts: one bounded, auditable step at a time.

A function behind a worker imports from here: `Task` is what it is given, `Reply` is one way to
answer, and the four exceptions are the ways to fail. The names load on first use, so that
`workermd --version` costs an interpreter start and little more.
"""

TYPE_CHECKING = False  # type checkers know the name; importing typing costs as much as starting the interpreter

if TYPE_CHECKING:
    from workermd.task.task import InvalidRequest as InvalidRequest
    from workermd.task.task import NeedsHuman as NeedsHuman
    from workermd.task.task import Refused as Refused
    from workermd.task.task import Reply as Reply
    from workermd.task.task import Retryable as Retryable
    from workermd.task.task import Task as Task

__version__ = "0.1.0"

__all__ = ["InvalidRequest", "NeedsHuman", "Refused", "Reply", "Retryable", "Task", "__version__"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from workermd.task import task

        return getattr(task, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
