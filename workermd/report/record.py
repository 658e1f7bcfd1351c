"""What every format of `validate` is given: what was checked, what was found, what could not be checked."""

from collections.abc import Mapping
from typing import NamedTuple

from workermd.contract.rules import RULES, Rule
from workermd.protocol.errors import WorkermdError
from workermd.protocol.finding import Finding


class Report(NamedTuple):
    """`sources` holds the text of every file that was checked, by its path, in the order of checking.

    `findings` are in order; each of their codes is in `rules`. `unchecked` says why other paths were not looked at.
    """

    sources: Mapping[str, str]
    findings: tuple[Finding, ...]
    unchecked: tuple[WorkermdError, ...]
    rules: Mapping[str, Rule] = RULES

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        return sum(finding.severity == "warning" for finding in self.findings)

    @property
    def notes(self) -> int:
        """Findings of level info."""
        return len(self.findings) - self.errors - self.warnings


def count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def sentence(error: WorkermdError) -> str:
    """Why a path could not be checked, and the next step."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def of_finding(finding: Finding) -> str:
    """The message with its hint, as one text."""
    return f"{finding.message}. {finding.hint}" if finding.hint else finding.message
