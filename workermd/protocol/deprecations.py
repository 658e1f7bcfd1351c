"""What goes away: it works and warns for one minor version, the one that deprecated it, and is gone in the next."""

from typing import NamedTuple


class Deprecation(NamedTuple):
    """`since` is the version, as `major.minor`, whose changelog says so first; `instead` is what to write now."""

    what: str
    since: str
    instead: str

    @property
    def gone_in(self) -> str:
        major, minor = map(int, self.since.split("."))
        return f"{major}.{minor + 1}"

    @property
    def warning(self) -> str:
        """One line for whoever still uses it."""
        return f"{self.what}; version {self.gone_in} will refuse it: {self.instead}"


OUTPUT_OF_VALIDATE = Deprecation(
    "--output FORMAT=FILE is deprecated", "0.1", "write --report FORMAT=FILE, or --format FORMAT to print"
)
WITHOUT_PURPOSE = Deprecation(
    "the contract has no purpose, so the task is told none",
    "0.1",
    "add a paragraph `Purpose: ...` to the contract; see: workermd rule WM713",
)

DEPRECATIONS = (OUTPUT_OF_VALIDATE, WITHOUT_PURPOSE)
