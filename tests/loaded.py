"""`workermd` as a process that is forked from a loaded one, and the attempts' processes likewise.

Starting an interpreter and importing a framework took two thirds of the suite's time. A forked command line has the
arguments, folder, environment, streams and exit code of a started one and is a child of the test's process; whatever an
interpreter or an import reads must be the same as in the loaded process, or it is started after all. So are the tests
that are marked `cold`, and every test with WORKERMD_TESTS=cold.
"""

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from tests import postgres_server
from tests.loader import LENGTH, REQUESTS_FD, ROOT, ask_for_zygote, imported
from workermd.attempt.pool import Zygote, ZygoteGone
from workermd.attempt.spawn import Host, task_environment
from workermd.sandbox.fence import Fence
from workermd.system import processes
from workermd.task.binding import Binding

MARKER = "WORKERMD_LOADER"
ALL_COLD = os.environ.get("WORKERMD_TESTS") == "cold"
_PR_SET_CHILD_SUBREAPER = 36
_UNDERSTOOD = {"stdin", "stdout", "stderr", "cwd", "start_new_session"}


def adopt_orphans() -> None:
    """Forked command lines become children of this process, and so does whatever a test leaves behind."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Loader:
    """The loaded process of this test process. It is started when it is needed first, and ends with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept = ("PATH", "LANG", "TMPDIR", "TZ")
        begun = ("LC_", "COVERAGE_", "COV_")
        self.environment = {name: os.environ[name] for name in os.environ if name in kept or name.startswith(begun)}
        self.environment |= {"LANG": "C.UTF-8", "HOME": "/nonexistent", MARKER: str(os.getpid())}
        boot = f"import sys; sys.path.insert(0, {ROOT!r}); from tests.loader import main; main()"
        with theirs:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-c", boot],
                self.environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), REQUESTS_FD)],
                setsigdef=range(1, 32),
            )
        self.requests = ours
        self.zygotes: dict[str, Zygote] = {}

    def run(
        self, arguments: list[str], folder: int, streams: list[int], environment: dict[str, str], **how: bool
    ) -> int:
        ours, theirs = socket.socketpair()
        call = {"argv": arguments, "environment": environment, **how}
        body = json.dumps(call).encode()
        with ours:
            with theirs:
                socket.send_fds(
                    self.requests, [b"workermd"], [theirs.fileno(), self.requests.fileno(), folder, *streams]
                )
            ours.sendall(LENGTH.pack(len(body)) + body)
            with ours.makefile("rb") as file:
                told = file.read(5)
        assert len(told) == 5, "the loaded process has ended"
        return int.from_bytes(told[:4])

    def zygote(self, kind: str) -> Zygote:
        if kind not in self.zygotes:
            self.zygotes[kind] = ask_for_zygote(self.requests, kind)
        return self.zygotes[kind]

    @property
    def ended(self) -> bool:
        """As after a fork that the machine refused. Only the test that asked for it fails."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def close(self) -> None:
        """Everything that was loaded ends, and is waited for: what it used counts for this process."""
        for each in (self.requests, *(zygote.requests for zygote in self.zygotes.values())):
            each.close()
        os.waitpid(self.pid, 0)


_loaders: list[Loader] = []


def loader() -> Loader:
    if _loaders and _loaders[0].ended:
        close()
    if not _loaders:
        _loaders.append(Loader())
    return _loaders[0]


def close() -> None:
    for each in _loaders:
        each.close()
    _loaders.clear()


def end_left_behind(before: set[int], seconds: float) -> list[str]:
    """End what was started since and still runs, after a moment to end by itself. What it was, one line each."""
    until = time.monotonic() + seconds
    if _since(before):
        gc.collect()  # some end with the object that holds them
    while (left := _since(before)) and time.monotonic() < until:
        time.sleep(0.01)
    words = [_command_line(pid) for pid in left]
    for pid in left:
        processes.send(pid, signal.SIGKILL)
    for pid in processes.children(os.getpid()):
        if pid not in before and pid not in _own():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    return words


def _since(before: set[int]) -> list[int]:
    return [pid for pid in processes.descendants(os.getpid()) if pid not in before and pid not in _own()]


def _own() -> set[int]:
    """The loaded processes, and servers that many tests share."""
    shared = [each.pid for each in _loaders] + postgres_server.running()
    return {pid for each in shared for pid in (each, *processes.children(each))}


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        return f"{pid}: {file.read().replace(chr(0), ' ')[:200]}"
    return str(pid)


def start_host(binding: Binding, lock_fd: int, log_dir: str, fence: Fence | None = None) -> Host:
    """A host for a test without a command line around it."""
    environment = task_environment(binding, "")
    if not ALL_COLD and imported(environment) == imported(loader().environment):
        try:
            return loader().zygote(binding.kind).fork(binding, lock_fd, log_dir, fence)
        except ZygoteGone:
            pass
    return Host.start(binding, lock_fd, log_dir, fence)


def start(
    arguments: list[str], environment: dict[str, str], *, cold: bool, hurried: bool = True, **options: Any
) -> "subprocess.Popen[bytes]":
    """`python -m workermd` with these arguments; `hurried`, it pauses between attempts for moments."""
    whole = [sys.executable, "-m", "workermd", *arguments]
    forkable = imported(environment) == imported(loader().environment)
    if cold or ALL_COLD or not forkable or options.keys() - _UNDERSTOOD:
        return subprocess.Popen(whole, env=environment, **options)
    return (_Hurried if hurried else _Forked)(whole, env=environment, **options)


class _Forked(subprocess.Popen):
    """Everything of Popen but the start."""

    hurried = False

    def _execute_child(  # type: ignore[override]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask, start_new_session, *rest,
    ):  # fmt: skip
        streams = [own if fd == -1 else fd for own, fd in enumerate((p2cread, c2pwrite, errwrite))]
        folder = os.open(cwd or ".", os.O_PATH | os.O_CLOEXEC)
        try:
            words = [os.path.join(ROOT, "workermd", "__main__.py"), *args[3:]]
            self.pid = loader().run(words, folder, streams, env, session=start_new_session, hurried=self.hurried)
        finally:
            os.close(folder)
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self._child_created = True


class _Hurried(_Forked):
    hurried = True
