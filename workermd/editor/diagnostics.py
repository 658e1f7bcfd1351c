"""Findings as diagnostics."""

from lsprotocol import types

from workermd.contract.model import Span
from workermd.editor.buffer import Buffer

SOURCE = "workermd"

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "info": types.DiagnosticSeverity.Information,
}


def of(buffer: Buffer) -> list[types.Diagnostic]:
    found = [
        types.Diagnostic(
            range=at(buffer, buffer.span(finding)),
            message=f"{finding.message}\n{finding.hint}" if finding.hint else finding.message,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
        )
        for finding in buffer.findings
    ]
    if buffer.trouble:  # what was not checked as configured may not look clean
        message = f"checked with every rule, because the configuration cannot be used: {buffer.trouble}"
        error = types.DiagnosticSeverity.Error
        found.append(types.Diagnostic(at(buffer, Span(0, 0)), message, severity=error, source=SOURCE))
    return found


def at(buffer: Buffer, span: Span) -> types.Range:
    """The place of a span of `reading.text` in the document."""
    return buffer.positions.range(*buffer.in_document(span))
