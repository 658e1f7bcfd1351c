"""Findings as JSON: one versioned document, lines and columns from 1 as in the text."""

from collections.abc import Iterable
from typing import get_args

from workermd.protocol.envelope import Document, encoded
from workermd.protocol.errors import WorkermdError
from workermd.protocol.finding import Finding, Severity
from workermd.report.record import Report

SCHEMA_VERSION = 1


def findings(found: Iterable[Finding], files: int, errors: Iterable[WorkermdError]) -> bytes:
    """`{schema_version, files, findings: [{path, line, column, end_column, severity, code, message, hint}],
    unchecked: [{code, message, hint}]}`: `files` is how many were read, `unchecked` why others were not."""
    listed: list[Document] = [finding._asdict() for finding in found]
    missed = unchecked(errors)
    return encoded({"schema_version": SCHEMA_VERSION, "files": files, "findings": listed, "unchecked": missed})


def of_report(report: Report) -> bytes:
    return findings(report.findings, len(report.sources), report.unchecked)


def unchecked(errors: Iterable[WorkermdError]) -> list[Document]:
    return [{"code": error.code, "message": error.message, "hint": error.hint} for error in errors]


def findings_schema() -> Document:
    """The JSON Schema of the document, as `workermd schema finding` prints it; `$defs` has one finding's."""
    text: Document = {"type": "string"}
    count: Document = {"type": "integer", "minimum": 0}
    place: Document = {"type": "integer", "minimum": 1}
    finding = _record(
        {
            "path": {
                **text,
                "description": "As it was named, or found below a folder that was named; - is standard input.",
            },
            "line": {**place, "description": "From 1."},
            "column": {**place, "description": "From 1, in code points."},
            "end_column": {
                **place,
                "description": "The first column after the marked text; column itself for a point.",
            },
            "severity": {"enum": list(get_args(Severity))},
            "code": {"type": "string", "pattern": "^WM[0-9]{3}$"},
            "message": text,
            "hint": {**text, "description": "The next step; may be empty."},
        }
    )
    missed = _record({"code": text, "message": text, "hint": text})
    document = _record(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "files": {**count, "description": "How many files were checked."},
            "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
            "unchecked": {
                "type": "array",
                "items": {"$ref": "#/$defs/unchecked"},
                "description": "Why other paths were not checked. Nothing is clean while this is not empty.",
            },
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What workermd validate found, as --format json prints it",
        **document,
        "$defs": {"finding": finding, "unchecked": missed},
    }


def _record(properties: Document) -> Document:
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}
