"""Timing: whole processes and short functions, always in turns, so that a loaded minute burdens all alike."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Measured = Callable[[], float]
"""Does the thing once and returns the seconds that it took."""

LEAST_SAMPLE = 0.02
"""Seconds: a short function is repeated until one sample takes this long."""


class BrokenError(Exception):
    """What was to be measured did not work. A slow result is never one."""


class Series(NamedTuple):
    """Samples of one thing, in milliseconds or another unit."""

    name: str
    samples: tuple[float, ...]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


def in_turns(cases: Mapping[str, Measured], rounds: int) -> dict[str, Series]:
    """One warm-up round that is thrown away, then each case once a round. The order moves on with every
    round, so that no case always stands behind the same one."""
    names = list(cases)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-1, rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            seconds = cases[name]()
            if round_number >= 0:
                samples[name].append(seconds * 1000)
    return {name: Series(name, tuple(taken)) for name, taken in samples.items()}


class Scene:
    """A folder, and the environment in which programs are started: nothing of the caller's but PATH.

    A variable such as PYTHONDONTWRITEBYTECODE would make every start compile everything again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "WORKERMD_LEDGER": str(folder / "state" / "ledger.db"),
        }
        self.peak_mib = 0.0
        """Of the last program and the programs that it waited for: the largest resident set."""
        self._errors = str(folder / "stderr")

    def said(self) -> bytes:
        """What the last program wrote on standard error."""
        return Path(self._errors).read_bytes()

    def program(self, *command: object, output: str = os.devnull, code: int = 0, **variables: str) -> float:
        """Seconds from the start of a program to its end. Its standard output goes to the file `output`.
        Raises BrokenError unless it exits with `code`."""
        words = [str(word) for word in command]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, self._errors, flags, 0o600),
        ]
        environment = self.environment | variables
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            began = time.perf_counter()
            pid = os.posix_spawn(words[0], words, environment, file_actions=actions)
            _, status, used = os.wait4(pid, 0)
            seconds = time.perf_counter() - began
            self.peak_mib = used.ru_maxrss / 1024
        finally:
            os.chdir(here)
        if os.waitstatus_to_exitcode(status) != code:
            said = Path(self._errors).read_text(errors="replace")[-2000:]
            raise BrokenError(f"{' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}\n{said}")
        return seconds

    def python(self, *arguments: object, **options: Any) -> float:
        return self.program(sys.executable, *arguments, **options)

    def workermd(self, *arguments: object, **options: Any) -> float:
        """The installed command, as people call it."""
        return self.program(command(), *arguments, **options)


def command() -> Path:
    """The console script beside this interpreter. Raises BrokenError."""
    path = Path(sys.executable).with_name("workermd")
    if not path.exists():
        raise BrokenError(f"there is no {path}: install the package beside this interpreter, or call `make bench`")
    return path


def once(function: Callable[[], object]) -> Measured:
    """The time of one call."""

    def measured() -> float:
        began = time.perf_counter()
        function()
        return time.perf_counter() - began

    return measured


def repeated(function: Callable[[], object]) -> Measured:
    """The mean time of so many calls that together they can be timed well."""
    count = 1
    while (taken := _many(function, count)) < LEAST_SAMPLE:
        count = max(count * 2, int(count * LEAST_SAMPLE / max(taken, 1e-9)))
    return lambda: _many(function, count) / count


def _many(function: Callable[[], object], count: int) -> float:
    turns = range(count)
    began = time.perf_counter()
    for _ in turns:
        function()
    return time.perf_counter() - began
