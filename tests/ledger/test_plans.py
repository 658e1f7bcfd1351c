"""No look-up and no list scans the ledger, however many runs it holds: SQLite's own plans say so."""

import pytest

from workermd.ledger.records import Cursor, RunChoice
from workermd.ledger.sqlite import links, listing, notes, questions, removal, statements
from workermd.ledger.sqlite.store import Ledger

BEHIND = Cursor(5, 7)
CHOICES = {
    "all": RunChoice(),
    "a worker": RunChoice(worker_id="w"),
    "a status": RunChoice(status="needs_human"),
    "running": RunChoice(status="running"),
    "an error": RunChoice(error_code="timeout"),
    "a time": RunChoice(since=1, until=9),
    "a worker since": RunChoice(worker_id="w", since=1),
    "a status since": RunChoice(status="ok", since=1),
    "a worker with a status": RunChoice(worker_id="w", status="ok"),
    "a tag": RunChoice(tags=("a",)),
}
PAGES = {
    f"{name}, {where}, {kind}": statement
    for name, chosen in CHOICES.items()
    for where, behind in (("first page", None), ("a later page", BEHIND))
    for kind, statement in (
        ("summaries", listing.summaries(chosen, behind, 50)),
        ("listed", listing.listed(chosen, behind, None, 50)),
        ("bounded", listing.listed(chosen, behind, Cursor(2, 3), 50)),
    )
} | {"all, as far as a page looks": listing.floor(None), "all, as far as a later page looks": listing.floor(BEHIND)}
LOOK_UPS = {
    "a run by its key": (statements.RUN_BY_KEY, ("w", "r")),
    "settled runs by row": (statements.SETTLED_AFTER, (5, 10)),
    "attempts of a run": (statements.ATTEMPTS, (1,)),
    "attempts of some runs": (statements.ATTEMPTS_AMONG, ("[1, 2]",)),
    "runs admitted since": (listing.ADMITTED_AFTER, (5, 10)),
    "some runs by their rows": (listing.SUMMARIES_AMONG, ("[1, 2]",)),
    "the newest run": (statements.NEWEST, ()),
    "events of a run": (notes.EVENTS, (1,)),
    "the contract of a run": (notes.CONTRACT_OF_A_RUN, (1,)),
    "an accepted run": (notes.ACCEPTED_ONE, ("w", "r")),
    "questions of a run": (questions.OF_A_RUN, (1,)),
    "links of a run": (links.OF_A_RUN, (1,)),
    "the chain behind a link": (links.FROM_NUMBER, (1, 10)),
    "what a link removed": (links.GONE_WITH, (1,)),
    "tombstones of a key": (notes.TOMBSTONES, (b"",)),
    "old runs": (removal.finished("settled_at < ?", "settled_at"), (1, 500)),
    "old runs of a worker": (removal.finished("settled_at < ? AND worker_id = ?", "created_at"), (1, "w", 500)),
    "how many are old": ("SELECT count(*) FROM runs WHERE settled_at IS NOT NULL AND settled_at < ?", (1,)),
    "open attempts": (statements.OPEN_TOKENS, ()),
    "workers": (statements.WORKERS, ()),
    "a rejection too many": (statements.FORGET_REJECTIONS, ("w",)),
}  # fmt: skip
STEPS = (
    "SCAN json_each",
    "SCAN attempts USING INDEX one_open_attempt",
    "SCAN worker",
    "SCAN CONSTANT ROW",
    "SCAN 2 CONSTANT ROWS",
)
"""What a statement has made itself; and the index that holds nothing but open attempts."""
BY_ORDER = ("SCAN r USING INDEX runs_by_time", "SCAN r USING COVERING INDEX runs_by_time")
"""Without any condition: a scan in the order that is asked for ends with the page."""


@pytest.mark.parametrize("name", [*PAGES, *LOOK_UPS])
def test_nothing_that_is_looked_up_scans_the_runs(path: str, name: str) -> None:
    sql, values = (PAGES | LOOK_UPS)[name]
    with Ledger.open(path) as ledger:
        plan = [row[3] for row in ledger._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert [
        step
        for step in plan
        if step.startswith("SCAN")
        and not step.startswith(STEPS)
        and not (name.startswith("all") and step.startswith(BY_ORDER))
    ] == [], plan
    sorted_pages = [step for step in plan if "TEMP B-TREE" in step]
    assert sorted_pages == [] or name.startswith("a tag"), plan
