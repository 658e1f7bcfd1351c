"""Deliberate faults: a text of the package, another in its place, and the tests that must go red."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

FOLDER = Path(__file__).parent / "faults"


class Unusable(Exception):
    """A fault that says nothing any more: its text has moved on."""


class Fault(NamedTuple):
    """`old` stands exactly once in `file` (relative to the project); each of `tests` fails with `new` there."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, source: str) -> str:
        if source.count(self.old) != 1 or self.old == self.new:
            found = source.count(self.old)
            raise Unusable(f"{self.name}: {self.file} has the old text {found} times, not once; adapt the fault to it")
        return source.replace(self.old, self.new)


def load() -> list[Fault]:
    """All faults, room by room, in the order of their files."""
    return [
        Fault(f"{path.stem}: {row['name']}", row["file"], row["old"], row["new"], tuple(row["tests"]))
        for path in sorted(FOLDER.glob("*.toml"))
        for row in tomllib.loads(path.read_text())["fault"]
    ]


def source_of(fault: Fault) -> str:
    return (ROOT / fault.file).read_text()
