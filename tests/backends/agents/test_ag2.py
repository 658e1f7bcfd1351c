"""The kind `ag2` beyond the kit: its patterns, people, and what AG2 alone would get wrong."""

from __future__ import annotations

import asyncio
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.backends.agents.conftest import ANSWER, Bound
from tests.backends.agents.kinds import KindUnderTest
from tests.conftest import patience
from tests.late import LATE, needs
from workermd.config.tables import Named, bindings, models
from workermd.task.binding import Binding, Model, ToolBinding
from workermd.task.task import Budget, Limits, Result, Task
from workermd.testing import Call, Empty, Hang, Problem, Received, Server, Text, ToolCalls, Truncated

if LATE:
    import ag2
    from ag2.config.openai.mappers import tool_to_api
    from openai.resources.chat.completions import AsyncCompletions

    from workermd.backends.ag2 import single as kind
    from workermd.backends.ag2.agents import OwnTool
    from workermd.backends.agents import response_format

needs("ag2", "the extra ag2 is not installed")

ENDLESS = Budget()
SCHEMA = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
WRITERS = [{"name": "writer", "instructions": "Draft."}, {"name": "critic", "instructions": "Find faults."}]
HANDING = [
    {"name": "triage", "handoffs": ["expert"]},
    {"name": "expert", "description": "Knows the law.", "handoffs": ["triage"]},
]
DRAFT = "A draft."


class Ran(NamedTuple):
    result: Result
    server: Server

    @property
    def speakers(self) -> list[str]:
        """Whose request came when, by the system prompt."""
        return [speaker(received) for received in self.server.requests]

    def asked(self, number: int) -> Any:
        return self.server.requests[number].body


def speaker(received: Received) -> str:
    found = re.search(r"You are the agent (\w+)", received.body["messages"][0]["content"])
    return found[1] if found else ""


def said(body: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in body["messages"][1:]]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Iterator[Callable[..., Ran]]:
    """Performs one attempt in this process."""
    servers: list[Server] = []
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a + 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def perform(script: Any, *, decisions: Any = (), seconds: float = 20, journal: str = "",
                budget: Budget = ENDLESS, tools: tuple[str, ...] = (), record: str = "", replay: str = "",
                **arrangement: Any) -> Ran:  # fmt: skip
        server = Server(script)
        servers.append(server)
        model = Model("scripted", server.url)
        binding = Binding(
            "ag2", "here", model=model, models={"other": Model("other-1", server.url)}, arrangement=arrangement,
            record=record, replay=replay, tools=tuple(ToolBinding(name, function="sums:add") for name in tools),
        )  # fmt: skip
        assert kind.unusable(binding) == ""
        task = Task("echo", "1.0.0", "r1", 1, 2, seconds, "Answer.", "", {"run_id": "r1", "n": 4711}, SCHEMA,
                    None, (), tuple(decisions), {}, str(tmp_path), {})  # fmt: skip
        limits = Limits(time.monotonic() + seconds, 1 << 20, budget, journal)
        return Ran(kind.perform(task, binding, limits), server)

    yield perform
    for server in servers:
        server.close()


# --- one agent --------------------------------------------------------------------------------------------


def test_minimal_flags_send_what_the_seam_says(cli, contract, given):
    with Server([Text(ANSWER)]) as server:
        done = cli("run", contract(), given(), "--backend", "ag2", "--model", "m-1", "--base-url", server.url)
        body = server.requests[0].body
    assert done.code == 0, done.err
    assert done.err == ""
    assert set(body) == {"model", "messages", "response_format", "stream"}
    assert (body["model"], body["stream"]) == ("m-1", False)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    output = body["response_format"]["json_schema"]["schema"]
    assert body["response_format"] == response_format.asked_for(output)
    assert output["properties"]["result"] == {"type": "object", "maxProperties": 1000}  # AG2 alone would close it


def test_instructions_stand_behind_the_purpose(run):
    ran = run([Text(ANSWER)], instructions="Be brief.")
    assert ran.result.output == ANSWER
    assert "Answer.\n\nBe brief." in ran.asked(0)["messages"][0]["content"]


@pytest.mark.parametrize(("given", "sent"), [({}, True), ({"additionalProperties": False}, False)])
def test_a_tools_schema_stays_as_open_as_it_was(given, sent):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, **given}

    async def call(_arguments, _context):
        return ""

    [offered] = asyncio.run(OwnTool("add", "Adds.", schema, call).schemas(None))
    function = tool_to_api(offered)["function"]
    assert function["parameters"] == schema | {"additionalProperties": sent}
    assert schema == {"type": "object", "properties": {"a": {"type": "integer"}}, **given}


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", "4"])
@pytest.mark.parametrize("name", ["add", "rm_rf"])
def test_arguments_that_are_no_object_are_answered(run, name, arguments):
    ran = run([ToolCalls((Call(name, arguments),)), Text(ANSWER)], tools=("add",))
    assert ran.result.output == ANSWER
    last = ran.asked(1)["messages"][-1]
    assert last["role"] == "tool"
    assert "Traceback" not in last["content"]
    assert "/" not in last["content"]


@pytest.mark.parametrize(
    ("script", "arrangement", "tools"),
    [
        ([ToolCalls((Call("add", {"a": 1}),)), Text(ANSWER)], {}, ("add",)),
        (
            [ToolCalls((Call("task_writer", {"objective": "Draft"}),)), Text(DRAFT), Text(ANSWER)],
            {"pattern": "nested", "agents": WRITERS},
            (),
        ),
    ],
)
def test_the_meter_agrees_with_the_frameworks_own_count(run, monkeypatch, script, arrangement, tools):
    reports = []
    ask = ag2.Agent.ask

    async def asked(self, *given, **named):
        reply = await ask(self, *given, **named)
        reports.append(await reply.usage())
        return reply

    monkeypatch.setattr(ag2.Agent, "ask", asked)
    ran = run(script, tools=tools, **arrangement)
    total = reports[-1].total
    assert (total.prompt_tokens, total.completion_tokens) == (12 * len(script), 6 * len(script))
    assert ran.result.usage["input_tokens"] == total.prompt_tokens
    assert ran.result.usage["output_tokens"] == total.completion_tokens


# --- a channel --------------------------------------------------------------------------------------------


def test_a_sequence_speaks_in_its_order_and_the_last_answers(run):
    ran = run([Text(DRAFT), Text(ANSWER)], pattern="sequence", agents=WRITERS)
    assert ran.result.output == ANSWER
    assert ran.result.usage == {"turns": 2, "input_tokens": 24, "output_tokens": 12}
    assert ran.speakers == ["writer", "critic"]
    assert "response_format" not in ran.asked(0)
    assert "response_format" in ran.asked(1)
    assert not any("tools" in received.body for received in ran.server.requests)  # none of the network's own
    roles, texts = zip(*said(ran.asked(1)), strict=True)
    assert roles == ("user", "user")
    assert "4711" in texts[0]
    assert texts[1] == f"[writer]: {DRAFT}"


def test_another_agent_may_answer(run):
    ran = run([Text(ANSWER), Text("Fine.")], pattern="sequence", agents=WRITERS, answer="writer")
    assert ran.result.output == ANSWER
    assert "response_format" in ran.asked(0)
    assert "response_format" not in ran.asked(1)


def test_rounds_let_everyone_speak_again_and_see_all_that_was_said(run):
    script = [Text(f"word {number}") for number in range(7)] + [Text(ANSWER)]
    ran = run(script, pattern="round-robin", agents=WRITERS, rounds=4)
    assert ran.result.output == ANSWER
    assert ran.speakers == ["writer", "critic"] * 4
    last = said(ran.asked(6))
    assert [role for role, _ in last] == ["user", *["assistant", "user"] * 3]  # with its own words
    assert "4711" in last[0][1]  # AG2's own view would have left the input out by now
    assert [text for _, text in last[1:]] == [
        "word 0", "[critic]: word 1", "word 2", "[critic]: word 3", "word 4", "[critic]: word 5"
    ]  # fmt: skip


def test_a_bad_last_word_is_a_bad_output_however_the_channel_closed(run):
    ran = run([Text(DRAFT), Text("Sure!")], pattern="round-robin", agents=WRITERS)
    assert ran.result.failure["code"] == "output_not_json"


def test_a_swarm_hands_over_in_one_request(run, tmp_path):
    journal = tmp_path / "journal"
    script = [ToolCalls((Call("transfer_to_expert", {"reason": "A question of law."}),)), Text(ANSWER)]
    ran = run(script, pattern="swarm", agents=HANDING, journal=str(journal))
    assert ran.result.output == ANSWER
    assert ran.speakers == ["triage", "expert"]
    assert ran.result.usage == {"turns": 2, "input_tokens": 24, "output_tokens": 12}
    offered = [tool["function"]["name"] for tool in ran.asked(0)["tools"]]
    assert offered == ["transfer_to_expert"]
    assert said(ran.asked(1))[-1] == ("user", "[triage]: [Handed off via transfer_to_expert] A question of law.")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    told = [(event["agent"], event["text"]) for event in events if event["event"] == "message"]
    assert told == [("triage", "transfer_to_expert: A question of law.")]


def test_who_hands_over_to_nobody_answers(run):
    ran = run([Text(ANSWER)], pattern="swarm", agents=HANDING)
    assert (ran.result.output, ran.speakers) == (ANSWER, ["triage"])


def test_where_nobody_names_anybody_everybody_hands_over_to_everybody(run):
    ran = run([ToolCalls((Call("transfer_to_critic", {}),)), Text(ANSWER)], pattern="swarm", agents=WRITERS)
    assert (ran.result.output, ran.speakers) == (ANSWER, ["writer", "critic"])


def test_a_round_robin_ends_with_the_one_who_answers(run):
    script = [Text(ANSWER), Text("Shorter."), Text(ANSWER)]
    ran = run(script, pattern="round-robin", agents=WRITERS, answer="writer", rounds=2)
    assert (ran.result.output, ran.speakers) == (ANSWER, ["writer", "critic", "writer"])


def test_with_an_agent_who_answers_the_word_goes_to_it(run):
    ran = run([Text("I know nothing."), Text(ANSWER)], pattern="swarm", agents=HANDING, answer="expert")
    assert (ran.result.output, ran.speakers) == (ANSWER, ["triage", "expert"])
    assert "response_format" not in ran.asked(0)


def test_tools_work_before_a_handover(run):
    script = [
        ToolCalls((Call("add", {"a": 1}),)),
        ToolCalls((Call("add", {"a": 2}), Call("transfer_to_expert", {}))),
        Text(ANSWER),
    ]
    ran = run(script, pattern="swarm", agents=HANDING, tools=("add",))
    assert (ran.result.output, ran.speakers) == (ANSWER, ["triage", "triage", "expert"])
    assert ran.result.usage["tool_calls"] == 2


def test_a_swarm_that_reached_its_rounds_has_not_answered(run):
    def hand_on(received: Received) -> Any:
        return ToolCalls((Call("transfer_to_" + ("expert" if speaker(received) == "triage" else "triage"), {}),))

    ran = run(hand_on, pattern="swarm", agents=HANDING, rounds=6)
    assert len(ran.speakers) == 6
    assert (ran.result.failure["kind"], ran.result.failure["code"]) == ("invalid_output", "budget_exceeded")
    assert "spoke 6 times" in ran.result.failure["message"]


@pytest.mark.rule("S3.6")
def test_turns_bound_a_swarm_too(run):
    script = [ToolCalls((Call("transfer_to_expert", {}),)), Text(ANSWER)]
    ran = run(script, pattern="swarm", agents=HANDING, budget=Budget(max_turns=1))
    assert ran.result.failure["code"] == "budget_exceeded"
    assert ran.speakers == ["triage"]


# --- agents within one another ----------------------------------------------------------------------------


def test_the_last_agent_holds_the_others(run):
    script = [ToolCalls((Call("task_writer", {"objective": "Draft a letter.", "context": "To whom"}),)),
              Text(DRAFT), Text(ANSWER)]  # fmt: skip
    ran = run(script, pattern="nested", agents=WRITERS)
    assert ran.result.output == ANSWER
    assert ran.speakers == ["critic", "writer", "critic"]
    assert ran.result.usage == {"turns": 3, "input_tokens": 36, "output_tokens": 18}
    assert said(ran.asked(1)) == [("user", "Draft a letter.\n\n## Context\nTo whom")]
    assert "response_format" not in ran.asked(1)
    assert said(ran.asked(2))[-1] == ("tool", DRAFT)


def test_agents_nest_as_deep_as_they_say(run):
    agents = [{"name": "a"}, {"name": "b", "handoffs": ["a"]}, {"name": "c", "handoffs": ["b"]}]
    script = [ToolCalls((Call("task_b", {"objective": "1"}),)), ToolCalls((Call("task_a", {"objective": "2"}),)),
              Text("from a"), Text("from b"), Text(ANSWER)]  # fmt: skip
    ran = run(script, pattern="nested", agents=agents)
    assert ran.result.output == ANSWER
    assert ran.speakers == ["c", "b", "a", "b", "c"]


def test_a_task_that_cannot_be_given_is_told_without_a_traceback(run):
    ran = run([ToolCalls((Call("task_writer", {"goal": "x"}),)), Text(ANSWER)], pattern="nested", agents=WRITERS)
    assert ran.result.output == ANSWER
    assert said(ran.asked(1))[-1] == ("tool", "error: the call failed with ValidationError")


# --- what goes wrong --------------------------------------------------------------------------------------

FAILING = {
    "sequence": [Text(DRAFT)],
    "round-robin": [Text(DRAFT)],
    "swarm": [ToolCalls((Call("transfer_to_expert", {}),))],
    "nested": [ToolCalls((Call("task_writer", {"objective": "x"}),))],
}
"""What comes before the second agent's request."""

SECOND = {
    "framework": (None, "refused", "backend_failed"),
    "provider": (Problem(500), "retryable", "backend_unavailable"),
    "truncated": (Truncated(ANSWER[:-2]), "invalid_output", "output_truncated"),
}


def _break_the_second_call(monkeypatch) -> None:
    """Lets the client that AG2 calls raise: no answer of an endpoint reaches AG2 that it could fail over by itself."""
    calls: list[object] = []
    create = AsyncCompletions.create

    async def once(*given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) > 1:
            raise LookupError("AG2's own")
        return await create(*given, **named)

    monkeypatch.setattr(AsyncCompletions, "create", once)


@pytest.mark.parametrize("what", SECOND)
@pytest.mark.parametrize("pattern", FAILING)
def test_an_agent_that_fails_ends_the_attempt_at_once(run, capfd, monkeypatch, pattern, what):
    """AG2 alone leaves a channel open, and tells a holding agent that its tool said something."""
    turn, fails_as, code = SECOND[what]
    if turn is None:
        turn = Text(ANSWER)
        _break_the_second_call(monkeypatch)
    began = time.monotonic()
    ran = run(
        [*FAILING[pattern], turn, Text(ANSWER)], pattern=pattern, agents=HANDING if pattern == "swarm" else WRITERS
    )
    assert (ran.result.failure["kind"], ran.result.failure["code"]) == (fails_as, code)
    assert len(ran.server.requests) == (1 if what == "framework" else 2)
    assert time.monotonic() - began < patience(10)
    assert "handler raised" not in capfd.readouterr().err  # AG2's own log


@pytest.mark.parametrize("pattern", ["sequence", "round-robin", "swarm"])
def test_an_agent_that_says_nothing_ends_the_attempt(run, pattern):
    """AG2 alone sends nothing then, and the channel waits without end."""
    began = time.monotonic()
    ran = run([Empty(), Text(ANSWER)], pattern=pattern, agents=HANDING if pattern == "swarm" else WRITERS)
    assert ran.result.failure["code"] == "output_not_json"
    assert "said nothing" in ran.result.failure["message"]
    assert time.monotonic() - began < patience(10)


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("pattern", FAILING)
def test_an_agent_that_hangs_is_left_at_the_deadline(run, pattern):
    began = time.monotonic()
    ran = run(
        [*FAILING[pattern], Hang()], pattern=pattern, seconds=1.5, agents=HANDING if pattern == "swarm" else WRITERS
    )
    assert ran.result.failure["code"] == "timeout"
    assert time.monotonic() - began < patience(5)
    assert ran.server.wait(lambda server: server.open_connections == 0)


@pytest.mark.parametrize("pattern", FAILING)
def test_a_recorded_conversation_replays_whoever_spoke(run, pattern, tmp_path):
    agents = HANDING if pattern == "swarm" else WRITERS
    after = [Text(DRAFT)] if pattern == "nested" else []
    ran = run([*FAILING[pattern], *after, Text(ANSWER)], pattern=pattern, agents=agents, record=str(tmp_path))
    assert ran.result.output == ANSWER
    again = run([], pattern=pattern, agents=agents, replay=str(tmp_path))
    assert again.result == ran.result
    assert not again.server.requests


# --- people -----------------------------------------------------------------------------------------------

QUESTION = "Which year?"
ASKS = ToolCalls((Call("ask_user", {"question": QUESTION}),))
ASKING = {
    "single": [ASKS],
    "sequence": [ASKS],
    "swarm": [ASKS],
    "nested": [ToolCalls((Call("task_writer", {"objective": "x"}),)), ASKS],
}


def arranged(pattern: str) -> dict[str, Any]:
    agents = {"single": [], "swarm": HANDING}.get(pattern, WRITERS)
    return {"pattern": pattern, "agents": agents, "ask_user": True}


@pytest.mark.parametrize("pattern", ASKING)
def test_an_agent_may_ask_a_person(run, pattern):
    ran = run([*ASKING[pattern], Text(ANSWER)], **arranged(pattern))
    failure = ran.result.failure
    assert (failure["kind"], failure["code"], failure["question"]) == ("needs_human", "approval_required", QUESTION)
    assert failure["request_kind"] == "question"
    assert len(ran.server.requests) == len(ASKING[pattern])


@pytest.mark.parametrize("pattern", ASKING)
def test_an_agent_that_asks_again_gets_the_answer(run, pattern):
    decision = {"id": "0" * 12, "kind": "question", "question": QUESTION, "options": [], "answer": "1999", "by": "me"}
    after = {"sequence": [Text(DRAFT)], "nested": [Text(DRAFT)]}.get(pattern, [])
    ran = run([*ASKING[pattern], *after, Text(ANSWER)], decisions=[decision], **arranged(pattern))
    assert ran.result.output == ANSWER
    assert said(ran.asked(len(ASKING[pattern])))[-1] == ("tool", "1999")
    if pattern != "nested":
        assert "1999" in said(ran.asked(0))[0][1]  # and it need not ask again


def test_who_may_not_ask_has_no_tool_for_it(run):
    ran = run([Text(ANSWER)])
    assert "tools" not in ran.asked(0)


def test_asking_needs_a_contract_that_can_say_so(cli, contract, tmp_path):
    bound = Bound(KindUnderTest("ag2", "ag2"), cli, contract, tmp_path)
    ran = bound([Text(ANSWER)], worker={"ask_user": True})
    bound.close()
    assert ran.done.code == 2
    assert "needs_human" in ran.envelope["error"]["message"]
    assert not ran.server.requests


# --- arrangements -----------------------------------------------------------------------------------------


def test_agents_have_models_and_tools_of_their_own(run):
    agents = [{"name": "writer", "model": "other", "tools": []}, {"name": "critic", "tools": ["add"]}]
    ran = run([Text(DRAFT), Text(ANSWER)], pattern="sequence", agents=agents, tools=("add", "more"))
    assert [received.body["model"] for received in ran.server.requests] == ["other-1", "scripted"]
    assert "tools" not in ran.asked(0)
    assert [tool["function"]["name"] for tool in ran.asked(1)["tools"]] == ["add"]


@pytest.mark.parametrize(
    ("arrangement", "told"),
    [
        ({"pattern": "ring"}, "pattern: found 'ring'; allowed are single, sequence, round-robin, swarm, nested"),
        ({"pattern": 3}, "pattern is not text"),
        ({"agents": WRITERS}, "2 agents, and pattern 'single' takes one"),
        ({"pattern": "sequence"}, "takes two agents or more, and 0 are there"),
        ({"pattern": "sequence", "agents": "writer"}, "agents is not a list of tables"),
        ({"agents": [{}]}, "agents[0]: name is no name of an agent"),
        ({"agents": [{"name": "the writer"}]}, "agents[0]: name is no name of an agent"),
        ({"agents": [{"name": "a", "role": "x"}]}, "unknown key 'role'"),
        ({"agents": [{"name": "a", "model": "b"}]}, "model: found 'b'; allowed are the worker's models: other"),
        ({"agents": [{"name": "a", "tools": ["b"]}]}, "tool 'b' is not among tools (add)"),
        ({"pattern": "sequence", "agents": [{"name": "a"}] * 2}, "agents[1]: the name a is taken"),
        ({"pattern": "swarm", "agents": [{"name": "a", "handoffs": ["c"]}, {"name": "b"}]}, "choose from b"),
        ({"pattern": "sequence", "agents": WRITERS, "answer": "me"}, "answer: found 'me'; allowed are writer, critic"),
        ({"pattern": "sequence", "agents": WRITERS, "rounds": -1}, "rounds: found -1"),
        ({"pattern": "sequence", "agents": WRITERS, "rounds": True}, "rounds: found True"),
        ({"ask_user": "yes"}, "ask_user is not true or false"),
        ({"pattern": "nested", "agents": HANDING}, "expert > triage > expert"),
        (
            {"pattern": "sequence", "agents": [{"name": "a"}, {"name": "b"}], "tool": "transfer_to_a"},
            "the tool name transfer_to_a is one that agents are given anyway",
        ),
    ],
)
def test_what_cannot_be_arranged_is_told_before_an_attempt(arrangement, told, tmp_path, monkeypatch):
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a\n")
    monkeypatch.chdir(tmp_path)
    tool = arrangement.pop("tool", "add") if "tool" in arrangement else "add"
    binding = Binding("ag2", "here", model=Model("m", "http://127.0.0.1:1/v1"), arrangement=arrangement,
                      models={"other": Model("o")}, tools=(ToolBinding(tool, function="sums:add"),))  # fmt: skip
    reason = kind.unusable(binding)
    assert told in reason
    assert reason.startswith("here: ")
    assert "\n" not in reason


def test_the_key_of_every_model_has_to_be_there(monkeypatch):
    monkeypatch.delenv("OTHER_KEY", raising=False)
    further = {"other": Model("o", api_key_env="OTHER_KEY")}
    assert "OTHER_KEY" in kind.unusable(Binding("ag2", "here", model=Model("m"), models=further))
    assert "--model" in kind.unusable(Binding("ag2", "here"))


@pytest.mark.parametrize("pattern", ["sequence", "nested"])
def test_a_whole_run_by_configuration(cli, contract, tmp_path, pattern):
    bound = Bound(KindUnderTest("ag2", "ag2"), cli, contract, tmp_path)
    script = [*FAILING[pattern], Text(DRAFT)][-2:] if pattern == "nested" else [Text(DRAFT)]
    ran = bound([*script, Text(ANSWER)], worker={"pattern": pattern, "agents": WRITERS})
    bound.close()
    assert ran.envelope["status"] == "ok", ran.done.err
    assert ran.done.err == ""
    assert ran.envelope["usage"]["turns"] == len(ran.server.requests) == len(script) + 1


def test_the_example_of_the_documentation_is_one(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-example")
    text = (Path(__file__).parents[3] / "docs" / "ag2.md").read_text()
    section = text[text.index("## `ag2`") :].split("\n## ")[0]
    document = tomllib.loads(re.findall(r"```toml\n(.*?)```", section, re.DOTALL)[0])
    named = Named(models(document, "here"), {}, {}, "")
    [bound] = bindings(document, "workers", "here", named).values()
    assert kind.unusable(bound) == ""
