"""What an earlier checkout's suite tried, and this one's does not: after tests have moved, been merged or been made fewer.

    git worktree add ../before REVISION, with an environment in its .venv
    python -m tests.kept ../before

A test is known by its name and its parameters, wherever it stands now. Three lists: names that are gone; names with fewer
cases than before; rules of `docs/spec.md` that fewer tests prove. Each line is to be explained, or its test put back.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT


def collected(checkout: Path) -> Counter[str]:
    """How many cases each test function has, by its name."""
    said = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=checkout, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return Counter(re.findall(r"^tests/\S+?\.py::(\w+)", said, re.MULTILINE))


def proved(checkout: Path) -> Counter[str]:
    """How many tests prove each rule, by the page of the checkout."""
    page = checkout / "docs" / "rules-proved.md"
    rows = (
        re.findall(r"^\| (S\d+\.\d+) \| `[^`]+` \| (.*) \|$", page.read_text(), re.MULTILINE) if page.exists() else []
    )
    return Counter(rule for rule, tests in rows for _ in tests.split(", "))


def main() -> int:
    before = Path(sys.argv[1]).resolve()
    lost = 0
    for what, count in (("cases", collected), ("proofs", proved)):
        then, now = count(before), count(ROOT)
        fewer = {name: number for name, number in then.items() if now[name] < number}
        print(f"{what}: {then.total()} before, {now.total()} now; {len(fewer)} names of {len(then)} have fewer")
        for name, number in fewer.items():
            print(f"  {name}: {number} before, {now[name] or 'none'} now")
        lost += len(fewer)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
