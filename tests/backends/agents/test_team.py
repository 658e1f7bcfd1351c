"""The kind `team`: who speaks when, how often models are asked, what an answer is and what is none."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import tomllib
from typing import Any, NamedTuple

import pytest

from tests.attempt_process import a_task
from tests.conftest import ROOT, patience, wait_for
from tests.late import LATE, needs
from workermd.task.binding import Binding, Model, ToolBinding
from workermd.task.task import KINDS, Budget, Limits, Result
from workermd.testing import Call, Hang, Server, Text, ToolCalls

if LATE:
    from autogen_core.models import UserMessage

    from workermd.backends.agents.conversation import Conversation
    from workermd.backends.autogen import team
    from workermd.backends.autogen.agentchat import AgentChatClient
    from workermd.backends.autogen.components import FORMS

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")

DONE = {"status": "ok", "result": {"a": 1}}
LATER = {"status": "ok", "result": {"a": 2}}

LOGGERS = ("autogen_core", "autogen_core.events", "autogen_core.trace", "autogen_agentchat", "autogen_ext")


class Ended(NamedTuple):
    """An attempt that was performed here: its result, who asked a model in which order, and every event."""

    result: Result
    asked: list[str]
    events: list[dict[str, Any]]
    server: Server

    @property
    def output(self) -> Any:
        return json.loads(self.result.output or "null")

    @property
    def failure(self) -> Any:
        return self.result.failure


@pytest.fixture
def perform(tmp_path, monkeypatch):
    """Performs one attempt against a script; what AutoGen's side of the process sets is set back."""
    servers: list[Server] = []
    kept = [
        (logging.getLogger(name), logging.getLogger(name).level, logging.getLogger(name).propagate) for name in LOGGERS
    ]
    monkeypatch.setenv("AUTOGEN_DISABLE_RUNTIME_TRACING", "")

    def run(
        script: Any, arrangement: dict[str, Any], *, seconds: float = 20, budget: Budget | None = None, **parts: Any
    ) -> Ended:
        server = Server(script)
        servers.append(server)
        told = {name: parts.pop(name) for name in ("decisions", "tools_allowed") if name in parts}
        models = {name: Model(name=f"{name}-1", base_url=server.url) for name in parts.pop("models", ())}
        binding = Binding(
            kind="team",
            origin="here",
            model=Model(name="scripted-1", base_url=server.url),
            models=models,
            arrangement=arrangement,
            folder=str(tmp_path),
            **parts,
        )
        assert team.unusable(binding) == ""
        journal = tmp_path / f"journal-{len(servers)}"
        limits = Limits(time.monotonic() + seconds, 1 << 20, budget or Budget(), str(journal))
        result = team.perform(a_task(tmp_path, **told), binding, limits)
        events = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        return Ended(result, [one["agent"] for one in events if one["event"] == "request"], events, server)

    yield run
    for server in servers:
        server.close()
    for logger, level, propagate in kept:
        logger.setLevel(level)
        logger.propagate = propagate


def refused(arrangement: dict[str, Any], **parts: Any) -> str:
    """Why there can be no such team."""
    return team.unusable(Binding("team", "here", model=Model("scripted-1", "http://127.0.0.1:1"), arrangement=arrangement, **parts))  # fmt: skip


def said(document: dict[str, Any]) -> Text:
    return Text(json.dumps(document))


def agents(*names: str, **more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **more.get(name, {})} for name in names]


def messages(ended: Ended, request: int) -> str:
    return json.dumps(ended.server.requests[request].body["messages"], ensure_ascii=False)


def is_structured(ended: Ended) -> list[bool]:
    return ["response_format" in request.body for request in ended.server.requests]


# --- pairs and round-robins ---------------------------------------------------------------------------------------


def test_nothing_but_a_model_is_a_worker_and_a_reviewer(perform):
    ended = perform([said(DONE), Text("Make a 2."), said(LATER)], {})
    assert ended.asked == ["worker", "reviewer", "worker"]
    assert ended.output == LATER
    assert is_structured(ended) == [True, False, True]
    assert "Make a 2." in messages(ended, 2)
    assert ended.result.usage == {"turns": 3, "input_tokens": 36, "output_tokens": 18}


def test_a_draft_that_the_reviewer_approves_is_the_answer(perform):
    ended = perform([said(DONE), Text("APPROVE")], {})
    assert ended.asked == ["worker", "reviewer"]
    assert ended.output == DONE


def test_everybody_is_told_the_purpose_and_one_alone_the_form_of_the_answer(perform):
    ended = perform([said(DONE), Text("APPROVE")], {"instructions": "Be terse."})
    worker, reviewer = (request.body["messages"][0]["content"] for request in ended.server.requests)
    assert all("Be terse." in prompt for prompt in (worker, reviewer))
    assert "Answer with one JSON object and nothing else" in worker
    assert "Answer with one JSON object and nothing else" not in reviewer
    assert "The answer is given by worker" in reviewer


def test_everybody_knows_who_they_are_and_who_has_spoken(perform):
    three = agents("finder", "critic", "writer", finder={"description": "Finds facts."})
    ended = perform([Text("Snow."), Text("Hm."), said(DONE)], {"pattern": "round-robin", "agents": three})
    systems = [request.body["messages"][0]["content"] for request in ended.server.requests]
    for system, name in zip(systems, ("finder", "critic", "writer"), strict=True):
        assert f"You are the agent {name}." in system
    assert "- finder: Finds facts." in systems[2]
    told = [message["content"] for message in ended.server.requests[2].body["messages"][1:]]
    assert told[0].startswith("Input:")
    assert told[1:] == ["finder said:\nSnow.", "critic said:\nHm."]


def test_a_leader_hears_the_others_by_their_names_and_itself_by_none(perform):
    ended = perform([FACTS, PLAN, ledger(), Text("Snow."), ledger(satisfied=True), said(DONE)], {"pattern": "magentic"})
    told = [str(message["content"]) for message in ended.server.requests[4].body["messages"]]
    assert any(text.startswith("worker said:\nSnow.") for text in told)
    assert not any(text.startswith("MagenticOneOrchestrator said:") for text in told)


def test_a_round_robin_ends_with_its_last_participant(perform):
    arrangement = {"pattern": "round-robin", "agents": agents("a", "b", "c"), "rounds": 2}
    ended = perform([Text("one"), Text("two"), said(DONE), Text("three"), Text("four"), said(LATER)], arrangement)
    assert ended.asked == ["a", "b", "c", "a", "b", "c"]
    assert ended.output == LATER


def test_a_round_robin_ends_with_whom_answer_names(perform):
    arrangement = {"pattern": "round-robin", "agents": agents("a", "b", "c"), "answer": "b", "rounds": 2}
    ended = perform([Text("1"), said(DONE), Text("3"), Text("4"), said(LATER)], arrangement)
    assert ended.asked == ["a", "b", "c", "a", "b"]
    assert ended.output == LATER


def test_a_word_that_comes_before_any_answer_is_no_success(perform):
    arrangement = {"pattern": "round-robin", "agents": agents("a", "b"), "until": "STOP"}
    ended = perform([Text("STOP")], arrangement)
    assert ended.asked == ["a"]
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "output_not_json")
    assert "before b had given the answer" in ended.failure["message"]


def test_each_agent_has_its_model_its_instructions_and_its_tools(perform, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "team_sums.py").write_text(
        "def add(a: int) -> int:\n    return a + 1\n\n\ndef sub(a: int) -> int:\n    return a\n"
    )
    arrangement = {
        "pattern": "round-robin",
        "agents": agents("a", "b", a={"model": "fast", "tools": ["add"], "instructions": "Count."}, b={"tools": []}),
    }
    tools = tuple(ToolBinding(name, function=f"team_sums:{name}") for name in ("add", "sub"))
    ended = perform(
        [ToolCalls((Call("add", {"a": 1}),)), Text("2"), said(DONE)], arrangement, models=["fast"], tools=tools
    )
    assert ended.output == DONE
    first, second, third = (request.body for request in ended.server.requests)
    assert [first["model"], third["model"]] == ["fast-1", "scripted-1"]
    assert [tool["function"]["name"] for tool in first["tools"]] == ["add"]
    assert "tools" not in third
    assert "Count." in json.dumps(first)
    assert "Count." not in json.dumps(third["messages"][0])
    assert second["messages"][-1]["content"] == "2"
    assert ended.result.usage["tool_calls"] == 1


# --- selectors, swarms ---------------------------------------------------------------------------------------------


def test_a_selector_names_who_speaks_until_the_answer(perform):
    arrangement = {
        "pattern": "selector",
        "agents": agents("analyst", "critic", "reporter", critic={"description": "Finds faults."}),
        "selector_model": "fast",
    }
    script = [Text("analyst"), Text("facts"), Text("reporter"), said(DONE)]
    ended = perform(script, arrangement, models=["fast"])
    assert ended.asked == ["selector", "analyst", "selector", "reporter"]
    assert ended.output == DONE
    assert [request.body["model"] for request in ended.server.requests][:2] == ["fast-1", "scripted-1"]
    assert "Finds faults." in messages(ended, 0)
    assert "Name reporter once the others have done their part" in messages(ended, 0)
    assert is_structured(ended) == [False, False, False, True]
    assert ended.result.usage["turns"] == 4


def test_a_selector_at_its_cap_has_failed(perform):
    arrangement = {"pattern": "selector", "agents": agents("a", "b", "c"), "rounds": 2}
    ended = perform([Text("a"), Text("1"), Text("b"), Text("2")], arrangement)
    assert ended.asked == ["selector", "a", "selector", "b"]
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "budget_exceeded")
    assert "cap" in ended.failure["message"]


def test_a_selector_that_names_nobody_is_asked_three_times(perform):
    arrangement = {"pattern": "selector", "agents": agents("a", "b"), "answer": "a"}
    ended = perform([Text("nobody")] * 3 + [said(DONE)], arrangement)
    assert ended.asked == ["selector"] * 3 + ["a"]
    assert ended.output == DONE


def test_a_selectors_prompt_of_the_operators(perform):
    arrangement = {
        "pattern": "selector",
        "agents": agents("a", "b"),
        "selector_prompt": "Pick from {participants}. {{x}}",
    }
    ended = perform([Text("b"), said(DONE)], arrangement)
    assert ended.server.requests[0].body["messages"][0]["content"] == "Pick from ['a', 'b']. {x}"


def test_a_swarm_hands_over_until_somebody_answers(perform):
    arrangement = {"pattern": "swarm", "agents": agents("desk", "billing", desk={"handoffs": ["billing"]})}
    ended = perform([ToolCalls((Call("transfer_to_billing"),)), said(DONE)], arrangement)
    assert ended.asked == ["desk", "billing"]
    assert ended.output == DONE
    assert [one["text"] for one in ended.events if one["event"] == "message"] == ["hands over to billing"]
    assert "tool_calls" not in ended.result.usage  # a hand-over is no tool of the contract's


def test_a_swarm_in_which_one_alone_may_answer(perform):
    arrangement = {"pattern": "swarm", "agents": agents("desk", "billing"), "answer": "billing"}
    script = [Text("Well."), ToolCalls((Call("transfer_to_billing"),)), said(DONE)]
    ended = perform(script, arrangement)
    assert ended.asked == ["desk", "desk", "billing"]
    assert ended.output == DONE


def test_a_swarm_that_only_hands_over_is_ended_at_its_cap(perform):
    arrangement = {"pattern": "swarm", "agents": agents("a", "b"), "rounds": 4}
    ended = perform([ToolCalls((Call(f"transfer_to_{name}"),)) for name in "babab"], arrangement)
    assert ended.asked == ["a", "b", "a", "b"]
    assert ended.failure["code"] == "budget_exceeded"


# --- graphs, teams in teams ----------------------------------------------------------------------------------------


def by_system(words: dict[str, Any]) -> Any:
    """Answers each agent by a word of its instructions: those side by side ask in any order."""

    def turn(received: Any) -> Any:
        system = received.body["messages"][0]["content"]
        return next(turn for word, turn in words.items() if word in system)

    return turn


def test_a_sequence_with_two_side_by_side(perform):
    arrangement = {
        "pattern": "graph",
        "agents": agents(
            "plan",
            "left",
            "right",
            "join",
            **{name: {"instructions": f"I-am-{name}"} for name in ("plan", "left", "right", "join")},
        ),
        "sequence": ["plan", ["left", "right"], "join"],
    }
    words = {"I-am-plan": Text("P"), "I-am-left": Text("L"), "I-am-right": Text("R"), "I-am-join": said(DONE)}
    ended = perform(by_system(words), arrangement)
    assert ended.asked[0] == "plan"
    assert sorted(ended.asked[1:3]) == ["left", "right"]
    assert ended.asked[3:] == ["join"]
    assert ended.output == DONE


def test_a_loop_with_conditions(perform):
    arrangement = {
        "pattern": "graph",
        "agents": agents("write", "check", "report"),
        "start": "write",
        "edges": [
            {"from": "write", "to": "check"},
            {"from": "check", "to": "write", "when": "REVISE"},
            {"from": "check", "to": "report", "when": "APPROVE"},
        ],
    }
    ended = perform([Text("1"), Text("REVISE"), Text("2"), Text("APPROVE"), said(DONE)], arrangement)
    assert ended.asked == ["write", "check", "write", "check", "report"]
    assert ended.output == DONE


def test_a_graph_whose_draft_stands_once_the_review_leads_nowhere(perform):
    arrangement = {
        "pattern": "graph",
        "agents": agents("check", "end", "write"),
        "start": "write",
        "edges": [
            {"from": "write", "to": "check"},
            {"from": "check", "to": "write", "when": "REVISE"},
            {"from": "check", "to": "end", "when": "END"},
        ],
    }
    ended = perform([said(DONE), Text("fine")], arrangement)
    assert "before write had given the answer" in ended.failure["message"]
    ended = perform([said(DONE), Text("fine")], arrangement | {"answer": "write"})
    assert ended.asked == ["write", "check"]
    assert ended.output == DONE


def test_a_graph_in_which_no_condition_fits_has_no_answer(perform):
    arrangement = {
        "pattern": "graph",
        "agents": agents("check", "report"),
        "edges": [{"from": "check", "to": "report", "when": "APPROVE"}],
    }
    ended = perform([Text("hm")], arrangement)
    assert ended.asked == ["check"]
    assert "before report had given the answer" in ended.failure["message"]


def test_a_loop_is_ended_at_its_cap(perform):
    arrangement = {
        "pattern": "graph",
        "rounds": 3,
        "agents": agents("a", "b", "c"),
        "start": "a",
        "edges": [
            {"from": "a", "to": "b"},
            {"from": "b", "to": "a", "when": "AGAIN"},
            {"from": "b", "to": "c", "when": "ON"},
        ],
    }
    ended = perform([Text("AGAIN")] * 5, arrangement)
    assert ended.asked == ["a", "b", "a"]
    assert ended.failure["code"] == "budget_exceeded"


INNER = {"pattern": "round-robin", "agents": agents("x", "y")}


def test_an_agent_that_is_itself_a_team(perform):
    arrangement = {"pattern": "graph", "agents": agents("group", "end", group={"team": INNER, "instructions": "Dig."})}
    ended = perform([Text("1"), Text("2"), Text("both"), said(DONE)], arrangement)
    assert ended.asked == ["group.x", "group.y", "group", "end"]
    assert ended.output == DONE
    assert "both" in messages(ended, 3)
    assert '"1"' not in messages(ended, 3)
    assert "Dig." in messages(ended, 2)


def test_a_team_inside_that_gives_the_answer(perform):
    arrangement = {"pattern": "round-robin", "agents": agents("group", group={"team": INNER})}
    ended = perform([Text("1"), Text("2"), said(DONE)], arrangement)
    assert is_structured(ended) == [False, False, True]
    assert ended.output == DONE


def test_a_team_inside_that_reaches_its_cap_ends_the_attempt(perform):
    inner = {"pattern": "selector", "agents": agents("x", "y", "z"), "rounds": 1}
    arrangement = {"pattern": "graph", "agents": agents("group", "end", group={"team": inner})}
    ended = perform([Text("x"), Text("1")] + [said(DONE)] * 3, arrangement)
    assert ended.asked == ["group.selector", "group.x"]
    assert ended.failure["code"] == "budget_exceeded"
    assert "the team of group" in ended.failure["message"]


# --- Magentic-One ----------------------------------------------------------------------------------------------------


def ledger(*, satisfied: bool = False, progress: bool = True, speaker: str = "worker") -> Text:
    answers = {
        "is_request_satisfied": satisfied,
        "is_progress_being_made": progress,
        "is_in_loop": False,
        "instruction_or_question": "Do it.",
        "next_speaker": speaker,
    }
    return Text(json.dumps({key: {"reason": "so", "answer": answer} for key, answer in answers.items()}))


FACTS, PLAN = Text("facts"), Text("plan")


def test_magentic_plans_has_it_done_and_answers(perform):
    ended = perform([FACTS, PLAN, ledger(), Text("done"), ledger(satisfied=True), said(DONE)], {"pattern": "magentic"})
    assert ended.asked == ["orchestrator"] * 3 + ["worker"] + ["orchestrator"] * 2
    assert ended.output == DONE
    kinds = [
        (request.body.get("response_format") or {}).get("json_schema", {}).get("name")
        for request in ended.server.requests
    ]
    assert kinds == [None, None, "LedgerEntry", None, "LedgerEntry", "output"]
    assert a_purpose(ended) in messages(ended, 0)


def a_purpose(ended: Ended) -> str:
    return "You are the worker"


def test_magentic_at_its_cap_has_failed_before_it_makes_up_an_answer(perform):
    ended = perform([FACTS, PLAN, *[ledger(), Text("more")] * 9], {"pattern": "magentic", "rounds": 2})
    assert ended.asked == ["orchestrator"] * 3 + ["worker", "orchestrator", "worker"]
    assert ended.failure["code"] == "budget_exceeded"


STALLING = [FACTS, PLAN, ledger(progress=False)] * 9


def test_a_stalled_team_plans_anew_once_and_then_fails(perform):
    ended = perform(STALLING, {"pattern": "magentic", "max_stalls": 1})
    assert ended.asked == ["orchestrator"] * 6
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "budget_exceeded")
    assert "no progress" in ended.failure["message"]


def test_a_stalled_team_asks_a_person_where_that_is_wanted(perform):
    arrangement = {"pattern": "magentic", "max_stalls": 1, "max_replans": 0, "on_stall": "ask"}
    ended = perform(STALLING, arrangement)
    assert ended.asked == ["orchestrator"] * 3
    assert (ended.failure["kind"], ended.failure["request_kind"]) == ("needs_human", "stalled")
    decision = {
        "id": "1",
        "kind": "stalled",
        "question": ended.failure["question"],
        "options": [],
        "by": "me",
        "at": "",
    }
    helped = perform(
        [FACTS, PLAN, ledger(satisfied=True), said(DONE)], arrangement, decisions=[decision | {"answer": "Look below."}]
    )
    assert "Look below." in messages(helped, 0)
    assert helped.output == DONE
    assert ended.failure["options"] == []


def test_a_stalled_team_that_gets_no_more_rounds_says_what_it_has(perform):
    decision = {"id": "1", "kind": "stalled", "question": "?", "options": [], "by": "me", "at": "", "answer": "deny"}
    stalling = {"pattern": "magentic", "max_stalls": 1, "max_replans": 0, "on_stall": "ask"}
    ended = perform([*STALLING[:3], said(DONE)], stalling, decisions=[decision])
    assert ended.output == DONE
    assert is_structured(ended)[-1]
    assert "The task is done." in ended.server.requests[-1].body["messages"][-1]["content"]
    inside = {
        "pattern": "graph",
        "agents": agents("group", "end", group={"team": {"pattern": "magentic", "max_stalls": 1}}),
    }
    ended = perform(STALLING, inside | {"max_replans": 0, "on_stall": "ask"}, decisions=[decision])
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "budget_exceeded")


@pytest.mark.parametrize("bad", ["[]", "{}", "prose", '{"is_request_satisfied": {"answer": true}}'])
def test_a_ledger_that_nobody_can_read_is_a_bad_reply(perform, bad):
    ended = perform([FACTS, PLAN] + [Text(bad)] * 12, {"pattern": "magentic"})
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "output_not_json")
    assert len(ended.server.requests) <= 5


def test_a_ledger_that_names_nobody_of_the_team(perform):
    ended = perform([FACTS, PLAN, *[ledger(speaker="ghost")] * 3], {"pattern": "magentic", "agents": agents("a", "b")})
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "output_not_json")


# --- people -----------------------------------------------------------------------------------------------------------


def decided(question: str, answer: str) -> dict[str, Any]:
    return {"id": "0", "kind": "question", "question": question, "options": [], "answer": answer, "by": "me", "at": ""}


def test_an_agent_asks_its_user_and_knows_the_answer_the_next_time(perform):
    ask = ToolCalls((Call("ask_user", {"question": "Which city?", "options": ["Rome", "Oslo"]}),))
    ended = perform([ask], {"ask_user": True})
    assert ended.asked == ["worker"]
    assert ended.failure["kind"] == "needs_human"
    assert (ended.failure["question"], ended.failure["options"]) == ("Which city?", ["Rome", "Oslo"])
    assert ended.failure["request_kind"] == "question"
    ended = perform([ask, said(DONE), Text("APPROVE")], {"ask_user": True}, decisions=[decided("Which city?", "Oslo")])
    assert "Oslo" in messages(ended, 0)
    assert ended.server.requests[1].body["messages"][-1]["content"] == "Oslo"
    assert ended.output == DONE


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_turns_of_selectors_and_leaders_count(perform):
    arrangement = {"pattern": "selector", "agents": agents("a", "b", "c")}
    ended = perform([Text("a"), Text("1"), Text("b")], arrangement, budget=Budget(max_turns=2))
    assert ended.asked == ["selector", "a"]
    assert (ended.failure["kind"], ended.failure["code"]) == ("refused", "budget_exceeded")
    ended = perform([FACTS, PLAN, ledger()], {"pattern": "magentic"}, budget=Budget(max_turns=2))
    assert ended.asked == ["orchestrator"] * 2
    assert ended.failure["code"] == "budget_exceeded"


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize(
    ("script", "arrangement"),
    [
        ([], {}),
        ([FACTS, PLAN], {"pattern": "magentic"}),
        ([], {"pattern": "selector", "agents": agents("a", "b")}),
        ([], {"pattern": "graph", "agents": agents("group", "end", group={"team": INNER})}),
        ([], {"pattern": "graph", "agents": agents("a", "b", "c"), "sequence": [["a", "b"], "c"]}),
    ],
    ids=["pair", "ledger", "selector", "nested", "parallel"],
)
def test_the_deadline_ends_a_team_wherever_it_is(perform, capfd, script, arrangement):
    began = time.monotonic()
    ended = perform([*script, Hang(), Hang()], arrangement, seconds=1.5)
    assert ended.failure["kind"] == "timeout"
    assert 1.4 < time.monotonic() - began < patience(4)
    err = capfd.readouterr().err
    assert "background task" not in err
    assert "never retrieved" not in err


def test_what_autogen_calls_without_a_token_ends_with_the_attempt(tmp_path):
    """Magentic-One's leader asks for its ledger so: nothing but our token could end it."""

    async def ends(server):
        conversation = Conversation(
            a_task(tmp_path), Binding("team", "here", model=Model("m", server.url)), Limits(time.monotonic() + 20, 99)
        )
        asked = asyncio.ensure_future(
            AgentChatClient(conversation, "leader").create([UserMessage(content="hm?", source="user")])
        )
        await asyncio.to_thread(wait_for, lambda: server.requests)
        conversation.token.cancel()
        await asyncio.wait((asked,), timeout=5)
        assert asked.cancelled()

    with Server([Hang()]) as server:
        asyncio.run(ends(server))


def test_nothing_is_said_beside_the_journal(perform, capfd):
    perform([Text("a"), said(DONE)], {"pattern": "selector", "agents": agents("b", "a")})
    perform([ToolCalls((Call("transfer_to_b"), Call("transfer_to_c"))), said(DONE)], {"pattern": "swarm", "agents": agents("a", "b", "c")})  # fmt: skip
    assert capfd.readouterr() == ("", "")


# --- what is refused before the run -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrangement", "told"),
    [
        ({"pattern": "ring"}, "pattern: found 'ring'; allowed are pair, round-robin"),
        ({"pattern": "swarm"}, "agents: the pattern swarm needs them"),
        ({"agents": agents("a")}, "a pair has 2"),
        ({"agents": agents("a", "a")}, "found 'a', which is taken"),
        ({"agents": agents("a", "b c")}, "name is no name of an agent"),
        ({"agents": [{"name": "a", "modle": "x"}, {"name": "b"}]}, "agents[0]: unknown key 'modle'"),
        ({"agents": agents("a", "b", a={"model": "fast"})}, "model: found 'fast'; allowed are the worker's models: none"),
        ({"agents": agents("a", "b", a={"tools": ["rm"]})}, "agents[0]: tool 'rm' is not among tools (none)"),
        ({"agents": agents("a", "b", a={"handoffs": ["b"]})}, "allowed with the pattern swarm"),
        ({"answer": "boss"}, "answer: found 'boss'; allowed are worker, reviewer"),
        ({"rounds": 0}, "rounds: found 0; allowed is a whole number from 1"),
        ({"rounds": True}, "rounds: found True; allowed is a whole number from 1"),
        ({"edges": []}, "edges: found with the pattern pair; allowed with graph"),
        ({"pattern": "magentic", "answer": "worker"}, "leader gives the answer"),
        ({"pattern": "magentic", "rounds": 1}, "allowed is 2 or more"),
        ({"pattern": "swarm", "agents": agents("a", "b", a={"handoffs": ["c"]})}, "handoffs: found 'c'; allowed are b"),
        ({"pattern": "graph", "agents": agents("a", "b"), "sequence": ["a"]}, "every agent has to stand in it once"),
        ({"pattern": "graph", "agents": agents("a", "b"), "edges": [{"from": "a", "to": "x"}]}, "found 'x'"),
        (
            {"pattern": "graph", "agents": agents("a", "b"), "edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]},
            "loop without a condition",
        ),
        ({"pattern": "selector", "agents": agents("a", "b"), "selector_prompt": "{a.b}"}, "braces"),
        ({"pattern": "round-robin", "agents": [{"name": "g", "team": {"agents": agents("x")}}]}, "agents[0]: team: agents"),
        ({"on_stall": "panic"}, "on_stall: found 'panic'; allowed are fail, ask"),
        ({"team": "x"}, "without a component file"),
        ({"ask_user": "yes"}, "ask_user is not true or false; write ask_user = true"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_told_before_the_run(arrangement, told):
    reason = refused(arrangement)
    assert told in reason
    assert reason.startswith("here: ")
    assert "\n" not in reason


# --- by the command line ------------------------------------------------------------------------------------------------


def test_a_team_by_flags_alone(cli, contract, given):
    with Server([said(DONE), Text("APPROVE")]) as server:
        flags = ("--backend", "team", "--model", "scripted-1", "--base-url", server.url)
        done = cli("run", contract(), given(), "--envelope", *flags)
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.document["outputs"]["result"] == {"a": 1}
    assert done.document["usage"] == {"turns": 2, "input_tokens": 24, "output_tokens": 12}


def test_a_bad_document_goes_back_to_the_team_with_what_was_wrong(cli, contract, given):
    with Server([Text('{"status": "ok"}'), Text("APPROVE"), said(DONE), Text("APPROVE")]) as server:
        flags = ("--backend", "team", "--model", "scripted-1", "--base-url", server.url)
        done = cli("run", contract(), given(), "--envelope", *flags)
    assert [attempt["outcome"] for attempt in done.document["attempts"]] == ["invalid_output", "ok"]
    assert "Findings" in json.dumps(server.requests[2].body)


def test_a_component_file_beside_the_configuration(cli, contract, given, tmp_path):
    hostile = {"provider": "subprocess.Popen", "config": {"args": ["touch", "ran"]}}
    config = {"participants": [hostile], "max_turns": 1}
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "team.json").write_text(
        json.dumps({"provider": "autogen_agentchat.teams.RoundRobinGroupChat", "config": config})
    )
    (tmp_path / "workermd.toml").write_text(
        '[workers.echo]\nbackend = "team"\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
        'component = "teams/team.json"\n'
    )
    done = cli("run", contract(), given(), "--envelope")
    assert done.code == 2
    assert "component teams/team.json: /config/participants/0/provider: found 'subprocess.Popen'" in done.err
    assert not (tmp_path / "ran").exists()


def test_asking_people_needs_a_contract_that_can_say_so(cli, contract, given, tmp_path):
    (tmp_path / "workermd.toml").write_text(
        '[workers.echo]\nbackend = "team"\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
        'pattern = "magentic"\non_stall = "ask"\n'
    )
    done = cli("run", contract(), given(), "--envelope")
    assert done.code == 2
    assert "needs_human" in done.err


PAGES = "".join((ROOT / "docs" / name).read_text() for name in ("models.md", "teams.md"))


def test_what_the_documentation_shows_is_taken(cli, contract, given, tmp_path):
    chat, short, graph, filed = (
        block
        for block in re.findall(r"```toml\n(.*?)```", PAGES, re.DOTALL)
        if ("models.fast" in block or "notes" in block or "sequence" in block) and '"factory"' not in block
    )
    lookup = '[tools.lookup]\nfunction = "lookups:find"\n'
    strong = '[models.strong]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
    (tmp_path / "workermd.toml").write_text(chat + lookup + strong + short.replace("workers.notes", "workers.echo"))
    (tmp_path / "lookups.py").write_text("def find(text: str) -> str:\n    return text\n")
    keys = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"), "none")
    done = cli("run", contract(), given(), "--dry-run", env=keys)
    assert done.code == 0, done.err
    table = tomllib.loads(short)["workers"]["notes"]
    ours = {key: value for key, value in table.items() if key not in ("backend", "model", "models", "tools")}
    assert (
        refused(
            ours,
            models={"strong": Model("m"), "fast": Model("m")},
            tools=(ToolBinding("lookup", function="json:loads"),),
        )
        == ""
    )
    sequence, edges = (tomllib.loads(part) for part in graph.split("\n\n"))
    assert refused({"pattern": "graph", "agents": agents("plan", "left", "right", "join"), **sequence}) == ""
    assert refused({"pattern": "graph", "agents": agents("write", "check", "report"), **edges}) == ""
    named = set(tomllib.loads(filed)["workers"]["notes"]) - {"backend", "model"}
    assert named <= KINDS["team"].keys


def test_the_documentation_names_every_class_that_is_loaded():
    for provider in (each for each in FORMS if FORMS[each].role != "model" and not each.startswith("workermd.")):
        name = provider.rpartition(".")[2]
        short = name.replace("Termination", "-").replace("ChatCompletionContext", "-")
        assert f"`{name}`" in PAGES or f"`{short}`" in PAGES or name in PAGES, provider


def test_every_key_of_a_table_is_documented():
    for key in KINDS["team"].keys | KINDS["chat"].keys:
        assert f"`{key}`" in PAGES or f"{key} = " in PAGES, key


def test_what_asks_people():
    assert Binding("team", "", arrangement={"ask_user": True}).asks_people
    assert Binding("team", "", arrangement={"on_stall": "ask"}).asks_people
    assert not Binding("team", "", arrangement={"on_stall": "fail"}).asks_people
