"""The installed AutoGen, held against what docs/autogen-core.md says of it: what is used works so, what is not has its reason.

tests/backends/test_core.py does the same for the core runtime, hazard by hazard.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from tests.late import LATE, needs

if LATE:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.base import Team, TerminationCondition
    from autogen_agentchat.conditions import (
        MaxMessageTermination,
        SourceMatchTermination,
        TextMentionTermination,
        TextMessageTermination,
        TimeoutTermination,
        TokenUsageTermination,
    )
    from autogen_agentchat.messages import TextMessage
    from autogen_agentchat.teams import DiGraphBuilder, GraphFlow, RoundRobinGroupChat, SelectorGroupChat, Swarm
    from autogen_core import (
        AgentId,
        CancellationToken,
        ClosureAgent,
        DefaultInterventionHandler,
        DropMessage,
        MessageContext,
        RoutedAgent,
        SingleThreadedAgentRuntime,
        TopicId,
        TypeSubscription,
        event,
        rpc,
        try_get_known_serializers_for_type,
    )
    from autogen_core.exceptions import MessageDroppedException
    from autogen_core.models import RequestUsage
    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from pydantic import BaseModel

    from workermd.backends.autogen.agentchat import CAP, is_cap
    from workermd.backends.core import TaskMessage

    class Note(BaseModel):
        text: str

    class Doubles(RoutedAgent):
        """Answers direct messages, and fails over published ones."""

        def __init__(self) -> None:
            super().__init__("doubles")

        @rpc
        async def on_note(self, message: Note, ctx: MessageContext) -> Note:
            return Note(text=message.text * 2)

        @event
        async def on_published(self, message: Note, ctx: MessageContext) -> None:
            raise ValueError("nobody hears this")

    class Hangs(OpenAIChatCompletionClient):
        """A model that never answers, in a task that the token is linked to, as AutoGen's own clients have it."""

        async def create(self, *_: Any, cancellation_token: CancellationToken | None = None, **__: Any) -> Any:
            waiting = asyncio.ensure_future(asyncio.sleep(60))
            if cancellation_token is not None:
                cancellation_token.link_future(waiting)
            await waiting


needs("autogen_agentchat", "AutoGen's AgentChat is not installed")


async def sent(runtime: SingleThreadedAgentRuntime, text: str = "a") -> Any:
    async with asyncio.timeout(10):
        return await runtime.send_message(Note(text=text), AgentId("doubles", "k"))


def on_runtime(deed: Any, **options: Any) -> Any:
    async def run() -> Any:
        runtime = SingleThreadedAgentRuntime(**options)
        await Doubles.register(runtime, "doubles", Doubles)
        runtime.start()  # not a coroutine
        try:
            return await deed(runtime)
        finally:
            await runtime.stop()

    return asyncio.run(run())


# --- direct messages, cancellation ----------------------------------------------------------------------------------------


def test_a_direct_message_has_an_answer():
    assert on_runtime(sent) == Note(text="aa")


def test_start_is_no_coroutine_and_a_recipient_is_an_id():
    assert not asyncio.iscoroutinefunction(SingleThreadedAgentRuntime.start)

    async def by_name(runtime):
        await runtime.send_message(Note(text="a"), "doubles")

    with pytest.raises(AttributeError):
        on_runtime(by_name)


def test_a_token_is_asked_by_a_call_and_has_no_clock():
    token = CancellationToken()
    assert token.is_cancelled  # a method: always true
    assert not token.is_cancelled()
    assert not hasattr(token, "cancel_after")


def test_a_cancelled_token_ends_a_team_at_once(client):
    async def run() -> None:
        token = CancellationToken()
        team = RoundRobinGroupChat([AssistantAgent("a", client)], max_turns=1)
        work = asyncio.ensure_future(team.run(task="x", cancellation_token=token))
        await asyncio.sleep(0.2)
        token.cancel()
        await asyncio.wait((work,), timeout=5)
        assert work.cancelled()

    asyncio.run(run())


@pytest.fixture
def client() -> OpenAIChatCompletionClient:
    return Hangs(model="gpt-4o", api_key="x")


# --- why some of it is not used -----------------------------------------------------------------------------------------------


def test_an_error_over_a_published_message_vanishes(caplog):
    async def publish(runtime):
        await runtime.add_subscription(TypeSubscription("news", "doubles"))
        await runtime.publish_message(Note(text="a"), TopicId("news", "k"))
        async with asyncio.timeout(10):
            await runtime.stop_when_idle()
        runtime.start()
        return await sent(runtime)

    caplog.set_level(logging.CRITICAL)
    assert on_runtime(publish) == Note(text="aa")  # as if nothing had happened


def test_a_closure_has_no_answer_to_give():
    async def closed(runtime):
        async def closure(ctx, message: Note, mctx) -> None: ...

        await ClosureAgent.register_closure(runtime, "closed", closure)
        async with asyncio.timeout(10):
            return await runtime.send_message(Note(text="a"), AgentId("closed", "k"))

    assert on_runtime(closed) is None
    with pytest.raises(TypeError):
        ClosureAgent("name", lambda message: None, SingleThreadedAgentRuntime())  # type: ignore[call-arg, arg-type]


def test_an_intervention_handler_that_says_nothing_replaces_the_message(recwarn):
    class Forgets(DefaultInterventionHandler):
        async def on_send(self, message, *, message_context, recipient):
            return None

    class Drops(DefaultInterventionHandler):
        async def on_send(self, message, *, message_context, recipient):
            return DropMessage

    assert on_runtime(sent, intervention_handlers=[Forgets()]) is None
    with pytest.raises(MessageDroppedException):
        on_runtime(sent, intervention_handlers=[Drops()])


def test_a_serializer_looks_at_no_types():
    assert try_get_known_serializers_for_type(str) == []
    order = try_get_known_serializers_for_type(TaskMessage)[0]
    with pytest.raises(TypeError, match="holds a Task"):  # ours, not its
        order.deserialize(b'{"task": 5}')


def test_the_state_of_a_runtime_is_that_of_agents_who_have_none():
    async def saved(runtime):
        await sent(runtime)
        with pytest.warns(UserWarning, match="save_state not implemented"):
            return await runtime.save_state()

    assert on_runtime(saved) == {"doubles/k": {}}


@pytest.mark.parametrize(("value", "traced"), [("true", False), ("1", True)])
def test_the_variable_that_turns_spans_off_takes_one_word_only(monkeypatch, value, traced):
    monkeypatch.setenv("AUTOGEN_DISABLE_RUNTIME_TRACING", value)
    tracer = SingleThreadedAgentRuntime()._tracer_helper.tracer
    assert (type(tracer).__name__ != "NoOpTracer") is traced


# --- components ---------------------------------------------------------------------------------------------------------------


def dumped(made: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.dump_component().model_dump_json())
    return document


def real(name: str, **more: Any) -> AssistantAgent:
    return AssistantAgent(name, OpenAIChatCompletionClient(model="gpt-4o", api_key="x"), **more)


def test_to_load_a_tool_runs_its_code_and_to_load_a_class_imports_its_module(tmp_path, monkeypatch):
    """Why a document is looked at first: AutoGen looks at nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sideeffects.py").write_text("open('imported', 'w').close()\nclass Agent: ...\n")
    document = dumped(RoundRobinGroupChat([real("a")], max_turns=1))
    tools = document["config"]["participants"][0]["config"]["workbench"][0]["config"]["tools"]
    config = {
        "source_code": "open('ran', 'w').close()\ndef f() -> str:\n    return ''\n",
        "name": "f",
        "description": "",
    }
    config |= {"global_imports": [], "has_cancellation_support": False}
    tools.append({"provider": "autogen_core.tools.FunctionTool", "config": config})
    with pytest.warns(UserWarning, match="execute code"):
        Team.load_component(document)
    assert (tmp_path / "ran").exists()
    document["config"]["participants"] = [{"provider": "sideeffects.Agent", "config": {}}]
    with pytest.raises(TypeError):
        Team.load_component(document)
    assert (tmp_path / "imported").exists()


def test_what_a_document_loses():
    mention = dumped(TextMentionTermination("X", sources=["a"]))
    assert mention["config"] == {"text": "X"}
    first, second = real("a"), real("b")
    flow = DiGraphBuilder().add_node(first).add_node(second).add_edge(first, second, condition=lambda message: False)
    edge = dumped(GraphFlow([first, second], flow.build()))["config"]["graph"]["nodes"]["a"]["edges"][0]
    assert edge.get("condition") is None
    model = OpenAIChatCompletionClient(model="gpt-4o", api_key="x")
    selector = SelectorGroupChat([first, second], model, selector_func=lambda thread: "a")
    assert "selector_func" not in dumped(selector)["config"]


def test_a_hand_over_by_its_name_cannot_be_loaded():
    document = dumped(Swarm([real("a", handoffs=["b"]), real("b")]))
    Team.load_component(document)
    document["config"]["participants"][0]["config"]["handoffs"] = ["b"]
    with pytest.raises(AttributeError):
        Team.load_component(document)


# --- stop reasons ---------------------------------------------------------------------------------------------------------------


def reason_of(condition: TerminationCondition, *texts: str) -> str:
    usage = RequestUsage(prompt_tokens=3, completion_tokens=4)
    stop = asyncio.run(condition([TextMessage(content=text, source="a", models_usage=usage) for text in texts]))
    assert stop is not None
    return stop.content


@pytest.mark.parametrize(
    "condition",
    [
        lambda: MaxMessageTermination(2),
        lambda: TokenUsageTermination(max_total_token=5),
        lambda: TimeoutTermination(0.0),
        lambda: MaxMessageTermination(1) | TokenUsageTermination(max_total_token=5),
    ],
)
def test_an_ending_by_a_bound_is_known_for_one(condition):
    assert is_cap(reason_of(condition(), "x", "y"))


@pytest.mark.parametrize(
    "condition",
    [
        lambda: TextMentionTermination("y"),
        lambda: TextMessageTermination("a"),
        lambda: SourceMatchTermination(["a"]),
        lambda: TextMentionTermination("y") | MaxMessageTermination(2),
        lambda: TokenUsageTermination(max_total_token=5) | TextMentionTermination("y"),
    ],
)
def test_an_ending_by_what_was_said_is_none(condition):
    assert not is_cap(reason_of(condition(), "x", "y"))


@pytest.mark.parametrize("reason", ["Maximum number of turns 12 reached.", "Max rounds reached."])
def test_bounds_that_no_condition_tells_of(reason):
    assert is_cap(reason)
    assert CAP.fullmatch(reason)
    assert not is_cap("")
    assert not is_cap("Digraph execution is complete")
