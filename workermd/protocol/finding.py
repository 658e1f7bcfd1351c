"""One record for everything that is wrong with a file, and its order."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


class Finding(NamedTuple):
    """Something wrong at a place of a file.

    `line` and `column` count from 1, in code points; `end_column` is the first column after the
    marked text on that line (equal to `column` when the place is a point). `message` quotes what was
    found and names what is allowed; `hint` says what to do next and may be empty.
    """

    path: str
    line: int
    column: int
    end_column: int
    severity: Severity
    code: str
    message: str
    hint: str = ""


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by place, then code, without repeats: the one order of every report."""
    return tuple(sorted(set(findings)))


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)
