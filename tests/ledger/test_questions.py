"""Requests to people and their decisions: written with the answer, decided once, one start each."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, WORKER, answer, dump, key, soon
from tests.ledger.test_migrations import SAVED
from workermd.ledger import results
from workermd.ledger.opening import open_ledger
from workermd.ledger.records import Answer, Decision, NewQuestion, Run
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger

DENIED = Answer("invalid_output", b"denied\n", b'{"status": "invalid_output"}')
ASKING = NewQuestion(
    "0123456789ab", "tool", "May I?", ("yes", "no"), {"tool": "rm", "arguments": {"path": "ä", "n": [1, None]}}, DENIED
)


def ask(ledger: Ledger, run_id: str = "r", asking: NewQuestion = ASKING, max_attempts: int = 1) -> Run:
    with ledger.transaction(soon()) as t:
        run = t.start_attempt(t.admit(key(run_id, max_attempts)), results.new_token(), "a test")
    with ledger.transaction(soon()) as t:
        return t.close_attempt(run, "needs_human", {}, answer("needs_human"), asking)


@pytest.fixture
def ledger(place: str):
    with open_ledger(place, now=lambda: 7_000) as opened:
        yield opened


@pytest.mark.rule("S9.1")
def test_a_request_is_written_with_its_answer_and_read_as_it_was(ledger: Ledger) -> None:
    run = ask(ledger)
    (asked,) = ledger.questions(run.id)
    assert (asked.worker_id, asked.run_id, asked.n, asked.at, asked.open) == (WORKER, "r", 1, 7_000, True)
    assert asked.document() == {
        "id": "0123456789ab",
        "kind": "tool",
        "question": "May I?",
        "options": ["yes", "no"],
        "proposed": ASKING.proposed,
    }
    assert (asked.decision, asked.reopening) == (None, None)
    assert ledger.pending() == (asked,)


def test_what_is_pending_comes_in_its_order_and_by_worker(ledger: Ledger) -> None:
    for run_id in ("b", "a", "c"):
        ask(ledger, run_id, ASKING._replace(proposed=None))
    assert [each.run_id for each in ledger.pending()] == ["b", "a", "c"]
    assert [each.proposed for each in ledger.pending(WORKER)] == [None, None, None]
    assert ledger.pending("another") == ()


@pytest.mark.rule("S9.2")
def test_a_decision_grants_one_start(ledger: Ledger) -> None:
    before = ask(ledger)
    with ledger.transaction(soon()) as t:
        run = t.decide(before, "yes", "ann", "why not")
    assert run == ledger.look(WORKER, "r")
    assert (run.state, run.attempts, run.max_attempts, run.output) == ("waiting", 1, 2, None)
    (asked,) = ledger.questions(run.id)
    assert (asked.open, asked.decision) == (False, Decision("yes", "ann", "why not", final=False, at=7_000))
    assert ledger.pending() == ()
    (reopening,) = ledger.reopenings(run.id)
    assert reopening == (asked.reopening, 1, "ann", "why not", before.envelope, 7_000)


@pytest.mark.rule("S9.2")
@pytest.mark.parametrize("final", [False, True])
def test_nothing_is_decided_twice(ledger: Ledger, final: bool) -> None:
    run = ask(ledger)
    with ledger.transaction(soon()) as t:
        (t.deny_for_good(run, "ann", "") if final else t.decide(run, "deny", "ann", ""))
    kept = dump(ledger)
    with pytest.raises(LedgerFault), ledger.transaction(soon()) as t:
        t.decide(run, "yes", "bob", "")
    with pytest.raises(LedgerFault), ledger.transaction(soon()) as t:
        t.deny_for_good(run, "bob", "")
    assert dump(ledger) == kept


@pytest.mark.rule("S9.2")
def test_a_run_that_went_on_or_never_asked_is_not_decided(ledger: Ledger) -> None:
    run = ask(ledger)
    with ledger.transaction(soon()) as t:
        t.reopen(run, 1, "ann", "")
    silent = ask(ledger, "silent", ASKING)
    with ledger.transaction(soon()) as t:
        silent = t.admit(key("silent2"))
        silent = t.close_attempt(
            t.start_attempt(silent, results.new_token(), "a test"), "crashed", {}, answer("needs_human")
        )
    for each in (run, silent):
        for deed in ("decide", "deny_for_good"):
            words = ("yes", "bob", "") if deed == "decide" else ("bob", "")
            with pytest.raises(LedgerFault), ledger.transaction(soon()) as t:
                getattr(t, deed)(each, *words)
    (asked,) = ledger.questions(run.id)
    assert (asked.open, asked.decision) == (False, None)


@pytest.mark.rule("S9.3")
def test_denied_for_good_the_run_gets_the_answer_that_was_kept(ledger: Ledger) -> None:
    before = ask(ledger)
    with ledger.transaction(soon()) as t:
        run = t.deny_for_good(before, "ann", "too dear")
    assert (run.state, run.attempts, run.max_attempts) == ("done", 1, 1)
    assert Answer(run.status or "", run.output or b"", run.envelope or b"") == DENIED
    assert ledger.questions(run.id)[0].decision == Decision("deny", "ann", "too dear", final=True, at=7_000)
    assert ledger._connection.execute("SELECT replaced FROM decisions").fetchall() == [(before.envelope,)]
    assert ledger.reopenings(run.id) == ()
    with ledger.transaction(soon()) as t:
        again = t.reopen(run, 1, "bob", "")
    assert (again.state, again.max_attempts) == ("waiting", 2), "one start, not two"


@pytest.mark.rule("S4.6")
def test_pruned_runs_take_what_they_asked_with_them(ledger: Ledger) -> None:
    for number, run_id in enumerate(("open", "granted", "denied")):
        run = ask(ledger, run_id)
        with ledger.transaction(soon()) as t:
            if number == 1:
                run = t.start_attempt(t.decide(run, "yes", "ann", ""), results.new_token(), "a test")
                t.close_attempt(run, "needs_human", {}, answer("needs_human"), ASKING)
            elif number == 2:
                t.deny_for_good(run, "ann", "")
    unfinished = ask(ledger, "unfinished")
    with ledger.transaction(soon()) as t:
        t.decide(unfinished, "yes", "ann", "")
    with ledger.transaction(soon()) as t:
        assert t.prune().runs == 3
    for table in ("requests", "decisions", "reopenings", "attempts"):
        assert ledger._connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
    assert [each.run_id for each in ledger.pending()] == []
    assert ledger.questions(unfinished.id)[0].decision is not None


@pytest.mark.rule("S9.2")
def test_deciders_at_the_same_time(path: str) -> None:
    """Many read the same open request; one decision is written, and one start granted."""
    with Ledger.open(path) as ledger:
        run = ask(ledger)
    together, done = threading.Barrier(6), []

    def decide(name: str) -> None:
        with Ledger.open(path, give_up_at=soon()) as mine:
            seen = mine.look(WORKER, "r")
            assert seen is not None
            together.wait()
            try:
                with mine.transaction(soon()) as t:
                    t.decide(seen, "yes", name, "")
            except LedgerFault:
                return
            done.append(name)

    threads = [threading.Thread(target=decide, args=(f"p{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Ledger.open(path) as ledger:
        after = ledger.look(WORKER, "r")
        assert after is not None
        assert after.max_attempts == run.max_attempts + 1
        (asked,) = ledger.questions(run.id)
        assert asked.decision is not None
        assert done == [asked.decision.who]


DECIDE = """
import sys
from workermd.ledger.sqlite.store import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    run = ledger.look("example", "r")
    with ledger.transaction(__import__("time").monotonic() + 20) as t:
        t.decide(run, "yes", "ann", "") if sys.argv[2] == "decide" else t.deny_for_good(run, "ann", "")
"""


@pytest.mark.rule("S4.3", "S9.2")
@pytest.mark.parametrize("deed", ["decide", "deny"])
@pytest.mark.parametrize("point", ["decision_open", "decision_committed"])
def test_killed_while_deciding(path: str, deed: str, point: str) -> None:
    """All of it is there, or nothing: never a decision without its start, nor a start without its decision."""
    with Ledger.open(path) as ledger:
        run = ask(ledger)
    command = [sys.executable, "-c", DECIDE, path, deed]
    killed = subprocess.run(command, env={**ENVIRONMENT, "WORKERMD_CRASH_AT": point}, check=False, timeout=patience(60))
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        after = ledger.look(WORKER, "r")
        assert after is not None
        (asked,) = ledger.questions(run.id)
        granted = [entry.granted for entry in ledger.reopenings(run.id)]
        if point == "decision_open":
            assert (after, asked.open, asked.decision, granted) == (run, True, None, [])
        elif deed == "decide":
            assert (after.state, after.max_attempts, granted) == ("waiting", 2, [1])
            assert asked.decision == Decision("yes", "ann", "", final=False, at=asked.decision.at)  # type: ignore[union-attr]
        else:
            assert (after.status, after.output, granted) == ("invalid_output", DENIED.output, [])


SETTLE = """
import sys, time
from tests.ledger.test_questions import ask
from workermd.ledger.sqlite.store import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    ask(ledger)
"""


@pytest.mark.rule("S4.3", "S9.1")
@pytest.mark.parametrize("point", ["t2_open", "t2_committed"])
def test_killed_while_asking(path: str, point: str) -> None:
    """The answer that asks and its request are one: both are there, or neither."""
    killed = subprocess.run(
        [sys.executable, "-c", SETTLE, path],
        env={**ENVIRONMENT, "WORKERMD_CRASH_AT": point},
        check=False,
        timeout=patience(60),
    )
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        run = ledger.look(WORKER, "r")
        assert run is not None
        settled = point == "t2_committed"
        assert (run.state, len(ledger.questions(run.id)), len(ledger.pending())) == (
            "done" if settled else "running", settled, settled,
        )  # fmt: skip


@pytest.mark.rule("S4.3")
@pytest.mark.parametrize("point", ["migration_open", "migration_committed"])
def test_a_kill_while_version_1_is_brought_up_to_date(path: str, point: str) -> None:
    """The old file is as it was, or the new one is whole; the next call goes on either way."""
    connection = sqlite3.connect(path)
    connection.executescript(SAVED.joinpath("version_1.sql").read_text())
    before = connection.execute("SELECT * FROM runs ORDER BY id").fetchall()
    connection.close()
    script = f"from workermd.ledger.sqlite.store import Ledger; Ledger.open({path!r})"
    environment = {**ENVIRONMENT, "WORKERMD_CRASH_AT": point}
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment, check=False, timeout=patience(60)).returncode
        == -9
    )
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert (version, {"requests", "decisions"} <= tables) == ((1, False) if point == "migration_open" else (2, True))
    assert connection.execute("SELECT * FROM runs ORDER BY id").fetchall() == before
    connection.close()
    with Ledger.open(path) as ledger:
        assert ledger._connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        run = ask(ledger, "new")
        assert len(ledger.questions(run.id)) == 1


def test_the_size_of_the_files_is_not_that_of_the_questions(path: str) -> None:
    """A request of the largest size that is allowed is a row like any other."""
    large = ASKING._replace(proposed={"plan": "x" * 65_000}, kind="plan", question="q" * 2000)
    with open_ledger(path) as ledger:
        run = ask(ledger, "large", large)
        assert ledger.questions(run.id)[0].proposed == large.proposed
        assert os.path.getsize(ledger.path) < 1 << 20


@pytest.mark.rule("S9.2")
def test_what_an_earlier_attempt_asked_is_open_no_more(ledger: Ledger) -> None:
    """The run stands as the last attempt left it."""
    run = ask(ledger)
    with ledger.transaction(soon()) as t:
        run = t.start_attempt(t.reopen(run, 1, "ann", ""), results.new_token(), "a test")
    assert ledger.pending() == ()
    with ledger.transaction(soon()) as t:
        t.close_attempt(run, "needs_human", {}, answer("needs_human"), ASKING._replace(id="cba987654321"))
    assert [each.id for each in ledger.pending()] == ["cba987654321"]
    assert [each.open for each in ledger.questions(run.id)] == [False, True]
