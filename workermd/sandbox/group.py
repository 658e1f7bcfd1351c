"""A control group of an attempt's own (cgroup v2), where some group above this process is delegated to us.

The kernel counts in it: memory with everything that a process could hide it in (shared pages, files in memory, buffers
of sockets), processes with their threads. Where no group is delegated, limits of single processes and `watch` stand in.
"""

import contextlib
import os

ROOT = "/sys/fs/cgroup"
_CONTROLLERS = {"memory", "pids"}
_OWN = "/proc/self/cgroup"


def make(name: str, root: str = ROOT, listed: str = _OWN) -> str:
    """The folder of a new group below the nearest one that hands memory and pids on. Raises OSError."""
    refused = OSError(0, "no group above hands memory and pids on")
    for folder in _upward(root, listed):
        try:
            if set(_read(folder, "cgroup.subtree_control").split()).issuperset(_CONTROLLERS):
                made = os.path.join(folder, name)
                os.mkdir(made, 0o700)
                return made
        except OSError as error:
            refused = error
    raise refused


def _upward(root: str, listed: str) -> list[str]:
    """The folders of this process's group and of those above it."""
    with open(listed, encoding="utf-8") as file:
        own = next((line.rstrip("\n").partition("::")[2] for line in file if line.startswith("0::")), "")
    parts = [part for part in own.split("/") if part]
    return [os.path.join(root, *parts[:end]) for end in range(len(parts), -1, -1)]


def bound(folder: str, *, memory: int, processes: int) -> None:
    """Set the bounds, in bytes and threads; 0 is none. Everything in the group dies together. Raises OSError."""
    if memory:
        _write(folder, "memory.max", memory)
        _write(folder, "memory.oom.group", 1)
        with contextlib.suppress(OSError):  # a machine without swap has no such file
            _write(folder, "memory.swap.max", 0)
    if processes:
        _write(folder, "pids.max", processes)


def enter(folder: str) -> None:
    """Put this process, and all that it will start, into the group. Raises OSError."""
    _write(folder, "cgroup.procs", 0)


def was_out_of_memory(folder: str) -> bool:
    """Whether the kernel ended something in the group for its memory."""
    try:
        events = dict(line.split() for line in _read(folder, "memory.events").splitlines())
    except (OSError, ValueError):
        return False
    return events.get("oom_kill", "0") != "0"


def remove(folder: str) -> None:
    """Once nothing is left in it."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _read(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def _write(folder: str, name: str, value: int) -> None:
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)
