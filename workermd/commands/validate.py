"""`workermd validate`: read contracts, and documents against them, and report what is wrong."""

import glob
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.commands.run import read_contract, read_input, read_stdin
from workermd.contract import instance
from workermd.contract.model import Reading
from workermd.contract.problems import SUFFIX
from workermd.contract.reader import read
from workermd.envelope import EXIT_FINDINGS, EXIT_UNUSABLE
from workermd.errors import UsageError, WorkermdError
from workermd.finding import Finding, has_errors, ordered
from workermd.report import machine, say, text


class Checked(NamedTuple):
    """What was looked at: how many files, what was found, the texts to quote, and why others were not looked at."""

    files: int
    findings: tuple[Finding, ...]
    sources: dict[str, str]
    unchecked: tuple[WorkermdError, ...]


def execute(values: dict[str, Any]) -> int:
    """0 without errors, 1 with some, 2 when anything could not be checked. Warnings alone are 0."""
    if [values["input"], values["output_file"], *values["paths"]].count("-") > 1:
        raise UsageError("standard input can be read once, but '-' is given twice", "name a file for one of them")
    readings, unread = _readings(values["paths"])
    documents = [(values["input"], "input"), (values["output_file"], "output")]
    documents = [each for each in documents if each[0]]
    if documents and len(readings) + len(unread) > 1:
        count = len(readings) + len(unread)
        raise UsageError(f"a document is checked against one contract, found {count}", "name one file")
    checked = Checked(
        len(readings),
        tuple(finding for reading in readings for finding in reading.findings),
        {reading.path: reading.text for reading in readings},
        tuple(unread),
    )
    for path, side in documents:
        checked = _with_document(checked, path, side, readings[0] if readings else None)
    checked = checked._replace(findings=ordered(checked.findings))
    _report(checked, values)
    if checked.unchecked:
        return EXIT_UNUSABLE
    failed = has_errors(checked.findings) and not values["exit_zero"]
    return EXIT_FINDINGS if failed else 0


def _readings(paths: list[str]) -> tuple[list[Reading], list[WorkermdError]]:
    """Everything that the paths mean. One that cannot be read hides no finding of the others."""
    readings: list[Reading] = []
    unread: list[WorkermdError] = []
    for path in _each_once(paths):
        try:
            if isinstance(path, WorkermdError):
                raise path
            if path == "-":
                readings.append(read(read_stdin("the contract is '-'", "workermd validate -"), path))
            else:
                readings.append(read(*read_contract(path)))
        except WorkermdError as error:
            unread.append(error)
    return readings, unread


def _with_document(checked: Checked, path: str, side: str, reading: Reading | None) -> Checked:
    """`--input` and `--output-file`: a document held against one side of the contract."""
    try:
        if reading is None or reading.contract is None:
            raise UsageError(f"{path}: not checked, because the contract cannot be used", "mend the contract first")
        contract = reading.contract
        schema, draft = (
            (contract.input_schema, contract.input_draft)
            if side == "input"
            else (contract.output_schema, contract.output_draft)
        )
        source, found = instance.check(read_input(path, f"workermd validate {reading.path} … -"), path, schema, draft)
    except WorkermdError as error:
        return checked._replace(unchecked=(*checked.unchecked, error))
    return checked._replace(
        files=checked.files + 1, findings=(*checked.findings, *found), sources={**checked.sources, path: source}
    )


def _each_once(paths: list[str]) -> Iterator[str | WorkermdError]:
    """The files that the arguments mean, each once, in order; an error for what means none."""
    seen: set[str] = set()
    for path in paths:
        for name in _expanded(path):
            if isinstance(name, WorkermdError):
                yield name
            elif (place := os.path.abspath(name)) not in seen:
                seen.add(place)
                yield name


def _expanded(path: str) -> list[str | WorkermdError]:
    if os.path.isdir(path):
        return _searched(path) or [UsageError(f"{path}: holds no *{SUFFIX}", "name a file, or a folder that has one")]
    if path == "-" or os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    found: list[str | WorkermdError] = []
    for name in sorted(glob.glob(path, recursive=True)):
        found += _searched(name) if os.path.isdir(name) else [name]
    return found or [UsageError(f"{path}: matches no file", "check the pattern")]


def _searched(root: str) -> list[str | WorkermdError]:
    """The contracts below a folder, sorted; folders such as .git and .venv are left out."""
    found: list[str] = []
    unread: list[WorkermdError] = []

    def note(error: OSError) -> None:
        message = f"{error.filename}: the folder cannot be searched ({error.strerror})"
        unread.append(UsageError(message, "check its permissions"))

    for folder, folders, names in os.walk(root, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if name.endswith(SUFFIX)]
    return [*sorted(found), *unread]


def _report(checked: Checked, values: dict[str, Any]) -> None:
    if values["format"] == "json":
        say.document(machine.findings(checked.findings, checked.files, checked.unchecked))
    else:
        say.text(text.findings(checked.findings, checked.sources))
    for error in checked.unchecked:
        say.error(error)
    if not values["quiet"]:
        errors = sum(finding.severity == "error" for finding in checked.findings)
        warnings = len(checked.findings) - errors
        sys.stderr.write(text.summary(errors, warnings, checked.files, len(checked.unchecked)))
