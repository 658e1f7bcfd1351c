"""A process that has loaded the task once and performs one input after the other: hundreds a second.

It is forked, so that a crash, a hang and a kill are its own and not ours. Its streams are a file.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from typing import Any

from workermd.fuzz.observed import Observed
from workermd.fuzz.values import SECRET
from workermd.protocol.codec import from_document
from workermd.protocol.envelope import Document
from workermd.runner import reach_bounds, verdict
from workermd.runner.verdict import DEFAULT_MAX_OUTPUT_BYTES
from workermd.runner.worker import Worker
from workermd.system import environment
from workermd.task import callables
from workermd.task.binding import Binding
from workermd.task.task import KINDS, Limits, Result, Task

_LONGEST_LOAD = 60.0
"""Seconds for importing the backend and the module of a function."""

FUNCTIONS = "workermd.functions"
"""The group of entry points that the kind `function` knows."""

_MOST_LOG = 20_000


class LoadedTask:
    """Performs inputs in a process of its own, which is begun anew when it has ended."""

    def __init__(self, worker: Worker, hang: float) -> None:
        self._worker = worker
        self._hang = hang
        self._folder = tempfile.mkdtemp(prefix="workermd-fuzz-")
        self._pid = 0
        self._to, self._from = -1, -1

    def close(self) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def observe(self, given: Document, run_id: str, *, kill_after: float | None = None, attempt: int = 1) -> Observed:
        """One input, performed. With `kill_after` the process is killed after so many seconds, if it is not done."""
        if not self._pid:
            self._begin()
        began = time.monotonic()
        self._send(_task(self._worker, given, run_id, attempt, self._artifacts()))
        line = self._receive(self._hang if kill_after is None else min(kill_after, self._hang))
        seconds = time.monotonic() - began
        if line is None:
            self._end()
            return Observed("", "hang" if kill_after is None else "killed", seconds=seconds, log=self._log())
        if not line:
            how = self._end()
            return Observed("", "crash", how, seconds=seconds, log=self._log())
        return self._judged(json.loads(line), run_id, seconds)

    def restart(self) -> None:
        """The next input meets a fresh process."""
        self._end()

    def _judged(self, document: Document, run_id: str, seconds: float) -> Observed:
        worker = self._worker
        judged = verdict.judge(worker.contract, worker.output_checker, run_id, from_document(Result, document))
        failure, log = judged.failure, self._log()
        code, message = (failure.code, failure.message) if failure else ("", "")
        return Observed(judged.status, code, message, judged.document, log, seconds)

    def _artifacts(self) -> str:
        """An empty folder, the same for every input: an answer that names it stays the same."""
        path = os.path.join(self._folder, "artifacts")
        os.makedirs(path, exist_ok=True)
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        return path

    def _log(self) -> str:
        path = os.path.join(self._folder, "log")
        try:
            with open(path, "rb") as file:
                data = file.read(_MOST_LOG)
            os.truncate(path, 0)
        except OSError:
            return ""
        return data.decode("utf-8", "replace")

    def _begin(self) -> None:
        their_in, self._to = os.pipe()
        self._from, their_out = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if not self._pid:
            with contextlib.suppress(BaseException):
                os.close(self._to)
                os.close(self._from)
                _serve(self._worker.binding, their_in, their_out, os.path.join(self._folder, "log"))
            os._exit(70)
        os.close(their_in)
        os.close(their_out)
        self._receive(_LONGEST_LOAD)  # it has loaded; what it could not load, its first answer says

    def _send(self, task: Task) -> None:
        whole = json.dumps({"task": task._asdict(), "seconds": self._hang + _LONGEST_LOAD}).encode()
        with contextlib.suppress(BrokenPipeError):  # it has ended: the answer says so
            view = memoryview(len(whole).to_bytes(8) + whole)
            while view:
                view = view[os.write(self._to, view) :]

    def _receive(self, seconds: float) -> bytes | None:
        """The answer; empty where the process has ended, None where it is not there in time."""
        until = time.monotonic() + seconds
        held = b""
        while not held.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                return None
            more = os.read(self._from, 1 << 20)
            if not more:
                return b""
            held += more
        return held

    def _end(self) -> str:
        """End the process with all that it started; how it had ended, in words."""
        if not self._pid:
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)
        self._pid = 0
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"


def _task(worker: Worker, given: Document, run_id: str, attempt: int, artifacts: str) -> Task:
    contract = worker.contract
    return Task(
        worker_id=contract.id,
        version=contract.version,
        run_id=run_id,
        attempt=attempt,
        max_attempts=worker.bounds.max_attempts,
        seconds_left=worker.bounds.timeout,
        purpose=contract.purpose,
        mode=contract.mode,
        input=given,
        output_schema=contract.output_schema,
        tools_allowed=contract.constraints.tools_allowed,
        feedback=(),
        decisions=(),
        trace={},
        artifacts_dir=artifacts,
        settings=worker.binding.settings,
        reach=reach_bounds.told(worker.reach),
    )


def _serve(binding: Binding, orders: int, answers: int, log: str) -> None:
    """The process itself: one order a time, until nobody sends any."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    passed = environment.chosen((*binding.env, *binding.secret_env))
    os.environ.clear()
    os.environ.update(passed | dict.fromkeys(binding.secret_env, SECRET))
    streams = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(streams, number)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    backend: Any = import_module(KINDS[binding.kind].module)
    if binding.function:
        with contextlib.suppress(BaseException):  # the first order meets it again, and says so
            callables.resolved("function", binding.function, FUNCTIONS, "the fuzzer")
    os.write(answers, b"\n")
    with os.fdopen(orders, "rb") as file:
        while size := file.read(8):
            order = json.loads(file.read(int.from_bytes(size)))
            task = from_document(Task, order["task"])
            limits = Limits(time.monotonic() + order["seconds"], DEFAULT_MAX_OUTPUT_BYTES)
            result = backend.perform(task, binding, limits)
            sys.stdout.flush()
            sys.stderr.flush()
            line = result.to_json().encode() + b"\n"
            view = memoryview(line)
            while view:
                view = view[os.write(answers, view) :]
    os._exit(0)
