"""What an earlier revision's suite tried, and this one's does not: after tests have moved, been merged or been made fewer.

    python -m tests.kept REVISION

A test is known by its name and its parameters, wherever it stands now. Three lists: names that are gone; names with fewer
cases than before; rules of `docs/spec.md` that fewer tests prove. Each line is to be explained, or its test put back.
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


def collecting(checkout: Path) -> "subprocess.Popen[str]":
    words = ["--collect-only", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *words], cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )  # fmt: skip


def collected(process: "subprocess.Popen[str]") -> Counter[str]:
    """How many cases each test function has, by its name."""
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        sys.exit(f"kept: pytest --collect-only in this environment took more than {LONGEST} s; is the machine busy?")
    for line in re.findall(r"^ERROR .*$", said, re.MULTILINE):
        print(f"cannot be collected here: {line}")
    found = Counter(re.findall(r"^tests/\S+?\.py::(\w+)", said, re.MULTILINE))
    if not found:
        sys.exit(f"kept: pytest --collect-only found no test: {said[-500:]}")
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


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("kept: name one revision of Git: python -m tests.kept REVISION")
    with checked_out(sys.argv[1]) as before:
        then, now = collecting(before), collecting(ROOT)  # side by side
        lost = told("cases", collected(then), collected(now)) + told("proofs", proved(before), proved(ROOT))
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
