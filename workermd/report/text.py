"""Findings as text: place, message, the line they stand in, a caret below it."""

from collections.abc import Iterable, Mapping

from workermd.contract.model import Lines
from workermd.finding import Finding

_WIDTH = 100


def findings(found: Iterable[Finding], sources: Mapping[str, str] | None = None) -> str:
    """One block per finding: `path:line:col: severity: message [code]`, then the line and the hint."""
    lines = {path: Lines(text) for path, text in (sources or {}).items()}
    return "".join(_block(finding, lines.get(finding.path)) for finding in found)


def _block(finding: Finding, lines: Lines | None) -> str:
    place = f"{finding.path}:{finding.line}:{finding.column}"
    block = f"{place}: {finding.severity}: {finding.message} [{finding.code}]\n"
    if lines is not None:
        block += _quoted(finding, lines.line_text(finding.line))
    if finding.hint:
        block += f"  = {finding.hint}\n"
    return block


def _quoted(finding: Finding, line: str) -> str:
    """The line and a caret. Tabs are kept in the caret's indent so that it stands below its place."""
    if not line.strip():
        return ""
    start = max(0, finding.column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = line[start : start + _WIDTH]
    before = line[start : finding.column - 1]
    pad = "".join("\t" if c == "\t" else " " for c in before)
    length = max(1, min(finding.end_column, start + len(shown) + 1) - finding.column)
    number = f"{finding.line:>5} | "
    visible = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in shown)
    return f"{number}{visible}\n{' ' * (len(number) - 2)}| {pad}{'^' * length}\n"


def summary(errors: int, warnings: int, files: int) -> str:
    def count(number: int, word: str) -> str:
        return f"{number} {word}{'' if number == 1 else 's'}"

    return f"{count(errors, 'error')}, {count(warnings, 'warning')} in {count(files, 'file')}\n"
