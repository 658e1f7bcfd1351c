"""What the kinds on AutoGen's AgentChat share: its components as ours, on our wire, behind our gate, with our caps.

AutoGen builds a team out of a document of components (`load_component`). The classes here are such components: they
stand in the place of model clients, tools and people, and around every team. They find their attempt in `loading`.
"""

import contextlib
import itertools
import logging
import os
import re
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Self, cast

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response, TaskResult, Team
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.messages import (
    BaseAgentEvent,
    BaseChatMessage,
    BaseTextChatMessage,
    HandoffMessage,
    TextMessage,
)
from autogen_core import Component, ComponentModel
from autogen_core.models import CreateResult, LLMMessage, ModelInfo, UserMessage
from autogen_core.tools import ParametersSchema, TextResultContent, ToolResult, ToolSchema, Workbench
from autogen_ext.models.openai import BaseOpenAIChatCompletionClient
from pydantic import BaseModel

from workermd.backends.agents import gate, progress_ledger, reading
from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.prompt import Prompt
from workermd.backends.agents.tools import Runner, Tool
from workermd.backends.core import CancellationToken
from workermd.protocol.envelope import Document
from workermd.task.binding import Model, ToolBinding
from workermd.task.task import Result, failed

TOOL_ROUNDS = 1_000_000
"""AutoGen's bound on rounds of tool calls in one turn. Ours hold: max_turns, max_tool_calls, the deadline."""

ORCHESTRATOR = "MagenticOneOrchestrator"
"""The name under which Magentic-One's leader speaks, to itself too."""

CAP = re.compile(
    r"Maximum number of turns \d+ reached\.|Max rounds reached\."
    r"|Maximum number of messages \d+ reached, current message count: \d+"
    r"|Token usage limit reached, total token count: \d+, prompt token count: \d+, completion token count: \d+\."
    r"|Timeout of [\d.]+ seconds reached"
)
"""How AutoGen 0.7.5 tells in a stop reason that a team was ended by a bound of its own, and not by its work."""

_ABANDONED = ("The group chat is stopped.", "The group chat has already terminated.")

_INFO: ModelInfo = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": True,
}

_conversation: ContextVar[Conversation] = ContextVar("_conversation")
_people: ContextVar["itertools.count[int]"] = ContextVar("_people")


@contextlib.contextmanager
def loading(conversation: Conversation) -> Iterator[None]:
    """Components that are loaded inside belong to this attempt."""
    before, asked = _conversation.set(conversation), _people.set(itertools.count())
    try:
        yield
    finally:
        _conversation.reset(before)
        _people.reset(asked)


def quiet() -> None:
    """No bodies of messages in logs (H16) or spans (H14), no warnings about models that AutoGen does not know."""
    os.environ["AUTOGEN_DISABLE_RUNTIME_TRACING"] = "true"
    for name in ("autogen_core", "autogen_core.events", "autogen_core.trace", "autogen_agentchat", "autogen_ext"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
    warnings.simplefilter("ignore")


# --- models ------------------------------------------------------------------------------------------------------


class ClientConfig(BaseModel):
    """`model` is the name of one of the binding's models; `final_prompt`, `names` and `max_stalls` are for `Leader`."""

    agent: str
    model: str = ""
    structured: bool = False
    final_prompt: str = ""
    names: list[str] = []
    max_stalls: int = 0


class AgentChatClient(BaseOpenAIChatCompletionClient, Component[ClientConfig]):
    """A model client for one agent. `structured`: every reply of it is asked for in the output's form."""

    component_type = "model"
    component_config_schema = ClientConfig
    _own: tuple[str, ...] = ("user",)
    """The speakers who are no other agents."""

    def __init__(
        self, conversation: Conversation, agent: str, model: Model | None = None, *, structured: bool = False
    ) -> None:
        client = conversation.model_client(agent, model)
        arguments: dict[str, Any] = {"model": client.model.name}
        if structured:
            arguments["response_format"] = conversation.response_format
        super().__init__(client.client, create_args=arguments, model_info=_INFO)
        self._conversation = conversation

    @classmethod
    def _from_config(cls, config: ClientConfig) -> Self:
        conversation = _conversation.get()
        return cls(conversation, config.agent, conversation.model(config.model), structured=config.structured)

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,
        **rest: Any,
    ) -> CreateResult:
        """A shape is asked for by its schema, and a reply that does not fit is left to whoever reads it; AutoGen's
        leaders call without a token, which nothing could end."""
        if isinstance(json_output, type):
            shape = {"name": json_output.__name__, "schema": json_output.model_json_schema()}
            extra_create_args = {**extra_create_args, "response_format": {"type": "json_schema", "json_schema": shape}}
            json_output = None
        return await super().create(
            [self._heard(message) for message in messages],
            json_output=json_output,
            extra_create_args=extra_create_args,
            cancellation_token=cancellation_token or self._conversation.token,
            **rest,
        )

    def _heard(self, message: LLMMessage) -> LLMMessage:
        """What another agent said, with its name in the text: many endpoints tell no model the name of a message."""
        if not isinstance(message, UserMessage) or message.source in self._own or not isinstance(message.content, str):
            return message
        return message.model_copy(update={"content": f"{message.source} said:\n{message.content}"})


class Leader(AgentChatClient):
    """The client of Magentic-One's orchestrator. What it asks for tells how the team fares: a ledger of progress, a new
    plan after a stall, the final answer, which AutoGen also asks for at its cap.

    AutoGen is handed ledgers that were read here, and stalls are counted here: its own count is not reset by a new plan.
    It is built with `max_stalls` 1, so that one ledger without progress, the one that fills our count, makes it plan.
    """

    _own = ("user", ORCHESTRATOR)

    def __init__(self, conversation: Conversation, config: ClientConfig) -> None:
        super().__init__(conversation, config.agent, conversation.model(config.model))
        self._config = config
        self._structured = config.structured
        self._final_prompt = config.final_prompt
        self._satisfied = False
        self._plans = 0
        self._stalls = 0

    @classmethod
    def _from_config(cls, config: ClientConfig) -> Self:
        return cls(_conversation.get(), config)

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        **rest: Any,
    ) -> CreateResult:
        if json_output is not None:
            return await self._ledger(messages, json_output, extra_create_args, **rest)
        if messages[-1].content == self._final_prompt:
            if not self._satisfied:
                await self._conversation.stop(at_cap("the team led by Magentic-One"))
            if self._structured:
                extra_create_args = {**extra_create_args, "response_format": self._conversation.response_format}
        else:
            await self._plan(messages)
        return await super().create(messages, extra_create_args=extra_create_args, **rest)

    async def _ledger(
        self,
        messages: Sequence[LLMMessage],
        json_output: bool | type[BaseModel],
        extra_create_args: Mapping[str, Any],
        **rest: Any,
    ) -> CreateResult:
        """A ledger that can be gone by, asked for a few times."""
        for _ in range(progress_ledger.TRIES):
            result = await super().create(
                messages, json_output=json_output, extra_create_args=extra_create_args, **rest
            )
            ledger = progress_ledger.read(str(result.content), self._config.names)
            if ledger is not None:
                break
        else:
            await self._conversation.stop(progress_ledger.unreadable())
        self._satisfied = ledger.satisfied
        self._stalls = self._stalls + 1 if ledger.stalled else max(0, self._stalls - 1)
        stalled = self._stalls >= self._config.max_stalls
        if stalled:
            self._stalls = 0
        return result.model_copy(update={"content": progress_ledger.written(ledger, stalled=stalled)})

    async def _plan(self, messages: Sequence[LLMMessage]) -> None:
        """Facts and plan are two requests; the first two are the beginning, each further pair follows a stall."""
        self._plans += 1
        stalls = (self._plans - 1) // 2
        if self._plans % 2 == 1 and stalls > int(self._conversation.arrangement.get("max_replans", 1)):
            await self._stalled(messages)

    async def _stalled(self, messages: Sequence[LLMMessage]) -> None:
        """A question to a person where the operator wants it; one who denies more rounds wants what there is."""
        told = "The team makes no progress, a new plan notwithstanding."
        if self._conversation.arrangement.get("on_stall", "fail") == "ask":
            answers = [one["answer"] for one in self._conversation.task.decisions if one.get("kind") == "stalled"]
            if not answers or answers[-1] != "deny":
                await self._conversation.ask(f"{told} Shall it try again? Say what would help it.", (), "stalled")
            if self._structured:
                await self._conclude(messages)
        await self._conversation.stop(
            failed("invalid_output", "budget_exceeded", f"{told} max_replans says how often it may plan anew.")
        )

    async def _conclude(self, messages: Sequence[LLMMessage]) -> None:
        """The answer out of what was said so far. AutoGen would have made a new plan, and forgotten it."""
        asked = [*messages[:-1], UserMessage(content=self._final_prompt, source="user")]
        form = {"response_format": self._conversation.response_format}
        answer = await super().create(asked, extra_create_args=form)
        await self._conversation.stop(reading.result_of(str(answer.content), self._conversation.limits))


# --- tools -------------------------------------------------------------------------------------------------------


class GatedConfig(BaseModel):
    """`names`: of the binding's tools only these; `inner`: workbenches that the document brought along."""

    agent: str
    names: list[str] | None = None
    inner: list[ComponentModel] = []


class GatedWorkbench(Workbench, Component[GatedConfig]):
    """The tools of one agent as AutoGen takes them, each behind the gate. Nothing is kept between calls."""

    component_config_schema = GatedConfig

    def __init__(
        self, conversation: Conversation, agent: str, names: tuple[str, ...] | None = None, *inner: Workbench
    ) -> None:
        self._conversation = conversation
        self._agent = agent
        self._tools = {tool.name: tool for tool in conversation.tools(agent, names)}
        self._inner = list(inner)

    @classmethod
    def _from_config(cls, config: GatedConfig) -> Self:
        names = None if config.names is None else tuple(config.names)
        return cls(_conversation.get(), config.agent, names, *map(Workbench.load_component, config.inner))

    async def list_tools(self) -> list[ToolSchema]:
        while self._inner:
            workbench = self._inner.pop(0)
            for schema in await workbench.list_tools():
                if gate.offered((ToolBinding(schema["name"]),), self._conversation.task.tools_allowed):
                    self._tools.setdefault(schema["name"], _brought(self._conversation, self._agent, workbench, schema))
        return [
            ToolSchema(name=tool.name, description=tool.description, parameters=cast("ParametersSchema", tool.schema))
            for tool in self._tools.values()
        ]

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,  # noqa: ARG002 - the attempt's end cancels the call itself
        call_id: str | None = None,  # noqa: ARG002 - AutoGen's own
    ) -> ToolResult:
        given: Any = arguments  # AutoGen passes on whatever JSON a model wrote
        if given is None or isinstance(given, Mapping):
            text = await self._tools[name].call(dict(given or {}))
        else:
            text = "error: the arguments are no JSON object"
        return ToolResult(name=name, result=[TextResultContent(content=text)])

    async def start(self) -> None:
        """The tools are ready already."""

    async def stop(self) -> None:
        """They are ended with the attempt."""

    async def reset(self) -> None:
        """There is nothing to reset."""

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """There is no state."""


def _brought(conversation: Conversation, agent: str, workbench: Workbench, schema: ToolSchema) -> Tool:
    """A tool that stands in a component file, whose provider the operator named: it passes the gate like any other."""

    async def call(arguments: Document) -> str:
        return (await workbench.call_tool(schema["name"], arguments, conversation.token)).to_text()

    parameters = dict(schema.get("parameters") or {"type": "object", "properties": {}})
    return conversation.gated(
        agent, Runner(ToolBinding(schema["name"]), schema.get("description", ""), parameters, call)
    )


# --- people ------------------------------------------------------------------------------------------------------


class PersonConfig(BaseModel):
    name: str
    description: str = "A person."


class Person(BaseChatAgent, Component[PersonConfig]):
    """A participant who is a person: asked what was said last. The attempt ends with the question; in the next one the
    n-th question has the n-th answer."""

    component_config_schema = PersonConfig

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, description)
        self._conversation = _conversation.get()
        self._asked = _people.get()

    @classmethod
    def _from_config(cls, config: PersonConfig) -> Self:
        return cls(config.name, config.description)

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage,)

    async def on_messages(
        self,
        messages: Sequence[BaseChatMessage],
        cancellation_token: CancellationToken,  # noqa: ARG002 - nothing here takes long
    ) -> Response:
        answers = self._conversation.answers
        turn = next(self._asked)
        if turn >= len(answers):
            said = messages[-1].to_text() if messages else ""
            await self._conversation.ask(said or f"{self.name} is asked to go on.")
        text = str(answers[turn]["answer"])
        self._conversation.said(self.name, text)
        return Response(chat_message=TextMessage(content=text, source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """What was answered stays answered."""


# --- endings -----------------------------------------------------------------------------------------------------


class MentionedConfig(BaseModel):
    text: str
    sources: list[str]


class Mentioned(TextMentionTermination):
    """Ends a team when one of these speakers has said a text. AutoGen's own keeps no `sources` in a document."""

    component_config_schema: type[BaseModel] = MentionedConfig  # type: ignore[assignment]
    component_provider_override = "workermd.backends.autogen.agentchat.Mentioned"

    @classmethod
    def _from_config(cls, config: Any) -> Self:
        return cls(config.text, sources=config.sources)


# --- teams -------------------------------------------------------------------------------------------------------


class WatchedConfig(BaseModel):
    """`answers` are those who may give the answer. `in_turn`: the team is a round-robin; `open_ended`: it is one that
    has no other ending than its cap."""

    team: ComponentModel
    name: str
    answers: list[str] = []
    in_turn: bool = False
    open_ended: bool = False


class Watched(Team, Component[WatchedConfig]):
    """A team whose ending is looked at, nested ones too: at a cap the attempt has failed, unless it is the plan."""

    component_config_schema = WatchedConfig

    def __init__(self, team: Team, config: WatchedConfig) -> None:
        self._team = team
        self._config = config
        self._conversation = _conversation.get()

    @classmethod
    def _from_config(cls, config: WatchedConfig) -> Self:
        return cls(Team.load_component(config.team), config)

    @property
    def name(self) -> str:
        return self._team.name

    @property
    def description(self) -> str:
        return self._team.description

    async def run(self, **given: Any) -> TaskResult:
        async for message in self.run_stream(**given):
            if isinstance(message, TaskResult):
                return message
        raise AssertionError("AutoGen's stream ends with a result")

    async def run_stream(self, **given: Any) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | TaskResult, None]:
        async with contextlib.aclosing(cast("AsyncGenerator[Any, None]", self._team.run_stream(**given))) as stream:
            async for message in stream:
                if isinstance(message, TaskResult):
                    await self._look_at(message)
                elif isinstance(message, HandoffMessage):
                    self._conversation.said(message.source, f"hands over to {message.target}")
                yield message

    async def _look_at(self, result: TaskResult) -> None:
        reason = result.stop_reason or ""
        spoken = [message for message in result.messages if isinstance(message, BaseChatMessage)]
        last = spoken[-1] if spoken else None
        if reason in _ABANDONED:
            await self._conversation.stop(
                failed("refused", "backend_failed", f"{self._config.name} was stopped before its end")
            )
        if is_cap(reason):
            by_design = last is not None and last.source in self._config.answers
            if not (self._config.in_turn and (by_design or (self._config.open_ended and not self._config.answers))):
                await self._conversation.stop(at_cap(self._config.name))
        if isinstance(last, HandoffMessage):
            await self._handed_out(last, spoken)

    async def _handed_out(self, last: HandoffMessage, spoken: Sequence[BaseChatMessage]) -> None:
        """A hand-over to nobody here is one to a person."""
        if self._conversation.arrangement.get("ask_user"):
            texts = [message.to_text() for message in spoken[:-1] if message.source == last.source]
            await self._conversation.ask((texts or [last.content])[-1])
        told = f"{self._config.name} handed over to {last.target[:60]}, which is nobody of it; ask_user = true asks a person"
        await self._conversation.stop(failed("invalid_output", "output_not_json", told))

    async def reset(self) -> None:
        await self._team.reset()

    async def pause(self) -> None:
        await self._team.pause()

    async def resume(self) -> None:
        await self._team.resume()

    async def save_state(self) -> Mapping[str, Any]:
        return await self._team.save_state()

    async def load_state(self, state: Mapping[str, Any]) -> None:
        await self._team.load_state(state)


def is_cap(reason: str) -> bool:
    """Whether a stop reason names bounds only. Conditions joined by OR are told with commas between them."""
    return bool(CAP.search(reason)) and not CAP.sub("", reason).strip(", ")


def at_cap(team: str) -> Result:
    """The ending at a cap: a bad answer, which the next attempt may better, for models do not talk the same twice."""
    return failed(
        "invalid_output",
        "budget_exceeded",
        f"{team} was ended by its cap before it was done; rounds, or max_turns in a file, sets it",
    )


# --- answers -----------------------------------------------------------------------------------------------------


async def answered(conversation: Conversation, agent: str, prompt: Prompt, names: tuple[str, ...] | None = None) -> str:
    """What one assistant with these tools (None: all) comes to. A tool's summary is no answer: the model never came
    back to it."""
    assistant = AssistantAgent(
        agent,
        AgentChatClient(conversation, agent, structured=True),
        workbench=GatedWorkbench(conversation, agent, names),
        system_message=prompt.system,
        reflect_on_tool_use=False,
        max_tool_iterations=TOOL_ROUNDS,
    )
    result = await assistant.run(task=prompt.user, cancellation_token=conversation.token)
    return words(result.messages[-1])


def words(message: object) -> str:
    return message.content if isinstance(message, BaseTextChatMessage) else ""
