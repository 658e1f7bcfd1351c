"""Cases of a suite: JSON Lines, CSV, or data sets of other programs with a mapping."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from workermd.bench.suite_schema import case_schema
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.contract.schema import checker
from workermd.contract.yaml_values import YamlError, read
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.system.bounded import at_most

MOST_BYTES = 256 << 20
"""Of a file of cases."""

PARTS = ("id", "input", "expect", "tags", "rubric")


class Case(NamedTuple):
    """`document` is the case as its file has it: what scores may compare with."""

    id: str
    input: Document
    document: Document

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.document.get("tags", ()))


class Source(NamedTuple):
    """Where cases come from; `map` says which field of a row becomes which field of a case."""

    file: str
    format: str = ""
    map: dict[str, str] = {}  # noqa: RUF012 - a frozen record's default, never mutated


def case_of(document: Document) -> Case:
    return Case(document["id"], document["input"], document)


def load_cases(source: Source, folder: str) -> tuple[Case, ...]:
    """The cases of a file. Raises UsageError that names the row which is none."""
    path = os.path.join(folder, os.path.expanduser(source.file))
    form = source.format or ("csv" if path.endswith(".csv") else "jsonl")
    judge = checker(case_schema(), "2020-12")
    found: list[Case] = []
    seen: dict[str, str] = {}
    for place, document in documents(_text(path), form, source.map, path):
        mismatches = judge.check(document)
        if mismatches:
            said = f"{mismatches[0].pointer or 'the case'} {mismatches[0].message}"
            raise UsageError(f"{place}: {said}", "a case has an id and an input; a map says which fields they are")
        if document["id"] in seen:
            raise UsageError(f"{place}: its id is that of {seen[document['id']]}", "give each case an id of its own")
        seen[document["id"]] = place
        found.append(case_of(document))
    if not found:
        raise UsageError(f"{path}: holds no case", "put one JSON object on each line: id, input, expect")
    return tuple(found)


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = at_most(file, MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})", "name a file of cases") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path}: larger than {MOST_BYTES} bytes", "split it into several suites")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8", "save it as UTF-8") from None


def documents(text: str, form: str, mapping: dict[str, str], path: str) -> Iterator[tuple[str, Document]]:
    """Every row with its place, as a case's document. Raises UsageError for what cannot be read."""
    for number, (place, row) in enumerate(_rows(text, form, path), 1):
        document = _plain(row) if form in ("jsonl", "csv") and not mapping else _FORMS[form](row)
        for target, source in mapping.items():
            value = _at(source, row)
            if value is not None:
                _put(document, target, value, place)
        document["id"] = str(document.get("id") or number).replace("/", "-")[:100]
        yield place, document


def _rows(text: str, form: str, path: str) -> Iterator[tuple[str, Document]]:
    if form == "csv" or path.endswith(".csv"):
        for number, cells in enumerate(csv.DictReader(io.StringIO(text)), 2):
            yield f"{path}:{number}", {str(key): value for key, value in cells.items() if key and value is not None}
        return
    if form == "promptfoo":
        yield from ((f"{path}: tests/{number}", row) for number, row in enumerate(_tests(text, path)))
        return
    if text.lstrip().startswith("["):
        yield from ((f"{path}: /{number}", row) for number, row in enumerate(_parsed(text, path)))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}:{number}", _object(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _parsed(text: str, place: str) -> Any:
    try:
        return quick.load(text)
    except JsonError as error:
        raise UsageError(f"{place}: not strict JSON ({error.message})", "correct the line") from None


def _object(value: Any, place: str) -> Document:
    if not isinstance(value, dict):
        raise UsageError(f"{place}: found no JSON object", "a case is an object with id and input")
    return value


def _plain(row: Document) -> Document:
    """A row of our own: of JSON as it is, of CSV with columns such as input.version."""
    if "input" in row:
        return dict(row)
    document: Document = {}
    for name, value in row.items():
        _put(document, name, _cell(value), name)
    return document


def _cell(value: Any) -> Any:
    """A cell that is JSON is taken as JSON, except a text in quotes that would lose them; anything else as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _put(document: Document, target: str, value: Any, place: str) -> None:
    *names, last = target.split(".")
    if (names or [last])[0] not in PARTS:
        raise UsageError(f"{place}: {target[:60]!r} is no part of a case", f"a part begins with: {', '.join(PARTS)}")
    for name in names:
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            raise UsageError(f"{place}: {target[:60]!r} lies inside a value that is no object", "correct the map")
    document[last] = value


def _at(source: str, row: Any) -> Any:
    if isinstance(row, dict) and source in row:
        return row[source]
    for name in source.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


# --- data sets of other programs ---


def _tests(text: str, path: str) -> Iterable[Document]:
    """The tests of a promptfoo configuration, in YAML or JSON."""
    try:
        value = read(text).value
    except YamlError as error:
        raise UsageError(f"{path}: {error}", "name a promptfoo configuration, or a list of its tests") from None
    tests = value.get("tests") if isinstance(value, dict) else value
    if not isinstance(tests, list):
        raise UsageError(f"{path}: holds no list of tests", "name a promptfoo configuration whose tests stand in it")
    return [_object(test, path) for test in tests]


def _of_promptfoo(row: Document) -> Document:
    """`vars` become the input; assertions that compare with a value become what is expected, by their type."""
    expected: Document = {}
    for each in row.get("assert", []):
        kind = each.get("type") if isinstance(each, dict) else None
        if kind in ("javascript", "python", "webhook"):
            raise UsageError(
                f"an assertion of type {kind} is code of the data set and is not run", "write it as a score: function"
            )
        if isinstance(kind, str) and "value" in each:
            expected.setdefault(kind, each["value"])
    document: Document = {"input": dict(row.get("vars", {}))}
    if row.get("description"):
        document["id"] = row["description"]
    return document | ({"expect": expected} if expected else {})


def _of_inspect(row: Document) -> Document:
    """`input` is a text or messages, `target` what is expected; choices and metadata are kept."""
    document: Document = {"input": {"input": row.get("input")}}
    if row.get("choices"):
        document["input"]["choices"] = row["choices"]
    if "id" in row:
        document["id"] = row["id"]
    if "target" in row:
        document["expect"] = row["target"]
    return document


def _of_agbench(row: Document) -> Document:
    """`substitutions` are texts by file and by placeholder: the placeholders become the input's fields."""
    fields: Document = {}
    for file, texts in (row.get("substitutions") or row.get("values") or {}).items():
        for name, value in texts.items() if isinstance(texts, dict) else [(file, texts)]:
            fields[str(name).strip("_").lower()] = value
    return {"id": row.get("id", row.get("name", "")), "input": fields} if fields else {"input": {}}


_FORMS = {
    "jsonl": lambda row: {"id": row["id"]} if "id" in row else {},
    "csv": lambda row: {"id": row["id"]} if "id" in row else {},
    "promptfoo": _of_promptfoo,
    "inspect": _of_inspect,
    "agbench": _of_agbench,
}
