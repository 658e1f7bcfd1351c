"""What is kept beside runs: contracts' texts, accepted runs, events, logs, tags, retention, and what erasing leaves."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.ledger.ledger_caller import WORKER, answer, key, soon
from workermd.ledger import attempt_logs, chain, results
from workermd.ledger.opening import open_ledger
from workermd.ledger.records import Acceptance, AttemptEvents, ContractText, NewQuestion, Run
from workermd.ledger.sqlite import statements
from workermd.ledger.sqlite.store import Ledger

TEXT = ContractText(b"t" * 32, WORKER, "1.0.0", "---\nid: example\n---\n")


@pytest.fixture
def ledger(place: str):
    with open_ledger(place) as opened:
        yield opened


@pytest.fixture
def file_ledger(path: str):
    with open_ledger(path) as opened:
        yield opened


def claim(ledger: Ledger, run_id: str = "r") -> Run:
    with ledger.transaction(soon()) as t:
        return t.start_attempt(t.admit(key(run_id), TEXT), results.new_token(), "a test")


def settle(ledger: Ledger, run_id: str = "r", status: str = "ok", question: NewQuestion | None = None) -> Run:
    run = claim(ledger, run_id)
    with ledger.transaction(soon()) as t:
        return t.close_attempt(run, status, {}, answer(status), question)


def accepted(run_id: str = "r", **changed) -> Acceptance:
    made = Acceptance(WORKER, run_id, "the worker", TEXT.sha256, "default", b"{}", "ann", 7)
    return made._replace(**changed)


def accept(ledger: Ledger, acceptance: Acceptance) -> Acceptance | None:
    with ledger.transaction(soon()) as t:
        return t.accept(acceptance, TEXT)


@pytest.mark.rule("S4.14")
def test_an_accepted_run_is_remembered_until_it_is_settled(ledger: Ledger, place: str) -> None:
    """A crash behind the answer 202 forgets nothing, before the claim and after it."""
    assert accept(ledger, accepted()) == accepted()
    with open_ledger(place) as after_a_crash:
        assert after_a_crash.accepted() == (accepted(),)
    assert accept(ledger, accepted(request=b"[]", who="bob")) == accepted(), "the first one stands"
    run = claim(ledger)
    assert ledger.accepted() == (accepted(attempts=1),)
    with ledger.transaction(soon()) as t:
        t.close_attempt(run, "ok", {}, answer())
    assert ledger.accepted() == ()
    assert accept(ledger, accepted()) is None, "it is in the ledger"
    contract = ledger.contract_of(run.id)
    assert contract == TEXT == ledger.contract(TEXT.sha256)


def test_a_run_whose_input_is_refused_is_withdrawn(ledger: Ledger) -> None:
    for run_id in ("a", "b"):
        accept(ledger, accepted(run_id))
    with ledger.transaction(soon()) as t:
        t.withdraw(WORKER, "a")
    assert [each.run_id for each in ledger.accepted()] == ["b"]
    assert ledger.acceptance(WORKER, "b") == accepted("b")


def test_a_contract_is_kept_once_and_not_without_bound(ledger: Ledger) -> None:
    first, second = settle(ledger, "a"), settle(ledger, "b")
    assert ledger.contract_of(first.id) == ledger.contract_of(second.id) == TEXT
    assert ledger._connection.execute("SELECT count(*) FROM contracts").fetchone() == (1,)
    with ledger.transaction(soon()) as t:
        run = t.admit(key("c"), TEXT._replace(sha256=b"u" * 32, text="ü" * (1 << 20)))
    assert ledger.contract_of(run.id) is None


def test_events_come_back_in_order_behind_a_number(ledger: Ledger) -> None:
    run = claim(ledger)
    told = tuple({"event": "message", "text": f"{n}\u2028\n\ud800"} for n in range(3))
    cut = (told[0], {"event": "left_out", "count": 5}, told[2])
    with ledger.transaction(soon()) as t:
        run = t.close_attempt(run, "timeout", {}, None)
        t.keep_events(run, AttemptEvents(1, 0, told))
        run = t.start_attempt(run, results.new_token(), "a test")
        t.keep_events(run, AttemptEvents(2, 5, cut))
    whole = [(each.number, each.n, each.document) for each in ledger.events_of(run.id)]
    assert whole == [
        *((1, 1, told[0]), (2, 1, told[1]), (3, 1, told[2])),
        *((4, 2, told[0]), (9, 2, cut[1]), (10, 2, told[2])),
    ]
    assert [each.number for each in ledger.events_of(run.id, after=3)] == [4, 9, 10]


def test_of_a_long_log_head_and_tail_stay(tmp_path: Path) -> None:
    log, said = attempt_logs.AttemptLog(), 0
    for n in range(100):
        piece = b"%07d\n" % n * 4000
        log.add(piece)
        said += len(piece)
    log.keep(str(tmp_path), "a" * 32)
    kept = attempt_logs.read(str(tmp_path), "a" * 32)
    assert kept.startswith(b"0000000\n")
    assert kept.endswith(b"0000099\n")
    assert f"[... {said - attempt_logs.MOST_BYTES} bytes are left out here ...]".encode() in kept
    assert len(kept) < attempt_logs.MOST_BYTES + 100
    assert os.stat(attempt_logs.path_of(str(tmp_path), "a" * 32)).st_mode & 0o777 == 0o600
    short = attempt_logs.AttemptLog()
    short.add(b"all of it")
    assert short.whole() == b"all of it"


def test_rejections_are_a_ring_for_each_worker(ledger: Ledger) -> None:
    """Whoever can send bad inputs must not make the file grow."""
    rows = [("a", f"{n}", "code", None, n) for n in range(1001)] + [("b", "other", "code", None, 0)]
    for row in rows:
        ledger._connection.execute(statements.REJECT, row)
    for n in range(2):
        ledger.reject("a", f"new {n}", "code", None)
    mine = [each.run_id for each in ledger.rejections() if each.worker_id == "a"]
    assert (len(mine), mine[0], mine[-1]) == (1000, "new 1", "3")
    assert len(ledger.rejections()) == 1001


def test_tags_and_retention(ledger: Ledger) -> None:
    run = settle(ledger)
    with ledger.transaction(soon()) as t:
        t.tag(run, ["b", "a", "b"])
        t.untag(run, ["b"])
        for seconds in (10, 20):
            t.retain(WORKER, seconds)
        t.retain("other", 5)
        t.retain("other", None)
    assert (ledger.tags(run.id), ledger.retention()) == (("a",), {WORKER: 20})


@pytest.mark.rule("S4.12")
def test_every_event_is_a_link_that_covers_the_one_before(ledger: Ledger) -> None:
    asking = NewQuestion("0123456789ab", "question", "which?", ("a",), {"x": 1.5}, answer("invalid_output"))
    run = settle(ledger, "asks", "needs_human", asking)
    with ledger.transaction(soon()) as t:
        run = t.decide(run, "a", "ann", "")
        run = t.start_attempt(run, results.new_token(), "a test")
        run = t.close_attempt(run, "needs_human", {}, answer("needs_human"), asking._replace(id="1" * 12))
        run = t.deny_for_good(run, "bob", "no")
    found = ledger.links_after(0, 100)
    assert [(each.event, each.n) for each in found] == [
        *(("settled", 1), ("asked", 1), ("reopened", 1), ("decided", 1)),
        *(("settled", 2), ("asked", 2), ("decided", 2), ("settled", 2)),
    ]
    before = chain.FIRST
    for each in found:
        happening = chain.Happening(each.at, each.event, each.run, each.n, each.subject)
        assert each.link == chain.link_of(before, each.number, happening)
        assert each.link != chain.link_of(b"x" * 32, each.number, happening), "it covers the one before"
        before = each.link
    assert ledger.head() == found[-1]
    assert found[-1].subject == chain.subject_of(chain.settled(run))
    first, second = ledger.questions(run.id)
    assert first.decision is not None
    assert second.decision is not None
    assert found[1].subject == chain.subject_of(chain.asked(run, first, 1, first.at))
    assert found[3].subject == chain.subject_of(chain.decided(run, 1, first.decision))
    assert found[6].subject == chain.subject_of(chain.decided(run, 2, second.decision))
    assert found[2].subject == chain.subject_of(chain.reopened(run, ledger.reopenings(run.id)[0]))


@pytest.mark.rule("S4.6", "S4.12")
def test_pruning_leaves_the_links_and_says_which_runs_went(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        settle(ledger, name)
    with ledger.transaction(soon()) as t:
        removed = t.prune(limit=2)
    assert (removed.runs, len(removed.tokens)) == (2, 2)
    found = ledger.links_after(0, 10)
    assert [(each.event, each.gone) for each in found] == [
        ("settled", 4), ("settled", 4), ("settled", None), ("pruned", None),
    ]  # fmt: skip
    gone = [(each.number, each.link) for each in found if each.gone == 4]
    assert found[3].subject == chain.gone_subject(gone)
    assert [each.run_id for each in ledger.runs()] == ["c"]


@pytest.mark.rule("S4.13")
def test_an_erased_run_is_in_no_file(file_ledger: Ledger, path: str) -> None:
    ledger = file_ledger
    """Unfinished or settled: nothing of it stays but that it was there, who removed it, and when."""
    secret = "Zappelphilipp"
    for n in range(40):
        settle(ledger, f"other {n}")
    with ledger.transaction(soon()) as t:
        run = t.admit(key(secret, document=json.dumps({"name": secret * 500}).encode()))
        run = t.start_attempt(run, results.new_token(), "a test")
        run = t.close_attempt(run, "timeout", {"error": {"code": "timeout", "message": secret}}, None)
        t.keep_events(run, AttemptEvents(1, 0, ({"event": "message", "text": secret},)))
        t.tag(run, [secret])
        t.accept(accepted(secret))
        ledger._connection.execute(statements.REJECT, (WORKER, secret, "code", None, 0))
    with ledger.transaction(soon()) as t:
        removed = t.erase(run, "ann", "asked for it")
    ledger.forget()
    assert len(removed.tokens) == 1
    assert ledger.look(WORKER, secret) is None
    (stone,) = ledger.tombstones(WORKER, secret)
    assert (stone.who, stone.reason, stone.attempts, stone.status) == ("ann", "asked for it", 1, None)
    held = [file for file in Path(path).parent.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    assert held == []


def test_views_are_read_by_any_browser_of_databases(path: str) -> None:
    with open_ledger(path) as ledger:
        run = settle(ledger)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as other:
        other.row_factory = sqlite3.Row
        (row,) = other.execute("SELECT * FROM runs_readable").fetchall()
        (attempt,) = other.execute("SELECT * FROM attempts_readable").fetchall()
    assert (row["run_id"], row["output"], row["contract_text"]) == ("r", "{}", TEXT.text)
    assert row["input_sha256"] == run.input_sha256.hex()
    assert row["settled_at"].startswith(time.strftime("%Y-", time.gmtime()))
    assert row["settled_at"].endswith("Z")
    assert (attempt["outcome"], attempt["error_code"]) == ("ok", None)
    assert not any(isinstance(value, bytes) for value in (*row, *attempt))
    other.close()
