"""Tables in Parquet, in and out, by pyarrow. It starts threads when it is imported, so that is left until a file needs it."""

import datetime as dt
import decimal
import importlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from workermd.batch.exact import Literal
from workermd.protocol.errors import ConfigurationError, UsageError


def _library() -> tuple[Any, Any]:
    """pyarrow and its module for Parquet. Raises ConfigurationError where it is not installed."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Parquet needs the module 'pyarrow', which is not installed", "pip install 'workermd[parquet]'"
        ) from None


ROWS = 1000
"""Of a group: what is held at a time."""


def rows(file: BinaryIO) -> Iterator[tuple[list[str], list[list[Any]]]]:
    """The names of the columns and some rows at a time. Raises UsageError."""
    pa, parquet = _library()
    try:
        found = parquet.ParquetFile(file)
        for batch in found.iter_batches(ROWS):
            names = list(batch.schema.names)
            yield names, [[_plain(row[name]) for name in names] for row in batch.to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise UsageError(
            f"the input is no Parquet file: {str(error).splitlines()[0][:200]}", "name another file"
        ) from None


def count(path: str) -> int | None:
    """The rows of a file; None where that cannot be said."""
    pa, parquet = _library()
    try:
        return int(parquet.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None


def _plain(value: Any) -> Any:
    """A value of pyarrow's as JSON has it: times in ISO 8601, bytes as text."""
    if isinstance(value, decimal.Decimal):
        return Literal(str(value)) if value.is_finite() else str(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


class Writer:
    """Rows out, some at a time, through `add`. Columns are `(name, kind)`; a kind that is none of the four is text."""

    def __init__(self, add: Callable[[bytes], None], columns: list[tuple[str, str]]) -> None:
        pa, parquet = self._pa, _ = _library()
        types = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
        self._schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in columns])
        self._waiting: list[dict[str, Any]] = []
        self._sink = pa.PythonFile(_Sink(add), mode="w")
        self._writer = parquet.ParquetWriter(self._sink, self._schema)

    def add(self, cells: list[Any]) -> None:
        """Raises UsageError for a number that no column can hold."""
        self._waiting.append(dict(zip(self._schema.names, cells, strict=True)))
        if len(self._waiting) >= ROWS:
            self._flush()

    def _flush(self) -> None:
        try:
            table = self._pa.Table.from_pylist(self._waiting, schema=self._schema)
        except (self._pa.ArrowException, OverflowError) as error:
            raise UsageError(
                f"an answer does not fit its column: {str(error)[:120]}", "write JSON Lines: -o FILE.jsonl"
            ) from None
        self._writer.write_table(table)
        self._waiting = []

    def close(self) -> None:
        self._flush()
        self._writer.close()


class _Sink:
    """What pyarrow writes to."""

    closed = False

    def __init__(self, add: Callable[[bytes], None]) -> None:
        self._add = add

    def write(self, data: bytes) -> int:
        self._add(bytes(data))
        return len(data)

    def flush(self) -> None:
        """What is written is kept by whoever takes it."""

    def close(self) -> None:
        """The file is closed by its owner."""
