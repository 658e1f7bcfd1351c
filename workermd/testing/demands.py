"""What real endpoints demand of a request's body. What they would refuse is refused with 400 in their shape."""

import re
from collections.abc import Set as AbstractSet
from typing import Any

from workermd.testing.strict import fault
from workermd.testing.turns import Problem

FEATURES = frozenset({"json_schema", "json_object", "tools", "stream"})
"""What an endpoint may or may not be able to do."""

DIALECTS = frozenset({"names", "system", "same_role", "unstreamed"})
"""What some endpoints refuse that most take: messages that bear a name, a system prompt, two messages of one role in a
row, a request that is not for a stream."""

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Wrong(Exception):
    def __init__(self, message: str, param: str | None, code: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(400, message, code, param=param)


def chat(
    body: Any, supports: AbstractSet[str], *, strict: bool, refuses: AbstractSet[str] = frozenset()
) -> Problem | None:
    """The problem with the body of a chat completion, if there is one."""
    try:
        _chat(body, supports, strict=strict)
        _dialect(body, refuses)
    except _Wrong as wrong:
        return wrong.problem
    return None


def responses(body: Any, supports: AbstractSet[str], *, strict: bool) -> Problem | None:
    """The problem with the body of a response, if there is one."""
    try:
        _responses(body, supports, strict=strict)
    except _Wrong as wrong:
        return wrong.problem
    return None


def _chat(body: Any, supports: AbstractSet[str], *, strict: bool) -> None:
    _whole(body, supports)
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise _Wrong("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    _messages(body["messages"])
    if body.get("n") not in (None, 1):
        raise _Wrong("Invalid 'n': this server gives one choice.", "n", "unsupported_value")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise _Wrong("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    wanted = body.get("response_format")
    _format(wanted, "response_format", supports, strict=strict, body=_at(wanted, "json_schema"))
    if _at(wanted, "type") == "json_object" and "json" not in str(body["messages"]).lower():
        raise _Wrong("'messages' must contain the word 'json' to use a json_object format.", "messages")
    for index, tool in enumerate(body.get("tools") or []):
        _tool(_at(tool, "function"), f"tools[{index}].function", strict=strict)


def _responses(body: Any, supports: AbstractSet[str], *, strict: bool) -> None:
    _whole(body, supports)
    given = body.get("input")
    if not isinstance(given, str | list) and not body.get("previous_response_id"):
        raise _Wrong("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    if isinstance(given, list) and not body.get("previous_response_id"):
        _items(given)
    wanted = _at(body.get("text"), "format")
    _format(wanted, "text.format", supports, strict=strict, body=wanted)
    if _at(wanted, "type") == "json_object" and "json" not in f"{given}{body.get('instructions')}".lower():
        raise _Wrong("'input' must contain the word 'json' to use a json_object format.", "input")
    for index, tool in enumerate(body.get("tools") or []):
        if _at(tool, "type") == "function":
            _tool(tool, f"tools[{index}]", strict=strict)


def _whole(body: Any, supports: AbstractSet[str]) -> None:
    if not isinstance(body, dict):
        raise _Wrong("The body of the request could not be parsed as a JSON object.", None)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise _Wrong("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    if body.get("stream") and "stream" not in supports:
        raise _Wrong("This server does not support streaming.", "stream", "unsupported_value")
    tools = body.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise _Wrong("Invalid type for 'tools': expected an array.", "tools", "invalid_type")
    if tools and "tools" not in supports:
        raise _Wrong(f"The model '{body['model']}' does not support tools.", "tools", "unsupported_parameter")


def _messages(messages: list[Any]) -> None:
    """Roles and contents, and every call of a tool answered right behind it."""
    pending: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = _at(message, "role")
        if role not in _ROLES:
            raise _Wrong(f"Invalid value for '{where}.role'; allowed: {', '.join(_ROLES)}.", f"{where}.role")
        if role == "tool":
            if message.get("tool_call_id") not in pending:
                text = "A message with role 'tool' must answer one of the 'tool_calls' of the message before it."
                raise _Wrong(f"Invalid '{where}': {text}", f"{where}.role")
            pending.discard(message["tool_call_id"])
            continue
        _all_answered(pending, where)
        calls = message.get("tool_calls") if role == "assistant" else None
        if calls is not None and (not isinstance(calls, list) or not calls):
            raise _Wrong(f"Invalid '{where}.tool_calls': expected an array that is not empty.", f"{where}.tool_calls")
        pending = {str(_at(call, "id")) for call in calls or []}
        if not isinstance(message.get("content"), str | list) and role != "assistant":
            raise _Wrong(f"Invalid type for '{where}.content': expected a string or an array.", f"{where}.content")
    _all_answered(pending, "messages")


def _dialect(body: Any, refuses: AbstractSet[str]) -> None:
    """What templates of models refuse that most endpoints take."""
    if not body.get("stream") and "unstreamed" in refuses:
        raise _Wrong("This endpoint only supports streaming; set 'stream' to true.", "stream", "unsupported_value")
    before = None
    for index, message in enumerate(body["messages"]):
        where = f"messages[{index}]"
        role = _at(message, "role")
        if "name" in message and "names" in refuses:
            raise _Wrong(f"'{where}': property 'name' is unsupported.", f"{where}.name", "unsupported_parameter")
        if role in ("system", "developer") and "system" in refuses:
            raise _Wrong(f"'{where}': System role not supported.", f"{where}.role", "unsupported_value")
        if role == before and role != "tool" and "same_role" in refuses:
            raise _Wrong("Conversation roles must alternate user/assistant/user/assistant.", where)
        before = role


def _all_answered(pending: set[str], where: str) -> None:
    if pending:
        raise _Wrong(
            "An assistant message with 'tool_calls' must be followed by a tool message for each 'tool_call_id'; "
            f"missing: {', '.join(sorted(pending))}.",
            where,
        )


def _items(items: list[Any]) -> None:
    called = [item["call_id"] for item in items if _at(item, "type") == "function_call" and "call_id" in item]
    answered = [_at(item, "call_id") for item in items if _at(item, "type") == "function_call_output"]
    for call in answered:
        if call not in called:
            raise _Wrong("Invalid 'input': no call of a function for this output: 'call_id'.", "input")
    for call in called:
        if call not in answered:
            raise _Wrong(f"Invalid 'input': no output for the function call '{call}'.", "input")


def _format(wanted: Any, where: str, supports: AbstractSet[str], *, strict: bool, body: Any) -> None:
    """`body` holds name and schema: the two endpoints keep them in different places."""
    kind = _at(wanted, "type")
    if wanted is None or kind == "text":
        return
    if kind not in ("json_schema", "json_object"):
        raise _Wrong(f"Invalid value for '{where}.type'; allowed: text, json_object, json_schema.", f"{where}.type")
    if kind not in supports:
        text = f"Invalid parameter: '{where}' of type '{kind}' is not supported with this model."
        raise _Wrong(text, where, "unsupported_value")
    if kind == "json_object":
        return
    if not isinstance(_at(body, "name"), str) or not _NAME.fullmatch(body["name"]):
        raise _Wrong(f"Invalid '{where}' name: expected 1 to 64 of a-z, A-Z, 0-9, '_' and '-'.", where)
    if not isinstance(body.get("schema"), dict):
        raise _Wrong(f"Missing required parameter: '{where}' schema.", where, "missing_required_parameter")
    found = fault(body["schema"]) if strict and body.get("strict") else ""
    if found:
        raise _Wrong(f"Invalid schema for {where} '{body['name']}': {found}.", where, "invalid_json_schema")


def _tool(function: Any, where: str, *, strict: bool) -> None:
    name = _at(function, "name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _Wrong(f"Invalid '{where}.name': expected 1 to 64 of a-z, A-Z, 0-9, '_' and '-'.", f"{where}.name")
    found = fault(function.get("parameters")) if strict and function.get("strict") else ""
    if found:
        raise _Wrong(f"Invalid schema for function '{name}': {found}.", f"{where}.parameters", "invalid_json_schema")


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
