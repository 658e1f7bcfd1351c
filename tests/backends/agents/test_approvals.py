"""An approval is for one call: over every kind, attempt by attempt as a run would make them, in this process."""

import os

import pytest

from tests.backends.agents.conftest import ANSWER
from workermd.testing import Call, Hang, Text, ToolCalls

pytestmark = pytest.mark.rule("S9.7")


@pytest.fixture
def run(attempt, look, tmp_path):
    """One run: each call is its next attempt, told what was decided so far. A decision is `(at, answer)`."""
    tool, called = look
    decided = []

    def go_on(script, *decisions, **given):
        for at, answer in decisions:
            proposed = {"tool": "look", "arguments": {"at": at}}
            number = f"d{len(decided):011}"
            decided.append(
                {"id": number, "kind": "tool", "question": "?", "options": [], "proposed": proposed,
                 "answer": answer, "by": "ann", "at": "now"}
            )  # fmt: skip
        folder = tmp_path / "artifacts" / f"attempt{len(list(tmp_path.glob('artifacts/*')))}"
        os.makedirs(folder)
        task = {"decisions": tuple(decided), "artifacts_dir": str(folder)}
        return attempt(script, tools=(tool._replace(approve=True),), task=task, **given)

    go_on.called = lambda: called.read_text().split() if called.exists() else []
    return go_on


def calls(*ats):
    return ToolCalls([Call("look", {"at": at}) for at in ats])


ASKS = ("needs_human", "approval_required")


def test_one_decision_allows_one_call(run):
    script = [calls("ann"), calls("ann"), Text(ANSWER)]
    assert run(script).ending == ASKS
    assert run.called() == []
    assert run(script, ("ann", "approve")).ending == ASKS
    assert run.called() == ["ann"]


def test_what_was_approved_and_called_is_not_called_again(run):
    script = [calls("ann"), calls("bob"), calls("eve"), Text(ANSWER)]
    for name in ("ann", "bob"):
        assert run(script, (name, "approve")).ending == ASKS
    ran = run(script, ("eve", "approve"))
    assert ran.ending == ("", ""), ran.message
    assert run.called() == ["ann", "bob", "eve"]
    assert ran.result.usage["tool_calls"] == 1
    assert [event["event"] for event in ran.events].count("given_again") == 2
    answers = [message["content"] for message in ran.server.requests[-1].body["messages"] if message["role"] == "tool"]
    assert answers == ["half ?"] * 3
    assert "called_already_and_answered" in str(ran.server.requests[0].body["messages"])


def test_the_second_call_has_the_second_decision(run):
    script = [calls("ann", "ann"), Text(ANSWER)]
    assert run(script, ("ann", "approve")).ending == ASKS
    ran = run(script, ("ann", "deny"))
    assert ran.ending == ("", ""), ran.message
    assert run.called() == ["ann"]
    assert ran.result.usage["tool_calls_denied"] == 1


def test_a_call_whose_outcome_is_unknown_asks_anew(run, tmp_path):
    tool = next(tmp_path.glob("tool_*.py"))
    tool.write_text(tool.read_text() + "\n    # never\n")
    assert run([calls("ann"), Text(ANSWER)]).ending == ASKS
    (tmp_path / "artifacts" / "d00000000000.approved").write_text('{"state": "begun"}')
    ran = run([calls("ann"), Text(ANSWER)], ("ann", "approve"))
    assert ran.ending == ASKS
    assert "unknown" in ran.message or "unknown" in str(ran.result.failure)
    again = run([calls("ann"), Text(ANSWER)], ("ann", "approve"))
    assert again.ending == ("", "")
    assert run.called() == ["ann"]


def test_an_answer_is_kept_before_anybody_hears_it(run, tmp_path):
    assert run([calls("ann")]).ending == ASKS
    ran = run([calls("ann"), Hang()], ("ann", "approve"), seconds=2)
    assert ran.ending == ("timeout", "timeout")
    kept = tmp_path / "artifacts" / "d00000000000.approved"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert '"made"' in kept.read_text()
