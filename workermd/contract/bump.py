"""Versions of contracts: which bump was made, and whether it says enough."""

import re
from typing import Literal, NamedTuple

Bump = Literal["none", "patch", "minor", "major"]

BUMPS: tuple[Bump, ...] = ("none", "patch", "minor", "major")
"""In order: each says all that those before it say."""

_VERSION = re.compile(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:-(.+))?")


class Version(NamedTuple):
    """`before` is the pre-release, "" for a release. `1.0` is `1.0.0`."""

    major: int
    minor: int
    patch: int
    before: str

    @property
    def order(self) -> tuple[object, ...]:
        """Precedence by Semantic Versioning: a pre-release stands before its release, numbers before words."""
        words = self.before.split(".") if self.before else []
        ranks = tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words)
        return (self.major, self.minor, self.patch, not self.before, ranks)


def parsed(text: str) -> Version:
    """A version that the reader of contracts let pass. Raises ValueError for other text."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError("no version")
    return Version(int(found[1]), int(found[2]), int(found[3] or 0), found[4] or "")


def made(old: str, new: str) -> Bump:
    """The bump between two versions; none for the same one and for going back.

    Below 1.0.0 nothing is promised, and the second number does what the first does later: 0.1 to 0.2 is
    major, 0.1.0 to 0.1.1 minor. From a pre-release on it is the bump that the pre-release stands before.
    """
    was, now = parsed(old), parsed(new)
    if now.order <= was.order:
        return "none"
    if now.major != was.major:
        return "major"
    if now.minor != was.minor:
        return "minor" if was.major else "major"
    if now.patch != was.patch:
        return "patch" if was.major else "minor"
    step: Bump = "patch" if now.patch else "minor" if now.minor else "major"
    return step if was.major else BUMPS[min(BUMPS.index(step) + 1, 3)]


def suffices(made_bump: Bump, needed: Bump) -> bool:
    return BUMPS.index(made_bump) >= BUMPS.index(needed)
