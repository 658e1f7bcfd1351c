"""`workermd runs list`: what the ledger holds, the newest first."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import summary
from workermd.ledger.records import Rejection, RunSummary
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import encoded, timestamp, versioned
from workermd.protocol.errors import UsageError
from workermd.report import runs as report
from workermd.report import say


class RunsListOptions(NamedTuple):
    worker: str | None
    status: str | None
    rejected: bool
    limit: int
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsListOptions) -> int:
    if options.limit < 1:
        raise UsageError("--limit is less than 1", "allow at least one run")
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = Ledger.open_read_only(path)
    if options.rejected:
        return _rejected(path, ledger, options)
    rows: tuple[RunSummary, ...] = ()
    state = options.status if options.status in ("waiting", "running") else None
    status = None if state else options.status
    if ledger is not None:
        with ledger:
            rows = ledger.runs(worker_id=options.worker, status=status, state=state, limit=options.limit)
    if options.format == "json":
        say.document(encoded(versioned({"ledger": path, "runs": [summary(row) for row in rows]})))
    else:
        chosen = " that match" if options.worker or options.status else ""
        say.text(report.table(rows) if rows else f"no runs{chosen} in {path}\n")
    return 0


def _rejected(path: str, ledger: Ledger | None, options: RunsListOptions) -> int:
    """Inputs that were refused: they bind no run_id, and are no runs (S2.2)."""
    if options.status:
        raise UsageError("--rejected and --status exclude each other", "what is rejected has no status")
    found: tuple[Rejection, ...] = ()
    if ledger is not None:
        with ledger:
            found = ledger.rejections(None if options.worker else options.limit)
    found = tuple(each for each in found if options.worker in (None, each.worker_id))[: options.limit]
    if options.format == "json":
        rows = [
            {"worker_id": each.worker_id, "run_id": each.run_id, "code": each.code, "at": timestamp(each.at)}
            for each in found
        ]
        say.document(encoded(versioned({"ledger": path, "rejections": rows})))
    else:
        say.text(report.rejected(found) if found else f"nothing was rejected in {path}\n")
    return 0
