"""How a run's answer is told: its documents, its files, and on a terminal the words around them (S5.1)."""

import sys
from typing import NamedTuple

from workermd.protocol.envelope import Document, encoded
from workermd.protocol.errors import WorkermdError
from workermd.report import say
from workermd.report.outputs import Output
from workermd.runner.answers import Answered


class Telling(NamedTuple):
    """What a call wants of an answer: `envelope` prints it instead of the output; files are paths, or empty."""

    quiet: bool = False
    envelope: bool = False
    output_file: str = ""
    envelope_file: str = ""
    reports: tuple[Output, ...] = ()


def tell(answered: Answered, telling: Telling, max_attempts: int) -> None:
    """Write the files, then print, then say. Raises OutputUnwritable once everything that can be told is told."""
    failures: list[WorkermdError] = []
    if telling.output_file:
        _write(telling.output_file, answered.output, failures)
    if telling.envelope_file:
        _write(telling.envelope_file, encoded(answered.envelope), failures)
    for report in telling.reports:
        from workermd.report.run_reports import FORMATS

        _write(report.path, FORMATS[report.format](answered.envelope), failures)
    once = not telling.quiet and "error" in answered.envelope and not telling.envelope and say.is_terminal()
    try:
        if telling.envelope:
            say.document(encoded(answered.envelope))
        elif not telling.output_file and not once:
            say.document(answered.output)
    except WorkermdError as error:
        failures.append(error)
    if not telling.quiet:
        _say(answered.envelope, max_attempts)
    for failure in failures[1:]:
        say.error(failure)
    if failures:
        raise failures[0]


def _write(path: str, data: bytes, failures: list[WorkermdError]) -> None:
    from workermd.system import files

    try:
        files.write(path, data)
    except WorkermdError as error:
        failures.append(error)


def _say(envelope: Document, max_attempts: int) -> None:
    if envelope.get("replayed"):
        say.note("replayed: this run was settled before; no attempt was started")
    for line in envelope.get("notes", ()):
        say.note(line)
    if "error" in envelope:
        error = envelope["error"]
        hint = f"; {error['hint']}" if "hint" in error else ""
        say.note(f"{envelope['status']}: {error['message']} [{error['code']}]{hint}")
    elif sys.stderr.isatty() and "observability" in envelope and not envelope.get("replayed"):
        say.note(closing(envelope, max_attempts))


def closing(envelope: Document, max_attempts: int) -> str:
    """`ok, attempt 1 of 2, 5.1 s`: the end of a good run, for whoever watched it."""
    seen = envelope["observability"]
    most = max(max_attempts, seen["attempt"])  # a reopened run has more than its contract grants
    return f"{envelope['status']}, attempt {seen['attempt']} of {most}, {seen['duration_ms'] / 1000:.1f} s"
