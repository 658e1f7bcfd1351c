"""The kind `agent-framework`: who spoke in which pattern, what a cap means, plans and stalls before people, YAML agents."""

import json
import os
import re
from typing import Any

import pytest

from tests.agents.conftest import ANSWER, Bound
from tests.agents.kinds import KindUnderTest
from workermd.testing import Call, Text, ToolCalls

pytest.importorskip("agent_framework", reason="workermd[agent-framework] is not installed")

KIND = KindUnderTest("agent-framework", "agent_framework")
FIVE = ["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"]
ONCE = {"max_attempts": 1}


@pytest.fixture
def run(cli, contract, tmp_path):
    bound = Bound(KIND, cli, contract, tmp_path)
    yield bound
    bound.close()


def team(pattern: str, *names: str, **keys: Any) -> dict[str, Any]:
    agents = [{"name": name, "instructions": f"Part of {name}."} for name in names]
    return {"pattern": pattern, "agents": agents, **keys}


def speaker(received: Any) -> str:
    """Who asked, by the part that its system message gives it."""
    system = received.body["messages"][0]["content"]
    found = re.search(r"You are the (?:agent )?(\w+)", system.split("larger process.", 1)[1])
    return found[1] if found else ""


def speakers(ran: Any) -> list[str]:
    return [speaker(received) for received in ran.server.requests]


def by(script: dict[str, list[Any]]) -> Any:
    """A script for each speaker."""
    left = {name: list(turns) for name, turns in script.items()}
    return lambda received: left[speaker(received)].pop(0)


def heard(received: Any) -> str:
    """All that was said to a model but the system message."""
    return json.dumps([message["content"] for message in received.body["messages"][1:]])


def code(ran: Any) -> tuple[str, str]:
    return ran.envelope["status"], ran.envelope.get("error", {}).get("code", "")


# --- one agent ------------------------------------------------------------------------------------------------------


def test_the_form_of_the_answer_is_asked_for_as_it_is(run):
    from workermd.agents.shape import asked_for

    ran = run([Text(ANSWER)])
    body = ran.server.requests[0].body
    schema = body["response_format"]["json_schema"]["schema"]
    assert body["response_format"] == asked_for(schema)
    assert set(body) == {"model", "messages", "response_format", "stream"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_nothing_of_the_environment_is_read(run, tmp_path):
    (tmp_path / ".env").write_text("OPENAI_MODEL=other\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\nOPENAI_API_KEY=sk-env\n")
    env = {"OPENAI_MODEL": "other", "OPENAI_CHAT_COMPLETION_MODEL": "other", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    ran = run([Text(ANSWER)], worker={"env": list(env)}, env=env)
    assert code(ran) == ("ok", ""), ran.done.err
    assert ran.server.requests[0].body["model"] == "scripted-1"
    assert "authorization" not in ran.server.requests[0].headers


def test_text_beside_a_tool_call_is_no_part_of_the_answer(run, tmp_path):
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a\n")
    script = [ToolCalls((Call("add", {"a": 1}),), content="Let me add."), Text(ANSWER)]
    ran = run(script, config='[tools.add]\nfunction = "sums:add"\n', worker={"tools": ["add"]})
    assert code(ran) == ("ok", ""), ran.done.err
    assert len(ran.server.requests) == 2


def test_one_agent_of_the_configuration_has_its_own_model(run):
    agents = [{"name": "clerk", "instructions": "Be brief.", "model": "cheap"}]
    config = '[models.cheap]\nmodel = "cheap-1"\nbase_url = "URL"\n'
    ran = run([Text(ANSWER)], worker={"agents": agents, "instructions": "Be kind."})
    assert ran.done.code == 2
    assert "model 'cheap' is not among models" in ran.envelope["error"]["message"]
    agents[0].pop("model")
    ran = run(
        [Text(ANSWER)],
        worker={"agents": agents, "instructions": "Be kind."},
        config=config.replace("URL", "http://127.0.0.1:9"),
    )
    system = ran.server.requests[0].body["messages"][0]["content"]
    assert "Be brief." in system
    assert "Be kind." in system


# --- patterns -------------------------------------------------------------------------------------------------------


def test_a_sequence_speaks_in_order_and_the_last_one_answers(run):
    ran = run([Text("Facts."), Text("Draft."), Text(ANSWER)], worker=team("sequence", "finder", "writer", "clerk"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["finder", "writer", "clerk"]
    assert ran.envelope["usage"] == {"turns": 3, "input_tokens": 36, "output_tokens": 18}
    asked = ["response_format" in received.body for received in ran.server.requests]
    assert asked == [False, False, True]
    last = ran.server.requests[2].body["messages"]
    assert [message["role"] for message in last] == ["system", "user", "user", "user"]
    assert last[2]["content"] == "finder said:\nFacts."
    assert "Part of writer." not in last[0]["content"]


def test_whoever_is_named_answers(run):
    ran = run([Text(ANSWER), Text("Well done.")], worker=team("sequence", "writer", "critic", answer="writer"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["writer", "critic"]


def test_tool_calls_of_one_agent_are_not_told_to_the_next(run, tmp_path):
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a\n")
    script = [ToolCalls((Call("add", {"a": 1}),)), Text("It is 1."), Text(ANSWER)]
    worker = team("sequence", "adder", "clerk", tools=["add"])
    worker["agents"][1]["tools"] = []
    ran = run(script, config='[tools.add]\nfunction = "sums:add"\n', worker=worker)
    assert code(ran) == ("ok", ""), ran.done.err
    assert "tools" not in ran.server.requests[2].body
    assert all("tool" not in message["role"] for message in ran.server.requests[2].body["messages"])
    assert "It is 1." in heard(ran.server.requests[2])


@pytest.mark.parametrize("others", [1, 3])
def test_in_parallel_all_work_at_once_and_one_concludes(run, others):
    names = [f"expert{number}" for number in range(others)]
    script = by({name: [Text(f"View of {name}.")] for name in names} | {"clerk": [Text(ANSWER)]})
    ran = run(script, worker=team("parallel", *names, "clerk"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert sorted(speakers(ran)[:-1]) == names
    assert speakers(ran)[-1] == "clerk"
    assert all(f"View of {name}." in heard(ran.server.requests[-1]) for name in names)
    assert all("View of" not in heard(received) for received in ran.server.requests[:-1])


def test_a_round_robin_ends_with_the_one_that_answers(run):
    script = by({"writer": [Text("{}"), Text(ANSWER)], "critic": [Text("More."), Text("No.")]})
    ran = run(script, worker=team("round-robin", "writer", "critic", answer="writer", rounds=2))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["writer", "critic", "writer"]
    assert ran.envelope["usage"]["turns"] == 3


def test_a_round_robin_ends_at_the_word_of_another(run):
    script = by({"writer": [Text(ANSWER)] * 9, "critic": [Text("More."), Text("APPROVE")]})
    ran = run(script, worker=team("round-robin", "writer", "critic", answer="writer", rounds=9, until="APPROVE"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["writer", "critic", "writer", "critic"]


def chosen(name: str) -> Text:
    return Text(json.dumps({"terminate": False, "reason": "-", "next_speaker": name, "final_message": None}))


def test_a_selector_chooses_until_the_answer_is_there(run):
    script = by(
        {"manager": [chosen("critic"), chosen("writer")], "critic": [Text("Mind this.")], "writer": [Text(ANSWER)]}
    )
    ran = run(script, worker=team("selector", "critic", "writer"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["manager", "critic", "manager", "writer"]
    assert ran.server.requests[0].body["response_format"]["json_schema"]["name"] == "AgentOrchestrationOutput"


@pytest.mark.parametrize("reply", ["who knows", '{"terminate": false, "reason": "-", "next_speaker": "stranger"}'])
def test_a_selector_that_names_nobody_is_a_bad_output(run, reply):
    ran = run([Text(reply)], worker=team("selector", "critic", "writer"), constraints=ONCE)
    assert code(ran) == ("invalid_output", "output_not_json")
    assert "names none of the team" in ran.envelope["error"]["message"]


def test_a_selector_that_ends_before_the_answer_has_none(run):
    over = Text('{"terminate": true, "reason": "-", "next_speaker": null, "final_message": "Done."}')
    ran = run([over], worker=team("selector", "critic", "writer"), constraints=ONCE)
    assert code(ran) == ("invalid_output", "output_not_json")
    assert "before writer had spoken" in ran.envelope["error"]["message"]


def handed(name: str) -> ToolCalls:
    return ToolCalls((Call(f"handoff_to_{name}", {}),))


@pytest.mark.parametrize("word", ["swarm", "handoff"])
def test_a_swarm_ends_with_whoever_hands_over_to_nobody(run, word):
    script = by({"triage": [handed("tech")], "tech": [handed("billing")], "billing": [Text(ANSWER)]})
    ran = run(script, worker=team(word, "triage", "tech", "billing"))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["triage", "tech", "billing"]
    assert [tool["function"]["name"] for tool in ran.server.requests[0].body["tools"]] == [
        "handoff_to_billing",
        "handoff_to_tech",
    ]
    assert "tool_calls" not in ran.envelope["usage"]


def test_a_swarm_hands_over_along_its_ways_only(run):
    worker = team("swarm", "triage", "tech", "billing")
    worker["agents"][0]["handoffs"] = ["tech"]
    worker["agents"][1]["handoffs"] = ["billing"]
    script = by({"triage": [handed("billing"), handed("tech")], "tech": [handed("billing")], "billing": [Text(ANSWER)]})
    ran = run(script, worker=worker)
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["triage", "triage", "tech", "billing"]
    assert ran.envelope["usage"]["tool_calls_denied"] == 1


def test_in_a_swarm_only_the_one_named_answers(run):
    script = by({"triage": [Text("Which account?")]})
    worker = team("swarm", "triage", "billing", answer="billing")
    ran = run(script, worker=worker, constraints=ONCE)
    assert code(ran) == ("invalid_output", "output_not_json")
    assert "triage spoke to nobody" in ran.envelope["error"]["message"]


def test_in_a_swarm_words_to_nobody_are_put_to_a_person(run):
    worker = team("swarm", "triage", "billing", answer="billing", ask_user=True)
    assert run([Text("x")], worker=worker).done.code == 2  # this contract cannot say needs_human
    ran = run([Text("Which account?")], worker=worker, statuses=FIVE)
    assert code(ran) == ("needs_human", "approval_required")
    assert "Which account?" in ran.envelope["error"]["message"]


def test_a_graph_goes_side_by_side_and_comes_together(run):
    edges = [
        {"from": "finder", "to": "left"},
        {"from": "finder", "to": "right"},
        {"from": "left", "to": "clerk"},
        {"from": "right", "to": "clerk"},
    ]
    script = by({"finder": [Text("F.")], "left": [Text("L.")], "right": [Text("R.")], "clerk": [Text(ANSWER)]})
    ran = run(script, worker=team("graph", "finder", "left", "right", "clerk", edges=edges))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran)[0] == "finder"
    assert speakers(ran)[-1] == "clerk"
    assert len(ran.server.requests) == 4
    said = heard(ran.server.requests[-1])
    assert [said.count(text) for text in ("F.", "L.", "R.")] == [1, 1, 1]


def test_a_graph_goes_round_while_a_text_is_said(run):
    edges = [
        {"from": "writer", "to": "critic"},
        {"from": "critic", "to": "writer", "when": "REVISE"},
        {"from": "critic", "to": "clerk", "when": "APPROVE"},
    ]
    script = by(
        {"writer": [Text("One."), Text("Two.")], "critic": [Text("REVISE"), Text("APPROVE")], "clerk": [Text(ANSWER)]}
    )
    ran = run(script, worker=team("workflow", "writer", "critic", "clerk", edges=edges))
    assert code(ran) == ("ok", ""), ran.done.err
    assert speakers(ran) == ["writer", "critic", "writer", "critic", "clerk"]
    again = ran.server.requests[2].body["messages"]
    assert [message["role"] for message in again] == ["system", "user", "assistant", "user"]


# --- caps -----------------------------------------------------------------------------------------------------------

BACK_AND_FORTH = [
    {"from": "a", "to": "b"},
    {"from": "b", "to": "a", "when": "x"},
    {"from": "b", "to": "c", "when": "never"},
]


@pytest.mark.parametrize(
    ("worker", "script", "requests"),
    [
        (team("selector", "a", "b", rounds=2), by({"manager": [chosen("a")] * 9, "a": [Text("x")] * 9}), 5),
        (team("swarm", "a", "b", rounds=3), by({"a": [handed("b")] * 9, "b": [handed("a")] * 9}), 3),
        (team("graph", "a", "b", "c", edges=BACK_AND_FORTH, rounds=4), by({"a": [Text("x")] * 9, "b": [Text("x")] * 9}), 4),
    ],
    ids=["selector", "swarm", "graph"],
)  # fmt: skip
def test_a_cap_is_no_success(run, worker, script, requests):
    ran = run(script, worker=worker, constraints=ONCE)
    assert code(ran) == ("invalid_output", "budget_exceeded"), ran.done.err
    assert f"had {worker['rounds']} turns" in ran.envelope["error"]["message"]
    assert len(ran.server.requests) == requests


# --- magentic -------------------------------------------------------------------------------------------------------


def ledger(*, done: Any = False, progress: bool = True, to: str = "worker") -> Text:
    answers = {
        "is_request_satisfied": done,
        "is_in_loop": False,
        "is_progress_being_made": progress,
        "next_speaker": to,
        "instruction_or_question": "Do your part.",
    }
    return Text(json.dumps({key: {"reason": "-", "answer": answer} for key, answer in answers.items()}))


PLAN = [Text("Known: one and one."), Text("- worker adds")]


def test_magentic_plans_delegates_looks_and_answers(run):
    script = by(
        {"manager": [*PLAN, ledger(), ledger(done=True), Text(ANSWER)], "worker": [Text("It is 2.")], "helper": []}
    )
    ran = run(script, worker=team("magentic", "worker", "helper") | {"instructions": "You are the manager, or not."})
    assert code(ran) == ("ok", ""), ran.done.err
    assert len(ran.server.requests) == 6
    asked = ["response_format" in received.body for received in ran.server.requests]
    assert asked == [False] * 5 + [True]
    assert ran.envelope["usage"]["turns"] == 6
    assert "The work on this task is done" in heard(ran.server.requests[-1])
