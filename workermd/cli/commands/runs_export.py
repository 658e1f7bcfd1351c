"""`workermd runs export`: chosen runs as a table or as lines; what they were given and answered only when asked for."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workermd.batch.parquet import Writer
from workermd.cli import settings
from workermd.cli.run_filters import chosen
from workermd.cli.stored_runs import summary
from workermd.ledger.opening import open_to_read
from workermd.ledger.records import RunChoice
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.report import runs as report
from workermd.report import say
from workermd.system import files

_AT_A_TIME = 500
_NUMBERS = ("input_tokens", "output_tokens", "cost_usd")
_COLUMNS = (
    *(("worker_id", "string"), ("run_id", "string"), ("state", "string"), ("status", "string")),
    *(("error_code", "string"), ("attempts", "integer"), ("max_attempts", "integer")),
    *(("created_at", "string"), ("settled_at", "string"), ("backend", "string"), ("tags", "string")),
    *(("input_tokens", "integer"), ("output_tokens", "integer"), ("cost_usd", "number")),
)
_DATA = (("input", "string"), ("output", "string"), ("envelope", "string"))


class RunsExportOptions(NamedTuple):
    worker: str | None
    status: str | None
    error: str | None
    since: str | None
    until: str | None
    match: str | None
    tag: list[str]
    include_data: bool
    write: str | None
    format: str | None
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsExportOptions) -> int:
    form = options.format or _format_of(options.write)
    if form == "parquet" and options.write is None:
        raise UsageError("Parquet is not for standard output", "name the file: -o RUNS.parquet")
    wanted = chosen(options)
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(f"{masked(path)}: there is no ledger yet", "run something, or name another --ledger")
    with ledger:
        rows = _rows(ledger, wanted, with_data=options.include_data)
        if options.write is None:
            _write(rows, form, _printed, with_data=options.include_data)
            return 0
        with files.growing(options.write, unless=lambda: False) as add:
            count = _write(rows, form, add, with_data=options.include_data)
    say.note(f"{options.write}: {count} run{'' if count == 1 else 's'}")
    return 0


class _ReaderLeft(Exception):
    """Whoever reads what is printed reads no more: that is no fault."""


def _printed(data: bytes) -> None:
    if not say.document(data):
        raise _ReaderLeft


def _format_of(path: str | None) -> str:
    ending = (path or "").lower().rpartition(".")[2]
    return ending if ending in ("csv", "parquet") else "jsonl"


def _rows(ledger: Ledger, wanted: RunChoice, *, with_data: bool) -> Iterator[Document]:
    """The runs as they are told, the newest first: one page of them is held."""
    behind = None
    while True:
        page = ledger.page(wanted, behind=behind, limit=_AT_A_TIME)
        for run in page.runs:
            row = {
                **summary(run),
                "error_code": run.error_code,
                "backend": run.backend or None,
                "tags": list(ledger.tags(run.id)),
                **{name: run.usage.get(name) for name in _NUMBERS},
            }
            if with_data and (whole := ledger.look(run.worker_id, run.run_id)) is not None:
                row |= {name: report.parsed(getattr(whole, name)) for name, _ in _DATA}
            yield row
        if page.next is None:
            return
        behind = page.next


def _write(rows: Iterator[Document], form: str, write: Callable[[bytes], Any], *, with_data: bool) -> int:
    """How many runs were written."""
    columns = [*_COLUMNS, *(_DATA if with_data else ())]
    names, count = [name for name, _ in columns], 0
    table = Writer(write, columns) if form == "parquet" else None
    try:
        if form == "csv":
            write(report.csv_line(names).encode())
        for row in rows:
            count += 1
            if table is not None:
                table.add([_cell(row.get(name)) for name in names])
            elif form == "csv":
                write(report.csv_line(_cell(row.get(name)) for name in names).encode("utf-8", "replace"))
            else:
                told = {name: row.get(name) for name in names}
                write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        if table is not None:
            table.close()
    except _ReaderLeft:
        pass
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
