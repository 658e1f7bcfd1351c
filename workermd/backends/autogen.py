"""What the kinds on AutoGen's AgentChat share: model clients on our wire, tools behind our gate."""

from collections.abc import Mapping
from typing import Any, cast

from autogen_agentchat.base import TaskResult
from autogen_agentchat.messages import BaseTextChatMessage, TextMessage
from autogen_core.models import ModelInfo
from autogen_core.tools import ParametersSchema, TextResultContent, ToolResult, ToolSchema, Workbench
from autogen_ext.models.openai import BaseOpenAIChatCompletionClient

from workermd.agents.job import Job
from workermd.agents.tools import Tool
from workermd.binding import Model
from workermd.runtime import CancellationToken

_INFO: ModelInfo = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": True,
}


def client_of(
    job: Job, agent: str, model: Model | None = None, *, structured: bool = False
) -> BaseOpenAIChatCompletionClient:
    """A model client for one agent. `structured`: every reply of it is asked for in the output's shape."""
    wire = job.wire(agent, model)
    arguments: dict[str, Any] = {"model": wire.model.name}
    if structured:
        arguments["response_format"] = job.response_format
    return BaseOpenAIChatCompletionClient(wire.client, create_args=arguments, model_info=_INFO)


class Gated(Workbench):
    """The tools of one agent as AutoGen takes them. Nothing is kept between calls."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    async def list_tools(self) -> list[ToolSchema]:
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
        text = await self._tools[name].call(dict(arguments or {}))
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


def answer_of(result: TaskResult) -> str:
    """The text of the last message. A tool's summary is no answer: the model never came back to it."""
    last = result.messages[-1] if result.messages else None
    return last.content if isinstance(last, TextMessage | BaseTextChatMessage) else ""
