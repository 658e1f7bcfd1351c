"""The kind `mcp`: one call of one allowed tool, whose result is the output. What a tool-gateway-worker runs on (S7.2).

The gate is that of the agents: the contract's `tools_allowed` and the operator's patterns, approval, counting. No model
is asked.
"""

import json
import mimetypes
import os
from typing import Any

from workermd.backends.agents import tools
from workermd.backends.agents.conversation import Conversation, performed
from workermd.backends.agents.mcp_client import ANSWERS, OTHER_ANSWER, CallError, connected
from workermd.backends.agents.mcp_said import Medium, media_of, text_of
from workermd.backends.agents.tools import Runner
from workermd.backends.reply import result_of
from workermd.protocol.envelope import Document
from workermd.task.binding import Binding, ToolBinding
from workermd.task.task import Limits, Reply, Result, Task, failed

AGENT = "gateway"

_TYPES: tuple[tuple[type, str], ...] = (
    (dict, "object"),
    (list, "array"),
    (str, "string"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (type(None), "null"),
)
"""The first that fits: a bool is an int to Python."""

MAX_CHOICES = 4
"""Choices and references within each other that are looked into."""


def unusable(binding: Binding) -> str:
    """Why the server cannot be had, or a tool of the binding."""
    named = binding.arrangement.get("server")
    return (tools.server_missing(binding, named) if named else "") or tools.missing(binding)


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding._replace(tools=()), limits, lambda conversation: _talk(conversation, binding.tools))


async def _talk(conversation: Conversation, bound: tuple[ToolBinding, ...]) -> Result:
    name, arguments = asked_for(conversation.task, conversation.arrangement.get("tool", ""))
    name = name or (bound[0].name if len(bound) == 1 else "")
    if not name:
        return failed("invalid_request", "input_rejected", "the input names no tool; give one, as text, at /tool")
    if arguments is None:
        return failed("invalid_request", "input_rejected", "the input's arguments are no object")
    tool = _tool(conversation, bound, name)
    if tool is None:
        await conversation.deny(AGENT, name, "the operator has bound no such tool")
        return failed("refused", "tool_denied", f"no tool {name[:80]!r} is bound here")
    files: list[Document] = []
    called = await conversation.called(
        AGENT, Runner(tool, "", {}, lambda given: _answer(conversation, tool, given, files)), arguments
    )
    if called.denied:
        return failed("refused", called.denied, f"the call of tool {name[:80]!r} was {called.text.partition(';')[0]}")
    return _result(conversation, json.loads(called.text), files)


def asked_for(task: Task, fixed: str) -> tuple[str, Document | None]:
    """The tool's name and its arguments. The name is the operator's, or the input's `tool`; the arguments are the
    input's `arguments`, else all of the input but its key and that name."""
    given = dict(task.input)
    key = (
        "run_id" if given.get("run_id") == task.run_id else next((k for k, v in given.items() if v == task.run_id), "")
    )
    given.pop(key, None)
    name = fixed
    if not fixed:
        named = given.pop("tool", "")
        name = named if isinstance(named, str) else ""
    if "arguments" not in given:
        return name, given
    arguments = given["arguments"]
    return name, arguments if isinstance(arguments, dict) else None


def _tool(conversation: Conversation, bound: tuple[ToolBinding, ...], name: str) -> ToolBinding | None:
    """The bound tool of this name; where a whole server is bound, any that its patterns allow."""
    own = conversation.arrangement
    if "server" in own:
        return ToolBinding(
            name, server=own["server"], allow=tuple(own.get("allow", ())), approve=own.get("approve", False)
        )
    return next((tool for tool in bound if tool.name == name), None)


async def _answer(conversation: Conversation, tool: ToolBinding, arguments: Document, files: list[Document]) -> str:
    """What the tool answers, as one JSON object: `structured`, `text`, or `failure`."""
    server = conversation.binding.servers[tool.server]
    async with connected(server, conversation.binding) as connection:
        name = tool.tool or tool.name
        await connection.offers({name})
        try:
            result = await connection.call(name, arguments)
        except CallError as answered:
            kind, code, told = ANSWERS.get(answered.code, OTHER_ANSWER)
            return json.dumps({"failure": [kind, code, f"the server {told} ({answered.code}): {answered}"]})
    if result.is_error:
        kind = "retryable" if conversation.arrangement.get("retry_errors") else "refused"
        code = "backend_unavailable" if kind == "retryable" else "backend_failed"
        return json.dumps({"failure": [kind, code, f"the tool reports an error: {text_of(result)[:400]}"]})
    files += _written(media_of(result), conversation.task.artifacts_dir)
    return json.dumps({"structured": result.structured_content, "text": text_of(result)})


def _result(conversation: Conversation, answer: Document, files: list[Document]) -> Result:
    if "failure" in answer:
        return failed(*answer["failure"])
    document = document_of(answer["structured"], answer["text"], conversation.task.output_schema)
    return result_of(Reply(document, artifacts=tuple(files)), conversation.task, conversation.limits)


def document_of(structured: Any, text: str, schema: Document) -> Document:
    """A tool's result as an output.

    The value is the structured content, else the text where that is a JSON object or list, else the text. An object
    that has the names and types of the output schema's own properties is the output as it is. Everything else stands
    under `result`, in the first of these forms that has the type and the names of that property: the value; for a value
    that SDKs have put under a lone `result`, what stands there; `{"text": …}`; `{"result": …}`, as SDKs would; the text.
    """
    value = structured if structured is not None else _read(text)
    if isinstance(value, dict) and (_fits(value, schema) or "result" not in schema.get("properties", {})):
        return value
    forms = [value]
    if isinstance(value, dict) and value.keys() == {"result"}:
        forms.append(value["result"])
    if structured is None:
        forms = [*([value] if value is not text else []), {"text": text}, {"result": value}, text]
    wanted = schema.get("properties", {}).get("result", {})
    return {"result": next((form for form in forms if _is_of(form, wanted, schema)), forms[0])}


def _read(text: str) -> Any:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _fits(value: Document, schema: Document) -> bool:
    """By names and types alone: the output check looks at the rest."""
    properties = schema.get("properties", {})
    return _has_names_of(value, schema, {"run_id", "status"}) and all(
        _is_of(each, properties.get(name, {}), schema) for name, each in value.items()
    )


def _has_names_of(value: Document, schema: Document, given: set[str]) -> bool:
    """All names that are required, less those that workermd gives; and no other where none is allowed."""
    is_closed = schema.get("additionalProperties") is False
    return set(schema.get("required", ())) - given <= value.keys() and (
        not is_closed or value.keys() <= schema.get("properties", {}).keys()
    )


def _is_of(value: Any, schema: Any, whole: Document, deep: int = 0) -> bool:
    """The type, an object's names, and those of one of the schemas that are a choice: an answer, or an error."""
    if not isinstance(schema, dict) or deep > MAX_CHOICES:
        return True
    wanted = schema.get("type")
    found = next(name for kind, name in _TYPES if isinstance(value, kind))
    allowed = {wanted} if isinstance(wanted, str) else set(wanted or (found,))
    if found not in allowed and not (found == "integer" and "number" in allowed):
        return False
    if isinstance(value, dict) and not _has_names_of(value, schema, set()):
        return False
    referred = whole.get("$defs", {}).get(str(schema.get("$ref", "")).removeprefix("#/$defs/"))
    choice = schema.get("anyOf", schema.get("oneOf", ()))
    return _is_of(value, referred, whole, deep + 1) and (
        not choice or any(_is_of(value, each, whole, deep + 1) for each in choice)
    )


def _written(media: tuple[Medium, ...], folder: str) -> list[Document]:
    """Images and sounds of a result as files of the attempt."""
    written: list[Document] = []
    for number, medium in enumerate(media, 1):
        name = f"{medium.kind}-{number}{mimetypes.guess_extension(medium.media_type) or '.bin'}"
        with open(os.path.join(folder, name), "wb") as file:
            file.write(medium.content)
        written.append({"name": name, "path": name, "media_type": medium.media_type})
    return written
