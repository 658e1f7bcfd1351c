"""Take rules out of a copy of workermd, one at a time, and see the kit's cases turn red.

    python -m tests.testing.conformance.ablation [--whole] [WORD …]

Only the cases that must turn red are tried; --whole tries the whole kit each time, and prints all that turned red. The
exit code is 1 where a case stayed green.
"""

import argparse
import shutil
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import ROOT
from tests.mutants.faults import Fault
from workermd.testing.conformance import cases, conduct, runtime

FILE = Path(__file__).parent / "ablations.toml"


def load() -> list[Fault]:
    """The faults; what must go red are cases of the kit."""
    rows = tomllib.loads(FILE.read_text())["fault"]
    return [Fault(row["name"], row["file"], row["old"], row["new"], tuple(row["cases"])) for row in rows]


def red(fault: Fault, folder: Path, names: Iterable[str], patience: float = 1.0) -> list[str]:
    """The cases among these that fail with the fault in the copy of the package in `folder`."""
    place = folder / fault.file
    source = place.read_text()
    place.write_text(fault.applied(source))
    ours = runtime.load(runtime.OURS)
    ours = ours._replace(environment=ours.environment | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        chosen = [case for case in cases.load() if case.id in set(names)]
        tried = [*conduct.conduct(chosen, ours, jobs=2, patience=patience)]
        return [result.case.id for result in tried if result.word == "failed"]
    finally:
        place.write_text(source)


def copied(folder: Path) -> Path:
    """The package as it stands, without its compiled modules."""
    shutil.copytree(ROOT / "workermd", folder / "workermd", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.testing.conformance.ablation", description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--whole", action="store_true", help="try the whole kit with each fault")
    options = parser.parse_args()
    faults = [fault for fault in load() if not options.words or any(word in fault.name for word in options.words)]
    whole = [case.id for case in cases.load()]
    missed: list[str] = []
    turned: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        for fault in faults:
            found = red(fault, folder, whole if options.whole else fault.tests)
            missed += (green := [each for each in fault.tests if each not in found])
            turned.update(found)
            print(
                f"{fault.name}: red {', '.join(found) or 'none'}{'; still green ' if green else ''}{', '.join(green)}",
                flush=True,
            )
    print(f"{len(faults)} rules taken out, {len(turned)} cases red, {len(missed)} that should be red are green")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
