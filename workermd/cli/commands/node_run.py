"""`workermd node run`: carry out the runs that were handed to the nodes of a ledger."""

import json
import os
import time
from typing import NamedTuple

from workermd.batch.sessions import SharedHosts
from workermd.cli.cluster import WorkersHere, engine_of
from workermd.cli.commands.run import Signals
from workermd.config import configuration
from workermd.protocol.address import masked
from workermd.protocol.errors import UsageError
from workermd.report import say


class NodeRunOptions(NamedTuple):
    jobs: int | None
    queues: str
    labels: str
    spool: str | None
    again_after: float
    drain_after: float | None
    engine: str
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: NodeRunOptions) -> int:
    flags = configuration.Flags(ledger=options.ledger or "", config=options.config or "", no_config=options.no_config)
    settings = configuration.load(flags)
    engine = engine_of(options.engine, settings.ledger)
    labels = _labels(options.labels)
    if options.spool is not None:
        os.environ["WORKERMD_SPOOL"] = os.path.abspath(options.spool)
    from workermd.batch.cluster.node import ClusterNode, NodeOrders

    until = None if options.drain_after is None else time.monotonic() + options.drain_after
    signals = Signals()
    signals.catch()
    hosts = SharedHosts()
    jobs = options.jobs or len(os.sched_getaffinity(0))
    orders = NodeOrders(
        address=settings.ledger,
        jobs=jobs,
        queues=[name.strip() for name in options.queues.split(",") if name.strip()],
        labels=json.dumps(labels),
        worker_of=WorkersHere(settings, flags),
        tell=(lambda _: None) if options.quiet else say.note,
        draining=lambda: signals.noted or (until is not None and time.monotonic() >= until),
        killed=lambda: signals.count > 1,
        again_seconds=options.again_after,
    )
    if not options.quiet:
        say.note(f"takes up to {jobs} runs at a time from {masked(settings.ledger)}; SIGTERM drains it")
    try:
        ClusterNode(orders, hosts, engine, options.engine).serve()
    finally:
        hosts.close()
    return 0


def _labels(given: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
    if wrong := next((name for name, sign, _ in pairs if not sign or not name.strip()), None):
        raise UsageError(f"--labels has {wrong[:40]!r}", "write NAME=VALUE between commas, for example gpu=1,zone=a")
    return {name.strip(): value.strip() for name, _, value in pairs}
