"""`workermd runs prune`: remove what is finished, with its artifacts."""

import os
import time
from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import open_ledger, open_to_read
from workermd.ledger.pruning import FinishedRuns, prune
from workermd.protocol.address import is_address, masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say

_DAY = 86_400 * 1_000_000


class RunsPruneOptions(NamedTuple):
    older_than: float | None
    all: bool
    worker: str | None
    dry_run: bool
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsPruneOptions) -> int:
    if not options.all and options.older_than is None:
        raise UsageError("what to remove is not said", "give --older-than DAYS, or --all")
    if options.all and options.older_than is not None:
        raise UsageError("--all and --older-than exclude each other", "leave one of the two out")
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    count = _pruned(path, options) if is_address(path) or os.path.exists(path) else 0
    if options.format == "json":
        say.document(
            encoded(versioned({"ledger": masked(path), "finished": count, "removed": 0 if options.dry_run else count}))
        )
    else:
        verb = "would be removed" if options.dry_run else "removed"
        say.text(f"{count} finished run{'' if count == 1 else 's'} {verb}\n")
    return 0


def _pruned(path: str, options: RunsPruneOptions) -> int:
    """How many runs are finished and old enough; they are gone unless somebody only looks."""
    before = None
    if options.older_than is not None:
        before = max(0, time.time_ns() // 1000 - int(options.older_than * _DAY))
    selection = FinishedRuns(before, options.worker)
    if options.dry_run:
        ledger = open_to_read(path)
        if ledger is None:
            return 0
        with ledger:
            return ledger.count_finished(**selection._asdict())
    with open_ledger(path) as ledger:
        return sum(prune(ledger, selection))
