"""Runs as text: a table, and one run's attempts as a timeline."""

import json
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from workermd.envelope import Document, timestamp
from workermd.ledger.store import Attempt, Reopening, Run, RunSummary

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

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in _HEAD:
        drawn.add_column(title, overflow="fold")
    for line in cells:
        drawn.add_row(*(Text(cell) for cell in line))
    console = Console(width=shutil.get_terminal_size().columns)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()


def timeline(row: Run, attempts: tuple[Attempt, ...], reopenings: tuple[Reopening, ...]) -> str:
    """What happened to a run, in order."""
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
    ]
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
