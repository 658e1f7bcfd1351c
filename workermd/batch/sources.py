"""Where inputs come from: JSON Lines, CSV, TSV, Parquet, a folder of JSON files, standard input. Read as they come."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from workermd.batch import columns, exact
from workermd.batch.lines import lines
from workermd.protocol.errors import UsageError
from workermd.runner.request import InputRefused

JSONL, CSV, TSV, PARQUET, FOLDER = "jsonl", "csv", "tsv", "parquet", "folder"
FORMATS = (JSONL, CSV, TSV, PARQUET)
_SUFFIXES = {".csv": CSV, ".tsv": TSV, ".tab": TSV, ".parquet": PARQUET}


class UnreadableLine(NamedTuple):
    """A line that cannot be read as an input at all, and what its answer says."""

    message: str
    hint: str


Line = bytes | UnreadableLine


class LineReading(NamedTuple):
    """How the lines of a batch are read. `renamed` maps places of the document to columns; `fixed` are members that every
    document gets, with their JSON text. `empty_is_null`: an empty cell is null instead of absent."""

    schema: Any
    most_bytes: int
    encoding: str = "utf-8-sig"
    empty_is_null: bool = False
    renamed: tuple[tuple[str, str], ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether a document that is one already is changed on its way in."""
        return bool(self.renamed or self.fixed)


def given(line: Line) -> bytes:
    """The bytes of an input. Raises InputRefused."""
    if isinstance(line, UnreadableLine):
        raise InputRefused("input_schema_mismatch", line.message, line.hint)
    return line


def format_of(path: str) -> str:
    """The format that a name stands for."""
    if os.path.isdir(path):
        return FOLDER
    return _SUFFIXES.get(os.path.splitext(path)[1].lower(), JSONL)


def documents(file: BinaryIO, how: str, reading: LineReading) -> Iterator[Line]:
    """The inputs in a file of a format. Raises UsageError where a table has no usable header."""
    if how == PARQUET:
        from workermd.batch.parquet import rows

        return _of_rows(rows(file), reading)
    if how in (CSV, TSV):
        return _of_table(file, "\t" if how == TSV else ",", reading)
    return (_changed(line, reading) for line in lines(file, reading.most_bytes))


def of_folder(path: str, reading: LineReading) -> Iterator[Line]:
    """The `*.json` files of a folder, by name. Raises UsageError where there are none."""
    names = sorted(name for name in os.listdir(path) if name.endswith(".json"))
    if not names:
        raise UsageError(f"{path}: no file in it is named *.json", "name another folder, or a file of JSON Lines")
    for name in names:
        try:
            with open(os.path.join(path, name), "rb") as file:
                yield _changed(file.read(reading.most_bytes + 1), reading)
        except OSError as error:
            yield UnreadableLine(f"The file {name} cannot be read ({error.strerror}).", "check its permissions")


def sampled(found: Iterable[Line], count: int, seed: int) -> Iterator[Line]:
    """So many of the lines, chosen evenly, in their order: the same ones for the same seed. Holds no more than these."""
    import random

    chance = random.Random(seed)  # noqa: S311 - a sample is no secret
    kept: list[tuple[int, Line]] = []
    for number, line in enumerate(found):
        if number < count:
            kept.append((number, line))
        elif (at := chance.randrange(number + 1)) < count:
            kept[at] = (number, line)
    return (line for _, line in sorted(kept, key=lambda each: each[0]))


def _changed(data: bytes, reading: LineReading) -> bytes:
    """A document with its members renamed and the fixed ones added. What is no object goes on as it is: the check says so."""
    if not reading.changes:
        return data
    try:
        document = exact.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict):
        return data
    for place, name in reading.renamed:
        there, value = columns.take(document, columns.placed(name, None).path)
        if there:
            columns.put(document, columns.placed(place, reading.schema).path, value)
    for place, text in reading.fixed:
        columns.put(document, columns.placed(place, reading.schema).path, exact.Literal(text))
    return exact.encoded(document)


class _Layout(NamedTuple):
    """The header of a table: which cell becomes which member; None for one that is left out."""

    cells: list[columns.Column | None]

    @classmethod
    def of(cls, header: list[str], reading: LineReading) -> "_Layout":
        schema, renamed = reading.schema, {column: place for place, column in reading.renamed}
        for column in renamed:
            if column not in header:
                raise UsageError(
                    f"--map names the column {column[:40]!r}; the table has {', '.join(header)[:200]}",
                    "name one of these",
                )
        double = next((name for name in header if header.count(name) > 1), None)
        if double is not None:
            raise UsageError(f"the table has the column {double[:40]!r} twice", "give each column a name of its own")
        placed = [columns.placed(renamed.get(name, name), schema) for name in header]
        return cls(
            [
                column if name in renamed or not renamed or columns.is_known(column, schema) else None
                for name, column in zip(header, placed, strict=True)
            ]
        )

    def document(self, values: Iterable[Any], reading: LineReading) -> bytes:
        """The document of a row; a value of None is an empty cell."""
        made: dict[str, Any] = {}
        for column, value in zip(self.cells, values, strict=True):
            if column is None or (value is None and not reading.empty_is_null):
                continue
            columns.put(made, column.path, columns.meant(value, column.kinds) if isinstance(value, str) else value)
        for place, text in reading.fixed:
            columns.put(made, columns.placed(place, reading.schema).path, exact.Literal(text))
        return exact.encoded(columns.with_lists(made, reading.schema, reading.schema))


def _of_table(file: BinaryIO, delimiter: str, reading: LineReading) -> Iterator[Line]:
    encoding = "utf-8-sig" if reading.encoding.lower() in ("utf-8", "utf8") else reading.encoding
    csv.field_size_limit(max(reading.most_bytes, 1 << 17))
    text = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
    found = csv.reader(text, delimiter=delimiter, strict=True)
    header = next(found, None)
    if not header:
        raise UsageError("the table is empty", "give it a header, one name a column, and below it one input a row")
    layout = _Layout.of([name.strip() for name in header], reading)
    number = 0
    while True:
        number += 1
        try:
            row = next(found)
        except StopIteration:
            break
        except csv.Error as error:
            yield UnreadableLine(f"Row {number} of the table cannot be read: {error}.", "mend its quotes")
            continue
        if not row:
            number -= 1
            continue
        yield _row(row, number, layout, reading)
    text.detach()


def _row(row: list[str], number: int, layout: _Layout, reading: LineReading) -> Line:
    if len(row) != len(layout.cells):
        found = f"Row {number} has {len(row)} cells, and the header has {len(layout.cells)} columns."
        return UnreadableLine(
            found, "give every row as many cells as the header has, and put a cell with a delimiter in quotes"
        )
    if any("\udc80" <= letter <= "\udcff" for cell in row for letter in cell):
        return UnreadableLine(
            f"Row {number} is not text in {reading.encoding}.", "say how the file is written: --encoding cp1252"
        )
    return layout.document([cell or None for cell in row], reading)


def _of_rows(batches: Iterator[tuple[list[str], list[list[Any]]]], reading: LineReading) -> Iterator[Line]:
    layout: _Layout | None = None
    for header, found in batches:
        layout = layout or _Layout.of(header, reading)
        for row in found:
            cells = zip(layout.cells, row, strict=True)
            yield layout.document([_as_schema(value, column) for column, value in cells], reading)


def _as_schema(value: Any, column: columns.Column | None) -> Any:
    """A number is text where the schema has nothing but text."""
    if (
        column is not None
        and column.kinds == {"string"}
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        return json.dumps(value)
    return value


def limited(found: Iterator[Line], limit: int | None) -> Iterator[Line]:
    return islice(found, limit)
