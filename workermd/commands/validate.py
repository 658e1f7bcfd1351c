"""`workermd validate`: read contracts, and documents against them, and report what is wrong."""

import glob
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.commands.run import read_file, read_input
from workermd.contract import instance
from workermd.contract.model import Reading
from workermd.contract.problems import SUFFIX
from workermd.contract.reader import read
from workermd.envelope import EXIT_FINDINGS
from workermd.errors import UsageError
from workermd.finding import Finding, has_errors, ordered
from workermd.report import machine, say, text


class Checked(NamedTuple):
    """What was looked at: how many files, what was found, and the texts to quote."""

    files: int
    findings: tuple[Finding, ...]
    sources: dict[str, str]


def execute(values: dict[str, Any]) -> int:
    """0 without errors, 1 with some, 2 when nothing was checked. Warnings alone are 0."""
    paths = list(_files(values["paths"]))
    if not paths:
        raise UsageError(
            f"nothing to check: no *{SUFFIX} below {', '.join(values['paths'])}", "name a file or a folder that has one"
        )
    readings = [_reading(path) for path in paths]
    checked = _documents(readings, values) if values["input"] or values["output_file"] else _contracts(readings)
    _report(checked, values)
    failed = has_errors(checked.findings) and not values["exit_zero"]
    return EXIT_FINDINGS if failed else 0


def _files(paths: list[str]) -> Iterator[str]:
    """The files that the arguments mean, each once, in order. Raises UsageError for one that means none."""
    seen: set[str] = set()
    for path in paths:
        for name in _expanded(path):
            if name not in seen:
                seen.add(name)
                yield name


def _expanded(path: str) -> list[str]:
    if os.path.isdir(path):
        return _searched(path)
    if path != "-" and not os.path.exists(path) and glob.has_magic(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not found:
            raise UsageError(f"{path}: matches no file", "check the pattern")
        return found
    return [path]


def _searched(root: str) -> list[str]:
    """The contracts below a folder; folders such as .git and .venv are left out."""
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if name.endswith(SUFFIX)]
    return sorted(found)


def _reading(path: str) -> Reading:
    if path == "-":
        return read(sys.stdin.buffer.read(), "-")
    return read(read_file(path), path)


def _contracts(readings: list[Reading]) -> Checked:
    findings = ordered(finding for reading in readings for finding in reading.findings)
    return Checked(len(readings), findings, {reading.path: reading.text for reading in readings})


def _documents(readings: list[Reading], values: dict[str, Any]) -> Checked:
    """`--input` and `--output-file`: the one contract named, then the documents against it."""
    if len(readings) != 1:
        raise UsageError(f"a document is checked against one contract, not {len(readings)}", "name one file")
    reading = readings[0]
    checked = _contracts(readings)
    if reading.contract is None:
        return checked
    contract = reading.contract
    sides = (
        (values["input"], contract.input_schema, contract.input_draft),
        (values["output_file"], contract.output_schema, contract.output_draft),
    )
    for path, schema, draft in sides:
        if path:
            source, found = instance.check(read_input(path, reading.path), path, schema, draft)
            checked = Checked(
                checked.files + 1, ordered((*checked.findings, *found)), {**checked.sources, path: source}
            )
    return checked


def _report(checked: Checked, values: dict[str, Any]) -> None:
    if values["format"] == "json":
        say.document(machine.findings(checked.findings, checked.files))
        return
    say.text(text.findings(checked.findings, checked.sources))
    if not values["quiet"]:
        errors = sum(finding.severity == "error" for finding in checked.findings)
        sys.stderr.write(text.summary(errors, len(checked.findings) - errors, checked.files))
