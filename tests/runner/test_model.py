"""Any order of calls, crashes, decisions, reopenings and prunings, against a dictionary that says what must come of it."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.storm.expected import DECIDING, HOST, POINTS, Expected
from tests.storm.oracle import violations
from tests.storm.trial import KILLED, Trial

REPLIES = (
    ["ok"],
    ["retryable_error", "ok"],
    ["retryable_error"],
    ["invalid_request"],
    ["needs_human", "needs_human", "ok"],
)


class Known(Expected):
    """A run as the dictionary knows it: beside its attempts, the input and the contract that bind it."""

    def __init__(self, replies: list[str], task: str, *, changed: bool) -> None:
        super().__init__(replies)
        self.task = task
        self.changed = changed
        self.answer: bytes | None = None


class Calls(RuleBasedStateMachine):
    """Calls of the real command line. A run that no claim has bound yet is not in the dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory(prefix="workermd-model-")
        self.trial = Trial(Path(self.temporary.name) / "trial")
        self.runs: dict[str, Known] = {}
        self.generation = 0

    def teardown(self) -> None:
        try:
            for run_id, run in self.runs.items():
                if run.status is None:
                    self.called(run_id, run, run.task, changed=run.changed)
            assert not self.runs or violations(self.trial) == []
        finally:
            self.temporary.cleanup()

    def called(self, run_id: str, run: Known, task: str, *, changed: bool, at: str = "") -> None:
        """One call: its exit code and its answer are the dictionary's."""
        refused = ""
        if run.admitted and task != run.task:
            refused = "idempotency_conflict"
        elif run.admitted and run.status is None and changed != run.changed:
            refused = "contract_changed"
        settled = run.status is not None
        code = 3 if refused else run.call(at)
        done = self.trial.call(run_id, run.replies, task=task, changed=changed, at=at)
        assert done.code == code, (at, refused, done.out, done.err)
        if refused:
            assert done.document["result"]["error"]["code"] == refused
        elif settled:
            assert done.out == run.answer or run.answer is None
            assert ("meaning changed" in done.err) == (changed != run.changed)
        if not refused and run.status is not None and done.code != KILLED:
            run.answer = done.out
        assert self.trial.starts(run_id) == run.starts

    runs_made = Bundle("runs_made")

    @initialize()
    def nothing(self) -> None:
        assert self.trial.cli("runs", "list").code == 0
        assert not self.trial.ledger.exists()

    @rule(target=runs_made, replies=st.sampled_from(REPLIES), changed=st.booleans(), at=st.sampled_from(("", *POINTS)))
    def new_run(self, replies: list[str], changed: bool, at: str) -> str:
        self.generation += 1
        run_id = f"r{self.generation}"
        self.runs[run_id] = run = Known(replies, "x", changed=changed)
        self.called(run_id, run, "x", changed=changed, at=at)
        return run_id

    @rule(run_id=runs_made)
    def call(self, run_id: str) -> None:
        run = self.runs[run_id]
        self.called(run_id, run, run.task, changed=run.changed)

    @rule(run_id=runs_made, at=st.sampled_from((*POINTS, *HOST)))
    def call_and_crash(self, run_id: str, at: str) -> None:
        run = self.runs[run_id]
        self.called(run_id, run, run.task, changed=run.changed, at=at)

    @rule(run_id=runs_made)
    def call_with_another_input(self, run_id: str) -> None:
        run = self.runs[run_id]
        if run.admitted:
            self.called(run_id, run, "y" if run.task == "x" else "x", changed=run.changed)

    @rule(run_id=runs_made)
    def call_with_a_changed_contract(self, run_id: str) -> None:
        run = self.runs[run_id]
        if run.admitted:
            self.called(run_id, run, run.task, changed=not run.changed)

    @rule(
        run_id=runs_made,
        flags=st.sampled_from(((), ("--deny",), ("--deny", "--final"))),
        at=st.sampled_from(("", *DECIDING)),
    )
    def approve(self, run_id: str, flags: tuple[str, ...], at: str) -> None:
        """A person decides, perhaps killed at it; refused where nothing is open, whoever asks."""
        run = self.runs[run_id]
        before = len(run.decisions)
        code = run.approve(*flags, at=at)
        done = self.trial.approve(run_id, *flags, at=at)
        assert done.code == code, (done.out, done.err)
        if len(run.decisions) > before:
            run.answer = None

    @rule(run_id=runs_made)
    def reopen(self, run_id: str) -> None:
        run = self.runs[run_id]
        allowed = run.reopen()
        done = self.trial.cli("runs", "reopen", run_id, "--by", "ann", "--reason", "again")
        assert (done.code == 0) == allowed, done.err
        if allowed:
            run.answer = None
            self.trial.acknowledged.pop(run_id, None)  # the answer was set aside, by name

    @precondition(lambda self: any(run.status for run in self.runs.values()))
    @rule()
    def prune(self) -> None:
        """Settled runs go, and with them their keys; whoever uses such a key again begins anew."""
        gone = [run_id for run_id, run in self.runs.items() if run.status is not None]
        self.trial.look_at_results()
        done = self.trial.cli("runs", "prune", "--all", "--format", "json")
        assert done.document["removed"] == len(gone)
        for run_id in gone:
            run = self.runs[run_id]
            self.runs[run_id] = Known(run.replies, run.task, changed=run.changed)
            self.trial.forget(run_id)

    @invariant()
    def the_ledger_is_the_dictionary(self) -> None:
        known = {
            run_id: (_state(run), run.status, len(run.outcomes) + (run.open is not None))
            for run_id, run in self.runs.items()
            if run.admitted
        }
        assert self.listed() == known
        asking = sorted(run_id for run_id, run in self.runs.items() if run.asks)
        assert sorted(self.pending()) == asking

    def listed(self) -> dict[str, tuple[str, str | None, int]]:
        if not self.trial.ledger.exists():
            return {}
        with closing(sqlite3.connect(f"file:{self.trial.ledger}?mode=ro", uri=True)) as connection:
            return {row[0]: row[1:] for row in connection.execute("SELECT run_id, state, status, attempts FROM runs")}

    def pending(self) -> list[str]:
        return [row["run_id"] for row in self.trial.cli("runs", "pending", "--format", "json").document["pending"]]


def _state(run: Known) -> str:
    if run.status is not None:
        return "done"
    return "running" if run.open is not None else "waiting"


def check(*, examples: int, steps: int, seed: int | None = None) -> None:
    """Try so many sequences of so many steps. Raises AssertionError with the steps that broke a promise."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seed is None,
        database=None,
        phases=[Phase.generate],  # a step takes a good part of a second: too long to look for a shorter sequence
        suppress_health_check=list(HealthCheck),
    )
    if seed is not None:
        hypothesis.seed(seed)(Calls)
    run_state_machine_as_test(Calls, settings=chosen)


@pytest.mark.rule("S2.3", "S3.2", "S4.3", "S4.5", "S4.6", "S9.2")
def test_calls_crashes_decisions_reopenings_and_prunings_do_what_a_dictionary_says():
    check(examples=5, steps=10)
