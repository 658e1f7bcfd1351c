"""What AG2's agents are made of here: its model client on our wire, our tools on its lowest footing."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import cast

from ag2 import Agent, Context, ToolResult, observer
from ag2.config import OpenAIConfig
from ag2.events import (
    BaseEvent,
    ModelResponse,
    TaskFailed,
    ToolCallEvent,
    ToolErrorEvent,
    ToolResultEvent,
)
from ag2.events.conditions import Condition
from ag2.middleware import BaseMiddleware
from ag2.middleware.base import LLMCall, ToolExecution, ToolResultType
from ag2.tools.final import FunctionDefinition, FunctionToolSchema
from ag2.tools.tool import Tool

from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.model_client import ModelClient
from workermd.backends.agents.prompt import Part
from workermd.backends.agents.roster import Member
from workermd.protocol.envelope import Document

HAND_OVER = "transfer_to_"
DELEGATE = "task_"


def made(
    conversation: Conversation, member: Member, instructions: str, part: Part, tools: Iterable[Tool] = ()
) -> Agent:
    """An agent of AG2 on our wire. `tools` are those that AG2's own constructs need, beside the gated ones."""
    client = conversation.model_client(member.name, conversation.model(member.model))
    # AG2's own response schema is rewritten on its way and sent as strict whatever it is
    form = {"response_format": conversation.response_format} if part == "answers" else None
    config = config_of(client, form)

    async def broke(event: TaskFailed) -> None:
        await conversation.broke(event.error)  # AG2 would tell it to the model as the answer of its tool

    gated = [
        _gated(tool.name, tool.description, tool.schema, tool.call)
        for tool in conversation.tools(member.name, member.tools)
    ]
    return Agent(
        member.name,
        conversation.prompt(instructions, part).system,
        config=config,
        tools=[*gated, *tools],
        middleware=[_Mended],
        observers=[observer(TaskFailed, broke)],
    )


def config_of(client: ModelClient, extra_body: Document | None = None) -> OpenAIConfig:
    """AG2's configuration of a model, on our wire."""
    return OpenAIConfig(
        model=client.model.name,
        api_key=client.key,
        base_url=client.model.base_url,
        http_client=client.http_client,
        max_retries=0,
        timeout=None,
        streaming=False,
        extra_body=extra_body,
    )


class OwnTool(Tool):
    """A tool on AG2's lowest footing: our schema goes to the model, a call's arguments come as they are."""

    def __init__(
        self,
        name: str,
        description: str,
        schema: Document,
        call: Callable[[Document, Context], Awaitable[str | ToolResult]],
    ) -> None:
        self.name = name
        # AG2 closes a schema that does not say whether it is open
        parameters = {"additionalProperties": True, **schema}
        self._schema = FunctionToolSchema(FunctionDefinition(name, description, parameters))
        self._call = call

    async def schemas(self, context: Context) -> list[FunctionToolSchema]:  # noqa: ARG002 - AG2's signature
        return [self._schema]

    def register(
        self,
        stack: ExitStack | AsyncExitStack,
        context: Context,
        *,
        middleware: Iterable[BaseMiddleware] = (),  # noqa: ARG002 - ours looks at models' replies only
    ) -> None:
        async def execute(event: ToolCallEvent, context: Context) -> None:
            arguments = _arguments(event.arguments)
            if arguments is None:
                answer: str | ToolResult = "error: the arguments are no JSON object"
            else:
                answer = await self._call(arguments, context)
            await context.send(ToolResultEvent.from_call(event, answer))

        of_this_name = cast("Condition", ToolCallEvent.name == self.name)
        stack.enter_context(context.stream.where(of_this_name).sub_scope(execute))


def _gated(name: str, description: str, schema: Document, call: Callable[[Document], Awaitable[str]]) -> OwnTool:
    async def gated(arguments: Document, _context: Context) -> str:
        return await call(arguments)

    return OwnTool(name, description, schema, gated)


async def brief(call_next: ToolExecution, event: ToolCallEvent, context: Context) -> ToolResultType:
    """A call that AG2 could not carry out is told in a word: it would send the model a traceback."""
    result = await call_next(event, context)
    if isinstance(result, ToolErrorEvent):
        return ToolResultEvent.from_call(event, f"error: the call failed with {type(result.error).__name__}")
    return result


class _Mended(BaseMiddleware):
    """Lets a call with arguments that are no JSON object be answered: AG2 would fail to send it back to the model."""

    async def on_llm_call(self, call_next: LLMCall, events: Sequence[BaseEvent], context: Context) -> ModelResponse:
        response = await call_next(events, context)
        for call in response.tool_calls.calls:
            call.serialized_arguments = _arguments(call.arguments) or {}
        return response


def _arguments(text: str) -> Document | None:
    """A call's arguments; none at all are an empty object."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
