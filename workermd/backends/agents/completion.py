"""An endpoint's answer in the one shape that every framework takes: what OpenAI's chat completions are said to be.

Servers differ in small things that are no fault of a model's, and frameworks break off over them, or hang. What can
be made good without a guess is; all else is told as what it is. Nothing of an answer reaches a framework, an event or
a span that has not been looked at here.
"""

import json
import math
import re
from typing import Any, NamedTuple

from workermd.backends.agents import reading
from workermd.protocol.envelope import Document

_LATEST = 253_402_300_799
"""The last second of the year 9999: what is above is no such number."""

_MOST_TOKENS = 10**12
"""More tokens than any context has."""

_THOUGHT = re.compile(r"\s*<(think|thinking|thought|reasoning)>(.*?)</\1>\s*", re.DOTALL)
_THOUGHTS_END = "</think>"
_BEGINS_AN_ANSWER = ("{", "[", "```")

_CUT_OFF = ("length", "content_filter")
"""Finish reasons of an answer that is not whole."""

_LONGEST_WORD = 200
"""Characters of what an endpoint calls itself, its answer or a reason."""


class NoCompletion(Exception):
    """An answer that is none. `kind` and `code` say what it means for the attempt."""

    def __init__(self, told: str, kind: str = "retryable", code: str = "backend_unavailable") -> None:
        super().__init__(told)
        self.kind = kind
        self.code = code


class ToolCall(NamedTuple):
    """`arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class Completion(NamedTuple):
    """What of an answer is used. `usage` are tokens read and written, None where the endpoint tells none."""

    content: str | None
    calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    reasoning: str = ""
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = None
    created: int = 0
    id: str = ""
    model: str = ""
    fingerprint: str = ""


def read(document: Document, turn: int) -> Completion:
    """The answer to the attempt's n-th request, by its first choice. Raises `NoCompletion`."""
    choice = _first(document.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NoCompletion("without a message that can be read: there is none")
    if message.get("function_call"):
        name = _word(message["function_call"].get("name")) if isinstance(message["function_call"], dict) else ""
        raise NoCompletion(
            f"with function_call{f' ({name})' if name else ''}, OpenAI's older way to call a tool, which no framework "
            "here reads; name an endpoint that answers with tool_calls",
            "refused",
            "backend_failed",
        )
    thought, content = _parted(_content(message.get("content")))
    calls = tuple(_call(call, f"call_{turn}_{index}") for index, call in enumerate(_calls(message)))
    finish = choice["finish_reason"] if isinstance(choice.get("finish_reason"), str) else "stop"
    if finish == "error" and not calls:
        raise NoCompletion("that it broke off, by finish_reason 'error'")
    if finish == "length" and content and (whole := reading.whole_object(content)):
        content, finish = whole, "stop"  # a model that goes on with blanks until its limit has said what it had to say
    given = message.get("reasoning_content") or message.get("reasoning")
    found = Completion(
        content,
        calls,
        message["refusal"] if isinstance(message.get("refusal"), str) else "",
        thought or (given if isinstance(given, str) else ""),
        "tool_calls" if calls and finish not in _CUT_OFF else finish[:_LONGEST_WORD],
        tokens_of(document.get("usage")),
        document["created"] if is_count(document.get("created"), _LATEST) else 0,
        *(_word(document.get(key)) for key in ("id", "model", "system_fingerprint")),
    )
    _check_characters(found)
    return found


def shaped(found: Completion) -> Document:
    """The answer as frameworks read it. What nobody reads is left out."""
    message: Document = {"role": "assistant", "content": found.content}
    if found.refusal:
        message["refusal"] = found.refusal
    if found.reasoning:
        message["reasoning_content"] = found.reasoning
    if found.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in found.calls
        ]
    document: Document = {
        "id": found.id,
        "created": found.created,
        "model": found.model,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": found.finish_reason, "message": message}],
    }
    if found.fingerprint:
        document["system_fingerprint"] = found.fingerprint
    if found.usage is not None:
        read_, written = found.usage
        document["usage"] = {"prompt_tokens": read_, "completion_tokens": written, "total_tokens": read_ + written}
    return document


def tokens_of(usage: Any) -> tuple[int, int] | None:
    """Tokens read and written, as an endpoint's `{prompt_tokens, completion_tokens}` has them; None for no counts.

    Some write counts as 10.0, and null for a part that they did not count; the total then tells what is missing.
    """
    if not isinstance(usage, dict) or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
        return None
    given = (usage["prompt_tokens"], usage["completion_tokens"])
    read_, written = (_count(each) for each in given)
    if any(count is None and each is not None for count, each in zip((read_, written), given, strict=True)):
        return None
    if read_ is None and written is None:
        return None
    total = _count(usage.get("total_tokens")) or 0
    read_ = max(0, total - (written or 0)) if read_ is None else read_
    return read_, max(0, total - read_) if written is None else written


def is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _count(value: Any) -> int | None:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    return value if is_count(value, _MOST_TOKENS) else None


def _first(choices: Any) -> Document:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _word(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value[:_LONGEST_WORD] if character.isprintable())


def _content(content: Any) -> str | None:
    """Text, or the text parts of a list; parts that tell what the model thought are no part of what it says."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise NoCompletion("without a message that can be read: the content is no text")
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("thinking", "reasoning", "redacted_thinking"):
            continue
        if kind not in ("text", "output_text") or not isinstance(part.get("text"), str):
            raise NoCompletion("without a message that can be read: the content has a part that is no text")
        texts.append(part["text"])
    return "".join(texts)


def _parted(content: str | None) -> tuple[str, str | None]:
    """What a model thought aloud before it spoke, and what it said. Some servers hand both on in one text, the opening
    tag perhaps left with the prompt."""
    if content is None:
        return "", None
    thoughts: list[str] = []
    while found := _THOUGHT.match(content):
        thoughts.append(found[2].strip())
        content = content[found.end() :]
    if not thoughts and _THOUGHTS_END in content and not content.lstrip().startswith(_BEGINS_AN_ANSWER):
        thought, _, content = content.partition(_THOUGHTS_END)
        thoughts.append(thought.strip())
    return "\n".join(thoughts), content


def _calls(message: Document) -> list[Any]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list | None):
        raise NoCompletion("without a message that can be read: tool_calls is no array")
    return calls or []


def _call(call: Any, otherwise: str) -> ToolCall:
    """A call without an id gets one; arguments given as an object become text, missing ones an empty object."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        raise NoCompletion("without a message that can be read: a tool call names no function")
    arguments = function.get("arguments")
    if not isinstance(arguments, str | dict | None):
        raise NoCompletion("without a message that can be read: a tool call's arguments are neither text nor an object")
    number = call.get("id")
    return ToolCall(
        number if isinstance(number, str) and number else otherwise,
        function["name"],
        arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False),
    )


def _check_characters(found: Completion) -> None:
    """Half of a surrogate pair is no character: nothing that is told further could hold it. A model that broke one
    off may write it whole the next time."""
    for what, text in (("text", found.content or ""), *((f"call of {c.name}", c.arguments) for c in found.calls)):
        try:
            text.encode()
            if what != "text" and "\\u" in text:
                json.dumps(json.loads(text), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NoCompletion(
                f"the {what[:80].encode('ascii', 'replace').decode()} holds half of a surrogate pair; write every "
                "character whole",
                "invalid_output",
                "output_not_json",
            ) from None
        except (ValueError, RecursionError):
            continue  # arguments that are no JSON are told to the model
