"""Records checked against a JSON Schema and rules, with errors by row and a normalised copy."""

import os
from collections.abc import Callable, Iterator
from json import JSONEncoder
from pathlib import Path
from typing import IO, NamedTuple

from workermd.contract.schema import Checker
from workermd.protocol.envelope import Document, Status
from workermd.system.text import shortened
from workermd.task.task import Refused, Reply, Task
from workermd.workers.answer import failed, settings_of
from workermd.workers.folder import NotInFolder, open_within
from workermd.workers.given_schema import UnusableSchema, checker_for
from workermd.workers.pointer import unescaped
from workermd.workers.record_rules import Rule, compile_rules
from workermd.workers.record_source import DataRecord, UnreadableRecords, csv_records, inline_records, jsonl_records

DEFAULTS: Document = {"folder": ".", "max_rows": 1_000_000}
ARTIFACT = "normalized.jsonl"
MAX_ERRORS = 100
MAX_EXPLAINED = 10_000
"""Rows that the schema rejects and whose errors are told apart: finding out costs 0.2 ms for a row, and a file
of nothing but bad rows has to stay within the time limit."""


def run(task: Task) -> Reply | Document:
    """Errors in the records are the answer (`valid: false`), not a failure; what cannot be read at all is
    `invalid_request` with the code `bad_record_schema`, `file_not_allowed` or `unreadable_records`."""
    settings = settings_of(task, DEFAULTS)
    order = task.input
    try:
        checker = checker_for(order["record_schema"])
        records, source = _source(order, settings["folder"])
    except UnusableSchema as problem:
        return failed(Status.INVALID_REQUEST, "bad_record_schema", f"record_schema {problem}")
    except NotInFolder as problem:
        return failed(Status.INVALID_REQUEST, "file_not_allowed", f"file.path: {problem}")
    check = _check(checker, compile_rules(order.get("rules", [])))
    encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    tally = Tally(order.get("max_errors", MAX_ERRORS), settings["max_rows"])
    path = Path(task.artifacts_dir, ARTIFACT)
    try:
        with path.open("w", encoding="utf-8") as copy:
            for record in records:
                if check(record, tally):
                    copy.write(encode(record.document) + "\n")
    except UnreadableRecords as problem:
        path.unlink()
        return failed(Status.INVALID_REQUEST, "unreadable_records", str(problem))
    finally:
        if source is not None:
            source.close()
    artifact = {"name": ARTIFACT, "path": str(path), "media_type": "application/jsonl"}
    return Reply({"status": Status.OK.value, "result": tally.result()}, artifacts=(artifact,))


class RecordFault(NamedTuple):
    """What is wrong with a record: a field (or ""), the rule's name, a message without the value."""

    field: str
    rule: str
    message: str


class Tally:
    """Counts everything, keeps the first `max_errors` errors. `add` raises `Unreadable` beyond `max_rows`."""

    def __init__(self, max_errors: int, max_rows: int) -> None:
        self.max_rows = max_rows
        self.max_errors = max_errors
        self.rows = 0
        self.valid_rows = 0
        self.error_count = 0
        self.errors: list[Document] = []
        self.by_rule: dict[str, int] = {}

    def add(self, record: DataRecord, faults: list[RecordFault]) -> None:
        if self.rows == self.max_rows:
            raise UnreadableRecords(f"more than {self.rows} rows; split the records, or raise the setting max_rows")
        self.rows += 1
        self.valid_rows += not faults
        self.error_count += len(faults)
        for fault in faults:
            self.by_rule[fault.rule] = self.by_rule.get(fault.rule, 0) + 1
            if len(self.errors) < self.max_errors:
                self.errors.append({"row": record.row, "line": record.line, **fault._asdict()})

    def result(self) -> Document:
        return {
            "valid": self.error_count == 0,
            "rows": self.rows,
            "valid_rows": self.valid_rows,
            "invalid_rows": self.rows - self.valid_rows,
            "error_count": self.error_count,
            "errors_by_rule": dict(sorted(self.by_rule.items())),
            "errors": self.errors,
            "truncated": self.error_count > len(self.errors),
            "normalized": {"artifact": ARTIFACT, "rows": self.valid_rows},
        }


def _check(checker: Checker, rules: tuple[Rule, ...]) -> Callable[[DataRecord, Tally], bool]:
    """A function that counts a record and its errors, and says whether it is valid. Only a record that the
    schema rejects pays for finding out why; beyond MAX_EXPLAINED of them, it counts as one error."""
    accepts = checker.accepts
    explained = 0

    def check(record: DataRecord, tally: Tally) -> bool:
        nonlocal explained
        document = record.document
        if document is None:
            faults = [RecordFault("", record.rule, record.problem)]
        else:
            faults = []
            if not accepts(document):
                faults += _mismatches(checker, document) if explained < MAX_EXPLAINED else [_REJECTED]
                explained += 1
            faults += [RecordFault(*found) for rule in rules if (found := rule(document, record.row))]
        tally.add(record, faults)
        return not faults

    return check


_REJECTED = RecordFault("", "schema", "does not match the schema")


def _mismatches(checker: Checker, document: Document) -> Iterator[RecordFault]:
    for mismatch in checker.check(document):
        yield RecordFault(
            shortened(unescaped(mismatch.pointer[1:]), 300),
            mismatch.keyword or "schema",
            shortened(mismatch.message, 300),
        )


def _source(order: Document, folder: str) -> tuple[Iterator[DataRecord], IO[bytes] | None]:
    """The records, and the open file that they come from."""
    if "records" in order:
        return inline_records(order["records"]), None
    named = order["file"]
    try:
        handle = os.fdopen(open_within(folder, named["path"]), "rb", buffering=1 << 18)
    except OSError:
        raise Refused("setting 'folder': the folder cannot be opened; it must exist and be readable") from None
    if named["format"] == "csv":
        return csv_records(handle, named.get("delimiter", ","), order["record_schema"]), handle
    return jsonl_records(handle), handle
