"""Random sequences of deeds against a dictionary that says what the ledger should hold."""

import shutil
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.ledger.ledger_caller import WORKER, Answer, damage, key, soon
from tests.properties import examples
from workermd.ledger import results
from workermd.ledger.records import NewQuestion, Run
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger

pytestmark = pytest.mark.rule("S3.2", "S4.2", "S4.6")

RUN_IDS = st.sampled_from(["a", "b", "c"])
TRANSIENT = st.sampled_from(["retryable_error", "timeout", "crashed", "cancelled", "invalid_output"])
FINAL = st.sampled_from(["ok", "needs_human", "invalid_output", "invalid_request", "own_status", "retryable_error"])
REFUSED = object()
DENIED = Answer("invalid_output", b"denied", b"{}")
ASKING = NewQuestion("0123456789ab", "question", "which?", ("a", "b"), None, DENIED)


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.path = f"{self.folder}/ledger.db"
        self.ledger = Ledger.open(self.path)
        self.model: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.ledger.close()
            found = damage(self.path)
            shutil.rmtree(self.folder)
            assert found == []

    def look(self, run_id: str) -> Run | None:
        return self.ledger.look(WORKER, run_id)

    def attempt(self, allowed: bool, deed: Any) -> Any:
        """Carry a deed out in a transaction; it has to be refused exactly when the model does not allow it."""
        if allowed:
            with self.ledger.transaction(soon()) as transaction:
                return deed(transaction)
        with pytest.raises(LedgerFault), self.ledger.transaction(soon()) as transaction:
            deed(transaction)
        return REFUSED

    @rule(run_id=RUN_IDS, max_attempts=st.integers(1, 3))
    def admit(self, run_id: str, max_attempts: int) -> None:
        self.attempt(True, lambda t: t.admit(key(run_id, max_attempts)))
        fresh = {"state": "waiting", "attempts": 0, "max": max_attempts, "answer": None, "outcomes": [], "reopened": []}
        fresh |= {"asked": {}}
        self.model.setdefault(run_id, fresh)

    @rule(run_id=RUN_IDS)
    def start(self, run_id: str) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        token = results.new_token()
        if self.attempt(expected["state"] == "waiting", lambda t: t.start_attempt(run, token, "a test")) is not REFUSED:
            expected.update(state="running", attempts=expected["attempts"] + 1, token=token)
            expected["outcomes"].append(None)

    @rule(run_id=RUN_IDS, outcome=TRANSIENT)
    def close_transient(self, run_id: str, outcome: str) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        allowed = expected["state"] == "running" and expected["attempts"] < expected["max"]
        if self.attempt(allowed, lambda t: t.close_attempt(run, outcome, {}, None)) is not REFUSED:
            expected.update(state="waiting")
            expected["outcomes"][-1] = outcome

    @rule(run_id=RUN_IDS, status=FINAL, output=st.binary(max_size=8))
    def close_final(self, run_id: str, status: str, output: bytes) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        out_of_attempts = expected["attempts"] >= expected["max"]
        allowed = expected["state"] == "running" and (status != "retryable_error" or out_of_attempts)
        final = Answer(status, output, b"{}")
        if self.attempt(allowed, lambda t: t.close_attempt(run, "invalid_output", {}, final)) is not REFUSED:
            expected.update(state="done", answer=final)
            expected["outcomes"][-1] = "invalid_output"

    @rule(run_id=RUN_IDS)
    def close_asking(self, run_id: str) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        final = Answer("needs_human", b"which?", b"{}")
        deed = lambda t: t.close_attempt(run, "needs_human", {}, final, ASKING)  # noqa: E731
        if self.attempt(expected["state"] == "running", deed) is not REFUSED:
            expected.update(state="done", answer=final)
            expected["outcomes"][-1] = "needs_human"
            expected["asked"][expected["attempts"]] = None

    @rule(run_id=RUN_IDS, final=st.booleans())
    def decide(self, run_id: str, final: bool) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        allowed = self.is_open(expected)
        deed = lambda t: t.deny_for_good(run, "ann", "") if final else t.decide(run, "a", "ann", "")  # noqa: E731
        if self.attempt(allowed, deed) is REFUSED:
            return
        expected["asked"][expected["attempts"]] = "deny" if final else "a"
        if final:
            expected.update(answer=DENIED)
        else:
            expected["reopened"].append(1)
            expected.update(state="waiting", max=expected["max"] + 1, answer=None)

    def is_open(self, expected: dict[str, Any]) -> bool:
        asked = expected["asked"]
        return expected["state"] == "done" and expected["attempts"] in asked and asked[expected["attempts"]] is None

    @rule(run_id=RUN_IDS, granted=st.integers(0, 2))
    def reopen(self, run_id: str, granted: int) -> None:
        run, expected = self.look(run_id), self.model.get(run_id)
        if run is None or expected is None:
            return
        allowed = granted > 0 and expected["state"] == "done" and expected["answer"].status != "ok"
        if self.attempt(allowed, lambda t: t.reopen(run, granted, "ann", "why")) is not REFUSED:
            expected["reopened"].append(granted)
            expected.update(state="waiting", max=expected["max"] + granted, answer=None)

    @rule(status=st.none() | FINAL)
    def prune(self, status: str | None) -> None:
        gone = [
            run_id
            for run_id, expected in self.model.items()
            if expected["state"] == "done" and status in {None, expected["answer"].status}
        ]
        assert self.attempt(True, lambda t: t.prune(status=status).runs) == len(gone)
        for run_id in gone:
            del self.model[run_id]

    @rule()
    def open_again(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.path)

    @invariant()
    def same_as_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        assert {run.run_id for run in self.ledger.runs()} == set(self.model)
        open_ones = {run_id for run_id, expected in self.model.items() if self.is_open(expected)}
        assert {each.run_id for each in self.ledger.pending()} == open_ones
        for run_id, expected in self.model.items():
            run = self.look(run_id)
            assert run is not None
            assert (run.state, run.attempts, run.max_attempts) == (
                expected["state"],
                expected["attempts"],
                expected["max"],
            )
            stored = None if run.status is None else Answer(run.status, run.output or b"", run.envelope or b"")
            assert stored == expected["answer"]
            assert run.open_token == (expected["token"] if run.state == "running" else None)
            assert [attempt.outcome for attempt in self.ledger.attempts(run.id)] == expected["outcomes"]
            assert [entry.granted for entry in self.ledger.reopenings(run.id)] == expected["reopened"]
            asked = {each.n: each.decision and each.decision.answer for each in self.ledger.questions(run.id)}
            assert asked == expected["asked"]


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=examples(40), stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
