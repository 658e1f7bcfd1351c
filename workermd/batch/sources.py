"""Where inputs come from: JSON Lines, CSV, TSV, Parquet, a folder of JSON files, standard input. Read as they come."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
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
    document gets, with their JSON text. `empty_is_null`: an empty cell is null instead of absent. `note` is told what
    will not go well."""

    schema: Any
    most_bytes: int
    encoding: str = "utf-8-sig"
    empty_is_null: bool = False
    renamed: tuple[tuple[str, str], ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    note: Callable[[str], None] = lambda _: None

    @property
    def fixed_places(self) -> list[tuple[tuple[str, ...], exact.Literal]]:
        return [(columns.placed(place, self.schema).path, exact.Literal(text)) for place, text in self.fixed]

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
    names = {name for _, name in reading.renamed}
    taken = {name: columns.take(document, columns.placed(name, None).path) for name in names}
    for place, name in reading.renamed:
        there, value = taken[name]
        if there:
            columns.put(document, columns.placed(place, reading.schema).path, value)
    _fix(document, reading.fixed_places)
    return exact.encoded(document)


def _fix(document: dict[str, Any], places: Iterable[tuple[tuple[str, ...], exact.Literal]]) -> None:
    for path, value in places:
        columns.put(document, path, value)


class _Layout(NamedTuple):
    """The header of a table: which members each cell becomes; none for one that is left out. `fixed` are added to each row."""

    cells: list[tuple[columns.Column, ...]]
    fixed: list[tuple[tuple[str, ...], exact.Literal]]

    @classmethod
    def of(cls, header: list[str], reading: LineReading) -> "_Layout":
        schema, renamed = reading.schema, dict[str, list[str]]()
        for place, column in reading.renamed:
            renamed.setdefault(column, []).append(place)
        for column in renamed:
            if column not in header:
                raise UsageError(
                    f"--map names the column {column[:40]!r}; the table has {', '.join(header)[:200]}",
                    "name one of these",
                )
        double = next((name for name in header if header.count(name) > 1), None)
        if double is not None:
            raise UsageError(f"the table has the column {double[:40]!r} twice", "give each column a name of its own")
        cells = [tuple(columns.placed(place, schema) for place in renamed.get(name, [name])) for name in header]
        strange = [name for name, (first, *_) in zip(header, cells, strict=True) if not columns.is_known(first, schema)]
        if renamed:
            left_out = set(strange) - renamed.keys()
            cells = [() if name in left_out else cell for name, cell in zip(header, cells, strict=True)]
        elif strange and not columns.is_open(schema):
            reading.note(_no_fields(strange, schema))
        return cls(cells, reading.fixed_places)

    def document(self, values: Iterable[Any], reading: LineReading) -> bytes:
        """The document of a row; a value of None is an empty cell."""
        made: dict[str, Any] = {}
        for cell, value in zip(self.cells, values, strict=True):
            if value is None and not reading.empty_is_null:
                continue
            for column in cell:
                meant = columns.meant(value, column.kinds) if isinstance(value, str) else _as_schema(value, column)
                columns.put(made, column.path, meant)
        _fix(made, self.fixed)
        return exact.encoded(columns.with_lists(made, reading.schema, reading.schema))


def _no_fields(names: list[str], schema: Any) -> str:
    """What is said of a table none of whose rows can fit: the check of each row only says that it has too much."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    shown, fields = ", ".join(name[:40] for name in names[:3]) + more, ", ".join(columns.fields(schema))[:200]
    return (
        f"the input has no field for the column{'s' * (len(names) > 1)} {shown}; its fields are {fields}; "
        f"place a column with --map FIELD=COLUMN: those that are not mapped are then left out"
    )


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
            yield layout.document(row, reading)


def _as_schema(value: Any, column: columns.Column) -> Any:
    """A number is text where the schema has nothing but text."""
    if column.kinds == {"string"} and isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value)
    return value


def limited(found: Iterator[Line], limit: int | None) -> Iterator[Line]:
    return islice(found, limit)
