"""What happens in a ledger, as it happens: looked for by index, whoever writes it, in whatever process."""

import time
from typing import NamedTuple

from workermd.ledger.records import ReceiptLink, RunChoice, RunSummary
from workermd.ledger.sqlite.reader import LedgerReader

_MOST_AT_ONCE = 500
_MOST_RUNNING = 200
"""Of the newest runs under way, whose starts are told."""


class LedgerEvent(NamedTuple):
    """`event` is admitted, started, or what a link of the chain says. `n` is the attempt, or how many runs are gone."""

    at: int
    event: str
    worker_id: str
    run_id: str
    n: int | None
    status: str | None


class Following:
    """Everything behind a place in the ledger; `new` gives what came since it was asked last."""

    def __init__(self, ledger: LedgerReader, chosen: RunChoice, last: int = 0) -> None:
        """`last`: so many links of the chain from before are told first."""
        self._ledger = ledger
        self._chosen = chosen
        newest, head = ledger.newest(), ledger.head()
        self._row = newest
        self._link = max(0, (head.number if head else 0) - last)
        self._running = {run.id: run.attempts for run in self._under_way()}

    def new(self) -> tuple[LedgerEvent, ...]:
        # A run stands in the ledger before its link: rows are read first, so that none is told after its end.
        admitted = self._ledger.admitted_after(self._row, _MOST_AT_ONCE)
        under_way = self._under_way()
        links = self._ledger.links_after(self._link, _MOST_AT_ONCE)
        named = self._ledger.summaries_among([link.run for link in links if link.run is not None])
        self._row = admitted[-1].id if admitted else self._row
        self._link = links[-1].number if links else self._link
        found = [_of_run(run, run.created_at, "admitted", None) for run in admitted]
        found += [
            _of_run(run, time.time_ns() // 1000, "started", run.attempts)
            for run in under_way
            if self._running.get(run.id, 0) < run.attempts
        ]
        self._running = {run.id: run.attempts for run in under_way}
        found += [_of_link(link, named.get(link.run or 0)) for link in links]
        return tuple(each for each in found if self._is_meant(each))

    def _under_way(self) -> tuple[RunSummary, ...]:
        return self._ledger.runs(RunChoice(self._chosen.worker_id, "running"), limit=_MOST_RUNNING)[::-1]

    def _is_meant(self, each: LedgerEvent) -> bool:
        if self._chosen.worker_id not in (None, each.worker_id):
            return False
        if self._chosen.status not in (None, each.status):
            return False
        return not self._chosen.text or self._chosen.text in each.run_id


def _of_run(run: RunSummary, at: int, event: str, n: int | None) -> LedgerEvent:
    return LedgerEvent(at, event, run.worker_id, run.run_id, n, None)


def _of_link(link: ReceiptLink, run: RunSummary | None) -> LedgerEvent:
    """A run that is gone has no name any more."""
    if run is None:
        return LedgerEvent(link.at, link.event, "", "", link.n, None)
    return LedgerEvent(
        link.at, link.event, run.worker_id, run.run_id, link.n, run.status if link.event == "settled" else None
    )
