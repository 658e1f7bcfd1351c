"""Findings as JSON lines: one object a line, the last one the totals."""

import json

from workermd.protocol.envelope import Document
from workermd.report.machine import SCHEMA_VERSION, unchecked
from workermd.report.record import Report


def of_report(report: Report) -> bytes:
    """`{kind: finding, …}` and `{kind: unchecked, …}` with the members that they have in JSON, then one
    `{kind: summary, schema_version, files, errors, warnings, notes, unchecked}` with numbers. A reader that finds no
    summary has not got everything."""
    records: list[Document] = [{"kind": "finding", **finding._asdict()} for finding in report.findings]
    records += [{"kind": "unchecked", **each} for each in unchecked(report.unchecked)]
    summary: Document = {
        "kind": "summary",
        "schema_version": SCHEMA_VERSION,
        "files": len(report.sources),
        "errors": report.errors,
        "warnings": report.warnings,
        "notes": report.notes,
        "unchecked": len(report.unchecked),
    }
    lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) for record in [*records, summary]]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
