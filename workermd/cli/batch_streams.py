"""What `workermd batch` reads and writes: the inputs of its source, the places of its answers."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from workermd.batch import outputs, sources
from workermd.batch.outputs import Apart
from workermd.batch.sources import Line, LineReading
from workermd.cli import input_fields
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.runner.answers import Answered
from workermd.system import files

if TYPE_CHECKING:
    from workermd.cli.commands.batch import BatchOptions
    from workermd.cli.commands.run import Signals

_COUNTED_BYTES = 256 << 20
"""A larger file is not read beforehand for the sake of a bar."""


def reading_of(options: "BatchOptions", schema: Any, most_bytes: int) -> LineReading:
    """How the inputs are to be read. Raises UsageError."""
    try:
        "".encode(options.encoding)
    except LookupError:
        raise UsageError(
            f"--encoding {options.encoding[:40]!r} is not known", "write for example utf-8 or cp1252"
        ) from None
    renamed = [pair.partition("=") for pair in options.map]
    if wrong := next(
        (pair for pair, (field, sign, column) in zip(options.map, renamed, strict=True) if not field or not column),
        None,
    ):
        raise UsageError(f"--map is {wrong[:40]!r}", "write FIELD=COLUMN, for example --map text=body")
    named = [field for field, _, _ in renamed]
    if double := next((field for field in named if named.count(field) > 1), None):
        raise UsageError(f"--map gives the field {double[:40]!r} two columns", "leave one of the two out")
    return LineReading(
        schema=schema,
        most_bytes=most_bytes,
        encoding=options.encoding,
        empty_is_null=options.empty == "null",
        renamed=tuple((field, column) for field, _, column in renamed),
        fixed=tuple(input_fields.members(options.set, None, schema, f"workermd batch {options.spec}").items()),
        note=say.note if not options.quiet else lambda _: None,
    )


class BatchSource(NamedTuple):
    lines: Iterator[Line]
    expected: int | None


@contextmanager
def source(options: "BatchOptions", reading: LineReading) -> Iterator[BatchSource]:
    """The inputs, and how many there will be where that is cheap to know. Raises UsageError."""
    how = options.input_format or sources.format_of(options.inputs)
    if how == sources.FOLDER:
        if not os.path.isdir(options.inputs):
            raise UsageError(f"{options.inputs}: not a folder", "name a folder of JSON files")
        found = sources.of_folder(options.inputs, reading)
        names = sum(name.endswith(".json") for name in os.listdir(options.inputs))
        yield BatchSource(_chosen(found, options), _fewest(names, options))
        return
    with _opened(options) as file:
        expected = _expected(options.inputs, how) if options.inputs != "-" else None
        yield BatchSource(_chosen(sources.documents(file, how, reading), options), _fewest(expected, options))


def _chosen(found: Iterator[Line], options: "BatchOptions") -> Iterator[Line]:
    chosen = sources.limited(found, options.limit)
    return sources.sampled(chosen, options.sample, options.seed or 0) if options.sample else chosen


def _fewest(expected: int | None, options: "BatchOptions") -> int | None:
    bounds = [each for each in (expected, options.limit, options.sample) if each is not None]
    return min(bounds) if expected is not None else None


def _expected(path: str, how: str) -> int | None:
    """How many inputs a file has, where that is read quickly. The end of a line inside quotes ends no row."""
    if not os.path.isfile(path) or os.path.getsize(path) > _COUNTED_BYTES:
        return None
    if how == sources.PARQUET:
        from workermd.batch.parquet import count

        return count(path)
    is_table = how in (sources.CSV, sources.TSV)
    ends = last = quotes = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            parts = chunk.split(b'"') if is_table else [chunk]
            ends += sum(part.count(b"\n") for part in parts[quotes % 2 :: 2])
            quotes += len(parts) - 1
            last = chunk[-1]
    ends += last not in (0, ord("\n"))
    return max(ends - 1, 0) if is_table else ends


def _opened(options: "BatchOptions") -> AbstractContextManager[BinaryIO]:
    if options.inputs != "-":
        for path in (options.write, options.errors):
            if path is not None and os.path.realpath(path) == os.path.realpath(options.inputs):
                raise UsageError(f"{path}: the answers would replace the inputs", "name another file")
        try:
            return open(options.inputs, "rb")
        except OSError as error:
            raise UsageError(
                f"{options.inputs}: cannot be read ({error.strerror})",
                "name a file of JSON Lines, CSV or Parquet, a folder of JSON files, or - for standard input",
            ) from None
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise UsageError(
            f"INPUTS is '-', but standard input is {found}", f"pipe lines in: … | workermd batch {options.spec} -"
        )
    return nullcontext(sys.stdin.buffer)


Put = Callable[[], None]


class Places:
    """Where answers go. `packed` makes of an answer what writes it, later, in its turn."""

    def __init__(self, written: outputs.Written, apart: Apart | None) -> None:
        self._written = written
        self._apart = apart

    def packed(self, number: int, answered: Answered) -> tuple[Put, int]:
        if self._apart is not None and answered.exit_code != 0:
            return self._apart.packed(number, answered)
        return self._written.packed(answered)


@contextmanager
def places(options: "BatchOptions", schema: Any, signals: "Signals") -> Iterator[Places]:
    """Standard output as answers come, or files that are whole or not there at all. Raises UsageError."""
    how = outputs.format_of(options.write or "")
    if how != outputs.JSONL and options.envelope:
        raise UsageError("--envelope prints records, which are no rows of a table", "write them to a file .jsonl")

    def grown(path: str) -> Callable[[bytes], None]:
        return stack.enter_context(files.growing(path, unless=lambda: signals.count > 1))

    def printed(line: bytes) -> None:
        if not say.document(line):
            signals.count = max(signals.count, 1)  # nobody reads on: no further line begins

    with ExitStack() as stack:
        apart = Apart(grown(options.errors)) if options.errors else None
        add = printed if options.write is None else grown(options.write)
        written = outputs.opened(how, add, schema, envelope=options.envelope)
        yield Places(written, apart)
        written.close()
