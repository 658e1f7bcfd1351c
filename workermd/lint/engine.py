"""Runs the rules over a reading, leaves out what is not wanted, and puts the rest in order."""

from collections.abc import Iterable
from typing import NamedTuple

from workermd.contract.model import Reading
from workermd.contract.problems import Problems
from workermd.lint import ignores
from workermd.lint.checks import CHECKS
from workermd.lint.folder import FOLDER_CODES
from workermd.lint.rule import Check
from workermd.lint.secrets import unquoted
from workermd.lint.selection import Selection
from workermd.lint.subject import Fault, Fix, Subject
from workermd.protocol.finding import Finding, ordered

EVERYTHING = Selection()

_UNSEEN = "WM903"
"""The rule about characters that nobody sees: not told again where they are named as the cause of an error."""


class Linted(NamedTuple):
    """`findings` of reading and of the rules, ordered. `fixes` are the safe ones of what is listed."""

    findings: tuple[Finding, ...]
    fixes: tuple[Fix, ...]


def lint(reading: Reading, selection: Selection = EVERYTHING, *, checks: Iterable[Check] = CHECKS) -> Linted:
    """Everything wanted that is wrong with a contract.

    What makes a contract unusable is always listed: no selection and no ignore makes such a file look clean.
    """
    subject = Subject(reading)
    problems = Problems(reading.path, subject.lines)
    fixes: list[Fix] = []
    found = {finding.code for finding in reading.findings if finding.severity != "error"}
    listed, faulty = ignores.find(subject)
    ignored = {ignore.code for ignore in listed}

    def add(code: str, faults: Iterable[Fault]) -> None:
        for fault in faults:
            problems.add(code, fault.span, fault.message, fault.hint)
            if fault.edits:
                fixes.append(Fix(code, fault.span, fault.hint, fault.edits))

    for check in checks:
        if (check.whole and reading.contract is None) or not selection.has(check.code):
            continue
        if check.code in ignored:
            if any(True for _ in check.find(subject)):
                found.add(check.code)
        else:
            add(check.code, check.find(subject))
    if selection.has(ignores.FAULTY):
        add(ignores.FAULTY, faulty)
    if selection.has(ignores.UNUSED) and reading.contract is not None:
        decided = [each for each in listed if selection.has(each.code) and each.code not in FOLDER_CODES]
        add(ignores.UNUSED, (ignores.unused(each) for each in decided if each.code not in found))
    kept = [
        finding
        for finding in reading.findings
        if finding.severity == "error" or (selection.has(finding.code) and finding.code not in ignored)
    ]
    found_by_rules = problems.findings()
    told = (*reading.findings, *(each for each in found_by_rules if each.code != _UNSEEN))
    named = {each.line for each in told if each.severity == "error" and "U+" in each.message}
    rest = [each for each in found_by_rules if each.code != _UNSEEN or each.line not in named]
    return Linted(unquoted(ordered([*kept, *rest]), reading.text), tuple(fixes))
