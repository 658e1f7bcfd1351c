"""The formats of `validate`, in one table, and where each of them goes."""

import os
from collections.abc import Callable
from typing import NamedTuple

from workermd.protocol.errors import UsageError, WorkermdError
from workermd.report import github, jsonlines, junit, machine, markdown, sarif, say, text
from workermd.report.record import Report
from workermd.system import files

FORMATS: dict[str, Callable[[Report], bytes]] = {
    "text": text.whole,
    "json": machine.of_report,
    "jsonl": jsonlines.of_report,
    "sarif": sarif.of_report,
    "github": github.of_report,
    "junit": junit.of_report,
    "markdown": markdown.of_report,
}
"""Each shows findings and what could not be checked; none of them reads as clean when something was not."""

STDOUT = "-"


class Output(NamedTuple):
    """One format and the file that it goes to; `-` is standard output."""

    format: str
    path: str


def outputs(printed: str | None, wanted: list[str]) -> tuple[Output, ...]:
    """What `--format` and every `--output FORMAT=FILE` ask for. Text is printed where nothing else is.

    Raises UsageError for an unknown format and for a file that is wanted twice.
    """
    found = [_output(each) for each in wanted]
    if printed is not None or all(output.path != STDOUT for output in found):
        found.insert(0, Output(printed or "text", STDOUT))
    seen: set[str] = set()
    for output in found:
        place = output.path if output.path == STDOUT else os.path.realpath(output.path)
        if place in seen:
            what = "standard output is" if place == STDOUT else f"{output.path}: the file is"
            raise UsageError(f"{what} asked for by two outputs", "give each format a file of its own")
        seen.add(place)
    return tuple(found)


def _output(wanted: str) -> Output:
    name, sign, path = wanted.partition("=")
    if not sign or not path:
        raise UsageError(f"--output: found {wanted[:40]!r}", "write FORMAT=FILE, such as sarif=report.sarif")
    if name not in FORMATS:
        raise UsageError(f"--output: found the format {name[:40]!r}", f"allowed: {', '.join(FORMATS)}")
    return Output(name, path)


def deliver(report: Report, wanted: tuple[Output, ...]) -> None:
    """Write every file, then print. Raises UsageError before anything is written, OutputUnwritable after the rest.

    Standard output has the findings alone in the format text: the rest is said on standard error.
    """
    checked = {os.path.realpath(path) for path in report.sources}
    for output in wanted:
        if output.path != STDOUT and os.path.realpath(output.path) in checked:
            raise UsageError(f"{output.path}: a report would replace a file that was checked", "name another file")
    failures: list[WorkermdError] = []
    for output in sorted(wanted, key=lambda each: each.path == STDOUT):
        try:
            _write(report, output)
        except WorkermdError as error:
            failures.append(error)
    for failure in failures[1:]:
        say.error(failure)
    if failures:
        raise failures[0]


def _write(report: Report, output: Output) -> None:
    if output.path != STDOUT:
        files.write(output.path, FORMATS[output.format](report))
    elif output.format == "text":
        say.text(text.findings(report.findings, report.sources))
    else:
        say.document(FORMATS[output.format](report))
