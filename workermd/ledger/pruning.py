"""Finished runs are removed in short transactions: whoever runs something meanwhile waits for one of them at most."""

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from workermd.ledger import artifacts
from workermd.ledger.sqlite.store import Ledger

AT_A_TIME = 500
"""Runs that one transaction removes."""

_PAGES_AT_A_TIME = 2000
"""Pages that one step cuts off the file."""

_PATIENCE = 60.0
"""Seconds to wait for others who write: they go first."""


class FinishedRuns(NamedTuple):
    """Which finished runs are meant: all that were settled before, of this worker, with this status."""

    before: int | None = None
    worker_id: str | None = None
    status: str | None = None


class ExpiredRuns(NamedTuple):
    """Whose runs, settled before, are to go."""

    worker_id: str
    seconds: int
    before: int


def expired(retained: Mapping[str, int], now: int) -> tuple[ExpiredRuns, ...]:
    """What the bounds of workers in seconds mean at a moment."""
    return tuple(
        ExpiredRuns(worker, seconds, max(0, now - seconds * 1_000_000)) for worker, seconds in sorted(retained.items())
    )


def prune(ledger: Ledger, selection: FinishedRuns) -> Iterator[int]:
    """Remove them with their artifacts and logs; after each transaction, how many it removed."""
    while True:
        with ledger.transaction(time.monotonic() + _PATIENCE) as transaction:
            removed = transaction.prune(**selection._asdict(), limit=AT_A_TIME)
        artifacts.remove(ledger.artifacts_folder, removed.tokens)
        ledger.give_space_back(_PAGES_AT_A_TIME)
        yield removed.runs
        if removed.runs < AT_A_TIME:
            return
