"""The kind `agent-framework`: who spoke in which pattern, what a cap means, plans and stalls before people, YAML agents."""

import json
import re
import sys
import time
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER, Bound
from tests.backends.agents.kinds import KindUnderTest
from tests.conftest import patience
from tests.late import LATE, needs
from workermd.task.binding import Binding, Model, ToolBinding
from workermd.task.task import Limits, Task
from workermd.testing import Call, Hang, Problem, Refusal, Server, Text, ToolCalls, Truncated

if LATE:
    from workermd.backends import agent_framework

needs("agent_framework", "workermd[agent-framework] is not installed")


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
    from workermd.backends.agents.response_format import asked_for

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


def test_instrumentation_is_off_whatever_was_wished(monkeypatch):
    from agent_framework import observability

    monkeypatch.setenv("ENABLE_SENSITIVE_DATA", "true")
    monkeypatch.setattr(observability, "OBSERVABILITY_SETTINGS", observability.ObservabilitySettings())
    assert observability.OBSERVABILITY_SETTINGS.enable_sensitive_data
    result, _ = Attempts(monkeypatch)([Text(ANSWER)])
    assert result.output == ANSWER
    assert not observability.OBSERVABILITY_SETTINGS.enable_sensitive_data
    assert not observability.OBSERVABILITY_SETTINGS.enable_instrumentation


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
    assert "model: found 'cheap'; allowed are the worker's models: scripted" in ran.envelope["error"]["message"]
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


def ledger(*, done: Any = False, progress: bool = True, to: str = "worker") -> Text:
    answers = {
        "is_request_satisfied": done,
        "is_in_loop": False,
        "is_progress_being_made": progress,
        "next_speaker": to,
        "instruction_or_question": "Do your part.",
    }
    return Text(json.dumps({key: {"reason": "-", "answer": answer} for key, answer in answers.items()}))


BACK_AND_FORTH = [
    {"from": "a", "to": "b"},
    {"from": "b", "to": "a", "when": "x"},
    {"from": "b", "to": "c", "when": "never"},
]


@pytest.mark.parametrize(
    ("worker", "script", "requests"),
    [
        (team("selector", "a", "b", rounds=2), by({"manager": [chosen("a")] * 9, "a": [Text("x")] * 9}), 5),
        (team("selector", "a", "b", rounds=45), by({"manager": [chosen("a")] * 50, "a": [Text("x")] * 50}), 91),
        (team("swarm", "a", "b", rounds=45), by({"a": [handed("b")] * 50, "b": [handed("a")] * 50}), 45),
        (team("magentic", "a", "b", rounds=45), [*[Text("P")] * 2, *[ledger(to="a"), Text("x")] * 50], 92),
        (team("swarm", "a", "b", rounds=3), by({"a": [handed("b")] * 9, "b": [handed("a")] * 9}), 3),
        (team("graph", "a", "b", "c", edges=BACK_AND_FORTH, rounds=4), by({"a": [Text("x")] * 9, "b": [Text("x")] * 9}), 4),
    ],
    ids=["selector", "most of a selector", "most of a swarm", "most of magentic", "swarm", "graph"],
)  # fmt: skip
def test_a_cap_is_no_success(run, worker, script, requests):
    ran = run(script, worker=worker, constraints=ONCE)
    assert code(ran) == ("invalid_output", "budget_exceeded"), ran.done.err
    assert f"had {worker['rounds']} turns" in ran.envelope["error"]["message"]
    assert len(ran.server.requests) == requests


# --- magentic -------------------------------------------------------------------------------------------------------


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


def test_magentic_stops_at_its_rounds_without_an_answer(run):
    script = by({"manager": [*PLAN, *[ledger()] * 9], "worker": [Text("Not yet.")] * 9})
    worker = team("magentic", "worker", "helper", rounds=2) | {"instructions": "You are the manager, or not."}
    ran = run(script, worker=worker, constraints=ONCE)
    assert code(ran) == ("invalid_output", "budget_exceeded"), ran.done.err
    assert len(ran.server.requests) == 6


@pytest.mark.parametrize(
    "replies",
    [[Text("no ledger at all")] * 3, [ledger(to="stranger")] * 3, [ledger(done="false", to="stranger")] * 3],
    ids=["no ledger", "a stranger next", "text for false"],
)
def test_a_ledger_that_leads_nowhere_ends_magentic(run, replies):
    script = [*PLAN, *replies, Text(ANSWER)]
    ran = run(script, worker=team("magentic", "worker", "helper"), constraints=ONCE)
    assert code(ran) == ("invalid_output", "output_not_json"), ran.done.err
    assert len(ran.server.requests) in (3, 5)  # "false" is true to the framework, so it does not ask again


def test_magentic_plans_anew_once_then_it_has_stalled(run):
    script = [*PLAN, ledger(progress=False), *PLAN, ledger(progress=False), *PLAN, ledger(done=True), Text(ANSWER)]
    ran = run(script, worker=team("magentic", "worker", "helper", max_stalls=1), constraints=ONCE)
    assert code(ran) == ("invalid_output", "budget_exceeded"), ran.done.err
    assert "max_replans" in ran.envelope["error"]["message"]
    assert len(ran.server.requests) == 6
    ran = run(script, worker=team("magentic", "worker", "helper", max_stalls=1, max_replans=2), constraints=ONCE)
    assert code(ran) == ("ok", ""), ran.done.err
    assert len(ran.server.requests) == 10


# --- people ---------------------------------------------------------------------------------------------------------


class Attempts:
    """Attempts of one run, each with the decisions so far: what the supervisor does around `perform`."""

    def __init__(self, monkeypatch, folder: Any = "", **worker: Any) -> None:
        self.worker = worker
        self.folder = str(folder)
        self.decisions: list[dict[str, Any]] = []
        monkeypatch.chdir("/")

    def __call__(self, script: Any) -> tuple[Any, list[Any]]:
        with Server(script) as server:
            binding = Binding("agent-framework", "here", model=Model("m", server.url), arrangement=self.worker)
            binding = binding._replace(folder=self.folder)
            assert agent_framework.unusable(binding) == ""
            task = Task(
                worker_id="echo", version="1.0.0", run_id="r", attempt=1, max_attempts=1, seconds_left=20.0,
                purpose="Add.", mode="", input={"run_id": "r"}, output_schema={"type": "object"}, tools_allowed=None,
                feedback=(), decisions=tuple(self.decisions), trace={}, artifacts_dir="/", settings={},
            )  # fmt: skip
            result = agent_framework.perform(task, binding, Limits(time.monotonic() + 20, 1 << 20))
            return result, server.requests

    def decide(self, result: Any, answer: str) -> None:
        asked = result.failure
        assert asked["kind"] == "needs_human", result
        decision = {"kind": asked["request_kind"], "question": asked["question"], "options": asked["options"]}
        self.decisions.append(decision | {"proposed": asked.get("proposed"), "answer": answer, "by": "ann"})


def test_a_plan_is_reviewed_until_it_is_approved(monkeypatch):
    attempt = Attempts(monkeypatch, **team("magentic", "worker", "helper", plan_review=True))
    result, requests = attempt(PLAN)
    assert len(requests) == 2
    assert result.failure["request_kind"] == "plan"
    assert result.failure["options"] == []
    assert result.failure["proposed"] == {"plan": "- worker adds", "facts": "Known: one and one."}

    attempt.decide(result, "Let the helper check it.")
    result, requests = attempt([Text("Known: two."), Text("- worker adds, helper checks")])
    assert len(requests) == 2  # the plan that was looked at is taken up, and made anew as wished
    assert "Let the helper check it." in heard(requests[0])
    assert result.failure["proposed"]["plan"] == "- worker adds, helper checks"

    attempt.decide(result, "approve")
    result, requests = attempt([ledger(), Text("2"), ledger(done=True), Text(ANSWER)])
    assert result.output == ANSWER, result
    assert "- worker adds, helper checks" in heard(requests[0])
    assert result.usage["turns"] == 4


def test_a_plan_waits_for_workermd_approve(run, cli):
    worker = team("magentic", "worker", "helper", plan_review=True)
    asked = run(PLAN, worker=worker, statuses=FIVE, run_id="planned")
    assert code(asked) == ("needs_human", "approval_required"), asked.done.err
    assert asked.envelope["request"]["kind"] == "plan"
    assert cli("approve", "planned", "--answer", "Let the helper check it.", "--by", "ann").code == 0
    asked = run([Text("Known: two."), Text("- another")], worker=worker, statuses=FIVE, run_id="planned")
    assert asked.envelope["request"]["proposed"]["plan"] == "- another"
    assert cli("approve", "planned", "--by", "ann").code == 0
    ran = run([ledger(done=True), Text(ANSWER)], worker=worker, statuses=FIVE, run_id="planned")
    assert code(ran) == ("ok", ""), ran.done.err
    assert "- another" in heard(ran.server.requests[0])


def test_a_plan_too_large_to_be_shown_is_put_to_nobody(monkeypatch):
    attempt = Attempts(monkeypatch, **team("magentic", "worker", "helper", plan_review=True))
    result, _ = attempt([Text("Known."), Text("x" * (1 << 16))])
    assert result.failure["code"] == "backend_failed"
    assert "larger than" in result.failure["message"]


def test_words_to_nobody_are_answered_by_a_person(monkeypatch):
    attempt = Attempts(monkeypatch, **team("swarm", "triage", "billing", answer="billing", ask_user=True))
    result, _ = attempt([Text("Which account?\n")])
    attempt.decide(result, "The red one.")
    script = by({"triage": [Text("Which account?\n"), handed("billing")], "billing": [Text(ANSWER)]})
    result, requests = attempt(script)
    assert result.output == ANSWER, result
    assert "The red one." in heard(requests[1])


def test_a_plan_that_is_denied_is_made_anew(monkeypatch):
    attempt = Attempts(monkeypatch, **team("magentic", "worker", "helper", plan_review=True))
    result, _ = attempt(PLAN)
    attempt.decide(result, "deny")
    result, requests = attempt([Text("Known: two."), Text("- another")])
    assert "turned down" in heard(requests[0])
    assert result.failure["proposed"]["plan"] == "- another"


STALLED = [*PLAN, ledger(progress=False)]


def test_a_stalled_team_asks_and_goes_on_with_what_it_is_told(monkeypatch):
    keys = {"on_stall": "ask", "max_stalls": 1, "max_replans": 0}
    attempt = Attempts(monkeypatch, **team("magentic", "worker", "helper", **keys))
    result, _ = attempt(STALLED)
    assert result.failure["request_kind"] == "stalled"
    assert result.failure["options"] == []
    attempt.decide(result, "Count with the fingers.")
    result, requests = attempt([*PLAN, ledger(), Text("2"), ledger(done=True), Text(ANSWER)])
    assert result.output == ANSWER
    assert "Count with the fingers." in heard(requests[0])


def test_a_stalled_team_that_gets_no_more_rounds_says_what_it_has(monkeypatch):
    keys = {"on_stall": "ask", "max_stalls": 1, "max_replans": 0}
    attempt = Attempts(monkeypatch, **team("magentic", "worker", "helper", **keys))
    result, _ = attempt(STALLED)
    attempt.decide(result, "deny")
    result, requests = attempt([*STALLED, Text(ANSWER)])
    assert result.output == ANSWER, result
    assert len(requests) == 4


@pytest.mark.parametrize("keys", [{"plan_review": True}, {"on_stall": "ask"}])
def test_who_asks_people_needs_a_contract_that_can_say_so(run, keys):
    ran = run([Text("x")], worker=team("magentic", "worker", "helper", **keys))
    assert ran.done.code == 2
    assert "needs_human" in ran.envelope["error"]["message"]
    assert not ran.server.requests


# --- what goes wrong inside a team ------------------------------------------------------------------------------------

TEAMS = {
    "sequence": (team("sequence", "a", "b"), 1),
    "parallel": (team("parallel", "a", "b", "c"), 2),
    "round-robin": (team("round-robin", "a", "b"), 1),
    "selector": (team("selector", "a", "b"), 1),
    "swarm": (team("swarm", "a", "b"), 1),
    "graph": (team("graph", "a", "b", edges=[{"from": "a", "to": "b"}]), 1),
    "magentic": (team("magentic", "a", "b"), 1),
}


@pytest.mark.parametrize("pattern", TEAMS)
@pytest.mark.parametrize(
    ("turn", "status", "error"),
    [
        (Truncated("x"), "invalid_output", "output_truncated"),
        (Problem(500), "retryable_error", "backend_unavailable"),
        (Refusal("No."), "invalid_output", "model_refused"),
    ],
    ids=["truncated", "500", "refused"],
)
def test_what_the_wire_ends_is_ended_in_every_pattern(run, pattern, turn, status, error):
    worker, most = TEAMS[pattern]
    ran = run([turn] * 9, worker=worker, constraints=ONCE)
    assert code(ran) == (status, error), ran.done.err
    assert len(ran.server.requests) <= most
    assert "Traceback" not in ran.done.err


@pytest.mark.parametrize("pattern", ["parallel", "magentic", "graph"])
def test_a_team_that_hangs_is_left_at_the_deadline(run, pattern):
    ran = run([Hang()] * 9, "--timeout", "6", worker=TEAMS[pattern][0], constraints=ONCE)
    assert code(ran) == ("retryable_error", "timeout")
    deadline = time.monotonic() + patience(5)
    while ran.server.open_connections and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not ran.server.open_connections


def test_the_frameworks_own_bound_on_steps_is_no_success(run):
    worker = team("sequence", *(f"a{number}" for number in range(101)))
    ran = run(lambda _: Text(ANSWER), worker=worker, constraints=ONCE)
    assert code(ran) == ("invalid_output", "budget_exceeded")
    assert "bound on steps" in ran.envelope["error"]["message"]
    assert len(ran.server.requests) < 101


def test_a_team_is_silent_and_can_be_given_back_from_a_recording(run, tmp_path):
    worker = team("swarm", "triage", "tech", "billing")
    worker["agents"][0]["handoffs"] = ["tech", "billing"]
    scripts = (
        (team("parallel", "a", "b", "c", "d"), by({name: [Text(ANSWER)] for name in "abcd"})),
        (worker, by({"triage": [handed("tech")], "tech": [Text(ANSWER)]})),
        (TEAMS["magentic"][0], [*PLAN, ledger(to="a"), Text("2"), ledger(done=True), Text(ANSWER)]),
    )
    for number, (worker, script) in enumerate(scripts):
        kept = tmp_path / f"kept{number}"
        ran = run(script, "--record", kept, worker=worker, run_id=f"run-{number}")
        assert code(ran) == ("ok", ""), ran.done.err
        assert ran.done.err == ""
        again = run([], "--replay", kept, "--ledger", tmp_path / f"{number}.db", worker=worker, run_id=f"run-{number}")
        assert code(again) == ("ok", ""), again.done.err
        assert not again.server.requests
        assert again.envelope["usage"] == ran.envelope["usage"]


GOOD_TALKS = {
    "sequence": {"a": [Text("x")], "b": [Text(ANSWER)]},
    "parallel": {"a": [Text("x")], "b": [Text("y")], "c": [Text(ANSWER)]},
    "round-robin": {"a": [Text("x")], "b": [Text(ANSWER)]},
    "selector": {"manager": [chosen("b")], "b": [Text(ANSWER)]},
    "swarm": {"a": [handed("b")], "b": [Text(ANSWER)]},
    "graph": {"a": [Text("x")], "b": [Text(ANSWER)]},
    "magentic": {"manager": [*PLAN, ledger(to="a"), ledger(done=True), Text(ANSWER)], "a": [Text("2")]},
}


@pytest.mark.parametrize("pattern", GOOD_TALKS)
def test_no_pattern_warns_or_prints(monkeypatch, capfd, pattern):
    worker = TEAMS[pattern][0] | ({"instructions": "You are the manager, or not."} if pattern == "magentic" else {})
    result, requests = Attempts(monkeypatch, **worker)(by(GOOD_TALKS[pattern]))
    assert result.output == ANSWER, result
    assert len(requests) == result.usage["turns"] == sum(map(len, GOOD_TALKS[pattern].values()))
    assert capfd.readouterr() == ("", "")


def test_turns_of_a_team_are_bounded_by_the_contract(run):
    ran = run([Text("x")] * 9, worker=team("sequence", "a", "b", "c"), constraints={"max_turns": 2, "max_attempts": 3})
    assert code(ran) == ("invalid_output", "budget_exceeded")
    assert len(ran.server.requests) == 2


def test_the_framework_counts_what_the_meter_counts(monkeypatch):
    """Where it sums tool loops; of a team's orchestrator its results hold no usage at all."""
    seen = []
    from agent_framework import Agent

    whole = Agent.run

    async def watched(self, *given, **named):
        response = await whole(self, *given, **named)
        seen.append(response.usage_details)
        return response

    monkeypatch.setattr(Agent, "run", watched)
    attempt = Attempts(monkeypatch)
    result, requests = attempt([ToolCalls((Call("none", {}),)), ToolCalls((Call("x", {}),)), Text(ANSWER)])
    assert result.output == ANSWER
    assert len(requests) == 3
    assert result.usage == {
        "turns": 3,
        "input_tokens": 36,
        "output_tokens": 18,
        "tool_calls": 2,
        "tool_calls_denied": 2,
    }
    assert (seen[0]["input_token_count"], seen[0]["output_token_count"]) == (36, 18)


# --- what is refused before an attempt is used up ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worker", "told"),
    [
        ({"pattern": "circle"}, "pattern: found 'circle'; allowed are single, sequence"),
        (team("sequence", "a"), "takes two agents or more"),
        (team("sequence", "a", "a"), "the name a is taken"),
        (team("sequence", "a", "b", rounds=2), "rounds is there with the pattern 'sequence'"),
        (team("magentic", "a", "b", answer="a"), "answer is there with the pattern 'magentic'"),
        (team("magentic", "a", "manager"), "the name manager is taken"),
        (team("magentic", "a", "b", max_stalls=-1), "max_stalls: found -1"),
        (team("magentic", "a", "b", on_stall="cry"), "on_stall: found 'cry'; allowed are fail, ask"),
        (team("magentic", "a", "b", plan_review="yes"), "plan_review is not true or false"),
        (team("selector", "a", "b", selector_model="best"), "selector_model: found 'best'; allowed are"),
        (team("round-robin", "a", "b", until=5), "until is not text"),
        (team("round-robin", "a", "b", rounds=23), "more than 45 turns"),
        (team("swarm", "a", "b", rounds=46), "more than 45 turns"),
        (team("graph", "a", "b", edges=[]), "edges is no list of tables"),
        (team("graph", "a", "b", edges=[{"from": "a", "to": "c"}]), "edges[0] does not lead"),
        (team("graph", "a", "b", edges=[{"from": "a", "to": "b", "colour": "g"}]), "unknown key 'colour'"),
        (team("graph", "a", "b", edges=[{"from": "a", "to": "b"}] * 2), "the same way twice"),
        (team("graph", "a", "b", edges=[{"from": "b", "to": "a"}]), "leads to a, which begins"),
        (team("graph", "a", "b", "c", edges=[{"from": "a", "to": "b"}]), "never leads from a to c"),
        (
            team("graph", "a", "b", "c", edges=[{"from": "a", "to": "b"}, {"from": "b", "to": "c"}, {"from": "c", "to": "b"}]),
            "goes round from b to itself",
        ),
        (
            {"pattern": "sequence", "agents": [{"name": "a", "handoffs": ["b"]}, {"name": "b"}]},
            "handoffs belong to the pattern 'swarm'",
        ),
    ],
)  # fmt: skip
def test_a_wrong_arrangement_uses_no_attempt_up(run, worker, told):
    ran = run([Text(ANSWER)], worker=worker)
    assert ran.done.code == 2
    assert told in ran.envelope["error"]["message"], ran.envelope["error"]["message"]
    assert not ran.server.requests


# --- declared in YAML -------------------------------------------------------------------------------------------------

GOOD = """
kind: Prompt
name: Clerk
description: Answers letters.
instructions: Write as a clerk would.
metadata: {authors: [ann]}
model:
  id: gpt-4o
  provider: AzureOpenAI
  options:
    temperature: 0.25
    maxOutputTokens: 321
    allowMultipleToolCalls: true
    chatToolMode: auto
"""


def test_a_yaml_agent_runs_on_the_bound_model(run, tmp_path):
    (tmp_path / "agent.yaml").write_text(GOOD)
    ran = run([Text(ANSWER)], worker={"declarative": "agent.yaml"})
    assert code(ran) == ("ok", ""), ran.done.err
    body = ran.server.requests[0].body
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("scripted-1", 0.25, 321)
    assert "Write as a clerk would." in body["messages"][0]["content"]
    assert "Answer one question." in body["messages"][0]["content"]
    assert body["response_format"]["type"] == "json_schema"


def test_a_yaml_agent_starts_no_net_runtime_and_looks_for_no_env_file(monkeypatch, tmp_path, capfd):
    import dotenv.main

    def sought(*_: Any, **__: Any) -> str:
        raise AssertionError("looked for a .env file")

    monkeypatch.setattr(dotenv.main, "find_dotenv", sought)
    (tmp_path / "agent.yaml").write_text(GOOD)
    result, requests = Attempts(monkeypatch, tmp_path, declarative="agent.yaml")([Text(ANSWER)])
    assert result.output == ANSWER, result
    assert len(requests) == 1
    assert "clr_loader" not in sys.modules
    assert capfd.readouterr() == ("", "")


HOSTILE = {
    "an expression": GOOD.replace("Write as a clerk would.", "=Env.HOME"),
    "an expression for a name": GOOD.replace("name: Clerk", 'name: "=1+1"'),
    "another kind": GOOD.replace("kind: Prompt", "kind: Workflow"),
    "tools": GOOD + "tools: [{kind: mcp, name: x, url: http://127.0.0.1:9}]\n",
    "a template": GOOD + "template: {format: {kind: jinja2}}\n",
    "further options": GOOD + "    additionalProperties: {extra_headers: {X: y}}\n",
    "an option of another type": GOOD.replace("0.25", "hot"),
    "a tag that makes an object": GOOD + "x: !!python/object/apply:os.system [touch gone]\n",
    "a key twice": GOOD + "name: Other\n",
    "two documents": GOOD + "---\nkind: Prompt\n",
    "no mapping": "- kind: Prompt\n",
    "no YAML": "kind: [",
    "too large": GOOD + "#" * (1 << 16),
    "a bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
    "bytes": "kind: Prompt\nname: \udcff\n",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_yaml_agent_uses_no_attempt_up(run, tmp_path, what):
    (tmp_path / "agent.yaml").write_bytes(HOSTILE[what].encode("utf-8", "surrogateescape"))
    ran = run([Text(ANSWER)], worker={"declarative": "agent.yaml"})
    assert ran.done.code == 2
    assert ran.envelope["error"]["message"].startswith("agent.yaml: "), ran.envelope["error"]
    assert "Traceback" not in ran.done.err
    assert not ran.server.requests
    assert not (tmp_path / "gone").exists()


def test_a_yaml_agent_that_is_not_there_is_told(run):
    ran = run([Text(ANSWER)], worker={"declarative": "agent.yaml"})
    assert ran.done.code == 2
    assert "agent.yaml: cannot be read (No such file or directory)" in ran.envelope["error"]["message"]
    ran = run([Text(ANSWER)], worker={"declarative": "agent.yaml", "instructions": "x"})
    assert "has both declarative and instructions" in ran.envelope["error"]["message"]


def declared(folder, text, *tools):
    """Why a worker with this file cannot begin; empty when it can."""
    (folder / "agent.yaml").write_text(text)
    model = Model("m", "http://127.0.0.1:1/v1")
    bound = tuple(ToolBinding(name, function="math:floor") for name in tools)
    given = {"model": model, "tools": bound, "folder": str(folder), "arrangement": {"declarative": "agent.yaml"}}
    from workermd.backends import agent_framework

    return agent_framework.unusable(Binding("agent-framework", "here", **given))


def test_a_yaml_agent_as_its_framework_writes_it_is_taken(tmp_path):
    text = GOOD + (
        "  connection: {kind: key, apiKey: =Env.KEY, endpoint: =Env.URL}\n"
        "outputSchema: {properties: {a: {kind: string}}}\n"
        "tools: [{kind: function, name: lookup, parameters: {}}]\n"
    )
    assert declared(tmp_path, text, "lookup") == ""


def test_all_that_is_wrong_with_a_yaml_agent_is_told_at_once(tmp_path):
    text = GOOD + "template: {}\ntools: [{kind: mcp, name: files}, {kind: web_search}]\n"
    told = declared(tmp_path, text, "lookup")
    for words in ("template: is not allowed", "tools[0]: found 'files' of kind 'mcp'", "tools[1]", "are: lookup"):
        assert words in told


def test_a_workflow_is_refused_as_one(tmp_path):
    for text in ("kind: Workflow\ntrigger: {kind: OnStart, actions: []}\n", "name: steps\nactions: []\n"):
        assert "it declares a workflow" in declared(tmp_path, text)
