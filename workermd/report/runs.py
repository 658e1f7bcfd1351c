"""Runs as text: a table, and one run's attempts as a timeline."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from workermd.ledger.records import Attempt, Question, Rejection, Reopening, Run, RunSummary
from workermd.protocol.envelope import Document, summed, timestamp
from workermd.report import people
from workermd.report.table import table as drawn
from workermd.system.text import printable

_HEAD = ("WORKER", "RUN", "STATUS", "ATTEMPTS", "CREATED")


def table(rows: Iterable[RunSummary]) -> str:
    """The runs as a table; to the minute on a terminal."""
    until = 16 if sys.stdout.isatty() else None
    cells = (
        (
            row.worker_id,
            row.run_id,
            row.status or row.state,
            f"{row.attempts}/{row.max_attempts}",
            timestamp(row.created_at)[:until].replace("T", " " if until else "T"),
        )
        for row in rows
    )
    return drawn(_HEAD, cells, frozenset())


_REJECTED_HEAD = ("WORKER", "RUN", "CODE", "AT")


def rejected(rows: Iterable[Rejection]) -> str:
    """Inputs that were refused before any attempt, as a table."""
    cells = ((row.worker_id, row.run_id or "-", row.code, timestamp(row.at)) for row in rows)
    return drawn(_REJECTED_HEAD, cells, frozenset())


def timeline(
    row: Run, attempts: tuple[Attempt, ...], reopenings: tuple[Reopening, ...], requests: tuple[Question, ...]
) -> str:
    """What happened to a run, in order. The reopening that a decision granted is told with it."""
    granted = {each.reopening for each in requests}
    lines = [
        f"Worker:   {row.worker_id}",
        f"Run:      {row.run_id}",
        f"State:    {row.state}" + (f", {row.status}" if row.status else ""),
        f"Attempts: {row.attempts} of {row.max_attempts}",
        f"Contract: {row.contract_sha256.hex()}",
        f"Input:    {row.input_sha256.hex()}",
        *_performed(row, attempts),
        "",
    ]
    events = [(row.created_at, "admitted")]
    events += [(each.started_at, f"attempt {each.n} started") for each in attempts]
    events += [(each.ended_at, f"attempt {each.n} ended: {_ending(each)}") for each in attempts if each.ended_at]
    events += [
        (each.at, f"reopened by {each.who}: {each.granted} further" + (f" ({each.reason})" if each.reason else ""))
        for each in reopenings
        if each.n not in granted
    ]
    events += people.events(requests)
    if row.settled_at is not None:
        events.append((row.settled_at, f"settled: {row.status}"))
    lines += [f"{timestamp(at)}  {what}" for at, what in sorted(events, key=lambda event: event[0])]
    if row.output is not None:
        lines += ["", *(printable(line) for line in row.output.decode("utf-8", "replace").rstrip("\n").split("\n"))]
    return "\n".join(lines) + "\n"


def _performed(row: Run, attempts: tuple[Attempt, ...]) -> list[str]:
    """Who performed the task, at what cost, and what it left: as far as the ledger says."""
    details = [each.detail or {} for each in attempts]
    envelope = parsed(row.envelope) or {}
    backend = envelope.get("backend") or next((each["backend"] for each in details if each.get("backend")), "")
    model = next((each["model"] for each in reversed(details) if each.get("model")), "")
    usage = summed(each.get("usage") for each in details)
    used = ", ".join(
        f"{amount:g} {name}" if name != "cost_usd" else f"{amount:.6g} USD" for name, amount in usage.items()
    )
    told = {"Backend:": backend, "Model:": model, "Usage:": used}
    lines = [f"{word:<10}{printable(str(value))}" for word, value in told.items() if value]
    return lines + [f"Artifact: {printable(each.get('uri', ''))}" for each in envelope.get("artifacts", ())]


def _ending(attempt: Attempt) -> str:
    detail = attempt.detail or {}
    text = attempt.outcome or "running"
    if detail.get("duration_ms") is not None:
        text += f" after {detail['duration_ms']:.0f} ms"
    if "error" in detail:
        text += f" [{detail['error']['code']}] {detail['error']['message']}"
    return text


def parsed(blob: bytes | None) -> Document | None:
    """A stored document as JSON to be printed inside another; None where there is none, or a damaged one."""
    try:
        document: Any = json.loads(blob or b"null")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
