"""Crash points in pairs, seeded faults, and a storm of kills.

    python -m tests.storm --seconds 300 [--seed N]

Prints a table; exits 1 when a promise was broken or a seeded fault was not seen. What did not fit into the
time is said. The seed chooses the order of the pairs and what the storm does; when a kill meets a process is
up to the machine.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.runner.test_model import check
from tests.storm import conversations, kills
from tests.storm.cases import Case, pairs, singles
from tests.storm.faults import FAULTS, Fault, seeded
from tests.storm.trial import Trial

AT_ONCE = 2
"""Cases that run side by side."""

KILLS_OF_A_CONVERSATION = 5

SHARE_OF_FAULTS, SHARE_OF_PAIRS, SHARE_OF_MODEL, SHARE_OF_CONVERSATIONS = 0.17, 0.4, 0.1, 0.13
"""Of the time; the storm gets the rest."""

SHARE_OF_THE_STORM = 1 - SHARE_OF_FAULTS - SHARE_OF_PAIRS - SHARE_OF_MODEL - SHARE_OF_CONVERSATIONS


class Part(NamedTuple):
    """A row of the table. `found` are broken promises, one line each."""

    name: str
    done: str
    left_out: str
    found: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds:g} s", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workermd-storm-") as folder:
        root = Path(folder)
        parts = [
            told(faults(root / "faults", began + options.seconds * SHARE_OF_FAULTS)),
            told(all_pairs(root / "pairs", seed, began + options.seconds * (SHARE_OF_FAULTS + SHARE_OF_PAIRS))),
            told(model(seed, began + options.seconds * (SHARE_OF_FAULTS + SHARE_OF_PAIRS + SHARE_OF_MODEL))),
            told(conversed(root / "conversations", seed, began + options.seconds * (1 - SHARE_OF_THE_STORM))),
            told(storm(root / "kills", seed, began + options.seconds)),
        ]
    print(f"\n{'part':<12}  {'done':<78}  {'left out':<16}  wrong")
    for part in parts:
        print(f"{part.name:<12}  {part.done:<78}  {part.left_out:<16}  {len(part.found)}")
    print(f"\n{time.monotonic() - began:.0f} s; repeat with --seed {seed}")
    return 1 if any(part.found for part in parts) else 0


def told(part: Part) -> Part:
    print(f"{part.name}: {part.done}", flush=True)
    for line in part.found:
        print(f"  WRONG {line}", flush=True)
    return part


def tried(case: Case, folder: Path, package: Path | None = None) -> list[str]:
    """What was wrong in a case; a case that breaks down counts as wrong."""
    try:
        return case(Trial(folder, package=package))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other cases still say something
        return [f"the case broke down: {type(error).__name__}: {error}"]


def all_pairs(root: Path, seed: int, until: float) -> Part:
    cases = list(pairs())
    random.Random(seed).shuffle(cases)
    found: list[str] = []
    done = [0]

    def one(number: int, name: str, case: Case) -> None:
        if time.monotonic() < until:
            found.extend(f"{name}: {line}" for line in tried(case, root / str(number)))
            done[0] += 1

    side_by_side(one, ((number, name, case) for number, (name, case) in enumerate(cases)))
    return Part("pairs", f"{done[0]} of {len(cases)} ordered pairs of crash points", _rest(len(cases) - done[0]), found)


def faults(root: Path, until: float) -> Part:
    """Each fault against the single cases, until one sees it. The sound package comes first: it must pass them all."""
    found: list[str] = []
    seen: dict[str, str] = {}
    open_ended: list[str] = []

    def sound(number: int, name: str, case: Case) -> None:
        found.extend(f"without a fault, {name}: {line}" for line in tried(case, root / f"sound-{number}"))

    def one(number: int, fault: Fault) -> None:
        package = seeded(fault, root / f"package-{number}")
        for index, (name, case) in enumerate(singles()):
            if time.monotonic() >= until:
                open_ended.append(fault.name)
                return
            if wrong := tried(case, root / f"fault-{number}-{index}", package):
                seen[fault.name] = f"{name}: {wrong[0]}"
                return
        found.append(f"nobody saw that {fault.name}")

    root.mkdir(parents=True)
    side_by_side(one, enumerate(FAULTS))
    cases = list(singles())
    side_by_side(sound, ((number, name, case) for number, (name, case) in enumerate(cases)))
    for name, by in seen.items():
        print(f"  seen: {name}\n        by {by}")
    done = f"{len(seen)} of {len(FAULTS)} seeded faults seen; {len(cases)} single cases without a fault"
    return Part("faults", done, _rest(len(open_ended)), found)


def model(seed: int, until: float) -> Part:
    """Sequences of calls, crashes, reopenings and prunings against the dictionary, until the time is over."""
    sequences, found = 0, []
    while time.monotonic() < until and not found:
        try:
            check(examples=2, steps=15, seed=seed + sequences)
        except AssertionError as error:
            found.append(f"the model, seed {seed + sequences}: {error}\n" + "\n".join(getattr(error, "__notes__", ())))
        sequences += 2
    return Part("model", f"{sequences} sequences of up to 15 steps", "-", found)


def conversed(root: Path, seed: int, until: float) -> Part:
    """Teams whose attempts are killed at random, until the time is over."""
    runs, found = 0, []
    while time.monotonic() < until:
        found += conversations.storm(root / str(runs), seed + runs, KILLS_OF_A_CONVERSATION)
        runs += 1
    return Part("conversations", f"{runs} teams of three, {KILLS_OF_A_CONVERSATION} kills each", "-", found)


def storm(root: Path, seed: int, until: float) -> Part:
    told = kills.storm(Trial(root, max_attempts=4, timeout=15), seed, until)
    done = (
        f"{told.runs} runs, {told.calls} calls, {told.answers} answers, kills: {told.callers} callers, "
        f"{told.hosts} hosts, {told.both} both"
    )
    return Part("kill storm", done, "-", told.found)


def side_by_side(deed, rows: Iterable[tuple]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for ended in [pool.submit(deed, *row) for row in rows]:
            ended.result()


def _rest(count: int) -> str:
    return f"{count} (no time)" if count else "-"


if __name__ == "__main__":
    sys.exit(main())
