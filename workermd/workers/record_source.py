"""Records out of an input, a CSV file or a JSON Lines file: one at a time, strictly read, normalised.

Normalised means: text is trimmed; a CSV cell becomes the type that the schema gives its column, and an
empty cell becomes null where the schema allows null, otherwise the field is left out.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

from workermd.protocol.envelope import Document
from workermd.workers.pointer import value_at

MAX_LINE_BYTES = 1 << 20
MAX_COLUMNS = 2_000

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,399})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,199})(?:\.[0-9]{1,199})?(?:[eE][-+]?[0-9]{1,4})?\Z")


class UnreadableRecords(Exception):
    """The records cannot be read on: the message names the line."""


class DataRecord(NamedTuple):
    """One record. `row` counts records from 1, `line` lines of the file from 1 (None for inline records).

    `document` is None when this row alone cannot be read; `rule` and `problem` then say why.
    """

    row: int
    line: int | None
    document: Document | None
    rule: str = ""
    problem: str = ""


def inline_records(records: Iterable[Document]) -> Iterator[DataRecord]:
    for row, record in enumerate(records, 1):
        yield DataRecord(row, None, trimmed(record))


def trimmed(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return {key: trimmed(member) for key, member in value.items()}
    if isinstance(value, list):
        return [trimmed(item) for item in value]
    return value


# --- JSON Lines ----------------------------------------------------------------------------------


def jsonl_records(handle: IO[bytes]) -> Iterator[DataRecord]:
    """One JSON object on each line; blank lines are passed over."""
    row = 0
    for line, text in enumerate(_lines(handle), 1):
        if not text.strip():
            continue
        row += 1
        try:
            document = _DECODER.decode(text)
            if "\\u" in text:
                json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            yield DataRecord(row, line, None, "json_line", "the line holds an escape of half a surrogate pair")
        except RecursionError:
            yield DataRecord(row, line, None, "json_line", "the line is nested too deeply")
        except ValueError as error:
            yield DataRecord(row, line, None, "json_line", f"the line is not strict JSON: {_reason(error)}")
        else:
            if isinstance(document, dict):
                yield DataRecord(row, line, trimmed(document))
            else:
                yield DataRecord(row, line, None, "json_line", "the line is JSON, but not an object")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    return "a number has too many digits" if "digits" in str(error) else str(error)


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is out of range")
    return number


def _no_constant(_name: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)


# --- CSV -----------------------------------------------------------------------------------------


def csv_records(handle: IO[bytes], delimiter: str, schema: Any) -> Iterator[DataRecord]:
    """The rows below a header line. Blank lines are passed over; a row of another width is a bad row.

    Raises `UnreadableRecords` for what leaves no row to trust: no header, repeated or empty column names, bytes
    that are not UTF-8, a NUL, an unclosed quote, a line or a cell too long.
    """
    reader = csv.reader(_lines(handle), delimiter=delimiter, strict=True)
    try:
        names = _header(reader)
        columns = [(name, cell_reader(schema, name)) for name in names]
        width, row, line = len(names), 0, reader.line_num + 1
        for cells in reader:
            if cells:
                row += 1
                if len(cells) == width:
                    yield DataRecord(row, line, _typed(cells, columns))
                else:
                    problem = f"the row has {len(cells)} cells where the header has {width}"
                    yield DataRecord(row, line, None, "csv_columns", problem)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableRecords(f"line {reader.line_num}: not well-formed CSV: {error}") from None


def _header(reader: Any) -> list[str]:
    names: list[str] = [name.strip() for name in next(reader, [])]
    if not names:
        raise UnreadableRecords("line 1: a header line with column names is missing")
    if len(names) > MAX_COLUMNS:
        raise UnreadableRecords(f"line 1: {len(names)} columns; at most {MAX_COLUMNS} are read")
    for at, name in enumerate(names, 1):
        if not name:
            raise UnreadableRecords(f"line 1: column {at} has no name")
        if name in names[: at - 1]:
            raise UnreadableRecords(f"line 1: column {at} bears the same name as column {names.index(name) + 1}")
    return names


_ABSENT = object()
CellReader = Callable[[str], Any]


def _typed(cells: list[str], columns: list[tuple[str, CellReader]]) -> Document:
    document = {}
    for cell, (name, read) in zip(cells, columns, strict=True):
        value = read(cell.strip())
        if value is not _ABSENT:
            document[name] = value
    return document


def cell_reader(schema: Any, name: str) -> CellReader:
    """How a cell of the column `name` becomes a value. What does not fit the type stays text, so that the
    schema reports it. A column that may be text is text."""
    types = _types(schema, name)
    empty = None if "null" in types else _ABSENT
    if "string" in types or not types & {"integer", "number", "boolean"}:
        return lambda text: text or empty
    number = "number" in types
    integer = number or "integer" in types
    boolean = "boolean" in types

    def read(text: str) -> Any:
        if integer and _INTEGER.match(text):
            return int(text)
        if number and _NUMBER.match(text):
            value = float(text)
            return text if math.isinf(value) else value
        if boolean and text.lower() in _BOOLEANS:
            return _BOOLEANS[text.lower()]
        return text or empty

    return read


_BOOLEANS = {"true": True, "false": False}


def _types(schema: Any, name: str) -> set[str]:
    column = _property(schema, name)
    for _ in range(16):
        reference = column.get("$ref") if isinstance(column, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        column = value_at(schema, reference[1:])
    found = column.get("type", ()) if isinstance(column, dict) else ()
    return {found} if isinstance(found, str) else set(found)


def _property(schema: Any, name: str) -> Any:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return properties.get(name, {})


# --- lines ---------------------------------------------------------------------------------------


def _lines(handle: IO[bytes]) -> Iterator[str]:
    """The file's lines as text, ends kept, one byte order mark dropped. Raises `UnreadableRecords` at the first
    byte that is not UTF-8, at a NUL, and at a line longer than MAX_LINE_BYTES."""
    number = 0
    while raw := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise UnreadableRecords(f"line {number}: longer than {MAX_LINE_BYTES} bytes")
        if b"\0" in raw:
            raise UnreadableRecords(f"line {number}: holds a NUL; is this a text file in UTF-8?")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableRecords(f"line {number}: byte {error.start + 1} is not UTF-8") from None
