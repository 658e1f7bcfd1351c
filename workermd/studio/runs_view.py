"""The page of runs: what is wanted by the address, the runs as rows, and the address of the next page."""

import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from workermd.ledger.records import Cursor, ListedRun, RunChoice
from workermd.ledger.sqlite.store import Ledger
from workermd.studio import addresses, wording
from workermd.studio.wording import StateWords

SPANS = {"hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400}
"""What `since` may say, in seconds."""

_MOST_TEXT = 256
_PLACE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_STRIP_RUNS = 24


class RunRow(NamedTuple):
    """A run as the list shows it. `took` is from its admission to its answer."""

    address: str
    worker_id: str
    run_id: str
    state: StateWords
    attempts: str
    took: str
    tokens: str
    cost: str
    created_at: int
    error_code: str


class RunsView(NamedTuple):
    """`next` is the address of the page after this one, empty where there is none. `mark` changes with what is shown."""

    rows: tuple[RunRow, ...]
    wanted: Mapping[str, str]
    next: str
    looked_at: int
    pending: int
    mark: str
    exists: bool = True


def wanted(query: Mapping[str, str], now: float | None = None) -> RunChoice:
    """The runs that an address describes; what it cannot mean is left out."""
    seconds = SPANS.get(query.get("since", ""), 0)
    return RunChoice(
        worker_id=query.get("worker", "")[:_MOST_TEXT] or None,
        status=query.get("status", "")[:_MOST_TEXT] or None,
        text=query.get("text", "")[:_MOST_TEXT] or None,
        since=int(((now or time.time()) - seconds) * 1_000_000) if seconds else None,
    )


def behind(query: Mapping[str, str]) -> Cursor | None:
    """Where the page of an address begins."""
    place = _PLACE.fullmatch(query.get("behind", ""))
    return None if place is None else Cursor(int(place[1]), int(place[2]))


def view(ledger: Ledger | None, query: Mapping[str, str]) -> RunsView:
    """The page for an address. There may be no ledger yet."""
    kept = {name: query.get(name, "") for name in ("worker", "status", "since", "text")}
    if ledger is None:
        return RunsView((), kept, "", 0, 0, "", exists=False)
    page = ledger.page(wanted(query), behind=behind(query))
    following = addresses.of("", **kept, behind=f"{page.next.created_at}-{page.next.id}") if page.next else ""
    return RunsView(
        tuple(row(each) for each in page.runs),
        kept,
        following,
        page.looked_at if not page.runs or page.next else 0,
        len(ledger.pending()),
        mark(page.runs),
    )


def row(run: ListedRun) -> RunRow:
    ended = run.settled_at
    used = wording.tokens(run.usage)
    return RunRow(
        addresses.run(run.worker_id, run.run_id),
        run.worker_id,
        run.run_id,
        wording.state(run.status or run.state),
        f"{run.attempts} of {run.max_attempts}",
        wording.span((ended - run.created_at) / 1000) if ended is not None else wording.NOTHING,
        wording.count(used) if used else wording.NOTHING,
        wording.money(run.usage["cost_usd"]) if "cost_usd" in run.usage else wording.NOTHING,
        run.created_at,
        run.error_code or "",
    )


def mark(runs: tuple[ListedRun, ...]) -> str:
    """Differs as soon as a run of the page does."""
    return "|".join(f"{run.id}.{run.attempts}.{run.status or run.state}" for run in runs)
