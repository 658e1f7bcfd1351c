"""`workermd runs`: look at the ledger, grant further starts, remove what is finished."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from workermd.config import configuration
from workermd.ledger import artifacts
from workermd.ledger.records import Run, RunSummary
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document, Status, encoded, timestamp
from workermd.protocol.errors import UsageError
from workermd.report import people, say
from workermd.report import runs as report

_DAY = 86_400 * 1_000_000
_PATIENCE = 10.0
"""Seconds to wait for others who write."""


def execute(values: dict[str, Any]) -> int:
    deeds: dict[str, Callable[[str, dict[str, Any]], int]] = {
        "list": _list,
        "show": _show,
        "reopen": _reopen,
        "prune": _prune,
    }
    flags = configuration.Flags(
        ledger=values["ledger"] or "", config=values["config"] or "", no_config=values["no_config"]
    )
    return deeds[values["deed"]](configuration.load(flags).ledger, values)


def _list(path: str, values: dict[str, Any]) -> int:
    if values["limit"] < 1:
        raise UsageError("--limit is less than 1", "allow at least one run")
    ledger = Ledger.open_read_only(path)
    rows: tuple[RunSummary, ...] = ()
    state = values["status"] if values["status"] in ("waiting", "running") else None
    status = None if state else values["status"]
    if ledger is not None:
        with ledger:
            rows = ledger.runs(worker_id=values["worker"], status=status, state=state, limit=values["limit"])
    if values["format"] == "json":
        say.document(encoded({"ledger": path, "runs": [_summary(row) for row in rows]}))
    else:
        chosen = " that match" if values["worker"] or values["status"] else ""
        say.text(report.table(rows) if rows else f"no runs{chosen} in {path}\n")
    return 0


def _show(path: str, values: dict[str, Any]) -> int:
    with existing(path, values) as ledger:
        row = one(ledger, values)
        attempts = ledger.attempts(row.id)
        reopenings = ledger.reopenings(row.id)
        requests = ledger.questions(row.id)
    if values["format"] == "json":
        document = _summary(row) | {
            "attempts_made": [_attempt(each) for each in attempts],
            "reopenings": [
                {"granted": each.granted, "who": each.who, "reason": each.reason, "at": timestamp(each.at)}
                for each in reopenings
            ],
            "requests": [people.request(each) for each in requests],
            "output": report.parsed(row.output),
            "envelope": report.parsed(row.envelope),
        }
        say.document(encoded(document))
    else:
        say.text(report.timeline(row, attempts, reopenings, requests))
    return 0


def _reopen(path: str, values: dict[str, Any]) -> int:
    who = values["by"] or login()
    if not who:
        raise UsageError("nobody is named", "say who grants it: --by NAME")
    if values["attempts"] < 1:
        raise UsageError("--attempts is less than 1", "grant at least one further start")
    with existing(path, values):
        pass
    with Ledger.open(path) as ledger:
        row = one(ledger, values)
        if row.state != "done":
            raise UsageError(
                f"run {row.run_id!r} is not settled: {row.attempts} of {row.max_attempts} attempts are used",
                "give the same run command again; it goes on with what is left",
            )
        if row.status == Status.OK.value:
            raise UsageError(f"run {row.run_id!r} is settled as ok", "use a new run_id for another run")
        with ledger.transaction(time.monotonic() + _PATIENCE) as transaction:
            row = transaction.reopen(one(ledger, values), values["attempts"], who, values["reason"] or "")
    if values["format"] == "json":
        say.document(encoded(_summary(row)))
    else:
        left = row.max_attempts - row.attempts
        say.text(f"{row.worker_id} {row.run_id}: {left} of {row.max_attempts} attempts left, granted by {who}\n")
    return 0


class _OnlyLooking(Exception):
    pass


def _prune(path: str, values: dict[str, Any]) -> int:
    if not values["all"] and values["older_than"] is None:
        raise UsageError("what to remove is not said", "give --older-than DAYS, or --all")
    if values["all"] and values["older_than"] is not None:
        raise UsageError("--all and --older-than exclude each other", "leave one of the two out")
    before = None if values["older_than"] is None else max(0, time.time_ns() // 1000 - int(values["older_than"] * _DAY))
    count = 0
    forgotten: set[str] = set()
    if os.path.exists(path):
        with Ledger.open(path) as ledger:
            with contextlib.suppress(_OnlyLooking), ledger.transaction(time.monotonic() + _PATIENCE) as transaction:
                known = ledger.tokens()
                count = transaction.prune(before=before, worker_id=values["worker"])
                forgotten = known - ledger.tokens()
                if values["dry_run"]:
                    raise _OnlyLooking
            if not values["dry_run"]:
                artifacts.remove(path, forgotten)
    if values["format"] == "json":
        say.document(encoded({"ledger": path, "finished": count, "removed": 0 if values["dry_run"] else count}))
    else:
        verb = "would be removed" if values["dry_run"] else "removed"
        say.text(f"{count} finished run{'' if count == 1 else 's'} {verb}\n")
    return 0


def existing(path: str, values: dict[str, Any]) -> Ledger:
    ledger = Ledger.open_read_only(path)
    if ledger is None:
        raise UsageError(
            f"{path}: there is no ledger yet, so no run {values['run_id'][:80]!r}",
            "run something, or name another --ledger",
        )
    return ledger


def one(ledger: Ledger, values: dict[str, Any]) -> Run:
    found = [row for row in ledger.find(values["run_id"]) if values["worker"] in (None, row.worker_id)]
    if not found:
        raise UsageError(f"no run {values['run_id'][:80]!r} in this ledger", "see what is there: workermd runs list")
    if len(found) > 1:
        workers = ", ".join(row.worker_id for row in found)
        raise UsageError(
            f"several workers have a run {values['run_id'][:80]!r}: {workers}", "choose one with --worker ID"
        )
    return found[0]


def _summary(row: Run | RunSummary) -> Document:
    return {
        "worker_id": row.worker_id,
        "run_id": row.run_id,
        "state": row.state,
        "status": row.status,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "created_at": timestamp(row.created_at),
        "settled_at": None if row.settled_at is None else timestamp(row.settled_at),
    }


def _attempt(attempt: Any) -> Document:
    return {
        "n": attempt.n,
        "started_at": timestamp(attempt.started_at),
        "ended_at": None if attempt.ended_at is None else timestamp(attempt.ended_at),
        "outcome": attempt.outcome,
        "owner": attempt.owner,
        "detail": attempt.detail,
    }


def login() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or ""
