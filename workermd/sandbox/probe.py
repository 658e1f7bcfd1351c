"""What this machine can hold, found by a trial of each in a process of its own: `workermd doctor` shows it.

Nothing is concluded from a version or a setting: containers, security modules and distributions switch parts off.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from workermd.sandbox import hold, kernel, landlock, namespaces
from workermd.sandbox.fence import AUTO, STRICT
from workermd.sandbox.policy import Sandbox, fence_around

Trial = Callable[[], None]
"""Raises OSError where the machine does not do it."""

_SECONDS = 5.0


class Means(NamedTuple):
    """One thing that a sandbox is made of. `problem` is empty when it works; `holds` says what it is for."""

    name: str
    holds: str
    problem: str


class _DoesNotHold(OSError):
    """The call worked, and nothing was refused afterwards."""


def means() -> tuple[Means, ...]:
    return (
        Means("landlock", "files by list", _tried(_landlock_files)),
        Means("landlock scopes", "signals to other processes, abstract sockets", _tried(_landlock_scopes)),
        Means("landlock ports", "TCP by port", _tried(_landlock_ports)),
        Means("mount namespace", "files out of view", _tried(_mounts)),
        Means("PID namespace", "processes out of view, and ended together", _tried(_processes)),
        Means("net namespace", "no network, or the attempt's own loopback", _tried(_network)),
        Means("seccomp", "system calls", _tried(_calls)),
        Means("cgroup v2", "memory and processes of an attempt together", _tried(_groups)),
        Means(
            "bubblewrap",
            "programs in namespaces, without our own calls",
            _program("bwrap", "--ro-bind", "/", "/", "true"),
        ),
        Means("container engine", "images for the kind command", _engine()),
    )


def modes() -> dict[str, dict[str, str]]:
    """By mode, by which means each thing would be held here; empty where it would not be."""
    return {mode: _held(mode) for mode in (AUTO, STRICT)}


def _tried(trial: Trial) -> str:
    """Why it does not work here; empty when it does."""
    return _in_a_fork(lambda: _reason(trial))


def _reason(trial: Trial) -> str:
    try:
        kernel.no_new_privileges()
        trial()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return ""


def _in_a_fork(answer: Callable[[], str]) -> str:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        with contextlib.suppress(OSError):
            os.write(theirs, answer().encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        told = file.read()
    os.waitpid(pid, 0)
    return told.decode(errors="replace")


def _refused(deed: Callable[[], object]) -> None:
    try:
        deed()
    except OSError:
        return
    raise _DoesNotHold(0, "the call works, but nothing is refused")


def _landlock_files() -> None:
    landlock.restrict(files=landlock.READ_FILE)
    _refused(lambda: open(os.devnull, "rb").close())


def _landlock_scopes() -> None:
    landlock.restrict(scoped=landlock.SIGNALS)
    _refused(lambda: os.kill(os.getppid(), 0))


def _landlock_ports() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        landlock.restrict(network=landlock.CONNECT_TCP)
        _refused(lambda: socket.create_connection(listening.getsockname(), 1).close())


def _mounts() -> None:
    with tempfile.TemporaryDirectory() as folder:
        inside = os.path.join(folder, "file")
        os.close(os.open(inside, os.O_CREAT | os.O_WRONLY, 0o600))
        namespaces.enter(kernel.CLONE_NEWNS)
        namespaces.detach()
        kernel.mount("none", folder, "tmpfs")
        try:
            _refused(lambda: os.stat(inside))
        finally:
            kernel.unmount(folder)


def _processes() -> None:
    namespaces.enter(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS)

    def first() -> str:
        try:
            namespaces.detach()
            namespaces.own_processes()
        except OSError as error:
            return error.strerror or str(error)
        return "" if os.getpid() == 1 and os.listdir("/proc/1") else "others are seen"

    if problem := _in_a_fork(first):
        raise OSError(0, problem)


def _network() -> None:
    namespaces.enter(kernel.CLONE_NEWNET)
    namespaces.loopback_up()


def _calls() -> None:
    from workermd.sandbox import seccomp

    seccomp.restrict(frozenset(seccomp.INTERNET))
    _refused(lambda: socket.socket(socket.AF_UNIX))


def _groups() -> None:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = next((line.rstrip("\n").partition("::")[2] for line in file if line.startswith("0::")), "")
    folder = f"/sys/fs/cgroup{own}"
    with open(os.path.join(folder, "cgroup.subtree_control"), encoding="utf-8") as file:
        if not {"memory", "pids"} <= set(file.read().split()):
            raise OSError(0, "memory and pids are not delegated to this group")
    made = tempfile.mkdtemp(prefix="workermd-", dir=folder)
    os.rmdir(made)


def _program(*words: str) -> str:
    if shutil.which(words[0]) is None:
        return f"{words[0]} is not installed"
    try:
        done = subprocess.run(words, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else said[-1] if said else f"exit code {done.returncode}"


def _engine() -> str:
    problems = {engine: _program(engine, "version") for engine in ("podman", "docker")}
    if "" in problems.values():
        return ""
    return "; ".join(f"{engine}: {problem}"[:60] for engine, problem in problems.items())


def _held(mode: str) -> dict[str, str]:
    """The whole fence around nothing, as an attempt would have it."""
    import json

    with tempfile.TemporaryDirectory() as folder:
        ledger = os.path.join(folder, "ledger.db")
        own = f"{ledger}.artifacts/own"
        for each in (own, f"{ledger}.results"):
            os.makedirs(each)
        fence = fence_around(Sandbox(mode), ledger=ledger, own=own)

        def keeper() -> str:
            held = hold.outer(fence)
            return _in_a_fork(lambda: json.dumps(hold.inner(fence, held)._asdict()))

        told = _in_a_fork(keeper)
    return json.loads(told) if told else {}
