"""Ending a process and everything it started, grandchildren in sessions of their own included (S3.3).

The root is a child subreaper: orphans below it become its children and stay findable. It is stopped
first, so that it starts nothing more; then its descendants are killed until none is left; then it is
killed itself. Linux only: it reads /proc.
"""

import contextlib
import os
import signal
import time

PATIENCE = 5.0
"""Seconds after which we stop looking: what is left then is another user's, or cannot be killed."""

_ZOMBIE = "Z"


def end(root: int) -> None:
    """Kill `root` and all its descendants. Returns when they are dead; reaping `root` is the caller's job."""
    send(root, signal.SIGSTOP)
    end_descendants(root)
    send(root, signal.SIGKILL)


def end_descendants(root: int) -> None:
    """Kill all descendants of `root`, again until two looks in a row find none, but not for ever."""
    quiet = 0
    give_up_at = time.monotonic() + PATIENCE
    while quiet < 2 and time.monotonic() < give_up_at:
        found = descendants(root)
        quiet = 0 if found else quiet + 1
        for group in {group for pid in found if (group := _group(pid)) not in (0, os.getpgrp(), _group(root))}:
            # A process that forks and ends faster than we look is gone by now; its group has the next one in it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for pid in found:
            send(pid, signal.SIGKILL)
        if found:
            # A killed process takes a moment to become a zombie; yielding is enough on an idle machine.
            os.sched_yield()


def end_marked(marker: bytes) -> None:
    """Kill every process whose environment at its start held `marker` (`NAME=value`).

    For a root that died by itself: its orphans belong to init by now and the tree cannot be walked. The caller
    itself is spared: it may have been started by such an orphan.
    """
    quiet = 0
    give_up_at = time.monotonic() + PATIENCE
    while quiet < 2 and time.monotonic() < give_up_at:
        found = [pid for pid in marked(marker) if pid != os.getpid()]
        quiet = 0 if found else quiet + 1
        for pid in found:
            send(pid, signal.SIGKILL)


def marked(marker: bytes) -> list[int]:
    """The living processes that bear the marker."""
    return [pid for pid in _pids() if _bears(pid, marker)]


def descendants(root: int) -> list[int]:
    """The living processes below `root`, parents before children."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid in children(waiting.pop()):
            waiting.append(pid)
            if _state(pid) != _ZOMBIE:
                found.append(pid)
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone, or that may have become another user's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """The processes just below `pid`, those included that have ended and are not reaped."""
    tasks = f"/proc/{pid}/task"
    try:
        return [int(child) for task in os.listdir(tasks) for child in _read(f"{tasks}/{task}/children").split()]
    except FileNotFoundError:
        # Either the process is gone, or this kernel has no list of children.
        if os.path.exists(f"/proc/{pid}/stat") and not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return [child for child in _pids() if _parent(child) == pid]
        return []


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the state on; the name before it may hold spaces and brackets."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else _ZOMBIE


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _group(pid: int) -> int:
    """Its process group; 0 for a process that is gone."""
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def _bears(pid: int, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            bears = marker in file.read().split(b"\0")
    except OSError:
        # Gone, or another user's: a process that we started can be neither and still bear the marker,
        # unless it changed its user, and then we may not end it either.
        return False
    return bears and _state(pid) != _ZOMBIE


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
