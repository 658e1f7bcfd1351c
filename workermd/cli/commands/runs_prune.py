"""`workermd runs prune`: remove what is finished, with its artifacts."""

import os
import re
import time
from typing import NamedTuple

from workermd.cli import settings
from workermd.config.configuration import Settings
from workermd.ledger.opening import open_ledger, open_to_read
from workermd.ledger.pruning import FinishedRuns, expired, prune
from workermd.protocol.address import is_address, masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.report.moments import seconds_of

_DAY = 86_400
_LONGEST = 1e12
_DAYS = re.compile(r"[0-9]{0,9}\.?[0-9]{1,9}")


class RunsPruneOptions(NamedTuple):
    older_than: str | None
    expired: bool
    all: bool
    status: str | None
    worker: str | None
    dry_run: bool
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


class PrunedRuns(NamedTuple):
    """What one bound came to. `seconds` is its age, None where any age is meant."""

    worker_id: str | None
    seconds: float | None
    runs: int


def execute(options: RunsPruneOptions) -> int:
    _refuse_contradictions(options)
    loaded = settings.load(options.config, options.no_config, options.ledger)
    path = loaded.ledger
    done = [PrunedRuns(chosen.worker_id, age, 0) for chosen, age in _chosen(options, loaded)]
    if is_address(path) or os.path.exists(path):
        done = [
            PrunedRuns(chosen.worker_id, age, _pruned(path, chosen, dry=options.dry_run))
            for chosen, age in _chosen(options, loaded)
        ]
    count = sum(each.runs for each in done)
    if options.format == "json":
        told = {"ledger": masked(path), "finished": count, "removed": 0 if options.dry_run else count}
        if options.expired:
            told |= {"workers": [{"worker_id": e.worker_id, "retain_seconds": e.seconds, "runs": e.runs} for e in done]}
        say.document(encoded(versioned(told)))
        return 0
    verb = "would be removed" if options.dry_run else "removed"
    if options.expired:
        for each in done:
            say.text(f"{each.worker_id}: {_runs(each.runs)} older than {_age(each.seconds or 0)} {verb}\n")
        if not done:
            say.text("no worker of the configuration has a `retain`\n")
    say.text(f"{_runs(count)} {verb}\n")
    return 0


def _refuse_contradictions(options: RunsPruneOptions) -> None:
    ways = [
        word
        for word, given in (
            ("--older-than", options.older_than is not None),
            ("--expired", options.expired),
            ("--all", options.all),
        )
        if given
    ]
    if not ways:
        raise UsageError("what to remove is not said", "give --older-than SPAN, --expired, or --all")
    if len(ways) > 1:
        raise UsageError(f"{ways[0]} and {ways[1]} exclude each other", "leave one of the two out")


def _chosen(options: RunsPruneOptions, loaded: Settings) -> list[tuple[FinishedRuns, float | None]]:
    """What is to go, with its age in seconds."""
    now = time.time_ns() // 1000
    if options.expired:
        retained = {worker: binding.retain for worker, binding in loaded.workers.items() if binding.retain}
        return [
            (FinishedRuns(each.before, each.worker_id, options.status), each.seconds)
            for each in expired(retained, now)
            if options.worker in (None, each.worker_id)
        ]
    age = None if options.older_than is None else _seconds(options.older_than)
    before = None if age is None else max(0, now - int(age * 1_000_000))
    return [(FinishedRuns(before, options.worker, options.status), age)]


def _seconds(text: str) -> float:
    """A number alone is days."""
    if _DAYS.fullmatch(text) is None:
        return min(seconds_of(text, "--older-than"), _LONGEST)
    return min(float(text) * _DAY, _LONGEST)


def _pruned(path: str, chosen: FinishedRuns, *, dry: bool) -> int:
    """How many runs are finished and old enough; they are gone unless somebody only looks."""
    if dry:
        ledger = open_to_read(path)
        if ledger is None:
            return 0
        with ledger:
            return ledger.count_finished(**chosen._asdict())
    with open_ledger(path) as ledger:
        return sum(prune(ledger, chosen))


def _runs(count: int) -> str:
    return f"{count} finished run{'' if count == 1 else 's'}"


def _age(seconds: float) -> str:
    return f"{seconds / _DAY:g} days" if seconds >= 2 * _DAY else f"{seconds / 3600:g} h"
