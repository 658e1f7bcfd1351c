"""The tools that agents may call: Python functions of the operator's, described to a model by their signature."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from workermd import callables
from workermd.agents.gate import offered
from workermd.backend import Refused, Task
from workermd.binding import Binding, ToolBinding
from workermd.envelope import Document

ENTRY_POINTS = "workermd.tools"
"""The group in which an installed package names its tools."""


class Runner(NamedTuple):
    """A tool that can be run, before the gate. `schema` is the JSON Schema of its arguments."""

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


@asynccontextmanager
async def runners_of(binding: Binding, task: Task) -> AsyncIterator[tuple[Runner, ...]]:
    """The tools of a binding that the contract allows, ready to be called; ended with the block.

    Raises `Refused` for a function that cannot be had.
    """
    yield tuple(_function(tool, binding.origin) for tool in offered(binding.tools, task.tools_allowed))


def _function(tool: ToolBinding, origin: str) -> Runner:
    function, _ = callables.resolved("tool", tool.function, ENTRY_POINTS, f"tool {tool.name} ({origin})")
    takes = _arguments(tool.name, function)
    is_async = inspect.iscoroutinefunction(function)

    async def call(arguments: Document) -> str:
        try:
            given = takes.model_validate(arguments)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            return f"error: the arguments do not fit: {told}"
        values = {name: getattr(given, name) for name in takes.model_fields}
        answer = await (function(**values) if is_async else asyncio.to_thread(function, **values))
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)

    description = tool.description or inspect.getdoc(function) or tool.name
    schema = takes.model_json_schema()
    return Runner(tool, description, {"type": "object", "properties": {}, **schema}, call)


def _arguments(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    """The function's parameters as a model: annotations are types, defaults make optional, anything else is refused."""
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise Refused(f"tool {name}: parameter {parameter.name} cannot be given by name; name every parameter")
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[parameter.name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    return create_model("arguments", __config__=ConfigDict(extra="forbid"), **fields)
