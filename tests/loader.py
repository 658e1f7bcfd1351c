"""A process that has imported all that the command line imports, so that `workermd` is a fork of it: see `loaded`.

It is asked for two things. A command line: the fork gets the arguments, folder, environment and streams of the call,
and belongs to the process that asked. A zygote: the loaded process of one kind, which is loaded at the first call.
"""

import gc
import importlib
import io
import json
import os
import pkgutil
import random
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from workermd.attempt.pool import Zygote, ZygoteGone
from workermd.attempt.spawn import Host, task_environment
from workermd.protocol import back_off
from workermd.sandbox.fence import Fence
from workermd.system import crash
from workermd.task.binding import Binding

ONCE_USED = (
    "jsonschema_rs",
    "tenacity",
    "rich.table",
    "rich.console",
    "encodings.idna",
    "encodings.ascii",
    "encodings.utf_16_be",
)
"""What a command line imports where it is used: two thirds of the calls in tests do."""

LEFT_OUT = (
    "workermd.__main__",
    "workermd.backends.",
    "workermd.testing",
    "workermd.workers",
    "workermd.batch.cluster.celery_engine",
    "workermd.batch.cluster.dbos_engine",
    "workermd.batch.cluster.temporal_engine",
    "workermd.serve.a2a_server",
)
"""Beginnings of modules that the loaded command line does not hold: what is in a host of its own, and what is seldom used."""

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUESTS_FD = 3
LENGTH = struct.Struct("!Q")

IMPORTED = ("LANG", "TZ", "LC_", "LD_", "PYTHON", "OTEL_PYTHON_", "OTEL_PROPAGATORS", "SSL_", "COVERAGE_", "COV_")
"""Beginnings of names that an interpreter or an import reads: where one differs, nothing is forked."""


def imported(environment: dict[str, str]) -> dict[str, str]:
    """What an interpreter or an import would read. The loaded processes have this checkout on their path already."""
    found = {name: value for name, value in environment.items() if name.startswith(IMPORTED)}
    return {name: value for name, value in found.items() if (name, value) != ("PYTHONPATH", ROOT)}


def main() -> None:
    os.set_inheritable(REQUESTS_FD, False)
    requests = socket.socket(fileno=REQUESTS_FD)
    _import_all()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork takes one thread along"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the tests
    gc.collect()
    gc.freeze()
    zygotes: dict[str, Zygote] = {}
    while True:
        try:
            word, fds = received(requests, 256, 8)
        except ConnectionResetError:
            word = b""
        if not word:
            break
        with socket.socket(fileno=fds[0]) as line:
            if word == b"workermd":
                _fork(line, fds[1:])
            else:
                kind = word.decode()
                if kind not in zygotes:
                    zygotes[kind] = _loaded(kind)
                socket.send_fds(line, [zygotes[kind].pid.to_bytes(4)], [zygotes[kind].requests.fileno()])
    for zygote in zygotes.values():
        zygote.requests.close()
        os.waitpid(zygote.pid, 0)
    os._exit(0)


def _import_all() -> None:
    import workermd.cli.commands
    import workermd.cli.main
    import workermd.cli.typer_app

    for name in ONCE_USED:
        importlib.import_module(name)
    for name in _modules(workermd.__path__, "workermd."):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:  # a library of an extra that this checkout does not have
            if str(error.name).startswith("workermd"):
                raise


def _modules(path: Iterable[str], prefix: str) -> Iterator[str]:
    """Everything below but what few command lines use and all forks would carry: a fork costs what its memory costs."""
    for each in pkgutil.iter_modules(path, prefix):
        if each.name.startswith(LEFT_OUT):
            continue
        yield each.name
        if each.ispkg:
            yield from _modules(
                [os.path.join(folder, each.name.rpartition(".")[2]) for folder in path], f"{each.name}."
            )


def _loaded(kind: str) -> Zygote:
    """In this process's environment, which holds what a task always has."""
    zygote = Zygote.start(kind, dict(os.environ))
    reason = zygote.wait_ready(float("inf"), lambda: None)
    assert not reason, f"{kind}: {reason}"
    return zygote


def _fork(line: socket.socket, fds: list[int]) -> None:
    """Forked twice, so that the second belongs to the next process above that adopts: the one that asked."""
    middle = os.fork()
    if middle == 0:
        child = os.fork()
        if child == 0:
            _become(line, fds)
        line.sendall(child.to_bytes(4))
        os._exit(0)
    os.waitpid(middle, 0)
    for fd in fds:
        os.close(fd)
    line.sendall(b"!")


def _become(line: socket.socket, fds: list[int]) -> NoReturn:
    code = 1
    try:
        call = _received(line)
        line.close()
        requests, folder, *streams = fds
        os.fchdir(folder)
        for target, fd in enumerate(streams):
            os.dup2(fd, target)
        for fd in fds[1:]:
            os.close(fd)
        if call["session"]:
            os.setsid()
        _surround(call)
        if call["hurried"]:
            back_off.pause_before = _hurried(back_off.pause_before)
        Host.start = _start(socket.socket(fileno=requests), Host.start)  # type: ignore[method-assign]
        from workermd.cli.main import main

        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter tells it
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _hurried(pause_before: Any) -> Any:
    """The pauses between attempts, a fiftieth of what a user waits; what an endpoint asked for is waited."""

    def hurried(attempt: int, *, after: float | None, **given: Any) -> float | None:
        pause = pause_before(attempt, after=after, **given)
        return None if pause is None else max(pause / 50, after or 0)

    return hurried


def _received(line: socket.socket) -> Any:
    with line.makefile("rb") as file:
        (length,) = LENGTH.unpack(file.read(LENGTH.size))
        return json.loads(file.read(length))


def _surround(call: dict[str, Any]) -> None:
    """What an interpreter finds at its start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = call["argv"]
    sys.path[0] = os.getcwd()
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout, sys.stderr = _written(1, "strict"), _written(2, "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    random.seed()
    crash.look_up()


def _written(fd: int, errors: str) -> io.TextIOWrapper:
    file = io.BufferedWriter(io.FileIO(fd, "w", closefd=False))
    return io.TextIOWrapper(file, "utf-8", errors=errors, line_buffering=fd == 2 or os.isatty(fd))


def _start(requests: socket.socket, cold: Any) -> Any:
    """Hosts for a command line: forked where nothing that an import reads is different."""
    held: dict[str, Zygote] = {}

    def start(binding: Binding, lock_fd: int, log_dir: str, fence: Fence | None = None) -> Host:
        if imported(task_environment(binding, "")) == imported(STARTED_WITH):
            if binding.kind not in held:
                held[binding.kind] = ask_for_zygote(requests, binding.kind)
            try:
                return held[binding.kind].fork(binding, lock_fd, log_dir, fence)
            except ZygoteGone:
                pass
        return cold(binding, lock_fd, log_dir, fence)

    return start


def received(line: socket.socket, most: int, descriptors: int) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which no program started from here inherits."""
    word, fds, _, _ = socket.recv_fds(line, most, descriptors)
    for fd in fds:
        os.set_inheritable(fd, False)
    return word, fds


def ask_for_zygote(requests: socket.socket, kind: str) -> Zygote:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(requests, [kind.encode()], [theirs.fileno()])
        pid, fds = received(ours, 4, 1)
    return Zygote(int.from_bytes(pid), socket.socket(fileno=fds[0]))


STARTED_WITH = dict(os.environ)

if __name__ == "__main__":
    from tests.loader import main as main_of_this_file

    main_of_this_file()
