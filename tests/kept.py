"""What an earlier revision's suite tried, and this one's does not: after tests have moved, been merged or been made fewer.

    python -m tests.kept REVISION

A test is known by its name and its parameters, wherever it stands now. `make test` and `make deep` count together. Four lists:
names that are gone; names with fewer cases than before; rules of `docs/spec.md` that fewer tests prove; rules that no case
of `make test` alone proves. Each line is to be explained, or its test put back.
The revision is taken from Git and collected by this environment; a module of tests that this environment cannot import is
told. Each collection ends after `LONGEST` seconds.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.rules_proved import proofs

LONGEST = 300


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The files of a revision in a folder of their own, without a `.git` and without an environment."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.tar"
        subprocess.run(["git", "archive", "--output", archive, revision], cwd=ROOT, check=True)
        checkout = Path(folder) / "checkout"
        checkout.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", checkout], check=True)
        yield checkout


EVERYTHING = ("-m", "deep or not deep")


def collecting(checkout: Path, *chosen: str) -> "subprocess.Popen[str]":
    words = ["--collect-only", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", *chosen]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *words], cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )  # fmt: skip


def collected(process: "subprocess.Popen[str]") -> Counter[tuple[str, str]]:
    """How many cases each test function has, by its file and name."""
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        sys.exit(f"kept: pytest --collect-only in this environment took more than {LONGEST} s; is the machine busy?")
    for line in re.findall(r"^ERROR .*$", said, re.MULTILINE):
        print(f"cannot be collected here: {line}")
    found = Counter(re.findall(r"^(tests/\S+?\.py)::(\w+)", said, re.MULTILINE))
    if not found:
        sys.exit(f"kept: pytest --collect-only found no test: {said[-500:]}")
    return found


def by_name(cases: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, name), number in cases.items():
        found[name] += number
    return found


def proved(checkout: Path) -> Counter[str]:
    """How many tests prove each rule, by the page of the checkout."""
    page = checkout / "docs" / "rules-proved.md"
    rows = (
        re.findall(r"^\| (S\d+\.\d+) \| `[^`]+` \| (.*) \|$", page.read_text(), re.MULTILINE) if page.exists() else []
    )
    return Counter(rule for rule, tests in rows for _ in tests.split(", "))


def told(what: str, then: Counter[str], now: Counter[str]) -> int:
    """Print what has become fewer; how many names it is."""
    fewer = {name: number for name, number in then.items() if now[name] < number}
    print(f"{what}: {then.total()} before, {now.total()} now; {len(fewer)} names of {len(then)} have fewer")
    for name, number in fewer.items():
        print(f"  {name}: {number} before, {now[name] or 'none'} now")
    return len(fewer)


def told_of_daily(cases: Counter[tuple[str, str]]) -> int:
    """Print which rules no case of `make test` alone proves; how many they are."""
    every = proofs()
    bare = [
        rule
        for rule, files in every.items()
        if not any((file, test) in cases for file, tests in files.items() for test in tests)
    ]
    print(f"rules proved by make test alone: {len(every) - len(bare)} of {len(every)}; its cases: {cases.total()}")
    for rule in bare:
        print(f"  {rule}: none")
    return len(bare)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("kept: name one revision of Git: python -m tests.kept REVISION")
    with checked_out(sys.argv[1]) as before:
        then, now = collecting(before, *EVERYTHING), collecting(ROOT, *EVERYTHING)  # side by side
        lost = told("cases", by_name(collected(then)), by_name(collected(now)))
        lost += told("proofs", proved(before), proved(ROOT))
        lost += told_of_daily(collected(collecting(ROOT)))
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
