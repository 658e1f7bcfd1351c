"""The kill storm: callers that ask for the same runs again and again, and a killer that takes them and their attempts."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from typing import NamedTuple

from tests.storm.oracle import violations
from tests.storm.trial import Trial

CALLERS = 3
WINDOW = 6
"""Runs that are asked for at the same time: few enough for callers to meet at one."""

PLANS: tuple[tuple[list[str], tuple[float, ...]], ...] = (
    (["ok"], (0,)),
    (["ok"], (0.3,)),
    (["retryable_error", "ok"], (0,)),
    (["ok"], (0.1, 0)),
    (["retryable_error", "retryable_error", "ok"], (0.05,)),
)


class Told(NamedTuple):
    """What a storm came to; `found` are broken promises."""

    runs: int
    calls: int
    answers: int
    callers: int
    hosts: int
    both: int
    found: list[str]


class _Storm:
    def __init__(self, trial: Trial, seed: int) -> None:
        self.trial = trial
        self.seed = seed
        self.calm = threading.Event()
        self.changing = threading.Lock()
        self.alive: dict[int, subprocess.Popen[bytes]] = {}
        self.settled: set[str] = set()
        self.asked: set[str] = set()
        self.calls = self.answers = 0
        self.killed = {"callers": 0, "hosts": 0, "both": 0}
        self.found: list[str] = []

    def plan(self, run_id: str) -> tuple[list[str], tuple[float, ...]]:
        return PLANS[int(run_id[1:]) % len(PLANS)]

    def call(self, run_id: str) -> bool:
        """One call; whether it got a lasting answer."""
        replies, seconds = self.plan(run_id)
        process = self.trial.start(run_id, replies, seconds=seconds)
        with self.changing:
            self.alive[process.pid] = process
            self.asked.add(run_id)
        try:
            done = self.trial.end(process, run_id, seconds=120)
        finally:
            with self.changing:
                del self.alive[process.pid]
        settled = done.code in (0, 6) or (done.code == 5 and run_id in self.trial.acknowledged)
        with self.changing:
            self.calls += 1
            self.answers += settled
            if settled:
                self.settled.add(run_id)
            # A killed host may look like a backend that does not load (2); everything else has to be an answer.
            if done.code not in (0, 2, 5, 6, -signal.SIGKILL):
                self.found.append(f"{run_id}: a call ended with {done.code}: {done.err.strip()[-300:]}")
        return settled

    def caller(self, number: int, until: float) -> None:
        """Ask for one of the oldest open runs, sometimes for a settled one."""
        choice = random.Random(f"{self.seed} caller {number}")
        while time.monotonic() < until:
            with self.changing:
                first = 0
                while f"r{first}" in self.settled:
                    first += 1
            window = [f"r{index}" for index in range(max(0, first - 2), first + WINDOW)]
            try:
                self.call(choice.choice(window))
            except Exception as error:  # noqa: BLE001 - a thread that dies in silence would look like peace
                self.found.append(f"a caller broke down: {type(error).__name__}: {error}")
                return

    def killer(self) -> None:
        choice = random.Random(f"{self.seed} killer")
        while not self.calm.wait(choice.expovariate(5)):
            what = choice.choice(("callers", "hosts", "both"))
            with self.changing:
                living = sorted(self.alive)
                if not living:
                    continue
                victim = choice.choice(living)
                hosts = [pid for pid in _children(victim) if self.is_ours(pid)]
                if what != "callers":
                    for host in hosts:
                        _kill(host)
                if what != "hosts":
                    self.alive[victim].kill()
                if what == "callers" or hosts:
                    self.killed[what] += 1

    def is_ours(self, pid: int) -> bool:
        """A number may have gone to a stranger by now: only what has our home is killed."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return f"HOME={self.trial.folder}/home".encode() in file.read().split(b"\0")
        except OSError:
            return False

    def watcher(self) -> None:
        while not self.calm.wait(0.02):
            self.trial.look_at_results()


def storm(trial: Trial, seed: int, until: float) -> Told:
    """Kill until there is just time enough to bring every run to its end, then ask the oracle."""
    state = _Storm(trial, seed)
    began = time.monotonic()
    kill_until = began + (until - began) * 0.6
    helpers = [threading.Thread(target=state.killer), threading.Thread(target=state.watcher)]
    callers = [threading.Thread(target=state.caller, args=(number, kill_until)) for number in range(CALLERS)]
    for thread in (*helpers, *callers):
        thread.start()
    for thread in callers:
        thread.join()
    state.calm.set()
    for thread in helpers:
        thread.join()
    for run_id in sorted(state.asked - state.settled):
        for _ in range(3):
            if state.call(run_id):
                break
        else:
            state.found.append(f"{run_id}: no answer after the storm")
    found = state.found + violations(trial)
    return Told(len(state.asked), state.calls, state.answers, **state.killed, found=found)


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
