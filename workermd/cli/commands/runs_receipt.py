"""`workermd runs receipt`: one run's record as an in-toto statement in a DSSE envelope, or the head of the chain."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import existing, one
from workermd.ledger.receipts import statement
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, timestamp, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say


class RunsReceiptOptions(NamedTuple):
    run_id: str | None
    head: bool
    key: str | None
    worker: str | None
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsReceiptOptions) -> int:
    if options.head == bool(options.run_id):
        raise UsageError("name a run, or ask for the --head of the chain", "workermd runs receipt RUN_ID")
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    with existing(path, options.run_id or "") as ledger:
        if options.run_id is None:
            link = ledger.head()
            if link is None:
                raise UsageError(f"{path}: the chain has no link yet", "settle a run first")
            head = {"number": link.number, "link": link.link.hex(), "at": timestamp(link.at)}
            say.document(encoded(versioned({"ledger": masked(path), **head})))
            return 0
        run = one(ledger, options.run_id, options.worker)
        if run.state != "done":
            raise UsageError(f"run {run.run_id[:80]!r} is not settled", "there is a receipt once it has its answer")
        made = statement(ledger, run)
    from workermd.report import signing

    say.document(encoded(signing.enveloped(made, options.key)))
    return 0
