"""Which rules are wanted: codes or beginnings of codes, from the command line and the configuration."""

from collections.abc import Iterable
from typing import NamedTuple

from workermd.contract.problems import nearest
from workermd.contract.rules import RULES
from workermd.protocol.errors import UsageError


class Selection(NamedTuple):
    """A rule is wanted when a word of `select` begins its code (or there is none) and no word of `ignore` does."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def has(self, code: str) -> bool:
        return (not self.select or code.startswith(self.select)) and not code.startswith(self.ignore)


def configured(select: Iterable[str], ignore: Iterable[str], origin: str) -> Selection:
    """What the table [lint] of the configuration `origin` chooses. Raises UsageError."""
    place = f"{origin}: [lint]"
    return Selection(codes(select, f"{place} select"), codes(ignore, f"{place} ignore"))


def codes(given: Iterable[str], origin: str) -> tuple[str, ...]:
    """`WM1,WM203` and the like, each word the beginning of a code. Raises UsageError for one that is none."""
    words = [word.strip().upper() for each in given for word in each.split(",") if word.strip()]
    for word in words:
        if len(word) < len("WM") or not any(code.startswith(word) for code in RULES):
            raise UsageError(f"{origin}: no rule's code is or begins with {word[:40]!r}", nearest_code(word))
    return tuple(words)


def nearest_code(word: str) -> str:
    """What to do about a code that does not exist."""
    near = nearest(word, RULES, 0.6)
    return f"did you mean {near}? docs/rules.md lists all" if near else "docs/rules.md lists all"
