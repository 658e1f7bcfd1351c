"""The cases of the storm, each a function of a fresh trial that returns what was wrong."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from tests.storm.expected import DECIDING, HOST, POINTS, Expected
from tests.storm.oracle import violations
from tests.storm.trial import KILLED, Trial

Case = Callable[[Trial], list[str]]

PLANS = (["ok"], ["retryable_error", "ok"], ["needs_human", "ok"])
ASKS = ["needs_human", "needs_human", "ok"]


def crashes(points: tuple[str, ...], replies: list[str]) -> Case:
    """One call per point, dying there, and one to the end; each against the table, all against the oracle."""

    def case(trial: Trial) -> list[str]:
        model = Expected(replies)
        found = []
        for at in (*points, ""):
            code = model.call(at)
            done = trial.call("r", replies, at=at)
            if done.code != code:
                found.append(f"the call with {at or 'no crash'} ended with {done.code}, not {code}")
        if trial.starts("r") != model.starts:
            found.append(f"the task began as {trial.starts('r')}, not {model.starts}")
        if outcomes(trial) != model.outcomes:
            found.append(f"the attempts are {outcomes(trial)}, not {model.outcomes}")
        return found + violations(trial)

    return case


def duplicates(trial: Trial) -> list[str]:
    """Several callers at once, and another input meanwhile."""
    crowd = [trial.start("r", ["ok"], seconds=(0.5,)) for _ in range(4)]
    _until(lambda: trial.starts("r"))
    other = trial.call("r", ["ok"], seconds=(0.5,), task="y")
    found = [] if other.code == 3 else [f"another input ended with {other.code}, not 3"]
    answers = {trial.end(process, "r").out for process in crowd}
    if len(answers) != 1:
        found.append(f"{len(answers)} different answers to the same call")
    return found + violations(trial)


def caller_killed(trial: Trial) -> list[str]:
    """In the task, while the attempt goes on; the next call comes at once."""
    process = trial.start("r", ["ok"], seconds=(0.7,))
    _until(lambda: trial.starts("r"))
    process.kill()
    trial.end(process, "r")
    done = trial.call("r", ["ok"], seconds=(0.7,))
    found = [] if done.code == 0 else [f"the next call ended with {done.code}"]
    if trial.starts("r") != [1]:
        found.append(f"the task began as {trial.starts('r')}")
    return found + violations(trial)


def both_killed(trial: Trial) -> list[str]:
    """In the task; its program lives on for a while."""
    process = trial.start("r", ["ok"], seconds=(0.7, 0))
    _until(lambda: trial.starts("r"))
    process.kill()
    os.kill(trial.evidence("r")[0].host, signal.SIGKILL)
    if trial.end(process, "r").code != KILLED:
        return ["it could not be killed"]
    done = trial.call("r", ["ok"], seconds=(0.7, 0))
    return ([] if done.code == 0 else [f"the next call ended with {done.code}"]) + violations(trial)


def asked(at: str) -> Case:
    """Killed while it settles as a question; the next call has the question, and it is open."""

    def case(trial: Trial) -> list[str]:
        trial.call("r", ASKS, at=at)
        done = trial.call("r", ASKS)
        return ([] if done.code == 6 else [f"the next call ended with {done.code}"]) + violations(trial)

    return case


def decided(at: str, *flags: str) -> Case:
    """Two questions, each decided by a person who is killed at it and tries again; then the answer."""

    def case(trial: Trial) -> list[str]:
        model = Expected(ASKS)
        found = []
        for _ in range(2):
            codes = [(trial.call("r", ASKS).code, model.call())]
            for point in (at, ""):
                expected = model.approve(*flags, at=point)
                codes.append((trial.approve("r", *flags, at=point).code, expected))
            found += [f"a call ended with {code}, not {expected}" for code, expected in codes if code != expected]
        code = trial.call("r", ASKS).code
        if code != model.call():
            found.append(f"the last call ended with {code}")
        if trial.starts("r") != model.starts:
            found.append(f"the task began as {trial.starts('r')}, not {model.starts}")
        return found + violations(trial)

    return case


def singles() -> Iterator[tuple[str, Case]]:
    """The ones that see most come first: a fault is seen sooner."""
    yield "duplicates", duplicates
    yield "caller killed", caller_killed
    yield "both killed", both_killed
    yield from asking(("t2_open",), DECIDING[:1], ((),))
    for replies in (PLANS[1], PLANS[0], PLANS[2]):
        for at in (*POINTS, *HOST):
            yield f"{at} [{replies[0]}]", crashes((at,), replies)
    yield from asking(("t2_committed", "result_renamed,attempt_ended"), DECIDING[1:], ((),))
    yield from asking((), DECIDING, (("--deny",), ("--deny", "--final")))


def asking(
    points: tuple[str, ...], deciding: tuple[str, ...], flags: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, Case]]:
    for at in points:
        yield f"{at} [asks]", asked(at)
    for at in deciding:
        for each in flags:
            yield f"{at} [{' '.join(each) or 'approves'}]", decided(at, *each)


def pairs() -> Iterator[tuple[str, Case]]:
    for replies in PLANS:
        for first in POINTS:
            for second in POINTS:
                yield f"{first} then {second} [{replies[0]}]", crashes((first, second), replies)


def outcomes(trial: Trial) -> list[str]:
    with closing(sqlite3.connect(f"file:{trial.ledger}?mode=ro", uri=True)) as connection:
        return [outcome for (outcome,) in connection.execute("SELECT outcome FROM attempts ORDER BY run, n")]


def _until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the task did not begin")
        time.sleep(0.01)
