"""`workermd diff`: what changed in meaning between two versions of a contract."""

import sys
from typing import Any

from workermd.cli.commands.files import contract_named
from workermd.contract import revision
from workermd.contract.diff import Difference, difference
from workermd.contract.model import Reading
from workermd.contract.reader import read
from workermd.protocol.envelope import EXIT_FINDINGS
from workermd.protocol.errors import ContractUnusable, UsageError
from workermd.report import changes, say


def execute(values: dict[str, Any]) -> int:
    """0 clean, 1 by `--fail-on`; an unreadable or unusable contract is ContractUnusable (2)."""
    if values["old"] == values["new"] == "-":
        raise UsageError("both contracts are '-', but standard input is one file", "name a file for one of them")
    found = difference(_reading(values["old"]), _reading(values["new"]))
    _report(found, values)
    failed = _fails(found, values["fail_on"]) and not values["exit_zero"]
    return EXIT_FINDINGS if failed else 0


def _fails(found: Difference, on: str) -> bool:
    if on == "any":
        return bool(found.changes)
    if on == "breaking":
        return any(change.requires == "major" for change in found.changes)
    return found.is_bump_missing and (on == "missing-bump" or found.required == "major")


def _reading(name: str) -> Reading:
    if name == "-":
        data = sys.stdin.buffer.read()
    elif name.startswith(revision.PREFIX):
        data = revision.read(name)
    else:
        data, name = contract_named(name)
    reading = read(data, name)
    if reading.contract is None:
        errors = tuple(finding for finding in reading.findings if finding.severity == "error")
        raise ContractUnusable(
            f"{name}: cannot be compared: it has errors", "correct them; see above", errors, reading.text
        )
    return reading


def _report(found: Difference, values: dict[str, Any]) -> None:
    if values["format"] == "json":
        say.document(changes.as_json(found))
    elif values["format"] == "sarif":
        say.document(changes.as_sarif(found))
    elif values["format"] == "markdown":
        say.text(changes.as_markdown(found))
    else:
        say.text(changes.as_text(found))
    if not values["quiet"]:
        sys.stderr.write(changes.summary(found))
