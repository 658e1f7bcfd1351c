"""`run --again`: grant a settled run one further start, by name, and go on in the same call (S3.2)."""

import time

from workermd.ledger.records import Run
from workermd.protocol.envelope import Status
from workermd.protocol.errors import UsageError
from workermd.runner.request import Input, means_the_same
from workermd.runner.session import Session
from workermd.runner.worker import Worker
from workermd.system.text import shell_word

PATIENCE = 10.0
"""Seconds to wait for others who write."""


def grant(session: Session, worker: Worker, given: Input, who: str) -> None:
    """Reopen the run of an input where it is settled. A run that is not there, or goes on anyway, needs no grant.

    An input or a contract that the run was not begun with is left to its refusal: a grant would leave it open for good.
    Raises UsageError for a run that succeeded.
    """
    if given.key is None:
        return
    with session.ledger.transaction(time.monotonic() + PATIENCE) as transaction:
        row = session.ledger.look(given.key.worker_id, given.key.run_id)
        if row is None or row.state != "done" or not given.is_that_of(row):
            return
        _refuse_success(row)
        if means_the_same(row, worker.contract):
            transaction.reopen(row, 1, who, "run --again")


def _refuse_success(row: Run) -> None:
    if row.status == Status.OK.value:
        raise UsageError(
            f"run {shell_word(row.run_id)} is settled as ok: there is nothing to run again",
            "use a new run id for another run, or --scratch to try something out",
        )
