"""`workermd runs erase`: remove one run for good, with all that is kept of it."""

import time
from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import PATIENCE, existing, one
from workermd.ledger import artifacts, results
from workermd.ledger.opening import open_ledger
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.system.environment import login


class RunsEraseOptions(NamedTuple):
    run_id: str
    by: str | None
    reason: str | None
    worker: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsEraseOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    who = options.by or login()
    if not who:
        raise UsageError("nobody is named", "say who has it erased: --by NAME")
    with existing(path, options.run_id) as looked:
        worker = one(looked, options.run_id, options.worker).worker_id
    with open_ledger(path) as ledger, RunLock.open(ledger.files) as lock:
        if not lock.try_acquire(run_offset(worker, options.run_id)) or ledger.held_elsewhere(worker, options.run_id):
            raise UsageError(f"run {options.run_id[:80]!r} is being executed", "wait for its end, or end it")
        with ledger.transaction(time.monotonic() + PATIENCE) as transaction:
            removed = transaction.erase(one(ledger, options.run_id, worker), who, options.reason or "")
        for token in removed.tokens:
            results.remove(ledger.results_folder, token)
        results.forget_progress(ledger.results_folder, worker, options.run_id)
        artifacts.remove(ledger.artifacts_folder, removed.tokens)
        ledger.forget()
    if options.format == "json":
        say.document(encoded(versioned({"ledger": masked(path), "erased": removed.runs, "by": who})))
    else:
        say.text(
            f"the run was erased by {who}; a tombstone says that it was there\n"
            "not reached: recordings, reports, backups, and what its task wrote elsewhere\n"
        )
    return 0
