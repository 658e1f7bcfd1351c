"""`workermd runs list`: what the ledger holds, the newest first."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import summary
from workermd.ledger.records import RunSummary
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import encoded
from workermd.protocol.errors import UsageError
from workermd.report import runs as report
from workermd.report import say


class RunsListOptions(NamedTuple):
    worker: str | None
    status: str | None
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
    rows: tuple[RunSummary, ...] = ()
    state = options.status if options.status in ("waiting", "running") else None
    status = None if state else options.status
    if ledger is not None:
        with ledger:
            rows = ledger.runs(worker_id=options.worker, status=status, state=state, limit=options.limit)
    if options.format == "json":
        say.document(encoded({"ledger": path, "runs": [summary(row) for row in rows]}))
    else:
        chosen = " that match" if options.worker or options.status else ""
        say.text(report.table(rows) if rows else f"no runs{chosen} in {path}\n")
    return 0
