"""What every shipped worker shares: reading the operator's settings, and the document of a failure."""

from typing import Any

from workermd.protocol.envelope import Document, Status
from workermd.task.task import Refused, Task


def failed(status: Status, code: str, message: str) -> Document:
    """The output of a failure that trying again will not mend, in the shape that the contracts allow."""
    error = {"code": code, "message": message, "retryable": False}
    return {"status": status.value, "result": {"error": error}}


def settings_of(task: Task, defaults: Document) -> Document:
    """The task's settings over `defaults`. Raises `Refused` for an unknown name or a value of another type.

    A default's type is the type that its setting takes; a list takes text only.
    """
    for name, value in task.settings.items():
        if name not in defaults:
            known = ", ".join(sorted(defaults))
            raise Refused(f"setting {name!r} of worker {task.worker_id!r} is unknown; known are: {known}")
        if not _is_like(value, defaults[name]):
            wanted = _TYPE_NAMES[type(defaults[name])]
            raise Refused(f"setting {name!r} of worker {task.worker_id!r} must be {wanted}")
    return {**defaults, **task.settings}


_TYPE_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number from 0",
    float: "a number from 0",
    str: "text",
    list: "a list of text",
    dict: "a table",
}


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int | float):
        return isinstance(value, int if isinstance(default, int) else int | float) and value >= 0
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, type(default))
