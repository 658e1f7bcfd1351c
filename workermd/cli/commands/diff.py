"""`workermd diff`: what changed in meaning between two versions of a contract."""

import sys
from typing import NamedTuple

from workermd.cli.documents import stdin_bytes
from workermd.contract import revision
from workermd.contract.diff import Difference, difference
from workermd.contract.model import Reading
from workermd.contract.reader import read
from workermd.protocol.envelope import EXIT_FINDINGS
from workermd.protocol.errors import ContractUnusable, UsageError
from workermd.registry.contract_files import contract_named
from workermd.report import changes, outputs


class DiffOptions(NamedTuple):
    old: str
    new: str
    format: str
    report: list[str]
    fail_on: str
    exit_zero: bool
    quiet: bool


def execute(options: DiffOptions) -> int:
    """0 clean, 1 by `--fail-on`; an unreadable or unusable contract is ContractUnusable (2)."""
    if options.old == options.new == "-":
        raise UsageError("both contracts are '-', but standard input is one file", "name a file for one of them")
    wanted = outputs.outputs(options.format, options.report, changes.FORMATS)
    found = difference(_reading(options.old), _reading(options.new))
    _report(found, wanted, options)
    failed = _fails(found, options.fail_on) and not options.exit_zero
    return EXIT_FINDINGS if failed else 0


def _fails(found: Difference, on: str) -> bool:
    if on == "any":
        return bool(found.changes)
    if on == "breaking":
        return any(change.requires == "major" for change in found.changes)
    return found.is_bump_missing and (on == "missing-bump" or found.required == "major")


def _reading(name: str) -> Reading:
    if name == "-":
        data = stdin_bytes("the contract is '-'", "workermd diff -")
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


def _report(found: Difference, wanted: tuple[outputs.Output, ...], options: DiffOptions) -> None:
    outputs.deliver(
        wanted,
        lambda name: changes.FORMATS[name](found),
        printed=lambda name: (
            changes.as_text(found).encode("utf-8", "replace") if name == "text" else changes.FORMATS[name](found)
        ),
        read=(options.old, options.new),
    )
    if not options.quiet:
        sys.stderr.write(changes.summary(found))
