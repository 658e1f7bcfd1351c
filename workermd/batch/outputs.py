"""Where answers go: JSON Lines, or a table whose columns are those of the output schema."""

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from workermd.batch import columns
from workermd.batch.lines import on_one_line
from workermd.protocol.envelope import Document, encoded
from workermd.runner.answers import Answered

Add = Callable[[bytes], None]

JSONL, CSV, PARQUET = "jsonl", "csv", "parquet"
_ABOUT = (("run_id", "string"), ("status", "string"), ("error_code", "string"), ("error_message", "string"))
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
REST = "more"
"""The column for members that the schema does not name."""


def format_of(path: str) -> str:
    """The format that a name stands for."""
    ending = path.lower().rpartition(".")[2]
    return ending if ending in (CSV, PARQUET) else JSONL


Put = Callable[[], None]


class Written(Protocol):
    """`packed` makes of an answer what writes it, later, in its turn, and says how many bytes that holds until then."""

    def packed(self, answered: Answered) -> tuple[Put, int]: ...

    def close(self) -> None: ...


def opened(how: str, add: Add, schema: Any, *, envelope: bool) -> Written:
    if how == JSONL:
        return _Lines(add, envelope=envelope)
    return _Table(how, add, schema)


def line_of(answered: Answered, *, envelope: bool) -> bytes:
    """One answer of JSON Lines: the document that its run prints, or its record."""
    return on_one_line(encoded(answered.envelope) if envelope else answered.output)


class _Lines:
    def __init__(self, add: Add, *, envelope: bool) -> None:
        self._add = add
        self._envelope = envelope

    def packed(self, answered: Answered) -> tuple[Put, int]:
        line = line_of(answered, envelope=self._envelope)
        return partial(self._add, line), len(line)

    def close(self) -> None:
        """Every line was handed on."""


class _Table:
    """`run_id`, `status`, `error_code` and `error_message`, then the members of the output by the names of its schema."""

    def __init__(self, how: str, add: Add, schema: Any) -> None:
        taken = {name for name, _ in _ABOUT}
        self._leaves = [(path, kinds) for path, kinds in columns.leaves(schema) if ".".join(path) not in taken]
        self._rest = columns.is_open(schema)
        self._named = frozenset(path[0] for path, _ in self._leaves) | taken
        header = [*_ABOUT, *((".".join(path), _one_kind(kinds)) for path, kinds in self._leaves)]
        header += [(REST, "string")] if self._rest else []
        if how == PARQUET:
            from workermd.batch.parquet import Writer

            self._rows: Any = Writer(add, header)
        else:
            self._rows = _Csv(add, [name for name, _ in header])
        self._kinds = [kind for _, kind in header]

    def packed(self, answered: Answered) -> tuple[Put, int]:
        row = [_cell(value, kind) for value, kind in zip(self._row(answered.envelope), self._kinds, strict=True)]
        return partial(self._rows.add, row), len(answered.output)

    def _row(self, envelope: Document) -> list[Any]:
        error, output = (
            envelope.get("error") or {},
            envelope["outputs"] if isinstance(envelope["outputs"], dict) else {},
        )
        row = [envelope["run_id"], envelope["status"], error.get("code"), error.get("message")]
        row += [_found(output, path) for path, _ in self._leaves]
        if self._rest:
            row.append({name: value for name, value in output.items() if name not in self._named} or None)
        return row

    def close(self) -> None:
        self._rows.close()


def _one_kind(kinds: frozenset[str]) -> str:
    """The type of a column: the one that the schema has beside null, else text."""
    plain = kinds - {"null"}
    if plain == {"integer", "number"}:
        return "number"
    return next(iter(plain)) if len(plain) == 1 else "any"


def _found(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _cell(value: Any, kind: str) -> Any:
    """What stands in a column of a kind: itself where it fits, its JSON text elsewhere."""
    if value is None or (kind == "string" and isinstance(value, str)):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("integer", "number") and isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if kind == "integer" and value == int(value) else value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Csv:
    """A cell of text that a spreadsheet would take for a formula begins with an apostrophe."""

    def __init__(self, add: Add, header: list[str]) -> None:
        self._hand_on = add
        self.add(header)

    def add(self, cells: list[Any]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([_in_csv(cell) for cell in cells])
        self._hand_on(text.getvalue().encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        """Every row was handed on."""


def _in_csv(cell: Any) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class Apart:
    """Answers that are not ok, one a line: the number of the input from 1, its run, and what is wrong."""

    def __init__(self, add: Add) -> None:
        self._add = add

    def packed(self, number: int, answered: Answered) -> tuple[Put, int]:
        envelope = answered.envelope
        told = {name: envelope[name] for name in ("run_id", "status", "error", "outputs") if name in envelope}
        line = json.dumps({"line": number + 1, **told}, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        return partial(self._add, line), len(line)
