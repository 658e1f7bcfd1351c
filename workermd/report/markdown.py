"""Findings as Markdown: a comment for a pull request, or the summary of a job."""

from workermd.report import text
from workermd.report.record import Report, of_finding, sentence
from workermd.system.text import printable

_BLANKS = str.maketrans("\n\r\t", "   ")
_MARKUP = str.maketrans({c: f"&#{ord(c)};" for c in "|<>&\\*_`~[]@#"})
_MOST_UNCHECKED, _MOST_ROWS = 20_000, 40_000
"""Bytes of the list and of the table: a comment on GitHub holds 65,536 characters."""


def cell(words: str) -> str:
    """Text as part of a line. What Markdown or a forge would read as markup, a mention or a reference is
    written as a number; a control character or a line end is replaced."""
    return printable(words.translate(_BLANKS)).translate(_MARKUP)


def of_report(report: Report) -> bytes:
    """A headline with the counts, what could not be checked, and a table. Its length is bounded."""
    counts = text.summary(
        report.errors, report.warnings, len(report.sources), len(report.unchecked), notes=report.notes
    )
    lines = [f"### worker.md contracts: {counts.rstrip()}", ""]
    if report.unchecked:
        lines += _bounded(
            [f"- **could not be checked:** {cell(sentence(error))}" for error in report.unchecked],
            "- ",
            _MOST_UNCHECKED,
        )
        lines.append("")
    if report.findings:
        lines += ["| place | level | rule | finding |", "|---|---|---|---|"]
        rows = [
            f"| {cell(f'{finding.path}:{finding.line}:{finding.column}')} | {finding.severity} | {finding.code} "
            f"| {cell(of_finding(finding))} |"
            for finding in report.findings
        ]
        lines += [*_bounded(rows, "| | | | ", _MOST_ROWS), ""]
    return "\n".join(lines).encode("utf-8", "replace")


def _bounded(rows: list[str], begin: str, room: int) -> list[str]:
    """As many rows as there is room for, and how many there are besides."""
    kept: list[str] = []
    for row in rows:
        room -= len(row.encode("utf-8", "replace")) + 1
        if room < 0:
            kept.append(f"{begin}and {len(rows) - len(kept)} more, which do not fit here{' |' if '|' in begin else ''}")
            break
        kept.append(row)
    return kept
