"""Script files: a JSON array of turns, each an object that one key gives its kind."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.contract.json.located import JsonDocument, read
from workermd.contract.json.strict import JsonError, escape
from workermd.contract.model import Lines
from workermd.protocol.errors import ConfigurationError
from workermd.system.text import shown
from workermd.testing.turns import (
    ENCODINGS,
    Call,
    Compressed,
    ContentFilter,
    ContentParts,
    Drop,
    Empty,
    FunctionCall,
    Garbage,
    Hang,
    Problem,
    Refusal,
    Slow,
    Streamed,
    Text,
    ToolCalls,
    Truncated,
    Turn,
    Usage,
)

_HINT = "docs/testing.md has the format"


def load(path: str) -> tuple[Turn, ...]:
    """The turns of a script file. Raises ConfigurationError with line and column of the first thing wrong."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except OSError as error:
        message = f"{path}: the script cannot be read ({error.strerror})"
        raise ConfigurationError(message, "check the path and its permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start + 1} is not UTF-8", "save the file as UTF-8") from None
    try:
        document = read(text)
    except JsonError as error:
        place = Lines(text).position(error.offset)
        raise ConfigurationError(f"{path}:{place.line}:{place.column}: {error.message}", error.hint) from None
    try:
        return _turns(document)
    except _Fault as fault:
        entry = document.places[fault.pointer]
        span = entry.key if fault.at_key and entry.key else entry.value
        place = Lines(text).position(span.start)
        message = f"{path}:{place.line}:{place.column}: found {fault.found}; allowed: {fault.allowed}"
        raise ConfigurationError(message, _HINT) from None


class _Fault(Exception):
    def __init__(self, pointer: str, found: str, allowed: str, *, at_key: bool = False) -> None:
        super().__init__(found)
        self.pointer = pointer
        self.found = found
        self.allowed = allowed
        self.at_key = at_key


_Converter = Callable[[Any, str], Any]
"""From a value and its JSON Pointer to what a turn holds. Raises _Fault."""


class _Form(NamedTuple):
    """`fields`: the file's keys, each with the turn's field that it fills and the reader of its value."""

    make: Callable[..., Any]
    fields: dict[str, tuple[str, _Converter]]
    needed: str = ""
    """A key that has to be there."""


def _turns(document: JsonDocument) -> tuple[Turn, ...]:
    if not isinstance(document.value, list):
        raise _Fault("", _kind(document.value), "an array of turns")
    return tuple(_turn(each, f"/{index}") for index, each in enumerate(document.value))


def _turn(value: Any, pointer: str) -> Turn:
    allowed = f"an object with one of {', '.join(_FORMS)}"
    if not isinstance(value, dict):
        raise _Fault(pointer, _kind(value), allowed)
    kinds = [key for key in value if key in _FORMS and not (key == "content" and "tool_calls" in value)]
    if len(kinds) != 1:
        found = f"a turn with {' and '.join(kinds)}" if kinds else "a turn without a kind"
        raise _Fault(pointer, found, allowed)
    turn: Turn = _filled(value, pointer, _FORMS[kinds[0]])
    return turn


def _filled(value: dict[str, Any], pointer: str, form: _Form) -> Any:
    if form.needed and form.needed not in value:
        raise _Fault(pointer, f"no {form.needed}", f"an object with {form.needed}; its keys: {', '.join(form.fields)}")
    given = {}
    for key, each in value.items():
        place = f"{pointer}/{escape(key)}"
        if key not in form.fields:
            raise _Fault(place, f"the key {shown(key)}", ", ".join(form.fields), at_key=True)
        field, convert = form.fields[key]
        given[field] = convert(each, place)
    given.pop("", None)
    return form.make(**given)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
    return "an object"


def _text(value: Any, pointer: str) -> str:
    if not isinstance(value, str):
        raise _Fault(pointer, _kind(value), "a text")
    return value


def _bytes(value: Any, pointer: str) -> bytes:
    return _text(value, pointer).encode()


def _as_json(value: Any, _: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _true(value: Any, pointer: str) -> bool:
    if value is not True:
        raise _Fault(pointer, _kind(value), "true")
    return True


def _seconds(value: Any, pointer: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _Fault(pointer, _kind(value), "a number from 0")
    return float(value)


def _count(value: Any, pointer: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Fault(pointer, _kind(value), "a whole number from 0")
    return value


def _any(value: Any, _: str) -> Any:
    return value


def _object(value: Any, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Fault(pointer, _kind(value), "an object")
    return value


def _encoding(value: Any, pointer: str) -> str:
    if value not in ENCODINGS:
        raise _Fault(pointer, _kind(value), " or ".join(ENCODINGS))
    return str(value)


def _within(*forms: str) -> _Converter:
    """A turn of one of these kinds."""

    def convert(value: Any, pointer: str) -> Turn:
        if not isinstance(value, dict) or not any(form in value for form in forms):
            raise _Fault(pointer, _kind(value), f"an object with one of {', '.join(forms)}")
        return _turn(value, pointer)

    return convert


def _status(value: Any, pointer: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 599:
        raise _Fault(pointer, _kind(value), "a status from 400 to 599")
    return value


def _moment(value: Any, pointer: str) -> float | str:
    return value if isinstance(value, str) else _seconds(value, pointer)


def _usage(value: Any, pointer: str) -> Usage | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _Fault(pointer, _kind(value), f"null or an object with {', '.join(_USAGE.fields)}")
    usage: Usage = _filled(value, pointer, _USAGE)
    return usage


def _arguments(value: Any, pointer: str) -> str | dict[str, Any]:
    if not isinstance(value, str | dict):
        raise _Fault(pointer, _kind(value), "an object, or a text that is sent as it stands")
    return value


def _calls(value: Any, pointer: str) -> tuple[Call, ...]:
    if not isinstance(value, list) or not value:
        raise _Fault(pointer, "an empty array" if value == [] else _kind(value), "an array of calls")
    calls: list[Call] = []
    for index, each in enumerate(value):
        place = f"{pointer}/{index}"
        if not isinstance(each, dict):
            raise _Fault(place, _kind(each), "an object with name, and arguments and id where wanted")
        calls.append(_filled(each, place, _CALL))
    return tuple(calls)


_CALL = _Form(Call, {"name": ("name", _text), "arguments": ("arguments", _arguments), "id": ("id", _text)}, "name")
_USAGE = _Form(Usage, {name: (name, _count) for name in Usage.__dataclass_fields__})
_SPENT: dict[str, tuple[str, _Converter]] = {"usage": ("usage", _usage)}
_NAMED: dict[str, tuple[str, _Converter]] = {
    **_SPENT, "raw_usage": ("usage", _object), "model": ("model", _text)
}  # fmt: skip
_MESSAGES = (
    "text",
    "json",
    "tool_calls",
    "refusal",
    "truncated",
    "empty",
    "content_filter",
    "content",
    "function_call",
)

_FORMS = {
    "text": _Form(Text, {"text": ("content", _text), "finish_reason": ("finish_reason", _text), **_NAMED}),
    "json": _Form(Text, {"json": ("content", _as_json), "finish_reason": ("finish_reason", _text), **_NAMED}),
    "tool_calls": _Form(ToolCalls, {"tool_calls": ("calls", _calls), "content": ("content", _text), **_NAMED}),
    "refusal": _Form(Refusal, {"refusal": ("text", _text), **_SPENT}),
    "truncated": _Form(Truncated, {"truncated": ("content", _text), **_SPENT}),
    "empty": _Form(Empty, {"empty": ("", _true), **_SPENT}),
    "content_filter": _Form(ContentFilter, {"content_filter": ("content", _text), **_SPENT}),
    "problem": _Form(
        Problem,
        {
            "problem": ("status", _status),
            "message": ("message", _text),
            "code": ("code", _text),
            "param": ("param", _text),
            "retry_after": ("retry_after", _moment),
            "retry_after_ms": ("retry_after_ms", _seconds),
            "inside_200": ("inside_200", _true),
        },
    ),
    "slow": _Form(
        Slow, {"slow": ("seconds", _seconds), "turn": ("turn", _turn), "between": ("between", _seconds)}, "turn"
    ),
    "hang": _Form(Hang, {"hang": ("", _true)}),
    "drop": _Form(Drop, {"drop": ("after_bytes", _count), "turn": ("turn", _turn)}),
    "content": _Form(ContentParts, {"content": ("content", _any), **_SPENT}),
    "function_call": _Form(
        FunctionCall, {"function_call": ("name", _text), "arguments": ("arguments", _arguments), **_SPENT}
    ),
    "streamed": _Form(Streamed, {"streamed": ("turn", _within(*_MESSAGES))}),
    "compressed": _Form(
        Compressed,
        {"compressed": ("encoding", _encoding), "turn": ("turn", _within(*_MESSAGES, "problem", "garbage"))},
        "turn",
    ),
    "garbage": _Form(Garbage, {"garbage": ("body", _bytes), "content_type": ("content_type", _text)}),
}
"""The kinds of turns by the key that names them. One key alone names the kind: no other form takes it."""
