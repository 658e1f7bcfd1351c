"""`workermd runs reopen`: grant a settled run further starts; who and why are recorded."""

import time
from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import PATIENCE, existing, one, summary
from workermd.ledger.opening import open_ledger
from workermd.protocol.envelope import Status, encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.system.environment import login


class RunsReopenOptions(NamedTuple):
    run_id: str
    by: str | None
    reason: str | None
    attempts: int
    worker: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsReopenOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    who = options.by or login()
    if not who:
        raise UsageError("nobody is named", "say who grants it: --by NAME")
    if options.attempts < 1:
        raise UsageError("--attempts is less than 1", "grant at least one further start")
    with existing(path, options.run_id):
        pass
    with open_ledger(path) as ledger:
        row = one(ledger, options.run_id, options.worker)
        if row.state != "done":
            raise UsageError(
                f"run {row.run_id!r} is not settled: {row.attempts} of {row.max_attempts} attempts are used",
                "give the same run command again; it goes on with what is left",
            )
        if row.status == Status.OK.value:
            raise UsageError(f"run {row.run_id!r} is settled as ok", "use a new run_id for another run")
        with ledger.transaction(time.monotonic() + PATIENCE) as transaction:
            row = one(ledger, options.run_id, options.worker)
            row = transaction.reopen(row, options.attempts, who, options.reason or "")
    if options.format == "json":
        say.document(encoded(versioned(summary(row))))
    else:
        left = row.max_attempts - row.attempts
        say.text(f"{row.worker_id} {row.run_id}: {left} of {row.max_attempts} attempts left, granted by {who}\n")
    return 0
