"""Lists of runs as SQL, the newest first: one builder of conditions, for the command line, the studio and statistics.

A page begins behind the last run of the page before. Where an index has the order under the conditions, a page costs
what it shows. Where none has (a text in the id, two conditions at once), `floor` bounds how many runs one page looks at;
what it has not found by then is on a later page.
"""

import json
from typing import Any

from workermd.ledger.records import Cursor, ListedRun, RunChoice, RunSummary

MOST_LOOKED_AT = 5000
"""Runs that one bounded page looks at."""

UNFINISHED = ("waiting", "running")
_ORDER = "ORDER BY r.created_at DESC, r.id DESC LIMIT ?"
_BEHIND = "(r.created_at, r.id) < (?, ?)"
_PART = "CASE WHEN json_valid(CAST(r.envelope AS TEXT)) THEN json_extract(CAST(r.envelope AS TEXT), '{}') END"
_SUMMARY = ", ".join(f"r.{name}" for name in RunSummary._fields)
_LISTED = ", ".join((_SUMMARY, _PART.format("$.usage"), _PART.format("$.backend")))

ADMITTED_AFTER = f"SELECT {_SUMMARY} FROM runs r WHERE r.id > ? ORDER BY r.id LIMIT ?"  # noqa: S608 - our own words
SUMMARIES_AMONG = f"SELECT {_SUMMARY} FROM runs r WHERE r.id IN (SELECT value FROM json_each(?))"  # noqa: S608

Statement = tuple[str, tuple[object, ...]]
"""SQL and its values."""


def conditions(chosen: RunChoice, behind: Cursor | None = None, floor: Cursor | None = None) -> Statement:
    """What the rows of `runs r` must be like."""
    words: dict[str, tuple[object, ...]] = {}
    if chosen.worker_id is not None:
        words["r.worker_id = ?"] = (chosen.worker_id,)
    if chosen.status in UNFINISHED:
        words["r.status IS NULL AND r.state = ?"] = (chosen.status,)
    elif chosen.status is not None:
        words["r.status = ?"] = (chosen.status,)
    if chosen.error_code is not None:
        words["r.error_code = ?"] = (chosen.error_code,)
    if chosen.since is not None:
        words["r.created_at >= ?"] = (chosen.since,)
    if chosen.until is not None:
        words["r.created_at < ?"] = (chosen.until,)
    if chosen.text is not None:
        words["instr(r.run_id, ?) > 0"] = (chosen.text,)
    if behind is not None:
        words[_BEHIND] = behind
    if floor is not None:
        words["(r.created_at, r.id) >= (?, ?)"] = floor
    tagged = ["r.id IN (SELECT run FROM tags WHERE tag = ?)"] * len(chosen.tags)
    values = tuple(value for each in words.values() for value in each)
    return " AND ".join((*words, *tagged)) or "TRUE", (*values, *chosen.tags)


def summaries(chosen: RunChoice, behind: Cursor | None = None, limit: int | None = None) -> Statement:
    """A page of runs without their documents."""
    where, values = conditions(chosen, behind)
    return f"SELECT {_SUMMARY} FROM runs r WHERE {where} {_ORDER}", (*values, -1 if limit is None else limit)  # noqa: S608


def listed(chosen: RunChoice, behind: Cursor | None, floor: Cursor | None, limit: int) -> Statement:
    """A page of runs with what their envelopes tell."""
    where, values = conditions(chosen, behind, floor)
    return f"SELECT {_LISTED} FROM runs r WHERE {where} {_ORDER}", (*values, limit)  # noqa: S608


def floor(behind: Cursor | None) -> Statement:
    """The last run that a bounded page behind `behind` looks at."""
    where, values = ("TRUE", ()) if behind is None else (_BEHIND, behind)
    sql = f"SELECT r.created_at, r.id FROM runs r WHERE {where} {_ORDER} OFFSET ?"  # noqa: S608 - our own words
    return sql, (*values, 1, MOST_LOOKED_AT - 1)


def is_bounded(chosen: RunChoice) -> bool:
    """Whether a page of this choice could look at any number of runs in vain: no one index has it whole."""
    wanted = (chosen.worker_id, chosen.status, chosen.error_code)
    return chosen.text is not None or bool(chosen.tags) or len([each for each in wanted if each is not None]) > 1


def run(row: tuple[Any, ...]) -> ListedRun:
    *columns, usage, backend = row
    return ListedRun._make((*columns, json.loads(usage) if usage else {}, backend or ""))
