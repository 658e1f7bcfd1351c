"""The tools that agents may call, from every source: functions, MCP servers, code. Each source is a module of its
own, imported only where a tool of it is bound."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from importlib import import_module
from typing import Any, NamedTuple

from workermd.backends.agents.gate import offered
from workermd.protocol.envelope import Document
from workermd.task.binding import Binding, ToolBinding
from workermd.task.task import Task

MAX_RESULT = 256 << 10
"""Characters of a tool's answer that a model is told."""

_CALLABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What OpenAI's chat completions take for the name of a function, and so every endpoint that speaks them."""


class Runner(NamedTuple):
    """A tool that can be run, before the gate. `schema` is the JSON Schema of its arguments.

    `call` raises `TaskError` for what ends the attempt; any other exception is told to the model by its type.
    """

    binding: ToolBinding
    description: str
    schema: Document
    call: Callable[[Document], Awaitable[str]]


class Tool(NamedTuple):
    """A tool as a framework is given it: every call goes through the gate, and never raises for what the tool did."""

    name: str
    description: str
    schema: Document
    call: Callable[[Document], Awaitable[str]]


def unusable(binding: Binding) -> str:
    """Why a tool of a binding with models cannot be had or called, found without calling it; empty when nothing speaks
    against it. For a kind's own `unusable`."""
    for tool in binding.tools:
        if not _CALLABLE.fullmatch(tool.name):
            return (
                f"tool {tool.name[:80]!r} ({binding.origin}): models call tools by names of letters, digits, _ and -, "
                'at most 64; name the table so, and what the server calls it by tool = "…"'
            )
    return missing(binding)


def missing(binding: Binding) -> str:
    """Why a tool of a binding cannot be had. In a replay none is called."""
    for tool in binding.tools if not binding.replay else ():
        place = f"tool {tool.name} ({binding.origin})"
        if tool.function:
            reason = _source("functions").unusable(tool, binding.folder)
        elif tool.server:
            reason = server_missing(binding, tool.server)
        else:
            reason = _extra("code", "autogen_ext", "agentchat") or _source("code").unusable(tool.code)
        if reason:
            return f"{place}: {reason}"
    return ""


def server_missing(binding: Binding, name: str) -> str:
    """Why a server of a binding cannot be had. In a replay none is asked."""
    if binding.replay:
        return ""
    reason: str = _extra("mcp_client", "mcp", "mcp") or _source("mcp_client").unusable(binding.servers[name])
    return reason


def _source(name: str) -> Any:
    return import_module(f"workermd.backends.agents.{name}")


def _extra(source: str, library: str, extra: str) -> str:
    try:
        _source(source)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        return f"it needs the module {library!r}, which is not installed: pip install 'workermd[{extra}]'"
    return ""


@asynccontextmanager
async def runners_of(binding: Binding, task: Task) -> AsyncIterator[tuple[Runner, ...]]:
    """The tools of a binding that the contract allows, ready to be called; ended with the block.

    Raises `TaskError` for a tool that cannot be had.
    """
    groups: dict[str, list[ToolBinding]] = {}
    for tool in offered(binding.tools, task.tools_allowed):
        groups.setdefault(f"server {tool.server}" if tool.server else tool.name, []).append(tool)
    async with AsyncExitStack() as stack:
        opened = (stack.enter_async_context(_opened(group, binding, task)) for group in groups.values())
        ready = await asyncio.gather(*opened, return_exceptions=True)
        for found in ready:
            if isinstance(found, BaseException):
                raise found
        runners = {runner.binding.name: runner for found in ready for runner in found}  # type: ignore[union-attr]
        yield tuple(runners[tool.name] for tool in binding.tools if tool.name in runners)


def _opened(tools: list[ToolBinding], binding: Binding, task: Task) -> AbstractAsyncContextManager[tuple[Runner, ...]]:
    """Tools of one source. Those of one server share one connection."""
    first = tools[0]
    opened: AbstractAsyncContextManager[tuple[Runner, ...]]
    if first.function:
        opened = nullcontext(tuple(_source("functions").runner(tool, binding.origin, binding.folder) for tool in tools))
    elif first.server:
        opened = _source("mcp_client").runners(tools, binding)
    else:
        opened = _source("code").runners(first, binding, task)
    return opened


def cut(text: str) -> str:
    """A tool's answer as a model is told it: what is too long is cut, and said to be; half of a surrogate pair, which
    no request can hold, is a question mark."""
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= MAX_RESULT:
        return text
    return (
        f"{text[:MAX_RESULT]}\n[cut: the answer has {len(text)} characters, of which these are the first {MAX_RESULT}]"
    )
