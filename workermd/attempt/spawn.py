"""Start an attempt's process early, send it the order, watch it, end it with everything it started."""

import contextlib
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from workermd.attempt.order import LOCK_FD, ORDER_FD, STATUS_FD, Order, encode, encode_binding
from workermd.protocol.errors import ConfigurationError
from workermd.system import environment, processes
from workermd.task.binding import Binding

TICK = 0.05
"""Seconds between two looks at interrupts and log lines while waiting."""

_BOOT = (
    "import gc, sys; gc.disable(); r = sys.argv[1]; r in sys.path or sys.path.insert(0, r); "
    "from workermd.attempt.host import main; main()"
)
_LOG_CHUNK = 1 << 16
_FIRST_OWN_FD = 10
_BINDING_SECONDS = 10.0
"""A binding fits into the pipe, so that nothing waits; a component of a megabyte waits for the reader."""

Tick = Callable[[], None]
"""Called every `TICK` while waiting. It may raise: the wait ends there."""


class Ending(NamedTuple):
    """How an attempt's process ended: `by_deadline` when we ended it, else its exit code or signal."""

    by_deadline: bool
    exit_code: int | None
    signal: int | None


class Host:
    """An attempt's process. Made by `start`, ended by `finish` or `discard`."""

    def __init__(self, pid: int, *, order_fd: int, status_fd: int, log_fd: int, marker: str) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._order_fd = order_fd
        self._status_fd = status_fd
        self._log_fd = log_fd
        self._log_at = 0
        self.marker = marker
        self._ended = False

    @classmethod
    def start(cls, binding: Binding, lock_fd: int, log_dir: str) -> "Host":
        """Start a process that loads the backend and waits. `lock_fd` is inherited, locked or not yet."""
        marker = os.urandom(16).hex()
        order_read, order_write = os.pipe2(os.O_CLOEXEC)
        status_read, status_write = os.pipe2(os.O_CLOEXEC)
        log = _open_log(log_dir, marker)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        wanted = ((null, 0), (log, 1), (log, 2), (order_read, ORDER_FD), (status_write, STATUS_FD), (lock_fd, LOCK_FD))
        # Copies above the targets: a dup2 onto itself would keep the close-on-exec flag.
        copies = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN_FD), target) for fd, target in wanted]
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-c", _BOOT, _package_root(), binding.kind],
                task_environment(binding, marker),
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in copies],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM),
            )
        finally:
            for fd, _ in copies:
                os.close(fd)
            for fd in (order_read, status_write, null):
                os.close(fd)
        host = cls(pid, order_fd=order_write, status_fd=status_read, log_fd=log, marker=marker)
        host._write(encode_binding(binding), time.monotonic() + _BINDING_SECONDS, _no_tick)
        return host

    def wait_ready(self, give_up_at: float, tick: Tick) -> None:
        """Wait until the backend is loaded. Raises ConfigurationError when it cannot be."""
        said = b""
        while not said.endswith(b"\n"):
            if not _readable(self._status_fd, give_up_at, tick):
                raise ConfigurationError(
                    "the backend did not load within timeout_seconds",
                    "look at what its import does, or raise timeout_seconds in the contract",
                )
            chunk = os.read(self._status_fd, 4096)
            if not chunk:
                raise ConfigurationError(
                    "the attempt's process ended while it loaded the backend",
                    "its last words are above; run the import by hand to see more",
                )
            said += chunk
        word = said.decode(errors="replace").strip()
        if word != "ready":
            raise ConfigurationError(word.removeprefix("cannot: "), "nothing was started, and no attempt is used up")

    def send(self, order: Order, give_up_at: float, tick: Tick) -> None:
        """Hand the order over. A host that died or does not read is left to `finish`."""
        self._write(encode(order), give_up_at, tick)

    def _write(self, whole: bytes, give_up_at: float, tick: Tick) -> None:
        os.set_blocking(self._order_fd, False)
        data = memoryview(whole)
        poll = select.poll()
        poll.register(self._order_fd, select.POLLOUT)
        poll.register(self._pidfd, select.POLLIN)
        with contextlib.suppress(BrokenPipeError):
            while data and time.monotonic() < give_up_at:
                ready = dict(poll.poll(int(TICK * 1000)))
                tick()
                if self._pidfd in ready:
                    return
                if self._order_fd in ready:
                    data = data[os.write(self._order_fd, data) :]

    def finish(self, deadline: float, tick: Tick) -> Ending:
        """Wait for the end, or bring it about at `deadline` (monotonic). No process is left afterwards."""
        try:
            ended = _readable(self._pidfd, deadline, tick)
        except BaseException:
            self.discard()
            raise
        if not ended:
            self.discard()
            return Ending(by_deadline=True, exit_code=None, signal=None)
        # Before it is reaped: until then neither its number nor its group's can belong to a stranger.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(self._reap())
        if code != 0:
            # It could not clean up behind itself: its orphans went to init, and only their marker tells.
            processes.end_marked(f"{environment.MARKER}={self.marker}".encode())
        return Ending(by_deadline=False, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None)

    def discard(self) -> None:
        """End the process and all that it started, now. Does nothing when it has ended."""
        if not self._ended:
            processes.end(self.pid)
            self._reap()

    def _reap(self) -> int:
        """Its wait status."""
        _, status = os.waitpid(self.pid, 0)
        self._ended = True
        for fd in (self._pidfd, self._order_fd, self._status_fd):
            os.close(fd)
        return status

    def log(self) -> bytes:
        """What the task wrote to its standard output and error since the last call (at most 64 KiB)."""
        data = os.pread(self._log_fd, _LOG_CHUNK, self._log_at)
        self._log_at += len(data)
        return data

    def close_log(self) -> None:
        os.close(self._log_fd)


def task_environment(binding: Binding, marker: str) -> dict[str, str]:
    """A task's environment, built from nothing: the allow-list, what the binding lists, our marker."""
    return environment.chosen((*binding.env, *binding.server_variables, *binding.secret_env)) | {
        environment.MARKER: marker
    }


def _no_tick() -> None:
    """Nothing has begun that could be interrupted."""


def _readable(fd: int, until: float, tick: Tick) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left = until - time.monotonic()
        if poll.poll(max(0.0, min(left, TICK)) * 1000):
            return True
        if left <= 0:
            return False
        tick()


def _open_log(log_dir: str, name: str) -> int:
    """A file without a name: gone with the last process that has it open."""
    path = os.path.join(log_dir, f"{name}.log")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return fd


def _package_root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
