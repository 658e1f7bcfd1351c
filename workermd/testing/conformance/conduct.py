"""A case over a runtime: a folder of its own, one call after another, and what each showed."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Literal, NamedTuple

from workermd.system import processes
from workermd.testing.conformance import task_script
from workermd.testing.conformance.cases import Edited, KitCase, KitStep
from workermd.testing.conformance.judge import Shown, document, reasons
from workermd.testing.conformance.runtime import Runtime
from workermd.testing.server import Server

Word = Literal["passed", "failed", "known", "mended", "skipped"]

LONGEST = 30.0
"""Seconds for one call; what takes longer has no deadline."""

_BEAT = 0.4
"""Seconds after which something alive has left a further mark: eight of its pauses."""


class Started(NamedTuple):
    """What is needed to start one call. It prints into files: who holds a pipe open would be waited for."""

    words: list[str]
    environment: dict[str, str]
    folder: str
    stdout: BinaryIO
    stderr: BinaryIO


Start = Callable[[Started], "subprocess.Popen[bytes]"]


class KitResult(NamedTuple):
    """`known` is a failure that the runtime's file lists, `mended` a case that it lists and that passed."""

    case: KitCase
    word: Word
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0


def process(call: Started) -> "subprocess.Popen[bytes]":
    """A process of its own, in a session of its own, so that it can be ended with what it started."""
    return subprocess.Popen(
        call.words,
        env=call.environment,
        cwd=call.folder,
        stdin=subprocess.DEVNULL,
        stdout=call.stdout,
        stderr=call.stderr,
        start_new_session=True,
    )


def conduct(
    cases: Iterable[KitCase], runtime: Runtime, *, jobs: int = 1, patience: float = 1.0, start: Start = process
) -> Iterator[KitResult]:
    """Every case's result, in their order. `patience` multiplies the times that a case allows."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda case: one(case, runtime, patience=patience, start=start), cases)


def one(case: KitCase, runtime: Runtime, *, patience: float = 1.0, start: Start = process) -> KitResult:
    """The result of a case."""
    if why := runtime.missing(case):
        return KitResult(case, "skipped", (why,))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="worker-md-kit-") as folder:
        found = tuple(_Conduct(case, runtime, folder, patience, start).reasons())
    seconds = time.monotonic() - began
    if case.id in runtime.known:
        return KitResult(case, "known" if found else "mended", (*found[:1], runtime.known[case.id]), seconds)
    return KitResult(case, "failed" if found else "passed", found, seconds)


class _Conduct:
    """One case in its folder."""

    def __init__(self, case: KitCase, runtime: Runtime, folder: str, patience: float, start: Start) -> None:
        self.case = case
        self.runtime = runtime
        self.folder = folder
        self.patience = patience
        self.start = start
        self.shown: list[Shown] = []
        self.places = {
            name: os.path.join(folder, *words)
            for name, words in {"ledger": ("state", "ledger"), "out": ("out.json",), "folder": ()}.items()
        }

    def reasons(self) -> Iterator[str]:
        """Why the case fails; what it left running is ended."""
        for name in ("state", "home"):
            os.mkdir(os.path.join(self.folder, name))
        with contextlib.ExitStack() as stack:
            stack.callback(self._end)
            if self.case.server:
                turns = self._file("turns.json", json.dumps(self.case.server).encode())
                server = stack.enter_context(Server.from_file(turns))
                self.places["server"] = server.url
            self.places["task"] = task_script.write(self.folder, self.case.moves, self.places)
            for number, step in enumerate(self.case.steps, 1):
                self._prepare(step.before)
                asked = (lambda: len(server.requests)) if self.case.server else (lambda: 0)
                for shown in self._called(step, asked):
                    yield from (f"step {number}: {reason}" for reason in reasons(shown, step.expect))
                self.shown.append(shown)

    def _prepare(self, before: dict[str, object]) -> None:
        """Do to what the runtime keeps what a step asks for."""
        state = os.path.join(self.folder, "state")
        if "garbage" in before:
            self._file("state/ledger", b"no database at all\n" * 200)
        if "replace" in before:
            old, new = (str(each).encode() for each in before["replace"])  # type: ignore[attr-defined]
            for name in os.listdir(state):
                path = os.path.join(state, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        data = file.read()
                    if old in data:
                        self._file(path, data.replace(old, new))
        if "wait" in before:
            time.sleep(float(str(before["wait"])))

    def _called(self, step: KitStep, asked: Callable[[], int]) -> Iterator[Shown]:
        """Make the call, as many times at once as the step asks for."""
        number = len(self.shown) + 1
        already = self._starts()
        contract = self._contract(step.contract or self.case.contract, number)
        given = self.places | {"spec": contract, "input": self._input(step, number)}
        words = self.runtime.words(step.role, given, step.options)
        began = time.monotonic()
        calls = [self._begun(words, self._environment() | step.environment, each) for each in range(step.together)]
        if step.signal:
            self._wait_for_start(already)
            for call in calls:
                _send(call.pid, step.signal)
        first: bytes | None = None
        for each, call in enumerate(calls):
            code = self._ended(call)
            out, err = (self._bytes(f"{name}.{each}") or b"" for name in ("stdout", "stderr"))
            seen = self._seen(code, out, err, time.monotonic() - began, asked())
            yield seen._replace(beside=first)
            first = out if first is None else first

    def _begun(self, words: list[str], environment: dict[str, str], each: int) -> "subprocess.Popen[bytes]":
        out, err = (os.path.join(self.folder, f"{name}.{each}") for name in ("stdout", "stderr"))
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            return self.start(Started(words, environment, self.folder, stdout, stderr))

    def _ended(self, call: "subprocess.Popen[bytes]") -> int | None:
        """Its exit code, or None where it did not end in time."""
        try:
            return call.wait(LONGEST * self.patience)
        except subprocess.TimeoutExpired:
            self._file("over", b"")
            _send(call.pid, "POWER")
            call.wait()
            return None

    def _seen(self, code: int | None, out: bytes, err: bytes, seconds: float, asked: int) -> Shown:
        started = self._starts()
        return Shown(
            outcome=f"no end within {seconds:.0f} s"
            if code is None
            else self.runtime.outcome(code)
            if code >= 0
            else "",
            stdout=out,
            stderr=err,
            seconds=seconds,
            started=started,
            given=document(self._bytes(f"task.{started}.json") or b"null"),
            environment=_variables(self._bytes(f"environment.{started}") or b""),
            alive=self._beats(),
            asked=asked,
            written=self._bytes("out.json"),
            earlier=tuple(self.shown),
            beside=None,
            same_codes=self.runtime.same_codes,
            patience=self.patience,
        )

    def _contract(self, contract: Edited, number: int) -> str:
        return self._file(f"step-{number}.worker.md", contract.data())

    def _input(self, step: KitStep, number: int) -> str:
        if step.input_path:
            return step.input_path
        return self._file(f"input-{number}.json", step.input or b"")

    def _environment(self) -> dict[str, str]:
        own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.path.join(self.folder, "home"), "LANG": "C.UTF-8"}
        return own | self.runtime.environment

    def _file(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _bytes(self, name: str) -> bytes | None:
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _starts(self) -> int:
        return len((self._bytes("starts") or b"").splitlines())

    def _wait_for_start(self, already: int) -> None:
        """Until the task has been given its document: a moment later it does what the case is about."""
        until = time.monotonic() + LONGEST * self.patience
        while not self._bytes(f"environment.{already + 1}") and time.monotonic() < until:
            time.sleep(0.01)

    def _beats(self) -> bool:
        """Whether something that a task started is alive: it would leave a further mark."""
        seen = self._bytes("beats")
        if seen is None:
            return False
        time.sleep(_BEAT)
        return self._bytes("beats") != seen

    def _end(self) -> None:
        """What is still alive sees this file within one of its pauses."""
        self._file("over", b"")
        if self._bytes("beats") is not None:
            until = time.monotonic() + 2
            while self._beats() and time.monotonic() < until:
                pass


def _send(pid: int, name: str) -> None:
    """A signal to a process; POWER kills all that it has started too, as when a machine loses it."""
    whole = [pid, *processes.descendants(pid)] if name == "POWER" else [pid]
    for each in whole:
        processes.send(each, signal.SIGKILL if name == "POWER" else signal.Signals[f"SIG{name}"])


def _variables(listing: bytes) -> dict[str, str]:
    lines = listing.decode("utf-8", "replace").splitlines()
    return dict(line.partition("=")[::2] for line in lines)
