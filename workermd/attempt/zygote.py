"""A process that has loaded one kind's backend and performs nothing: every attempt is one fork of it.

What one attempt does to its process no later one can see: each begins with the memory as it was after the
import. Loading is paid once. A fork takes only the thread that forks along and shares what is open; so this
process counts its threads and sockets once it has loaded, and with one of either it says so and is not used.

    supervisor                    zygote                        attempt
    request, nine descriptors  ─▶ fork ───────────────────────▶ a session of its own; the descriptors of a host
    pid ◀──────────────────────── waits for word                reads its environment, then binding and order
    keep ───────────────────────▶ will not end it
    reap ───────────────────────▶ waitpid, the wait status
"""

import contextlib
import ctypes
import fcntl
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple, NoReturn

from workermd.attempt import host
from workermd.attempt.lasting_keeper import LastingKeeper
from workermd.attempt.order import (
    FIRST_OWN_FD,
    HOST_FDS,
    KEEPER_FD,
    MARKER_CHARACTERS,
    ORDER_FD,
    receive_environment,
)
from workermd.sandbox import kernel
from workermd.system import chance, crash
from workermd.system.environment import MARKER
from workermd.task.task import KINDS, Backend

REQUESTS_FD = 3
"""Where requests come in; each is one message, so that many processes may share the other end."""

FORK, LASTING, KEEP, REAP = b"f", b"l", b"k", b"r"
NUMBER_BYTES = 4
REQUEST_FDS = 2 + len(HOST_FDS)
"""The attempt's own line to the zygote, its working directory, and what a host holds."""
MARKER_PLACE = "-" * MARKER_CHARACTERS
"""Stands where an attempt's marker will: `/proc` shows the memory that a process was started with, forks included."""


class _Child(NamedTuple):
    pid: int
    line: socket.socket
    kept: bool = False


def main() -> None:
    os.set_inheritable(REQUESTS_FD, False)
    kernel.die_with_parent(signal.SIGKILL)  # an import may hang
    place = _marker_place()
    requests = socket.socket(fileno=REQUESTS_FD)
    backend = host.load(sys.argv[2])
    for name in KINDS[sys.argv[2]].first_used:
        with contextlib.suppress(ImportError):
            import_module(name)
    if "workermd.backends.core" in sys.modules:
        sys.modules["workermd.backends.core"].warm_up()
    kernel.die_with_parent(0)
    gc.collect()
    gc.freeze()
    requests.sendall(_unforkable().encode() or b"ready")
    _Zygote(requests, backend, place).serve()


def _marker_place() -> int:
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place = libc.getenv(MARKER.encode())
    assert isinstance(place, int), "the zygote is started with a place for the marker"
    return place


def _unforkable() -> str:
    """Why a fork would not be as good as a fresh process; empty when it would."""
    if (threads := len(os.listdir("/proc/self/task"))) > 1:
        return f"it has {threads} threads once it is loaded"
    sockets = sum(_is_socket(int(fd)) for fd in os.listdir("/proc/self/fd")) - 1
    return f"it has {sockets} open sockets once it is loaded" if sockets else ""


def _is_socket(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:  # the one that listed them
        return False


class _Zygote:
    def __init__(self, requests: socket.socket, backend: Backend, place: int) -> None:
        self.requests = requests
        self.backend = backend
        self.place = place
        self.children: dict[int, _Child] = {}
        self.left: dict[int, int] = {}
        self.poll = select.poll()
        self.poll.register(requests, select.POLLIN)

    def serve(self) -> None:
        """Until nobody is left who could ask for a fork or for the end of one."""
        asked = True
        while asked or self.children:
            for fd, _ in self.poll.poll():
                if fd in self.children:
                    self.hear(self.children[fd])
                elif fd in self.left:
                    self.bury(fd)
                elif not self.take():
                    self.poll.unregister(fd)
                    asked = False

    def take(self) -> bool:
        """One request; False when the other end is closed."""
        word, fds, _, _ = socket.recv_fds(self.requests, 16, REQUEST_FDS)
        for fd in fds:  # `recv_fds` of Python 3.11 has no flag for it
            os.set_inheritable(fd, False)
        if word not in (FORK, LASTING) or len(fds) != REQUEST_FDS:
            _close(fds)
            return bool(word)
        pid = os.fork()
        if pid == 0:
            self.become(fds, lasting=word == LASTING)
        line = socket.socket(fileno=fds[0])
        _close(fds[1:])
        self.children[line.fileno()] = _Child(pid, line)
        self.poll.register(line, select.POLLIN)
        _say(line, pid.to_bytes(NUMBER_BYTES))
        return True

    def hear(self, child: _Child) -> None:
        """Its supervisor keeps it, has it reaped, or is gone: what was not kept has nobody to work for then."""
        word = _heard(child.line)
        if word == KEEP:
            self.children[child.line.fileno()] = child._replace(kept=True)
            return
        self.poll.unregister(child.line)
        del self.children[child.line.fileno()]
        if word == REAP:
            _say(child.line, os.waitpid(child.pid, 0)[1].to_bytes(NUMBER_BYTES))
        else:
            if not child.kept:
                os.kill(child.pid, signal.SIGKILL)
            pidfd = os.pidfd_open(child.pid)
            self.left[pidfd] = child.pid
            self.poll.register(pidfd, select.POLLIN)
        child.line.close()

    def bury(self, pidfd: int) -> None:
        """An attempt has ended that outlived its supervisor."""
        self.poll.unregister(pidfd)
        os.waitpid(self.left.pop(pidfd), 0)
        os.close(pidfd)

    def become(self, fds: list[int], *, lasting: bool) -> NoReturn:
        """In the fork: be what a host is after its imports, or the keeper of many."""
        os.setsid()
        for child in self.children.values():
            child.line.close()
        self.requests.close()
        _close(self.left)
        os.fchdir(fds[1])
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_FD) for fd in fds[2:]]
        _close(fds)
        for fd, target in zip(copies, HOST_FDS, strict=True):
            os.dup2(fd, target)
        _close(copies)
        self._surround(KEEPER_FD if lasting else ORDER_FD)
        host.attempt(self.backend, LastingKeeper().serve() if lasting else host.begin())
        raise AssertionError

    def _surround(self, fd: int) -> None:
        """The environment of this attempt, in Python, in C and where the kernel shows it; chance of its own."""
        environment = receive_environment(fd)
        if environment is None:
            os._exit(0)
        ctypes.memmove(self.place, environment[MARKER].encode(), len(MARKER_PLACE))
        os.environ.clear()
        os.environ.update(environment)
        crash.look_up()
        chance.reseed()


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _heard(line: socket.socket) -> bytes:
    try:
        return line.recv(1)
    except ConnectionResetError:
        return b""


def _say(line: socket.socket, data: bytes) -> None:
    """To a supervisor that may be gone: then the line says so when it is heard."""
    try:
        line.sendall(data)
    except OSError:
        return
