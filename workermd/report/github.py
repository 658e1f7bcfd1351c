"""Findings as GitHub workflow commands: lines that a workflow's log shows as annotations of a change."""

from workermd.protocol.finding import Finding, Severity
from workermd.report.record import Report, of_finding, sentence
from workermd.system.text import printable

_COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def of_report(report: Report) -> bytes:
    """One command a line; what could not be checked is an error without a place."""
    lines = [_annotation(finding) for finding in report.findings]
    unchecked = [
        command("error", f"could not be checked ({error.code})", sentence(error)) for error in report.unchecked
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace") + b"".join(unchecked)


def command(kind: str, title: str, text: str) -> bytes:
    """An annotation without a place."""
    return f"::{kind} title={_property(title)}::{_data(text)}\n".encode("utf-8", "replace")


def _annotation(finding: Finding) -> str:
    """A column behind the line's last character would be refused: a point is marked as one column."""
    path = finding.path
    while path.startswith("./"):  # the name that the repository knows
        path = path[2:]
    place = f"file={_property(path)},line={finding.line},col={finding.column}"
    if finding.end_column > finding.column:
        place += f",endColumn={finding.end_column}"
    return f"::{_COMMANDS[finding.severity]} {place},title={_property(finding.code)}::{_data(of_finding(finding))}"


def _data(text: str) -> str:
    return printable(text.translate(_DATA))


def _property(text: str) -> str:
    return printable(text.translate(_PROPERTY))
