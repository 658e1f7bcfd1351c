"""Start an attempt's process early, send it the order, watch it, end it with everything it started."""

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from workermd.attempt.order import (
    END,
    FIRST_OWN_FD,
    HOST_FDS,
    MARKER_CHARACTERS,
    Commission,
    Order,
    encode,
    encode_binding,
    framed,
)
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.sandbox.fence import Fence
from workermd.system import environment, processes
from workermd.task.binding import Binding

TICK = 0.05
"""Seconds between two looks at interrupts and log lines while waiting."""

_BOOT = (
    "import gc, os, sys; gc.disable(); r, f = sys.argv[1::2]; r in sys.path or sys.path.insert(0, r); f and os.chdir(f); "
    "from workermd.attempt.{} import main; main()"
)
_LOG_CHUNK = 1 << 16
_BINDING_SECONDS = 10.0
"""A binding fits into the pipe, so that nothing waits; a component of a megabyte waits for the reader."""

_KEEPER_SECONDS = 1.0
"""A keeper needs milliseconds to end an attempt; one that does not answer is ended with it."""

Tick = Callable[[], None]
"""Called every `TICK` while waiting. It may raise: the wait ends there."""


class Ending(NamedTuple):
    """How an attempt's process ended: `by_deadline` when we ended it, else its exit code or signal."""

    by_deadline: bool
    exit_code: int | None
    signal: int | None


class LoadingKilled(ConfigurationError):
    """A signal ended the attempt's process while it loaded: nothing that anybody configured, and nothing was begun."""


class Ends(NamedTuple):
    """The pipes between the two processes, and the log. The host's ends are closed here once it has them."""

    order_read: int
    order_write: int
    status_read: int
    status_write: int
    keeper_read: int
    keeper_write: int
    null: int
    log: int

    @classmethod
    def open(cls, log_dir: str, marker: str) -> "Ends":
        order, status, keeper = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return cls(*order, *status, *keeper, null, open_log(log_dir, marker))

    def theirs(self, lock_fd: int) -> tuple[int, ...]:
        """What the host gets as `HOST_FDS`."""
        return self.null, self.log, self.log, self.order_read, self.status_write, lock_fd, self.keeper_read

    def close_theirs(self) -> None:
        for fd in (self.order_read, self.status_write, self.keeper_read, self.null):
            os.close(fd)

    def close_ours(self) -> None:
        for fd in (self.order_write, self.status_read, self.keeper_write, self.log):
            os.close(fd)


class Host:
    """An attempt's process. Made by `start`, ended by `finish` or `discard`."""

    stays = False
    """Whether it performs further attempts, and its process is not this attempt's alone."""

    def __init__(self, pid: int, ends: "Ends", marker: str) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._order_fd = ends.order_write
        self._status_fd = ends.status_read
        self._keeper_fd = ends.keeper_write
        self._log_fd = ends.log
        self._log_at = 0
        self.marker = marker
        self.held: Document = {}
        """By which means the attempt is held to its fence, known once it is ready."""
        self._ended = False

    @classmethod
    def start(cls, binding: Binding, lock_fd: int, log_dir: str, fence: Fence | None = None) -> "Host":
        """Start a process that loads the backend and waits. `lock_fd` is its keeper's, locked or not yet."""
        marker = new_marker()
        ends = Ends.open(log_dir, marker)
        held = zip(ends.theirs(lock_fd), HOST_FDS, strict=True)
        copies = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_FD), target) for fd, target in held]
        try:
            pid = boot("host", binding.kind, task_environment(binding, marker), copies)
        finally:
            for fd, _ in copies:
                os.close(fd)
            ends.close_theirs()
        host = cls(pid, ends, marker)
        host.tell_keeper(framed((fence or Fence())._asdict()))
        host.tell(encode_binding(binding))
        return host

    def tell(self, whole: bytes) -> None:
        """Write what the process needs before there is an order."""
        self._write(whole, time.monotonic() + _BINDING_SECONDS, _no_tick)

    def wait_ready(self, give_up_at: float, tick: Tick) -> None:
        """Wait until the backend is loaded. Raises ConfigurationError when it cannot be, LoadingKilled."""
        said = b""
        while not said.endswith(b"\n"):
            if not readable(self._status_fd, give_up_at, tick):
                raise ConfigurationError(
                    "the backend did not load within timeout_seconds",
                    "look at what its import does, or raise timeout_seconds in the contract",
                )
            chunk = os.read(self._status_fd, 4096)
            if not chunk:
                raise _ended_early(self.finish(give_up_at, tick))
            said += chunk
        word, _, rest = said.decode(errors="replace").strip().partition(" ")
        if word == "ready":
            self.held = json.loads(rest)
        else:
            raise ConfigurationError(rest, "no task was called, and no attempt is used up")

    def send(self, order: Order, give_up_at: float, tick: Tick, key: bytes = b"") -> None:
        """Hand the order over; `key`, which marks the result, goes to the keeper alone. A host that died or does not read is left to `finish`."""
        limits = order.limits
        commission = Commission(
            limits.deadline, order.results_dir, order.token, limits.max_output_bytes, key.hex(), order.lease
        )
        self.tell_keeper(framed(commission._asdict()))
        self._write(encode(order), give_up_at, tick)

    def tell_keeper(self, word: bytes) -> None:
        """A few words, which a pipe takes at once. A keeper that has ended is noticed by its pidfd."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._keeper_fd, word)

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
            ended = readable(self._pidfd, deadline, tick)
        except BaseException:
            self.discard()
            raise
        if not ended:
            self.discard()
            return Ending(by_deadline=True, exit_code=None, signal=None)
        if self._number_is_its_own():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        status = self._reap()
        code = None if status is None else os.waitstatus_to_exitcode(status)
        ended_by = None if code is None or code >= 0 else -code
        return Ending(by_deadline=False, exit_code=code if ended_by is None else None, signal=ended_by)

    def discard(self) -> None:
        """End the process and all that it started, now. Does nothing when it has ended."""
        if self._ended:
            return
        self.tell_keeper(END)
        heard = readable(self._pidfd, time.monotonic() + _KEEPER_SECONDS, _no_tick)
        if not heard and self._number_is_its_own():
            processes.end(self.pid)
        self._reap()

    def give_up(self) -> None:
        """Its attempt came to nothing good: no further one is to be performed by it. None is, but where a host stays."""

    def _number_is_its_own(self) -> bool:
        """Before it is reaped neither its number nor its group's can belong to a stranger. In a program that calls us, a
        handler of SIGCHLD that is not ours may have reaped it."""
        return is_unreaped(self.pid)

    def _wait(self) -> int | None:
        """Its wait status once it has ended; None when nobody can know it any more."""
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return None

    def _reap(self) -> int | None:
        status = self._wait()
        self._ended = True
        for fd in (self._pidfd, self._order_fd, self._status_fd, self._keeper_fd):
            os.close(fd)
        if status != 0:
            # The keeper could not clean up behind itself: orphans went to init, and only their marker tells.
            processes.end_marked(f"{environment.MARKER}={self.marker}".encode())
        return status

    def log(self) -> bytes:
        """What the task wrote to its standard output and error since the last call (at most 64 KiB)."""
        data = os.pread(self._log_fd, _LOG_CHUNK, self._log_at)
        self._log_at += len(data)
        return data

    def close_log(self) -> None:
        os.close(self._log_fd)


def _ended_early(ending: Ending) -> ConfigurationError:
    if ending.signal is not None:
        name = signal.Signals(ending.signal).name
        return LoadingKilled(f"the attempt's process was ended by {name} while it loaded the backend")
    return ConfigurationError(
        "the attempt's process ended while it loaded the backend",
        "its last words are above; run the import by hand to see more",
    )


def task_environment(binding: Binding, marker: str) -> dict[str, str]:
    """A task's environment, built from nothing: the allow-list, what the binding lists, our marker."""
    return environment.chosen((*binding.env, *binding.server_variables, *binding.secret_env)) | {
        environment.MARKER: marker
    }


def new_marker() -> str:
    return os.urandom(MARKER_CHARACTERS // 2).hex()


def is_unreaped(pid: int) -> bool:
    """Whether a process that we started is still ours to wait for, whether it runs or has ended."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _no_tick() -> None:
    """Nothing has begun that could be interrupted."""


def readable(fd: int, until: float, tick: Tick) -> bool:
    """Wait until there is something to read, or the other end is closed."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left = until - time.monotonic()
        if poll.poll(max(0.0, min(left, TICK)) * 1000):
            return True
        if left <= 0:
            return False
        tick()


def open_log(log_dir: str, name: str) -> int:
    """A file without a name: gone with the last process that has it open."""
    path = os.path.join(log_dir, f"{name}.log")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return fd


def boot(module: str, kind: str, variables: dict[str, str], held: list[tuple[int, int]]) -> int:
    """Start an interpreter that becomes a module of this package. Its pid."""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-c", _BOOT.format(module), _package_root(), kind, environment.folder()],
        variables,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in held],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGCHLD),
    )


def _package_root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
