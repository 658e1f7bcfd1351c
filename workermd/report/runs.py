"""Runs as text: a table, and one run's attempts as a timeline."""

import json
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from workermd.ledger import artifacts
from workermd.ledger.records import Attempt, KeptEvent, Question, Rejection, Reopening, Run, RunSummary
from workermd.protocol.envelope import Document, summed, timestamp
from workermd.report import people
from workermd.report.events import told as acted
from workermd.report.moments import local
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
            local(row.created_at)[:until].replace("T", " " if until else "T"),
        )
        for row in rows
    )
    return drawn(_HEAD, cells, frozenset())


def csv_line(values: Iterable[object]) -> str:
    """One line of a table for spreadsheets; a text that one would take for a formula begins with an apostrophe."""
    import csv
    import io

    cells = ["" if value is None else str(value) for value in values]
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        [f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in cells]
    )
    return line.getvalue()


_REJECTED_HEAD = ("WORKER", "RUN", "CODE", "AT")


def rejected(rows: Iterable[Rejection]) -> str:
    """Inputs that were refused before any attempt, as a table."""
    cells = ((row.worker_id, row.run_id or "-", row.code, timestamp(row.at)) for row in rows)
    return drawn(_REJECTED_HEAD, cells, frozenset())


class Told(NamedTuple):
    """All that is told of one run."""

    row: Run
    attempts: tuple[Attempt, ...]
    reopenings: tuple[Reopening, ...]
    requests: tuple[Question, ...]
    events: tuple[KeptEvent, ...] = ()
    tags: tuple[str, ...] = ()
    artifacts_folder: str = ""

    @property
    def envelope(self) -> Document | None:
        """With its artifacts where they are now."""
        envelope = parsed(self.row.envelope)
        return None if envelope is None else artifacts.located(envelope, self.artifacts_folder)


def timeline(told: Told) -> str:
    """What happened to a run, in order. The reopening that a decision granted is told with it."""
    row, attempts, reopenings, requests, *_ = told
    granted = {each.reopening for each in requests}
    lines = [
        f"Worker:   {row.worker_id}",
        f"Run:      {row.run_id}",
        f"State:    {row.state}" + (f", {row.status}" if row.status else ""),
        f"Attempts: {row.attempts} of {row.max_attempts}",
        f"Contract: {row.contract_sha256.hex()}",
        f"Input:    {row.input_sha256.hex()}",
        *_performed(told),
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
    events += [(each.document.get("at", 0), f"  {line}") for each in told.events if (line := _acted(each.document))]
    lines += [f"{local(at)}  {what}" for at, what in sorted(events, key=lambda event: event[0])]
    lines += ["", "Input:", *_document_lines(row.input)]
    if row.output is not None:
        lines += ["", "Answer:", *_document_lines(row.output)]
    return "\n".join(lines) + "\n"


def _document_lines(document: bytes) -> list[str]:
    return [printable(line) for line in document.decode("utf-8", "replace").rstrip("\n").split("\n")]


def _acted(event: Document) -> str:
    """What an agent did, as one line."""
    if event.get("event") == "left_out":
        return f"[... {event.get('count')} events are left out here ...]"
    return printable(acted(event))


def _performed(told: Told) -> list[str]:
    """Who performed the task, at what cost, and what it left: as far as the ledger says."""
    attempts = told.attempts
    details = [each.detail or {} for each in attempts]
    envelope = told.envelope or {}
    backend = envelope.get("backend") or next((each["backend"] for each in details if each.get("backend")), "")
    model = next((each["model"] for each in reversed(details) if each.get("model")), "")
    usage = summed(each.get("usage") for each in details)
    used = ", ".join(
        f"{amount:g} {name}" if name != "cost_usd" else f"{amount:.6g} USD" for name, amount in usage.items()
    )
    words = {"Backend:": backend, "Model:": model, "Usage:": used, "Tags:": ", ".join(told.tags)}
    lines = [f"{word:<10}{printable(str(value))}" for word, value in words.items() if value]
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
