"""The kind `replay`: an attempt comes to what a recorded one came to. Nothing is started, asked or changed."""

import os

from workermd.task import recording
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task, failed


def unusable(binding: Binding) -> str:
    """Why there are no recordings."""
    if not os.path.isdir(binding.replay):
        return f"kind replay: there is no folder {binding.replay or '(none is named)'}; name one: --replay DIR"
    return ""


def perform(task: Task, binding: Binding, limits: Limits) -> Result:  # noqa: ARG001 - nothing takes long here
    try:
        return recording.replayed(recording.find(binding, task))
    except recording.Miss as miss:
        return failed("refused", "backend_failed", str(miss))
