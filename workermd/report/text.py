"""Findings as text: place, message, the line they stand in, a caret below it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from workermd.contract.model import Lines
from workermd.protocol.finding import Finding
from workermd.report.record import Report, sentence
from workermd.report.say import Style
from workermd.system.text import printable

_COLUMNS = 71
"""Columns of a quoted line: with its number in front it fits a terminal of 80, so that the caret stays below it."""


def findings(
    found: Iterable[Finding],
    sources: Mapping[str, str] | None = None,
    style: Style = Style(),  # noqa: B008 - frozen
) -> str:
    """One block per finding: `path:line:col: severity: message [code]`, then the line and the hint."""
    lines = {path: Lines(text) for path, text in (sources or {}).items()}
    return "".join(_block(finding, lines.get(finding.path), style) for finding in found)


def whole(report: Report) -> bytes:
    """All that a person is told on both streams, for a file: findings, what could not be checked, the summary."""
    missed = "".join(f"workermd: {printable(sentence(error))}\n" for error in report.unchecked)
    counts = summary(report.errors, report.warnings, len(report.sources), len(report.unchecked), notes=report.notes)
    return (findings(report.findings, report.sources) + missed + counts).encode("utf-8", "replace")


def _block(finding: Finding, lines: Lines | None, style: Style) -> str:
    place = f"{finding.path}:{finding.line}:{finding.column}"
    head = _folded(printable(f"{place}: {finding.severity}: {finding.message} [{finding.code}]"), style, "  ")
    if style.colours:
        head = head.replace(f" {finding.severity}:", " " + _coloured(f"{finding.severity}:", finding), 1)
    block = head + "\n"
    if lines is not None:
        quoted, caret = _quoted(finding, lines.line_text(finding.line))
        block += quoted + (_coloured(caret, finding) if style.colours and caret else caret)
        block += "\n" if caret else ""
    if finding.hint:
        block += _folded(f"  = {printable(finding.hint)}", style, "    ") + "\n"
    return block


_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36"}


def _coloured(text: str, finding: Finding) -> str:
    return f"\x1b[{_COLOURS[finding.severity]}m{text}\x1b[0m"


def _folded(line: str, style: Style, indent: str) -> str:
    """A line folded between words where the terminal ends; a word is never cut, so that it can be copied."""
    if len(line) <= style.columns:
        return line
    folded, room = [""], style.columns
    for word in re.findall(r"\s*\S+", line):
        if folded[-1].strip() and len(folded[-1]) + len(word) > room:
            folded.append(indent + word.lstrip())
        else:
            folded[-1] += word
    return "\n".join(folded)


def _quoted(finding: Finding, line: str) -> tuple[str, str]:
    """The line with its number and what stands before the caret; the caret. Tabs are kept in the caret's indent so that it stands below its place."""
    if not line.strip():
        return "", ""
    start, end = _window(line, finding.column - 1)
    shown = ("…" if start else "") + printable(line[start:end], keep="\t") + ("…" if end < len(line) else "")
    before = line[start : finding.column - 1]
    pad = (" " if start else "") + "".join("\t" if c == "\t" else " " * _width(c) for c in before)
    length = max(1, sum(_width(c) for c in line[finding.column - 1 : min(finding.end_column - 1, end)]))
    number = f"{finding.line:>5} | "
    return f"{number}{shown}\n{' ' * (len(number) - 2)}| {pad}", "^" * length


def _window(line: str, place: int) -> tuple[int, int]:
    """The part of a line to quote: all of it where it fits, else about as much before the place as after it."""
    if len(line) <= _COLUMNS and sum(map(_width, line)) <= _COLUMNS:
        return 0, len(line)
    start = place = min(place, len(line))
    room = _COLUMNS // 2
    while start > 0 and (room := room - _width(line[start - 1])) >= 0:
        start -= 1
    end = start
    room = _COLUMNS - 2
    while end < len(line) and (room := room - _width(line[end])) >= 0:
        end += 1
    return start, end


def _width(character: str) -> int:
    """Columns on a terminal: two for the wide characters of East Asia and most emoji, none for a combining mark."""
    if character.isascii() or not character.isprintable():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def summary(errors: int, warnings: int, files: int, unchecked: int, *, notes: int = 0, accepted: int = 0) -> str:
    """The last line of a report: what was found in how many files, and how many could not be checked.

    `notes` are findings of level info, `accepted` those that a baseline covers; neither is named where it is 0."""

    def count(number: int, word: str) -> str:
        return f"{number} {word}{'' if number == 1 else 's'}"

    noted = f", {count(notes, 'note')}" if notes else ""
    hidden = f"; {count(accepted, 'finding')} in the baseline" if accepted else ""
    missed = f"; {count(unchecked, 'path')} could not be checked" if unchecked else ""
    return f"{count(errors, 'error')}, {count(warnings, 'warning')}{noted} in {count(files, 'file')}{hidden}{missed}\n"
