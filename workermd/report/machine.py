"""Findings as JSON: one versioned document, lines and columns from 1 as in the text."""

from collections.abc import Iterable

from workermd.envelope import Document, encoded
from workermd.finding import Finding

SCHEMA_VERSION = 1


def findings(found: Iterable[Finding], files: int) -> bytes:
    """`{schema_version, files, findings: [{path, line, column, end_column, severity, code, message, hint}]}`."""
    listed: list[Document] = [finding._asdict() for finding in found]
    return encoded({"schema_version": SCHEMA_VERSION, "files": files, "findings": listed})
