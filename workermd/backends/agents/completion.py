"""An endpoint's answer in the one shape that every framework takes: what OpenAI's chat completions are said to be.

Servers differ in small things that are no fault of a model's, and frameworks break off over them, or hang. What can
be made good without a guess is; all else is told as what it is, an endpoint that speaks something else.
"""

import json
from typing import Any, TypeGuard

from workermd.protocol.envelope import Document

_TOLD = ("id", "model", "system_fingerprint", "service_tier")

_MOST_TOKENS = 10**12
_LATEST = 253_402_300_799
"""More tokens than any context has, and the last second of the year 9999: what is above is no such number."""


def choice_of(document: Document) -> Document:
    """The first choice; empty where there is none."""
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def fault_of(message: Document) -> str:
    """What of a message is in no shape that could be read, in words that quote nothing of it; empty when all is."""
    if not isinstance(message.get("content"), str | None):
        return "the content is no text"
    if message.get("function_call"):
        return "function_call is of an older API"
    calls = message.get("tool_calls")
    if not isinstance(calls, list | None):
        return "tool_calls is no array"
    for call in calls or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            return "a tool call names no function"
        if not isinstance(function.get("arguments"), str | dict | None):
            return "a tool call's arguments are neither text nor an object"
    return ""


def called_in(message: Document) -> list[str]:
    """The names of the tools that a message calls, whatever else is wrong with it."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [str(function.get("name", "")) for function in functions if isinstance(function, dict)]


def in_shape(document: Document, turn: int) -> Document:
    """The answer to the attempt's n-th request, with its first choice only, and in that what frameworks read. The
    message has no fault.

    A call without an id gets one; arguments given as an object become text, missing ones an empty object. Usage that
    is no count, and a time or a name that is none, are left out, and so are log probabilities, which nobody asks for.
    """
    choice = choice_of(document)
    message = choice["message"]
    calls = [_call(call, f"call_{turn}_{index}") for index, call in enumerate(message.get("tool_calls") or ())]
    told: Document = {"role": "assistant", "content": message.get("content")}
    told |= {key: message[key] for key in ("refusal", "reasoning_content") if isinstance(message.get(key), str)}
    if calls:
        told["tool_calls"] = calls
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) else "stop"
    shaped: Document = {"id": "", "created": 0, "model": ""}
    shaped |= {key: document[key] for key in _TOLD if isinstance(document.get(key), str)}
    if is_count(document.get("created"), _LATEST):
        shaped["created"] = document["created"]
    shaped |= {
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "tool_calls" if calls else finish, "message": told}],
    }
    if tokens_of(document.get("usage")):
        shaped["usage"] = document["usage"]
    return shaped


def _call(call: Document, otherwise: str) -> Document:
    function = call["function"]
    arguments: Any = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    number = call.get("id")
    return {
        "id": number if isinstance(number, str) and number else otherwise,
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def tokens_of(usage: Any) -> tuple[int, int] | None:
    """Tokens read and written, as an endpoint's `{prompt_tokens, completion_tokens}` has them; None for no counts."""
    if not isinstance(usage, dict):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (read, written) if is_count(read, _MOST_TOKENS) and is_count(written, _MOST_TOKENS) else None


def is_count(value: Any, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
