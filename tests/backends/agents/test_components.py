"""Component files: what is loaded, what is refused and why, and that nothing is imported before that is decided."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.backends.agents.test_team import DONE, FACTS, PLAN, agents, decided, ledger, messages, perform, said
from tests.conftest import ROOT
from tests.late import LATE, needs
from workermd.task.binding import Binding, Model
from workermd.testing import Call, Text, ToolCalls

if LATE:
    from autogen_agentchat.agents import (
        AssistantAgent,
        MessageFilterAgent,
        MessageFilterConfig,
        PerSourceFilter,
        SocietyOfMindAgent,
        UserProxyAgent,
    )
    from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
    from autogen_agentchat.teams import (
        DiGraphBuilder,
        GraphFlow,
        MagenticOneGroupChat,
        RoundRobinGroupChat,
        SelectorGroupChat,
        Swarm,
    )
    from autogen_core.model_context import BufferedChatCompletionContext
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    from workermd.backends.autogen import team
    from workermd.backends.autogen.components import FORMS, SHORT_NAMES, Unfit, checked

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")

__all__ = ["perform"]

ASSISTANT = "autogen_agentchat.agents.AssistantAgent"


def client() -> dict[str, Any]:
    return {"provider": "autogen_ext.models.openai.OpenAIChatCompletionClient", "config": {"model": "gpt-4o"}}


def assistant(name: str, **more: Any) -> dict[str, Any]:
    return {"provider": ASSISTANT, "config": {"name": name, "model_client": client(), **more}}


def round_robin(*participants: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = {"participants": list(participants) or [assistant("a")], "max_turns": 2, **more}
    return {"provider": "autogen_agentchat.teams.RoundRobinGroupChat", "config": config}


def tool(code: str = "open('ran', 'w')") -> dict[str, Any]:
    return {
        "provider": "autogen_core.tools.FunctionTool",
        "config": {
            "source_code": code,
            "name": "f",
            "description": "",
            "global_imports": [],
            "has_cancellation_support": False,
        },
    }


def bench(*tools: dict[str, Any]) -> dict[str, Any]:
    return {"provider": "autogen_core.tools.StaticWorkbench", "config": {"tools": list(tools)}}


@pytest.fixture
def refused(tmp_path):
    """Why a team in a file cannot be had."""

    def tried(document: Any, **arrangement: Any) -> str:
        content = document if isinstance(document, str | bytes) else json.dumps(document)
        path = tmp_path / "team.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        table = {"component": "team.json", **arrangement}
        model = Model("scripted-1", "http://127.0.0.1:1")
        reason = team.unusable(Binding("team", "here", model=model, arrangement=table, folder=str(tmp_path)))
        assert "\n" not in reason
        return reason

    return tried


# --- hostile files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (round_robin(assistant("a", workbench=[bench(tool())])), "/config/participants/0/config/workbench/0/config/tools/0/provider: found 'autogen_core.tools.FunctionTool'"),
        (round_robin(assistant("a", tools=[tool()])), "/config/participants/0/config/tools/0/provider"),
        (round_robin(assistant("a", metadata={"x": {"source_code": "1"}})), "/metadata/x/source_code: found a key that is not loaded"),
        (round_robin(assistant("a", workbench=[{"provider": "autogen_ext.tools.mcp.McpWorkbench", "config": {"server_params": {"command": "rm", "args": ["-rf", "/"], "type": "StdioServerParams"}}}])), "found 'autogen_ext.tools.mcp.McpWorkbench'"),
        (round_robin({"provider": "autogen_agentchat.agents.CodeExecutorAgent", "config": {"name": "x"}}), "found 'autogen_agentchat.agents.CodeExecutorAgent'"),
        (round_robin(assistant("a", tools=[{"provider": "autogen_ext.tools.code_execution.PythonCodeExecutionTool", "config": {"executor": {"provider": "autogen_ext.code_executors.local.LocalCommandLineCodeExecutor", "config": {}}}}])), "PythonCodeExecutionTool"),
        (round_robin(assistant("a", tools=[{"provider": "autogen_ext.tools.http.HttpTool", "config": {}}])), "autogen_ext.tools.http.HttpTool"),
        (round_robin({"provider": "autogen_ext.agents.web_surfer.MultimodalWebSurfer", "config": {}}), "MultimodalWebSurfer"),
        (round_robin({"provider": "subprocess.Popen", "config": {"args": ["id"]}}), "found 'subprocess.Popen'"),
        (round_robin({"provider": "autogen_agentchat.agents._assistant_agent.AssistantAgent", "config": {}}), "_assistant_agent.AssistantAgent'"),
        (round_robin({"provider": "autogen_agentchat.agents.AssistantAgent ", "config": {}}), "found 'autogen_agentchat.agents.AssistantAgent '"),
        (round_robin({"provider": ["x"], "config": {}}), "/config/participants/0/provider: found ['x']"),
        (round_robin({"provider": "workermd.backends.autogen.agentchat.AgentChatClient", "config": {"agent": "x"}}), "workermd.backends.autogen.agentchat.AgentChatClient"),
        (round_robin(assistant("a", memory=[{"provider": "evil.Memory", "config": {}}])), "found 'evil.Memory'"),
        (round_robin(assistant("a", model_client={**client(), "config": {"model": "x", "azure_ad_token_provider": {"provider": "evil.Tokens", "config": {}}}})), "found 'evil.Tokens'"),
        (round_robin(termination_condition={"provider": "evil.Stop", "config": {}}), "found 'evil.Stop'"),
    ],
)  # fmt: skip
def test_what_would_run_code_is_refused_by_its_place(refused, document, told):
    assert told in refused(document)
    assert not (ROOT / "ran").exists()


CLIENTS = [
    "openai_chat_completion_client",
    "OpenAIChatCompletionClient",
    "azure_openai_chat_completion_client",
    "AzureOpenAIChatCompletionClient",
    "OllamaChatCompletionClient",
]


@pytest.mark.parametrize("name", CLIENTS)
def test_short_names_of_clients_are_clients(refused, name):
    assert [*SHORT_NAMES] == CLIENTS
    short = {"provider": name, "config": {"model": "m", "base_url": "http://evil.example", "api_key": None}}
    assert refused(round_robin(assistant("a", model_client=short))) == ""
    assert "allowed is a participant" in refused(round_robin(short))


def test_a_provider_is_not_imported_before_it_is_allowed(tmp_path):
    """In a process of its own: to import AgentChat imports much, and one name of that could be the provider's."""
    (tmp_path / "sideeffect.py").write_text("open('imported', 'w').close()\nclass Agent: ...\n")
    hostile = round_robin({"provider": "sideeffect.Agent", "config": {"name": "x"}})
    (tmp_path / "team.json").write_text(json.dumps(hostile))
    code = (
        "from workermd.backends.autogen import team\nfrom workermd.task.binding import *\n"
        "binding = Binding('team', 'here', model=Model('m', 'http://127.0.0.1:1'), arrangement={arrangement}, folder='.')\n"
        "print(team.unusable(binding))\n"
    )
    for allowed, imported in (([], False), (["sideeffect.Agent"], False)):
        arrangement = {"component": "team.json", "allow_providers": allowed}
        done = subprocess.run(
            [sys.executable, "-c", code.replace("{arrangement}", repr(arrangement))],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("sideeffect.Agent" in done.stdout) is not bool(allowed)
        assert (tmp_path / "imported").exists() is imported  # to look at a file imports nothing of it, ever


def test_keys_go_to_our_endpoint_whatever_the_file_says(perform, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-4711")
    stolen = {
        "provider": "OpenAIChatCompletionClient",
        "config": {"model": "x", "base_url": "http://127.0.0.1:9/v1", "max_retries": 5},
    }
    (tmp_path / "team.json").write_text(json.dumps(round_robin(assistant("a", model_client=stolen), max_turns=1)))
    ended = perform([said(DONE)], {"component": "team.json", "answer": "a"})
    assert ended.output == DONE
    assert len(ended.server.requests) == 1
    assert "4711" not in str(ended.server.requests[0])


def test_a_huge_file_is_not_read(refused):
    began = time.process_time()
    assert "more than 1048576 bytes" in refused(b"[" * (100 << 20))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "line 1: found no JSON"),
        (b"\xff\xfe", "found no JSON"),
        ("[1]", "found an array; allowed is an object"),
        ("[" * 100_000, "found no JSON"),
        ('{"a":' * 100_000, "found no JSON"),
        ('{"a":' * 500 + "1" + "}" * 500, "more than 64 levels"),
        ("{}", "allowed is a component"),
        ('{"provider": "autogen_agentchat.teams.Swarm"}', "found no participants"),
    ],
)
def test_what_is_no_team_is_told(refused, content, told):
    assert told in refused(content)


def test_a_wide_graph_is_looked_at_in_no_time(refused):
    names = [f"n{index}" for index in range(400)]
    nodes = {
        name: {"name": name, "edges": [{"target": other} for other in names[index + 1 : index + 12]]}
        for index, name in enumerate(names)
    }
    document = {
        "provider": "autogen_agentchat.teams.GraphFlow",
        "config": {"participants": [assistant(name) for name in names], "graph": {"nodes": nodes}},
    }
    began = time.process_time()
    assert refused(document) == ""
    assert time.process_time() - began < 10


def test_a_folder_or_nothing_is_no_file(refused, tmp_path):
    refused({})
    for name in ("nowhere.json", "."):
        binding = Binding(
            "team",
            "here",
            model=Model("m", "http://127.0.0.1:1"),
            arrangement={"component": name},
            folder=str(tmp_path),
        )
        assert "cannot be read" in team.unusable(binding)


# --- what is lost or wrong in a file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (round_robin(max_turns=None), "without a cap"),
        (round_robin(max_turns=None, termination_condition={"provider": "autogen_agentchat.conditions.TextMentionTermination", "config": {"text": "X"}}), "without a cap"),
        (round_robin(max_turns=None, termination_condition={"provider": "autogen_agentchat.conditions.TimeoutTermination", "config": {"timeout_seconds": 5}}), "without a cap"),
        (round_robin(max_turns=0), "/config/max_turns: found a number; allowed is a whole number from 1"),
        (round_robin(max_turn=3), "/config/max_turn: found a key that RoundRobinGroupChat does not have"),
        (round_robin(assistant("a", sytem_message="x")), "/config/sytem_message: found a key that AssistantAgent does not have"),
        (round_robin(assistant("a"), assistant("a")), "found one name twice"),
        (round_robin(assistant("a b")), "/config/name: found 'a b'; allowed are letters"),
        (round_robin(client()), "found OpenAIChatCompletionClient, a model; allowed is a participant"),
        (assistant("a"), "the document: found AssistantAgent, an agent; allowed is a team"),
        (round_robin(selector_func=None), "selector_func"),
        ({"provider": "autogen_agentchat.teams.SelectorGroupChat", "config": {"participants": [assistant("a")], "model_client": client(), "max_turns": 3, "selector_func": "lambda thread: 'a'"}}, "say in selector_prompt how to choose"),
        (round_robin({"provider": "autogen_agentchat.agents.UserProxyAgent", "config": {"name": "u"}}), "ask_user = true puts questions to a person"),
        (round_robin({"provider": "autogen_agentchat.agents.UserProxyAgent", "config": {"name": "u", "input_func": "input"}}), "ask_user = true"),
        ({**round_robin(), "version": 7}, "/version: found 7; AutoGen 0.7.5 has version 1"),
        ({**round_robin(), "extra": 1}, "/extra: found an unknown key"),
        (round_robin({"provider": "autogen_agentchat.agents.SocietyOfMindAgent", "config": {"name": "s", "model_client": client(), "team": round_robin(max_turns=None)}}), "/config/participants/0/config/team/config: found a team without a cap"),
    ],
)  # fmt: skip
def test_what_autogen_would_take_in_silence_is_told(refused, document, told):
    assert told in refused(document)


def graph(nodes: dict[str, list[dict[str, Any]]], start: str | None = None) -> dict[str, Any]:
    flow: dict[str, Any] = {"nodes": {name: {"name": name, "edges": edges} for name, edges in nodes.items()}}
    if start:
        flow["default_start_node"] = start
    config = {"participants": [assistant(name) for name in nodes], "graph": flow, "max_turns": 9}
    return {"provider": "autogen_agentchat.teams.GraphFlow", "config": config}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (graph({"a": [{"target": "b"}], "b": [{"target": "a"}], "c": []}, "a"), "a loop without a condition: a → b → a; a condition that was a Python function is lost"),
        (graph({"a": [{"target": "b"}, {"target": "c", "condition": "X"}], "b": [], "c": []}), "some with a condition and some without"),
        (graph({"a": [{"target": "b", "condition": {"f": 1}}], "b": []}), "/edges/0/condition: found an object"),
        (graph({"a": [{"target": "b", "condition_function": "f"}], "b": []}), "condition_function: found a key that is not loaded"),
        (graph({"a": [{"target": "x"}]}), "/edges/0/target: found 'x'; allowed are a"),
        (graph({"a": [{"target": "b", "condition": "X"}], "b": [{"target": "a", "condition": "Y"}]}), "no node to begin with"),
        (graph({"a": [{"target": "b", "condition": "X"}], "b": [{"target": "a", "condition": "Y"}]}, "a"), "no node to end with"),
    ],
)  # fmt: skip
def test_a_graph_that_lost_its_conditions_is_told(refused, document, told):
    assert told in refused(document)


def test_a_cap_of_the_operators_is_one(refused):
    assert refused(round_robin(max_turns=None), rounds=3) == ""
    assert "nobody" not in refused(round_robin(max_turns=None), answer="a", rounds=3)
    assert "answer: found 'b'; allowed are a" in refused(round_robin(), answer="b")
    assert "pattern: found beside component" in refused(round_robin(), pattern="pair")


# --- what is loaded ------------------------------------------------------------------------------------------------------


def dumped(made: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.dump_component().model_dump_json())
    return document


def real(name: str, **more: Any) -> AssistantAgent:
    return AssistantAgent(name, OpenAIChatCompletionClient(model="gpt-4o", api_key="x"), **more)


def test_every_team_that_autogen_dumps_is_taken_and_runs(perform, tmp_path):
    """What the installed AutoGen writes itself, under whatever names and versions it gives."""
    model = OpenAIChatCompletionClient(model="gpt-4o", api_key="x")
    ending = TextMentionTermination("APPROVE") | MaxMessageTermination(9)
    inner = RoundRobinGroupChat([real("x"), real("y")], max_turns=2)
    flow = DiGraphBuilder()
    first = real("a")
    last = MessageFilterAgent(
        "b", real("b"), MessageFilterConfig(per_source=[PerSourceFilter(source="a", position="last", count=1)])
    )
    flow.add_node(first).add_node(last).add_edge(first, last)
    teams = {
        "round robin": (
            RoundRobinGroupChat([real("a"), real("b")], termination_condition=ending),
            [Text("1"), Text("APPROVE")],
            ["a", "b"],
        ),
        "selector": (
            SelectorGroupChat(
                [real("a", model_context=BufferedChatCompletionContext(5)), real("b")],
                model,
                termination_condition=ending,
            ),
            [Text("b"), Text("APPROVE")],
            ["selector", "b"],
        ),
        "swarm": (
            Swarm([real("a", handoffs=["b"]), real("b")], termination_condition=ending),
            [ToolCalls((Call("transfer_to_b"),)), Text("APPROVE")],
            ["a", "b"],
        ),
        "graph": (GraphFlow([first, last], flow.build()), [Text("1"), Text("2")], ["a", "b"]),
        "nested": (
            RoundRobinGroupChat([SocietyOfMindAgent("s", inner, model)], max_turns=1),
            [Text("1")] * 3,
            ["s.x", "s.y", "s"],
        ),
        "team in team": (
            RoundRobinGroupChat([inner, real("z")], max_turns=2),
            [Text("1")] * 3,
            ["RoundRobinGroupChat.x", "RoundRobinGroupChat.y", "z"],
        ),
    }
    for name, (made, script, asked) in teams.items():
        (tmp_path / "team.json").write_text(json.dumps(dumped(made)))
        ended = perform([*script, said(DONE)], {"component": "team.json"})
        assert ended.asked == [*asked, "reporter"], name
        assert ended.output == DONE, name
    (tmp_path / "team.json").write_text(json.dumps(dumped(MagenticOneGroupChat([real("a")], model))))
    ended = perform([FACTS, PLAN, ledger(satisfied=True), said(DONE)], {"component": "team.json"})
    assert ended.asked == ["orchestrator"] * 4
    assert ended.output == DONE


def test_the_allow_list_names_classes_that_are_there():
    import importlib

    ours = "workermd."
    missing = []
    for provider in FORMS:
        module, _, name = provider.rpartition(".")
        if FORMS[provider].role == "model" or provider.startswith(ours):
            continue  # replaced before anything is loaded
        found = getattr(importlib.import_module(module), name)
        fields = set(found.component_config_schema.model_fields)
        form = set(FORMS[provider].keys or ())
        # input_func is known, and refused with its reason
        if fields - {"input_func"} != form:
            missing.append((provider, fields ^ form))
    assert missing == []


def test_the_reporter_answers_out_of_what_was_said(perform, tmp_path):
    (tmp_path / "team.json").write_text(
        json.dumps(round_robin(assistant("a", system_message="Be kind."), assistant("b")))
    )
    ended = perform([Text("one"), Text("two"), said(DONE)], {"component": "team.json", "instructions": "In metres."})
    assert ended.asked == ["a", "b", "reporter"]
    assert [("response_format" in request.body) for request in ended.server.requests] == [False, False, True]
    assert "Be kind." in messages(ended, 0)
    assert all("In metres." in messages(ended, index) for index in range(3))
    assert "a: one\\n\\nb: two" in messages(ended, 2)


def test_a_participant_that_answer_names_answers(perform, tmp_path):
    (tmp_path / "team.json").write_text(json.dumps(round_robin(assistant("a"), assistant("b"))))
    ended = perform([Text("one"), said(DONE)], {"component": "team.json", "answer": "b"})
    assert ended.asked == ["a", "b"]
    assert ended.output == DONE


def test_a_cap_beside_another_ending_has_failed(perform, tmp_path):
    ending = dumped(TextMentionTermination("DONE") | MaxMessageTermination(3))
    (tmp_path / "team.json").write_text(
        json.dumps(round_robin(assistant("a"), assistant("b"), termination_condition=ending, max_turns=None))
    )
    ended = perform([Text("one"), Text("two"), said(DONE)], {"component": "team.json"})
    assert ended.asked == ["a", "b"]
    assert (ended.failure["kind"], ended.failure["code"]) == ("invalid_output", "budget_exceeded")


def test_a_word_in_the_input_ends_no_team(perform, tmp_path):
    ending = dumped(TextMentionTermination("hunter2"))  # stands in the task's input
    (tmp_path / "team.json").write_text(json.dumps(round_robin(assistant("a"), termination_condition=ending)))
    ended = perform([Text("hunter2"), said(DONE)], {"component": "team.json"})
    assert ended.asked == ["a", "reporter"]


def test_a_person_in_the_file_is_asked(perform, tmp_path):
    document = round_robin(assistant("a"), dumped(UserProxyAgent("boss")), max_turns=4)
    (tmp_path / "team.json").write_text(json.dumps(document))
    arrangement = {"component": "team.json", "ask_user": True}
    ended = perform([Text("May I?")], arrangement)
    assert (ended.failure["kind"], ended.failure["question"]) == ("needs_human", "May I?")
    ended = perform([Text("May I?"), Text("And now?")], arrangement, decisions=[decided("May I?", "Yes.")])
    assert "Yes." in messages(ended, 1)
    assert ended.failure["question"] == "And now?"


def test_a_hand_over_to_a_person(perform, tmp_path):
    from autogen_agentchat.conditions import HandoffTermination

    made = Swarm([real("a", handoffs=["user"])], termination_condition=HandoffTermination("user"), max_turns=5)
    (tmp_path / "team.json").write_text(json.dumps(dumped(made)))
    script = [ToolCalls((Call("transfer_to_user"),))]
    ended = perform(script, {"component": "team.json", "ask_user": True})
    assert ended.failure["kind"] == "needs_human"
    ended = perform(script, {"component": "team.json"})
    assert ended.failure["kind"] == "invalid_output"
    assert "ask_user = true" in ended.failure["message"]


# --- what the operator names ----------------------------------------------------------------------------------------------


OWN = """
from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_core import Component, ComponentModel
from autogen_core.models import ChatCompletionClient, UserMessage
from pydantic import BaseModel


class Config(BaseModel):
    name: str
    model_client: ComponentModel


class Parrot(BaseChatAgent, Component[Config]):
    component_config_schema = Config
    produced_message_types = (TextMessage,)

    def __init__(self, config):
        super().__init__(config.name, "says it again")
        self.client = ChatCompletionClient.load_component(config.model_client)

    @classmethod
    def _from_config(cls, config):
        return cls(config)

    async def on_messages(self, messages, cancellation_token):
        said = await self.client.create([UserMessage(content="hm?", source="user")])
        return Response(chat_message=TextMessage(content=said.content, source=self.name))

    async def on_reset(self, cancellation_token): ...
"""


def test_a_provider_that_the_operator_names_is_loaded_with_our_client(perform, tmp_path, monkeypatch):
    (tmp_path / "ownagents.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    parrot = {"provider": "ownagents.Parrot", "config": {"name": "parrot", "model_client": client()}}
    (tmp_path / "team.json").write_text(json.dumps(round_robin(parrot, max_turns=1)))
    ended = perform([Text("polly"), said(DONE)], {"component": "team.json", "allow_providers": ["ownagents.Parrot"]})
    assert ended.asked == ["parrot", "reporter"]
    assert "parrot: polly" in messages(ended, 1)
    assert ended.output == DONE


def test_a_tool_of_a_file_passes_the_gate(perform, tmp_path, monkeypatch):
    from workermd.task.task import Budget

    monkeypatch.chdir(tmp_path)
    code = "def f(word: str) -> str:\n    open('ran', 'a').write(word)\n    return word.upper()\n"
    (tmp_path / "team.json").write_text(
        json.dumps(round_robin(assistant("a", workbench=[bench(tool(code))]), max_turns=1))
    )
    arrangement = {"component": "team.json", "answer": "a", "allow_providers": ["autogen_core.tools.FunctionTool"]}
    script = [ToolCalls((Call("f", {"word": "x"}),)), said(DONE)]
    ended = perform(script, arrangement)
    assert ended.server.requests[1].body["messages"][-1]["content"] == "X"
    assert ended.result.usage["tool_calls"] == 1
    assert [one["tool"] for one in ended.events if one["event"] == "tool"] == ["f"]
    ended = perform(script, arrangement, budget=Budget(max_tool_calls=0))
    assert ended.failure["code"] == "budget_exceeded"
    ended = perform(script, arrangement, tools_allowed=("g",))
    assert "tools" not in ended.server.requests[0].body
    assert (tmp_path / "ran").read_text() == "x"


# --- AutoGen Studio ---------------------------------------------------------------------------------------------------------


def exported(label: str, *, code: bool = False) -> dict[str, Any]:
    """A team as AutoGen Studio 0.4 writes it: version 1 of the agent, whose workbench is one and no list."""
    agent = assistant(
        "helper", workbench=bench(*([tool()] if code else [])), description="Helps.", system_message="Help."
    )
    agent |= {"version": 1, "component_version": 1, "label": "Helper", "component_type": "agent"}
    return {
        **round_robin(agent, max_turns=1),
        "label": label,
        "component_type": "team",
        "version": 1,
        "component_version": 1,
    }


def test_a_team_of_studio_runs(perform, tmp_path):
    (tmp_path / "team.json").write_text(json.dumps(exported("One")))
    ended = perform([Text("there"), said(DONE)], {"component": "team.json"})
    assert ended.asked == ["helper", "reporter"]
    assert ended.output == DONE


def test_a_gallery_tells_what_there_is_to_choose(refused):
    gallery = {
        "id": "g",
        "name": "g",
        "url": None,
        "metadata": {},
        "components": {
            "agents": [],
            "models": [],
            "tools": [tool()],
            "terminations": [],
            "teams": [exported("One"), exported("Two", code=True)],
        },
    }
    assert "found a gallery with the teams 'One', 'Two'; choose one: team = " in refused(gallery)
    assert "the teams 'One', 'Two'" in refused(gallery, team="Three")
    assert refused(gallery, team="One") == ""
    assert "bind a tool of yours by its name to the worker" in refused(gallery, team="Two")
    only = copy.deepcopy(gallery)
    only["components"]["teams"].pop()
    assert refused(only) == ""


def test_without_the_shim_autogen_refuses_studios_version():
    from autogen_agentchat.base import Team

    with pytest.raises(NotImplementedError):
        Team.load_component(exported("One"))


def test_a_document_is_not_changed_by_looking_at_it():
    document = round_robin()
    before = copy.deepcopy(document)
    checked(document, frozenset(), asks=False)
    assert document == before
    with pytest.raises(Unfit):
        checked(agents("a")[0], frozenset(), asks=False)
