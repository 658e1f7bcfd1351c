"""The deeds of the ledger: what each changes, and what each refuses."""

import time
from pathlib import Path

import pytest

from tests.ledger.ledger_caller import CONTRACT, WORKER, answer, call, dump, key, soon
from workermd.ledger import results
from workermd.ledger.opening import open_ledger
from workermd.ledger.records import Answer, Rejection, Run, RunChoice
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.errors import LedgerUnavailable


class Steps:
    """A clock that a test sets: it stands still unless told."""

    def __init__(self, *times: int) -> None:
        self.now = 1_000
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0) if self.times else self.now


@pytest.fixture
def clock() -> Steps:
    return Steps()


@pytest.fixture
def ledger(place: str, clock: Steps):
    with open_ledger(place, now=clock) as opened:
        yield opened


def claim(ledger: Ledger, run_id: str = "r", max_attempts: int = 3) -> Run:
    with ledger.transaction(soon()) as t1:
        return t1.start_attempt(t1.admit(key(run_id, max_attempts)), results.new_token(), "a test")


def close(ledger: Ledger, run: Run, outcome: str, final: Answer | None) -> Run:
    with ledger.transaction(soon()) as t2:
        return t2.close_attempt(run, outcome, {"code": outcome}, final)


def settle(ledger: Ledger, run_id: str, status: str = "ok", max_attempts: int = 3) -> Run:
    return close(ledger, claim(ledger, run_id, max_attempts), status, answer(status))


@pytest.mark.rule("S2.4", "S4.2")
def test_admit_claim_settle(ledger: Ledger, clock: Steps) -> None:
    assert ledger.look(WORKER, "r") is None
    run = claim(ledger)
    assert (run.state, run.attempts, run.status, run.output) == ("running", 1, None, None)
    assert ledger.look(WORKER, "r") == run
    assert run.contract_sha256 == CONTRACT
    clock.now = 2_000
    done = close(ledger, run, "ok", Answer("ok", b"\x00\xff", b"{}"))
    assert done == ledger.look(WORKER, "r")
    assert (done.state, done.status, done.output, done.settled_at, done.open_token) == (
        "done",
        "ok",
        b"\x00\xff",
        2_000,
        None,
    )
    (attempt,) = ledger.attempts(run.id)
    assert attempt == (1, run.open_token, "a test", 1_000, 2_000, "ok", {"code": "ok"})


@pytest.mark.rule("S2.3")
def test_admit_again_changes_nothing(ledger: Ledger) -> None:
    run = claim(ledger)
    before = dump(ledger)
    with ledger.transaction(soon()) as t1:
        assert t1.admit(key("r", 9, b"other input")) == run
    assert dump(ledger) == before


@pytest.mark.rule("S4.1")
def test_same_run_id_of_two_workers(ledger: Ledger) -> None:
    with ledger.transaction(soon()) as t1:
        first, second = t1.admit(key()), t1.admit(key(worker_id="other"))
    assert first.id != second.id
    assert ledger.find("r") == (second, first)
    assert ledger.find("none") == ()


@pytest.mark.rule("S3.2")
def test_transient_outcome_waits(ledger: Ledger) -> None:
    run = close(ledger, claim(ledger), "timeout", None)
    assert run == ledger.look(WORKER, "r")
    assert (run.state, run.attempts, run.open_token, run.output) == ("waiting", 1, None, None)
    assert claim(ledger).attempts == 2


@pytest.mark.rule("S3.2", "S4.3", "S4.7")
def test_no_attempt_beyond_the_bound(ledger: Ledger) -> None:
    close(ledger, claim(ledger, max_attempts=2), "crashed", None)
    last = claim(ledger, max_attempts=9)  # What a later caller says about the bound does not count.
    assert (last.attempts, last.max_attempts) == (2, 2)
    with pytest.raises(LedgerFault, match="has to be settled"):
        close(ledger, last, "crashed", None)
    assert ledger.look(WORKER, "r") == last
    done = close(ledger, last, "crashed", answer("needs_human"))
    assert (done.state, done.status) == ("done", "needs_human")
    assert [attempt.outcome for attempt in ledger.attempts(done.id)] == ["crashed", "crashed"]
    with pytest.raises(LedgerFault):
        claim(ledger)


@pytest.mark.rule("S1.1")
def test_retryable_error_is_final_only_at_the_end(ledger: Ledger) -> None:
    run = claim(ledger, max_attempts=2)
    with pytest.raises(LedgerFault, match="no final answer while attempts are left"):
        close(ledger, run, "retryable_error", answer("retryable_error"))
    close(ledger, run, "retryable_error", None)
    assert close(ledger, claim(ledger), "retryable_error", answer("retryable_error")).status == "retryable_error"


def test_early_final_answer(ledger: Ledger) -> None:
    done = settle(ledger, "r", "needs_human")
    assert (done.attempts, done.max_attempts, done.state) == (1, 3, "done")


@pytest.mark.rule("S4.3")
def test_adoption_and_claim_in_one_transaction(ledger: Ledger) -> None:
    left = claim(ledger)
    with ledger.transaction(soon()) as t1:
        run = t1.admit(key())
        assert run.open_token == left.open_token
        run = t1.close_attempt(run, "crashed", {}, None)
        run = t1.start_attempt(run, results.new_token(), "a test")
        assert [attempt.outcome for attempt in t1.attempts(run.id)] == ["crashed", None]
    assert run == ledger.look(WORKER, "r")
    assert run.open_token != left.open_token


@pytest.mark.rule("S4.2")
def test_stale_run_is_refused(ledger: Ledger) -> None:
    run = claim(ledger)
    close(ledger, run, "ok", answer())
    for deed in (
        lambda t: t.close_attempt(run, "ok", {}, answer("ok", "other")),
        lambda t: t.close_attempt(run, "crashed", {}, None),
        lambda t: t.start_attempt(run, results.new_token(), "a test"),
        lambda t: t.reopen(run, 1, "ann", ""),
    ):
        before = dump(ledger)
        with pytest.raises(LedgerFault, match="found 0"), ledger.transaction(soon()) as t:
            deed(t)
        assert dump(ledger) == before


def test_refused_deed_spoils_its_transaction(ledger: Ledger) -> None:
    run = claim(ledger)
    with pytest.raises(LedgerFault, match="not committed"), ledger.transaction(soon()) as t:  # noqa: PT012
        t.admit(key("second"))
        with pytest.raises(LedgerFault):
            t.start_attempt(run, results.new_token(), "a test")
    assert ledger.look(WORKER, "second") is None


def test_error_in_the_block_rolls_back(ledger: Ledger) -> None:
    class OwnError(Exception): ...

    with pytest.raises(OwnError), ledger.transaction(soon()) as t:  # noqa: PT012
        t.admit(key())
        raise OwnError
    assert ledger.look(WORKER, "r") is None
    assert claim(ledger).attempts == 1  # The write queue is free again.


def test_constraint_is_a_fault_of_ours(ledger: Ledger) -> None:
    with pytest.raises(LedgerFault, match=r"(?i)check"), ledger.transaction(soon()) as t:
        t.admit(key(run_id=""))
    run = claim(ledger)
    with pytest.raises(LedgerFault, match="outcome IN"):
        close(ledger, run, "fine", answer())


def test_transaction_does_not_outlive_its_block(ledger: Ledger) -> None:
    with ledger.transaction(soon()) as t:
        run = t.admit(key())
    with pytest.raises(LedgerFault, match="over"):
        t.start_attempt(run, results.new_token(), "a test")
    with ledger.transaction(soon()), pytest.raises(LedgerFault, match="under way"), ledger.transaction(soon()):
        pass
    assert ledger.look(WORKER, "r") == run


def test_savepoint_fails_alone(ledger: Ledger) -> None:
    run = claim(ledger, "bad")
    with ledger.transaction(soon()) as t:
        for run_id in ("a", "bad", "b"):
            try:
                with t.savepoint():
                    t.note_rejection(Rejection(WORKER, run_id, "part", None, 0))
                    other = t.admit(key(run_id))
                    t.start_attempt(other, results.new_token(), "a test")
            except LedgerFault:
                assert run_id == "bad"
    assert [(other.run_id, other.attempts) for other in ledger.runs()] == [("b", 1), ("a", 1), ("bad", 1)]
    assert [entry.run_id for entry in ledger.rejections()] == ["b", "a"]
    assert ledger.look(WORKER, "bad") == run


@pytest.mark.rule("S3.2")
def test_reopen(ledger: Ledger, clock: Steps) -> None:
    done = settle(ledger, "r", "needs_human", max_attempts=1)
    clock.now = 5_000
    with ledger.transaction(soon()) as t:
        run = t.reopen(done, 2, "ann", "the address was mended")
    assert (run.state, run.attempts, run.max_attempts, run.status, run.output, run.envelope) == (
        "waiting", 1, 3, None, None, None,
    )  # fmt: skip
    assert run == ledger.look(WORKER, "r")
    assert ledger.reopenings(run.id) == ((1, 2, "ann", "the address was mended", done.envelope, 5_000),)
    again = close(ledger, claim(ledger), "invalid_output", answer("invalid_output"))
    assert again.attempts == 2
    with ledger.transaction(soon()) as t:
        t.reopen(again, 1, "bob", "")
    assert [(entry.n, entry.who, entry.envelope) for entry in ledger.reopenings(run.id)] == [
        (1, "ann", done.envelope),
        (2, "bob", again.envelope),
    ]
    assert [claim(ledger).attempts for _ in range(1)] == [3]


@pytest.mark.parametrize("status", ["ok", None])
def test_only_a_failed_settled_run_is_reopened(ledger: Ledger, status: str | None) -> None:
    run = claim(ledger) if status is None else settle(ledger, "r", status)
    with pytest.raises(LedgerFault), ledger.transaction(soon()) as t:
        t.reopen(run, 1, "ann", "")
    assert ledger.look(WORKER, "r") == run
    assert ledger.reopenings(run.id) == ()


def test_nothing_granted_is_refused(ledger: Ledger) -> None:
    run = settle(ledger, "r", "needs_human")
    for granted in (0, -1):
        with pytest.raises(LedgerFault), ledger.transaction(soon()) as t:
            t.reopen(run, granted, "ann", "")


def prune(ledger: Ledger, **filters) -> int:
    with ledger.transaction(soon()) as t:
        return t.prune(**filters).runs


@pytest.mark.rule("S4.6")
def test_prune_keeps_what_is_unfinished(ledger: Ledger) -> None:
    with ledger.transaction(soon()) as t:
        t.admit(key("waiting"))
    claim(ledger, "running")
    failed = settle(ledger, "failed", "needs_human")
    settle(ledger, "done")
    with ledger.transaction(soon()) as t:
        t.reopen(failed, 1, "ann", "")
    close(ledger, claim(ledger, "failed"), "ok", answer())
    assert prune(ledger) == 2
    assert [run.run_id for run in ledger.runs()] == ["running", "waiting"]
    for table, left in {"attempts": 1, "reopenings": 0}.items():
        assert ledger._connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (left,)


@pytest.mark.rule("S4.6")
def test_prune_filters(ledger: Ledger, clock: Steps) -> None:
    for number, run_id in enumerate("abcd"):
        clock.now = number * 1_000
        settle(ledger, run_id, "ok" if run_id in "ac" else "needs_human")
        ledger.reject(WORKER, run_id, "input_schema_mismatch", None)
    assert prune(ledger, worker_id="other") == 0
    assert prune(ledger, before=0) == 0
    assert prune(ledger, run_id="b", status="ok") == 0
    assert prune(ledger, before=2_000, status="ok") == 1
    assert len(ledger.rejections()) == 4
    assert prune(ledger, before=2_000) == 1
    assert [entry.run_id for entry in ledger.rejections()] == ["d", "c"]
    assert prune(ledger, run_id="c") == 1
    assert [run.run_id for run in ledger.runs()] == ["d"]


def test_pruned_key_is_free_again(ledger: Ledger) -> None:
    settle(ledger, "r")
    prune(ledger)
    assert claim(ledger).attempts == 1


def test_listing(ledger: Ledger) -> None:
    for run_id in "abc":
        settle(ledger, run_id, "ok" if run_id != "b" else "needs_human")
    claim(ledger, "d")
    with ledger.transaction(soon()) as t:
        t.admit(key("e", worker_id="other"))
    assert [run.run_id for run in ledger.runs()] == list("edcba")
    assert [run.run_id for run in ledger.runs(limit=2)] == ["e", "d"]
    assert [run.run_id for run in ledger.runs(limit=0)] == []
    assert [run.run_id for run in ledger.runs(RunChoice(worker_id="other"))] == ["e"]
    assert [run.run_id for run in ledger.runs(RunChoice(status="ok"), limit=1)] == ["c"]
    assert [run.run_id for run in ledger.runs(RunChoice(status="running"))] == ["d"]
    assert not hasattr(ledger.runs()[0], "output")


@pytest.mark.rule("S2.2")
def test_rejections_bind_nothing(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.reject(WORKER, "r", "input_schema_mismatch", b"\1" * 32)
    ledger.reject(WORKER, None, "input_schema_mismatch", None)
    assert ledger.look(WORKER, "r") is None
    assert ledger.rejections(limit=2) == (
        (WORKER, None, "input_schema_mismatch", None, 1_000),
        (WORKER, "r", "input_schema_mismatch", b"\1" * 32, 1_000),
    )
    assert claim(ledger).attempts == 1


@pytest.mark.rule("S2.2")
@pytest.mark.parametrize(
    ("run_id", "digest", "written"),
    [
        ("x" * 10_000, None, True),
        ("\ud800", None, True),
        ("a\0b", None, True),
        ("", None, True),
        ("r", b"short", False),
    ],
)
def test_reject_never_raises(ledger: Ledger, run_id: str, digest: bytes | None, written: bool) -> None:
    ledger.reject(WORKER, run_id, "input_schema_mismatch", digest)
    entries = ledger.rejections()
    assert len(entries) == written
    assert all(len(entry.run_id or "") <= 256 for entry in entries)


@pytest.mark.rule("S2.2")
def test_reject_on_a_closed_table(ledger: Ledger) -> None:
    ledger._connection.execute("DROP TABLE rejections")
    ledger.reject(WORKER, "r", "input_schema_mismatch", None)
    assert claim(ledger).attempts == 1


def test_text_that_is_not_unicode_is_in_no_row(ledger: Ledger) -> None:
    assert ledger.look(WORKER, "\ud800") is None
    assert ledger.find("\udcff") == ()


@pytest.mark.rule("S4.2")
def test_clock_only_labels(place: str) -> None:
    jumping = Steps(9_000_000, 5_000_000, -7, 3, 1, 0, 2**62)
    with open_ledger(place, now=jumping) as ledger:
        first = claim(ledger, "first", 2)
        first = close(ledger, first, "timeout", None)
        first = close(ledger, claim(ledger, "first", 2), "ok", answer())
        assert (first.state, first.created_at, first.settled_at) == ("done", 9_000_000, 0)
        assert [(a.n, a.started_at, a.ended_at) for a in ledger.attempts(first.id)] == [(1, 5_000_000, -7), (2, 1, 0)]
        settle(ledger, "second")
        assert [run.run_id for run in ledger.runs()] == ["second", "first"]
        jumping.now = -(2**62)
        with pytest.raises(LedgerFault):
            claim(ledger, "first", 2)


@pytest.mark.rule("S4.2")
def test_waits_do_not_follow_the_wall_clock(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call(path)
    monkeypatch.setattr(time, "time", lambda: -1e9)
    monkeypatch.setattr(time, "time_ns", lambda: -(10**18))
    with Ledger.open(path) as ledger, ledger.transaction(soon()) as t:
        t.admit(key("second"))


@pytest.mark.rule("S4.8")
def test_damage_under_way(path: str) -> None:
    with Ledger.open(path) as ledger:
        settle(ledger, "r")
        ledger._connection.execute("PRAGMA writable_schema = ON")
        ledger._connection.execute("DELETE FROM sqlite_schema WHERE name = 'attempts'")
        ledger._connection.execute("PRAGMA writable_schema = RESET")
        with pytest.raises(LedgerUnavailable) as refused:
            ledger.look(WORKER, "r")
        assert refused.value.hint
        ledger._connection.close()
        with pytest.raises(LedgerFault):
            ledger.look(WORKER, "r")
    for file in Path(path).parent.glob("ledger.db*"):  # Damaged on purpose: not for the check after each test.
        if file.is_file():
            file.unlink()


def test_closing_twice(path: str) -> None:
    ledger = Ledger.open(path)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerFault), ledger.transaction(soon()):
        pass


def test_transaction_type(ledger: Ledger) -> None:
    with ledger.transaction(soon()) as t:
        assert isinstance(t, Transaction)
        assert ledger.look(WORKER, "r") is None
        t.admit(key())
        assert ledger.look(WORKER, "r") is not None  # The same connection: as the transaction sees it.
