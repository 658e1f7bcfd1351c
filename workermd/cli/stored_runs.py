"""Runs of the ledger as the command line names them: found, told apart, summed up."""

from workermd.ledger.opening import open_to_read
from workermd.ledger.records import ListedRun, Run, RunSummary
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document, timestamp
from workermd.protocol.errors import UsageError

PATIENCE = 10.0
"""Seconds to wait for others who write."""


def existing(path: str, run_id: str) -> Ledger:
    """The ledger, open for reading. Raises UsageError where there is none, LedgerUnavailable."""
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(
            f"{masked(path)}: there is no ledger yet, so no run {run_id[:80]!r}",
            "run something, or name another --ledger",
        )
    return ledger


def one(ledger: Ledger, run_id: str, worker: str | None) -> Run:
    """Raises UsageError where no run, or more than one, is meant."""
    alone = None if worker is None else ledger.look(worker, run_id)
    found = ledger.find(run_id) if worker is None else (alone,) if alone else ()
    if not found:
        raise UsageError(f"no run {run_id[:80]!r} in this ledger", "see what is there: workermd runs list")
    if len(found) > 1:
        workers = ", ".join(row.worker_id for row in found)
        raise UsageError(f"several workers have a run {run_id[:80]!r}: {workers}", "choose one with --worker ID")
    return found[0]


def summary(row: Run | RunSummary | ListedRun) -> Document:
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
