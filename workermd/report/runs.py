"""Runs as text: a table, and one run's attempts as a timeline."""

import json
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from workermd.envelope import Document, timestamp
from workermd.ledger.store import Asked, Attempt, Reopening, Run, RunSummary
from workermd.report import people

_HEAD = ("WORKER", "RUN", "STATUS", "ATTEMPTS", "CREATED")


def table(rows: Iterable[RunSummary]) -> str:
    """The runs as a table: rich on a terminal, tabs and no colours elsewhere."""
    cells = [
        (
            row.worker_id,
            row.run_id,
            row.status or row.state,
            f"{row.attempts}/{row.max_attempts}",
            timestamp(row.created_at),
        )
        for row in rows
    ]
    if not sys.stdout.isatty():
        return "".join("\t".join(line) + "\n" for line in (_HEAD, *cells))
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = shutil.get_terminal_size().columns
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in _HEAD:
        drawn.add_column(title, overflow="fold", no_wrap=columns >= 80 and title not in ("WORKER", "RUN"))
    for *line, created in cells:
        minute = created[:16].replace("T", " ")
        drawn.add_row(*(Text(cell) for cell in (*line, minute)))
    console = Console(width=columns)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()


def timeline(
    row: Run, attempts: tuple[Attempt, ...], reopenings: tuple[Reopening, ...], requests: tuple[Asked, ...]
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
    return "\n".join(lines) + "\n"


def _ending(attempt: Attempt) -> str:
    detail = attempt.detail or {}
    text = attempt.outcome or "running"
    if detail.get("duration_ms") is not None:
        text += f" after {detail['duration_ms']:.0f} ms"
    if "error" in detail:
        text += f" [{detail['error']['code']}] {detail['error']['message']}"
    return text


def parsed(blob: bytes | None) -> Document | None:
    """A stored document as JSON to be printed inside another."""
    if blob is None:
        return None
    document: Any = json.loads(blob)
    return dict(document)
