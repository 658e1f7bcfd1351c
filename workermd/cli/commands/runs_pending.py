"""`workermd runs pending`: what waits for a person, the oldest first."""

import time
from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import open_to_read
from workermd.ledger.records import Question
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, timestamp, versioned
from workermd.report import people as report
from workermd.report import say


class RunsPendingOptions(NamedTuple):
    worker: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsPendingOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = open_to_read(path)
    requests: tuple[Question, ...] = ()
    if ledger is not None:
        with ledger:
            requests = ledger.pending(options.worker)
    now = time.time_ns() // 1000
    if options.format == "json":
        waiting = [
            {"worker_id": each.worker_id, "run_id": each.run_id}
            | each.document()
            | {"asked_at": timestamp(each.at), "age_seconds": max(0, now - each.at) // 1_000_000}
            for each in requests
        ]
        say.document(encoded(versioned({"ledger": masked(path), "pending": waiting})))
    else:
        say.text(report.pending(requests, now) if requests else f"nothing waits for a person in {masked(path)}\n")
    return 0
