"""Agents that work at the same time: bounds, approvals and recordings hold as if they took turns."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER, Bound
from tests.backends.agents.kinds import KindUnderTest
from tests.conftest import FOUR
from workermd.testing import Call, Received, Slow, Text, ToolCalls, Usage

AGENTS = [{"name": name} for name in ("left", "right", "join")]
KINDS = (
    KindUnderTest(
        "team", "autogen_agentchat", {"pattern": "graph", "agents": AGENTS, "sequence": [["left", "right"], "join"]}
    ),
    KindUnderTest("agent-framework", "agent_framework", {"pattern": "parallel", "agents": AGENTS}),
)
TOOL = '[tools.add]\nfunction = "sums:add"\n'


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def both(request, cli, contract, tmp_path) -> Iterator[Bound]:
    pytest.importorskip(request.param.module, reason=f"{request.param.module} is not installed")
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a + 1\n")
    made = Bound(request.param, cli, contract, tmp_path)
    yield made
    made.close()


def speaker(received: Received) -> str:
    found = re.search(r"You are the agent (\w+)", received.body["messages"][0]["content"])
    assert found
    return found[1]


def calling(left: tuple[Call, ...], right: tuple[Call, ...], seconds: float = 0) -> Any:
    """Both call tools once, then speak, the left one so many seconds later; the third answers."""

    def script(received: Received) -> Any:
        name = speaker(received)
        if name == "join":
            return Text(ANSWER)
        called = any(message["role"] == "tool" for message in received.body["messages"])
        turn = Text(f"{name} is done") if called else ToolCalls(left if name == "left" else right)
        return Slow(seconds if name == "left" else 0, turn)

    return script


@pytest.mark.rule("S3.6")
def test_a_bound_of_turns_is_one_for_both(both):
    ran = both(lambda received: Text(ANSWER), constraints={"max_turns": 1})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert ran.envelope["usage"]["turns"] == 1
    assert len(ran.server.requests) <= 1


@pytest.mark.rule("S3.6")
def test_tokens_of_both_count(both):
    ran = both(lambda received: Text(ANSWER, usage=Usage(100, 100)), constraints={"max_tokens": 250})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert ran.envelope["usage"] == {"turns": 2, "input_tokens": 200, "output_tokens": 200}


@pytest.mark.rule("S9.1")
def test_approvals_are_asked_one_by_one(both, cli):
    script = calling((Call("add", {"a": 1}), Call("add", {"a": 3})), (Call("add", {"a": 2}), Call("add", {"a": 3})))
    given = {"config": TOOL + "approve = true\n", "worker": {"tools": ["add"]}, "statuses": [*FOUR, "needs_human"]}
    asked = []
    for _ in range(4):  # an approval is for one call: add(3) is called by both
        ran = both(script, run_id="asks", **given)
        assert ran.envelope["status"] == "needs_human"
        asked.append(ran.envelope["request"]["proposed"]["arguments"]["a"])
        assert cli("approve", "asks", "--by", "ann").code == 0
    assert sorted(asked) == [1, 2, 3, 3]
    ran = both(script, run_id="asks", **given)
    assert ran.envelope["status"] == "ok"


def test_a_recording_is_given_back_in_its_order(both, tmp_path):
    script = calling((Call("add", {"a": 1}),) * 2, (Call("add", {"a": 1}),) * 2, 0.05)
    given = {"config": TOOL, "worker": {"tools": ["add"]}, "run_id": "kept"}
    ran = both(script, "--record", tmp_path / "kept", **given)
    assert ran.envelope["status"] == "ok"
    again = both([], "--replay", tmp_path / "kept", "--ledger", tmp_path / "other.db", **given)
    assert again.envelope["status"] == "ok", again.envelope["error"]
    assert (again.envelope["outputs"], again.envelope["usage"]) == (ran.envelope["outputs"], ran.envelope["usage"])
    assert not again.server.requests
