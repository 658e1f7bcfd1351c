"""Pages of a ledger's runs, newest first: by the key of the last one seen, never by counting.

A page with a filter looks at so many runs at the most, so that it takes as long on a million runs as on a hundred
thousand. What it has not found by then is on the next page.
"""

import json
from typing import Any, NamedTuple

from workermd.ledger.records import ListedRun

MOST_LOOKED_AT = 5000
"""Runs that one page with a filter looks at."""

_PART = "CASE WHEN json_valid(CAST(envelope AS TEXT)) THEN json_extract(CAST(envelope AS TEXT), '{}') END"
_COLUMNS = ", ".join(
    (
        "id, worker_id, run_id, state, status, attempts, max_attempts, created_at, settled_at",
        _PART.format("$.usage"),
        _PART.format("$.backend"),
        _PART.format("$.error.code"),
    )
)
NEWEST = "SELECT max(id) FROM runs"


class RunFilter(NamedTuple):
    """What is wanted; empty means all. `text` is a part of the run's id, `since` Unix microseconds, `before` the key
    of the last run of the page before."""

    worker_id: str = ""
    status: str = ""
    text: str = ""
    since: int = 0
    before: int = 0
    limit: int = 50

    @property
    def is_open(self) -> bool:
        """Whether every run is wanted."""
        return not (self.worker_id or self.status or self.text)


class RunsPage(NamedTuple):
    """`next` is what the page after it begins before, 0 where there is none. `looked_at` is 0 for all that is there."""

    runs: tuple[ListedRun, ...]
    next: int
    looked_at: int = 0


def select(wanted: RunFilter, newest: int) -> tuple[str, tuple[object, ...]]:
    """The SQL of a page and its values. `+` keeps SQLite at the order of the keys, whatever indexes there are."""
    before = wanted.before or newest + 1
    floor = 0 if wanted.is_open else max(0, before - MOST_LOOKED_AT)
    where: dict[str, object] = {"id < ?": before, "id >= ?": floor}
    if wanted.worker_id:
        where["+worker_id = ?"] = wanted.worker_id
    if wanted.status:
        where["coalesce(status, state) = ?"] = wanted.status
    if wanted.text:
        where["instr(run_id, ?) > 0"] = wanted.text
    if wanted.since:
        where["created_at >= ?"] = wanted.since
    sql = f"SELECT {_COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - our own words
    return sql, (*where.values(), wanted.limit + 1)


def page(wanted: RunFilter, newest: int, rows: list[tuple[Any, ...]]) -> RunsPage:
    """The rows of `select` as a page."""
    runs = tuple(_run(row) for row in rows)
    if len(runs) > wanted.limit:
        return RunsPage(runs[: wanted.limit], runs[wanted.limit - 1].id)
    floor = 0 if wanted.is_open else max(0, (wanted.before or newest + 1) - MOST_LOOKED_AT)
    return RunsPage(runs, floor if floor > 1 else 0, MOST_LOOKED_AT if floor > 1 else 0)


def _run(row: tuple[Any, ...]) -> ListedRun:
    *columns, usage, backend, code = row
    return ListedRun._make((*columns, json.loads(usage) if usage else {}, backend or "", code or ""))
