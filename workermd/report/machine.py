"""Findings as JSON: one versioned document, lines and columns from 1 as in the text."""

from collections.abc import Iterable

from workermd.envelope import Document, encoded
from workermd.errors import WorkermdError
from workermd.finding import Finding

SCHEMA_VERSION = 1


def findings(found: Iterable[Finding], files: int, unchecked: Iterable[WorkermdError]) -> bytes:
    """`{schema_version, files, findings: [{path, line, column, end_column, severity, code, message, hint}],
    unchecked: [{code, message, hint}]}`: `files` is how many were read, `unchecked` why others were not."""
    listed: list[Document] = [finding._asdict() for finding in found]
    missed: list[Document] = [{"code": error.code, "message": error.message, "hint": error.hint} for error in unchecked]
    return encoded({"schema_version": SCHEMA_VERSION, "files": files, "findings": listed, "unchecked": missed})
