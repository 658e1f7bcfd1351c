"""The kind `factory`: agents that people have already, of each framework, bounded and recorded as tables are."""

import importlib.util

import pytest

from tests.backends.agents.attempts import tried
from tests.backends.agents.conftest import ANSWER
from workermd.task.binding import Binding, Model
from workermd.task.task import Budget
from workermd.testing import Call, Text, ToolCalls

TOOL = '''
def search(words: str) -> str:
    """Searches."""
    with open("searched.txt", "a") as file:
        file.write(words + "\\n")
    return "found"
'''

AUTOGEN = """
def build(kit):
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.teams import RoundRobinGroupChat
    from autogen_core.tools import FunctionTool

    tool = FunctionTool(kit.gated("finder", search), description="Searches.")
    finder = AssistantAgent("finder", kit.autogen("finder"), tools=[tool], reflect_on_tool_use=True)
    writer = AssistantAgent("writer", kit.autogen("writer", answers=True))
    team = RoundRobinGroupChat([finder, writer], max_turns=2)

    async def run(text):
        result = await team.run(task=text, cancellation_token=kit.token)
        return result.messages[-1].content

    return run
"""

AGENT_FRAMEWORK = """
def build(kit):
    from agent_framework import Agent, FunctionTool
    from agent_framework.orchestrations import SequentialBuilder

    tool = FunctionTool(name="search", description="Searches.", func=kit.gated("finder", search))
    finder = Agent(kit.agent_framework("finder"), "Find.", name="finder", tools=[tool])
    writer = Agent(kit.agent_framework("writer"), "Write.", name="writer")
    workflow = SequentialBuilder(participants=[finder, writer]).build()

    async def run(text):
        result = await workflow.run(text)
        return result.get_outputs()[-1].text

    return run
"""

AG2 = """
def build(kit):
    from ag2 import Agent, tool

    finder = Agent("finder", "Find.", config=kit.ag2("finder"), tools=[tool(kit.gated("finder", search))])
    writer = Agent("writer", "Write.", config=kit.ag2("writer"))

    async def run(text):
        found = await finder.ask(text)
        return (await writer.ask(f"{text} {found.body}")).body

    return run
"""

FRAMEWORKS = {
    "autogen_agentchat": AUTOGEN,
    "agent_framework": AGENT_FRAMEWORK,
    "ag2": AG2,
}


@pytest.fixture
def factory(tmp_path, monkeypatch):
    """Writes a module of the operator's, and tries an attempt with its `build`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(source, script, **given):
        name = f"theirs_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(TOOL + source)
        return tried("factory", script, tmp_path, arrangement={"factory": f"{name}:build"}, **given)

    run.searched = lambda: (
        (tmp_path / "searched.txt").read_text().split() if (tmp_path / "searched.txt").exists() else []
    )
    return run


@pytest.fixture(params=FRAMEWORKS)
def source(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed, so its factory cannot be tried")
    return FRAMEWORKS[request.param]


SCRIPT = [ToolCalls([Call("search", {"words": "x"})]), Text("Facts."), Text(ANSWER)]


def test_agents_of_a_factory_answer_and_are_counted(factory, source):
    ran = factory(source, SCRIPT, model={"input_price": 1.0, "output_price": 1.0})
    assert ran.ending == ("", ""), ran.message
    assert ran.result.output == ANSWER
    assert ran.result.usage == {
        "turns": 3,
        "input_tokens": 36,
        "output_tokens": 18,
        "cost_usd": 0.000054,
        "tool_calls": 1,
    }
    assert factory.searched() == ["x"]
    assert {event["agent"] for event in ran.events} == {"finder", "writer"}


def test_a_budget_stops_them(factory, source):
    ran = factory(source, SCRIPT, budget=Budget(max_turns=2))
    assert ran.ending == ("refused", "budget_exceeded")
    assert len(ran.server.requests) == 2


def test_a_tool_that_the_contract_does_not_allow_is_denied(factory, source):
    ran = factory(source, SCRIPT, task={"tools_allowed": ("other",)})
    assert ran.ending == ("", ""), ran.message
    assert factory.searched() == []
    assert ran.result.usage["tool_calls_denied"] == 1


def test_a_recording_replays_them(factory, source, tmp_path):
    tape = str(tmp_path / "tape")
    first = factory(source, SCRIPT, record=tape)
    again = factory(source, [], replay=tape)
    assert again.ending == ("", ""), again.message
    assert again.result.output == first.result.output
    assert again.server.requests == ()
    assert factory.searched() == ["x"]


STRANGERS = {
    "a client of its own": (
        (
            "def build(kit):\n    from openai import AsyncOpenAI\n    client = AsyncOpenAI(api_key='x')\n"
            "    return lambda text: client and text\n"
        ),
        "found a client of its own, AsyncOpenAI; take one from the kit: kit.openai(agent)",
    ),
    "a client of AutoGen": (
        (
            "from autogen_ext.models.openai import OpenAIChatCompletionClient\n"
            "CLIENT = OpenAIChatCompletionClient(model='gpt-4o', api_key='x')\n"
            "def build(kit):\n    return lambda text: CLIENT and text\n"
        ),
        "found a client of its own, OpenAIChatCompletionClient; take one from the kit: kit.autogen(agent)",
    ),
    "a tool of its own": (
        (
            "def build(kit):\n    from autogen_agentchat.agents import AssistantAgent\n"
            "    agent = AssistantAgent('a', kit.autogen('a'), tools=[search])\n    return lambda text: agent and text\n"
        ),
        "found a tool of its own, search; wrap its function: kit.gated(agent, function)",
    ),
    "no function": ("def build(kit):\n    return 5\n", "returned a int; return a function"),
    "no text": ("def build(kit):\n    return lambda text: 5\n", "answered with a int"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_a_factory_brings_of_its_own_is_refused_by_name(factory, name):
    pytest.importorskip("autogen_agentchat", reason="workermd[agentchat] is not installed")
    source, told = STRANGERS[name]
    ran = factory(source, [])
    assert ran.ending == ("refused", "backend_failed")
    assert told in ran.message
    assert ran.server.requests == ()


def test_a_factory_that_is_not_there_uses_no_attempt_up():
    from workermd.backends import factory as kind

    model = Model("m", "http://127.0.0.1:1/v1")
    assert "factory = " in kind.unusable(Binding("factory", "here", model=model))
    missing = Binding("factory", "here", model=model, arrangement={"factory": "nowhere_at_all:build"})
    assert "there is no module nowhere_at_all" in kind.unusable(missing)
