"""Break the package on purpose, one place at a time, and see the tests of that place go red.

    python -m tests.mutants [WORD …] [--again] [--seconds N]

WORDs choose the faults whose names hold one of them. Each fault is put into a copy of the project, and only its own tests
run there. A fault is killed when every one of them fails; it survived when one passes. What was found is kept in
`.mutants/`: a run that was interrupted goes on, and a fault is tried anew when its file or its tests have changed.
Before the first fault the same tests run without any: a test that fails by itself would prove nothing.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.conftest import ROOT
from tests.mutants.faults import Fault, load, source_of

AT_ONCE = 2
"""Faults that are tried side by side, each in a copy of its own."""

LONGEST = 240.0
"""Seconds for one test with a fault; a fault that makes it hang is seen by the test's own limit before."""

KEPT = ROOT / ".mutants"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")

PASSED, FAILED = 0, 1
"""Exit codes of pytest: every other one says that no test was judged."""


class Outcome(NamedTuple):
    """`word` is killed, survived or broken; `told` names the tests that passed or could not run."""

    word: str
    told: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--again", action="store_true", help="try also what was tried before")
    parser.add_argument("--seconds", type=float, default=3600, help="begin no further fault after so many seconds")
    options = parser.parse_args()
    faults = [fault for fault in load() if not options.words or any(word in fault.name for word in options.words)]
    for fault in faults:
        fault.applied(source_of(fault))
    known = {} if options.again else _known()
    keys = {fault: _key(fault) for fault in faults}
    waiting = {fault: key for fault, key in keys.items() if key not in known}
    until = time.monotonic() + options.seconds
    copies = _copies() if waiting else []
    if waiting and not _green(copies[0], waiting):
        print("the tests fail without a fault: mend them first")
        return 2
    known |= dict(_tried(waiting, copies, until))
    return _told({fault.name: known.get(key) for fault, key in keys.items()})


def _key(fault: Fault) -> str:
    """Changes with the fault, its file and its tests."""
    files = sorted({test.partition("::")[0] for test in fault.tests})
    parts = [*fault, source_of(fault), *((ROOT / file).read_text() for file in files)]
    return sha256(repr(parts).encode()).hexdigest()


def _known() -> dict[str, Outcome]:
    try:
        rows = (KEPT / "outcomes.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {key: Outcome(*rest) for key, *rest in map(json.loads, rows)}


def _copies() -> list[Path]:
    """The project as it stands, once for each fault that is tried at a time."""
    copies = [KEPT / f"copy-{number}" for number in range(AT_ONCE)]
    for copy in copies:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
    return copies


def _green(copy: Path, faults: Iterable[Fault]) -> bool:
    tests = sorted({test for fault in faults for test in fault.tests})
    print(f"{len(tests)} tests without a fault …", flush=True)
    code, said = _pytest(copy, ["-n", str(AT_ONCE), *tests], LONGEST * 5)
    if code != PASSED:
        print(said)
    return code == PASSED


def _tried(faults: dict[Fault, str], copies: list[Path], until: float) -> Iterator[tuple[str, Outcome]]:
    """Try the faults, and keep each outcome as soon as it is there."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def judged(fault: Fault) -> Outcome | None:
        if time.monotonic() > until:
            return None
        copy = free.get()
        try:
            return _outcome(fault, copy)
        finally:
            free.put(copy)

    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        (KEPT / "outcomes.jsonl" if faults else Path(os.devnull)).open("a") as kept,
    ):
        for (fault, key), outcome in zip(faults.items(), pool.map(judged, faults), strict=True):
            if outcome is None:
                continue
            print(f"{outcome.word:<9} {outcome.seconds:5.1f} s  {fault.name}", flush=True)
            print(json.dumps([key, *outcome]), file=kept, flush=True)
            yield key, outcome


def _outcome(fault: Fault, copy: Path) -> Outcome:
    began = time.monotonic()
    place = copy / fault.file
    source = place.read_text()
    place.write_text(fault.applied(source))
    # Compiled code is kept by second and size: a fault of the same size in the same second would not be seen.
    os.utime(place, (began, began))
    try:
        ends = {test: _pytest(copy, [test], LONGEST)[0] for test in fault.tests}
    finally:
        place.write_text(source)
        os.utime(place, (began + 1, began + 1))
    passed = [test for test, code in ends.items() if code == PASSED]
    unjudged = [f"{test} (exit code {code})" for test, code in ends.items() if code not in (PASSED, FAILED)]
    word = "survived" if passed else "broken" if unjudged else "killed"
    return Outcome(word, ", ".join(passed or unjudged), round(time.monotonic() - began, 1))


def _pytest(copy: Path, arguments: list[str], seconds: float) -> tuple[int, str]:
    """The exit code and the last words of pytest; a test that never ends is one that fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "90", *arguments]
    caches = copy / ".caches"
    environment = {**os.environ, "PYTHONPATH": str(copy), "XDG_CACHE_HOME": str(caches)}
    shutil.rmtree(caches, ignore_errors=True)
    process = subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return FAILED, said.decode(errors="replace")[-2000:]
    return process.returncode, said.decode(errors="replace")[-2000:]


def _told(found: dict[str, Outcome | None]) -> int:
    """The table; 1 when a fault survived, says nothing, or was not tried."""
    outcomes = {name: outcome or Outcome("not tried", "", 0.0) for name, outcome in found.items()}
    print(f"\n{'fault':<72}  {'outcome':<9}  tests that did not fail")
    for name, outcome in outcomes.items():
        print(f"{name:<72}  {outcome.word:<9}  {outcome.told}")
    words = [outcome.word for outcome in outcomes.values()]
    print("\n" + ", ".join(f"{words.count(word)} {word}" for word in sorted({*words, "killed", "survived"})))
    return int(words != ["killed"] * len(words))


if __name__ == "__main__":
    sys.exit(main())
