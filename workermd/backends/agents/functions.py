"""Tools that are Python functions of the operator's, described to a model by their signature."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, to_json

from workermd.backends.agents.tools import Runner, cut
from workermd.protocol.envelope import Document
from workermd.task import callables
from workermd.task.binding import ToolBinding
from workermd.task.task import Refused

ENTRY_POINTS = "workermd.tools"
"""The group in which an installed package names its tools."""


def unusable(tool: ToolBinding, folder: str) -> str:
    """Why there is no such function, found by importing its module."""
    return callables.why_unusable("function", tool.function, ENTRY_POINTS, f"function {tool.function}", folder)


def runner(tool: ToolBinding, origin: str, folder: str) -> Runner:
    """Raises `Refused` for a function that cannot be had, or whatever its module's import raises."""
    place = f"tool {tool.name} ({origin})"
    function, _ = callables.resolved("function", tool.function, ENTRY_POINTS, place, folder)
    return runner_of(tool, place, function)


def runner_of(tool: ToolBinding, place: str, function: Callable[..., Any]) -> Runner:
    """The function as a tool. Raises `Refused` for one whose parameters cannot be described."""
    takes, names = _arguments(place, function)

    async def call(arguments: Document) -> str:
        try:
            given = takes.model_validate(arguments)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            return cut(f"error: the arguments do not fit: {told}")
        return cut(_text(await _answer(function, {name: getattr(given, field) for field, name in names.items()})))

    description = tool.description or inspect.getdoc(function) or tool.name
    return Runner(tool, description, {"type": "object", "properties": {}, **takes.model_json_schema()}, call)


async def _answer(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    """What the function returns. A sync one runs in a thread, so that the attempt goes on; the attempt's end does
    not wait for it."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - asks what it is, not whether
        return await function(**values)
    answer = await asyncio.to_thread(function, **values)
    return await answer if inspect.isawaitable(answer) else answer


def _text(answer: Any) -> str:
    """Text as it is, everything else as JSON; what has no JSON as its `str`."""
    if isinstance(answer, str):
        return answer
    try:
        return to_json(answer, fallback=str, inf_nan_mode="null").decode()
    except PydanticSerializationError:
        return str(answer)


def _arguments(place: str, function: Callable[..., Any]) -> tuple[type[BaseModel], dict[str, str]]:
    """The function's parameters as a model, and which field is which parameter: a field has a name of ours, because
    a parameter may have one that models keep for themselves. Annotations are types, defaults make optional."""
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (NameError, ValueError, TypeError, SyntaxError) as error:
        raise Refused(f"{place}: its signature cannot be read ({type(error).__name__}); annotate it") from None
    for number, parameter in enumerate(parameters):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise Refused(f"{place}: parameter {parameter.name} cannot be given by name; name every parameter")
        field = f"parameter_{number}"
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[field] = (annotation, Field(default, alias=parameter.name))
        names[field] = parameter.name
    try:
        model = create_model("arguments", __config__=ConfigDict(extra="forbid"), **fields)
        model.model_json_schema()
    except PydanticUserError:
        raise Refused(f"{place}: an annotation of its parameters has no JSON; use types that JSON can say") from None
    return model, names
