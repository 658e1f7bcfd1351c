"""`workermd runs list`: what the ledger holds, the newest first."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.run_filters import chosen, cursor
from workermd.cli.stored_runs import summary
from workermd.ledger.opening import open_to_read
from workermd.ledger.records import Cursor, Rejection, RunChoice, RunSummary
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, timestamp, versioned
from workermd.protocol.errors import UsageError
from workermd.report import runs as report
from workermd.report import say

_PAGE = 1000


class RunsListOptions(NamedTuple):
    worker: str | None
    status: str | None
    error: str | None
    since: str | None
    until: str | None
    match: str | None
    tag: list[str]
    rejected: bool
    limit: int
    behind: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsListOptions) -> int:
    if options.limit < 1:
        raise UsageError("--limit is less than 1", "allow at least one run")
    wanted, behind = chosen(options), cursor(options.behind)
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = open_to_read(path)
    if options.rejected:
        return _rejected(path, ledger, options)
    if ledger is None:
        return (
            _stream(iter(()), options.format) if options.format in ("jsonl", "csv") else _say((), path, wanted, options)
        )
    with ledger:
        if options.format in ("jsonl", "csv"):
            return _stream(pages(ledger, wanted, behind, options.limit), options.format)
        return _say(ledger.runs(wanted, behind=behind, limit=options.limit), path, wanted, options)


def pages(ledger: Ledger, wanted: RunChoice, behind: Cursor | None, limit: int) -> Iterator[tuple[RunSummary, ...]]:
    """The runs page by page: however many there are, one page is held."""
    while limit > 0 and (rows := ledger.runs(wanted, behind=behind, limit=min(limit, _PAGE))):
        yield rows
        limit -= len(rows)
        behind = Cursor(rows[-1].created_at, rows[-1].id)


def _say(rows: tuple[RunSummary, ...], path: str, wanted: RunChoice, options: RunsListOptions) -> int:
    full = len(rows) == options.limit
    behind = f"{rows[-1].created_at}-{rows[-1].id}" if full else None
    if options.format == "json":
        say.document(
            encoded(versioned({"ledger": masked(path), "runs": [summary(row) for row in rows], "next": behind}))
        )
    elif not rows:
        which = " that match" if wanted != RunChoice() else ""
        say.text(f"no runs{which} in {masked(path)}\n")
    else:
        say.text(report.table(rows))
    return 0


def _stream(found: Iterator[tuple[RunSummary, ...]], form: str) -> int:
    if form == "csv":
        say.text(report.csv_line(summary_names()))
    for rows in found:
        documents = [summary(row) for row in rows]
        lines = (
            report.csv_line(each.values()) if form == "csv" else json.dumps(each, ensure_ascii=False) + "\n"
            for each in documents
        )
        if not say.document("".join(lines).encode("utf-8", "replace")):
            break
    return 0


def summary_names() -> tuple[str, ...]:
    """The columns, in their order."""
    return tuple(summary(RunSummary(0, "", "", 1, 0, "", None, 0, None)))


def _rejected(path: str, ledger: Ledger | None, options: RunsListOptions) -> int:
    """Inputs that were refused: they bind no run_id, and are no runs (S2.2)."""
    if options.status:
        raise UsageError("--rejected and --status exclude each other", "what is rejected has no status")
    found: tuple[Rejection, ...] = ()
    if ledger is not None:
        with ledger:
            found = ledger.rejections(None if options.worker else options.limit)
    found = tuple(each for each in found if options.worker in (None, each.worker_id))[: options.limit]
    if options.format == "text":
        say.text(report.rejected(found) if found else f"nothing was rejected in {masked(path)}\n")
        return 0
    rows = [
        {"worker_id": each.worker_id, "run_id": each.run_id, "code": each.code, "at": timestamp(each.at)}
        for each in found
    ]
    if options.format == "json":
        say.document(encoded(versioned({"ledger": masked(path), "rejections": rows})))
    elif options.format == "jsonl":
        say.text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    else:
        head = report.csv_line(("worker_id", "run_id", "code", "at"))
        say.text(head + "".join(report.csv_line(row.values()) for row in rows))
    return 0
