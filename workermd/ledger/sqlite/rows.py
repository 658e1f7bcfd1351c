"""Rows become records, and a row that no version of ours wrote is told as damage, not met as a fault (S4.8).

The tables forbid such rows. Whoever edits the file past them, or a disk that forgets, does not ask.
"""

import json
from typing import Any, NamedTuple, TypeVar

from workermd.ledger.records import Attempt, Run
from workermd.protocol.errors import LedgerUnavailable

Record = TypeVar("Record", bound=tuple[Any, ...])


class _AttemptRow(NamedTuple):
    """An `Attempt` with its detail still to be read."""

    n: int
    token: str
    owner: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    detail: None


_STATES = ("waiting", "running", "done")


def record(path: str, kind: type[Record], row: tuple[Any, ...]) -> Record:
    """The record of a row. Raises LedgerUnavailable for a value that its column cannot hold."""
    for (name, wanted), value in zip(kind.__annotations__.items(), row, strict=True):
        if not isinstance(value, wanted):
            raise _damaged(path, f"{name} of a {kind.__name__.strip('_').lower()} is a {type(value).__name__}")
    return kind(*row)


def run(path: str, row: tuple[Any, ...]) -> Run:
    found = record(path, Run, row)
    done = found.state == "done"
    parts = (found.status, found.output, found.envelope, found.settled_at)
    if found.state not in _STATES or any((part is not None) != done for part in parts):
        raise _damaged(path, f"run {found.run_id[:80]!r} is neither settled nor unfinished")
    if not 0 <= found.attempts <= found.max_attempts or (found.state == "running") != (found.open_token is not None):
        raise _damaged(path, f"the attempts of run {found.run_id[:80]!r} do not add up")
    return found


def attempt(path: str, row: tuple[Any, ...]) -> Attempt:
    *_, detail = row
    if detail is not None:
        try:
            detail = json.loads(detail)
        except (ValueError, TypeError):
            raise _damaged(path, "the detail of an attempt is no JSON") from None
        if not isinstance(detail, dict):
            raise _damaged(path, "the detail of an attempt is no object")
    plain = record(path, _AttemptRow, (*row[:-1], None))
    return Attempt(*plain)._replace(detail=detail)


def _damaged(path: str, what: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"the ledger {path} cannot be used: a row of it is damaged, {what}",
        "keep a copy of it and restore it from a backup, or start with a new file",
    )
