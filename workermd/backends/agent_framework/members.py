"""Agents of the framework: their clients on our wire, their tools behind our gate, nothing from the environment."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from agent_framework import (
    Agent,
    AgentContext,
    AgentMiddleware,
    AgentResponse,
    ChatOptions,
    Content,
    FunctionTool,
    Message,
)
from agent_framework.observability import disable_instrumentation
from agent_framework.openai import OpenAIChatCompletionClient

from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.prompt import Part
from workermd.backends.agents.roster import Member, Roster
from workermd.backends.agents.tools import Tool
from workermd.task.task import Result, failed

UNBOUNDED = 1_000_000
"""For bounds of the framework that are ours to hold: max_turns, max_tool_calls, the deadline."""


def quiet() -> None:
    """No spans and no log lines of the framework: both can hold what was said. What ends an attempt is told by us."""
    disable_instrumentation()
    for name in ("agent_framework", "agent_framework_orchestrations", "agent_framework_declarative"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


class GatedTool(FunctionTool):
    """A tool behind our gate. Arguments go there as the model wrote them: whether they fit is told by the tool."""

    def __init__(self, tool: Tool) -> None:
        super().__init__(name=tool.name, description=tool.description, input_model=tool.schema, func=tool.call)
        self._gate = tool.call

    async def invoke(self, *, arguments: Any = None, **_: Any) -> list[Content]:
        return [Content.from_text(await self._gate(dict(arguments or {})))]


class Nothing(FunctionTool):
    """Stands for no tools at all. The framework answers a call of a tool that is not there only to agents that have
    some; without any it takes the call for the last word."""

    def __init__(self) -> None:
        super().__init__(name="none", func=lambda: "there is no such tool")


class FrameworkClient(OpenAIChatCompletionClient[Any]):
    """The framework's client, which tells no endpoint of `Nothing`, and of hand-overs in one order: the framework keeps
    them in a set, and a request that differs from run to run could not be given back from a recording."""

    def _prepare_tools_for_openai(self, tools: Any) -> dict[str, Any]:
        told = [tool for tool in tools or () if not isinstance(tool, Nothing)]
        return super()._prepare_tools_for_openai(sorted(told, key=_hand_over))


def _hand_over(tool: FunctionTool) -> str:
    """Empty for other tools, which stay in their order before these."""
    return tool.name if tool.name.startswith("handoff_to_") else ""


def client_of(conversation: Conversation, agent: str, model: str = "", *own: str) -> FrameworkClient:
    """A client for one agent on a wire of its own. What others said reaches it as a user's message: some endpoints
    refuse, and some models go on with, a reply that is not theirs. `own` are further names of the same agent."""
    way = conversation.model_client(agent, conversation.model(model))
    client = FrameworkClient(way.model.name, async_client=way.client, message_preparer=_heard_by(agent, *own))
    client.function_invocation_configuration.update(
        {
            "max_iterations": UNBOUNDED,
            "max_function_calls": UNBOUNDED,
            "max_duration_seconds": None,
            "max_consecutive_errors_per_request": UNBOUNDED,
            "terminate_on_unknown_calls": False,
            "include_detailed_errors": False,
        }
    )
    return client


def _heard_by(*own: str) -> Callable[[Message, list[dict[str, Any]]], list[dict[str, Any]]]:
    def prepared(message: Message, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if message.role not in ("assistant", "tool") or not message.author_name or message.author_name in own:
            return sent
        said = message.text if message.role == "assistant" else ""
        return [{"role": "user", "content": f"{message.author_name} said:\n{said}"}] if said else []

    return prepared


def tools_of(conversation: Conversation, agent: str, names: tuple[str, ...] | None = None) -> list[FunctionTool]:
    return [GatedTool(tool) for tool in conversation.tools(agent, names)] or [Nothing()]


def options_of(conversation: Conversation, part: Part) -> ChatOptions[None]:
    """The form of the answer, for whoever gives it."""
    return {"response_format": conversation.response_format} if part == "answers" else {}


class Cast:
    """The agents of an attempt that have several, made anew for it, and the turns that they take."""

    def __init__(self, conversation: Conversation, roster: Roster, most: int) -> None:
        self.conversation = conversation
        self.roster = roster
        self.turns = Turns(conversation, most)
        self.task = conversation.prompt().user
        self.answer = roster.last
        self.agents = {member.name: self._agent(member) for member in roster.members}

    @property
    def others(self) -> list[Agent]:
        """All but the one that answers."""
        return [agent for name, agent in self.agents.items() if name != self.answer]

    def part(self, member: Member) -> Part:
        """In a swarm without an agent who answers, whoever hands the work over to nobody does; led by a manager, none
        of them does."""
        if self.roster.pattern == "swarm" and not self.roster.answer:
            return "answers"
        return "answers" if member.name == self.answer and self.roster.pattern != "magentic" else "speaks"

    def _agent(self, member: Member) -> Agent:
        part = self.part(member)
        others = tuple(each for each in self.roster.members if each is not member)
        return Agent(
            client_of(self.conversation, member.name, member.model),
            self.conversation.prompt(self.roster.told(member, others), part).system,
            name=member.name,
            description=member.description or None,
            tools=tools_of(self.conversation, member.name, member.tools),
            default_options=options_of(self.conversation, part),
            middleware=[self.turns],
            require_per_service_call_history_persistence=self.roster.pattern == "swarm",
        )


class Turns(AgentMiddleware):
    """Counts the turns of agents, held against the arrangement's rounds. At its own bound the framework would end with
    a sentence that looks like an answer; this one ends the attempt."""

    def __init__(self, conversation: Conversation, most: int) -> None:
        self._conversation = conversation
        self.most = most
        self.taken = 0

    async def process(self, context: AgentContext, call_next: Callable[[], Awaitable[None]]) -> None:  # noqa: ARG002 - the framework's form
        self.taken += 1
        if self.taken > self.most:
            await self._conversation.stop(at_cap(self.most))
        await call_next()


def at_cap(most: int) -> Result:
    """The ending at a cap: a bad answer, which the next attempt may better, for models do not talk the same twice."""
    told = f"the agents had {most} turns and gave no answer; raise rounds, or say in the instructions when to answer"
    return failed("invalid_output", "budget_exceeded", told)


def last_words(response: AgentResponse[Any]) -> str:
    """The text of the last message. What was said beside tool calls before it is no part of the answer."""
    return response.messages[-1].text if response.messages else ""
