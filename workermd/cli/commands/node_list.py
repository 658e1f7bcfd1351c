"""`workermd node list`: the machines of a ledger, and what waits in its queues."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.cluster import engine_of
from workermd.ledger.opening import open_to_read
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say


class NodeListOptions(NamedTuple):
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: NodeListOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    engine_of("ledger", path)
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(f"{masked(path)}: there is no ledger yet", "make one: workermd ledger init")
    from workermd.ledger.postgres import dispatches
    from workermd.ledger.postgres.store import PostgresLedger

    with ledger:
        assert isinstance(ledger, PostgresLedger)
        nodes, depths = dispatches.nodes(ledger), dispatches.depths(ledger)
    if options.format == "json":
        found = {"nodes": [each._asdict() for each in nodes], "queues": [each._asdict() for each in depths]}
        say.document(encoded(versioned({"ledger": masked(path), **found})))
        return 0
    for node in nodes:
        state = "dead" if node.dead else "lives" if node.lease_seconds > 0 else "silent"
        say.text(f"{node.name} {node.id[:8]} {state} {node.running} running workermd {node.version} {node.labels}\n")
    for depth in depths:
        say.text(
            f"queue {depth.queue}: {depth.waiting} wait, {depth.running} run, oldest {depth.oldest_seconds:.0f} s\n"
        )
    if not nodes:
        say.text("no nodes; start one: workermd node run\n")
    return 0
