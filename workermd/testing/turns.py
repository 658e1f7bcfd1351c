"""What a scripted server plays: one turn answers one request."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived. `at` is `time.monotonic()` when its last byte had been read."""

    at: float
    method: str
    path: str
    """Without the query."""
    query: str
    """What stood behind the `?`, "" for none."""
    headers: dict[str, str]
    """Names in lower case. Of a header sent twice, both values joined by a comma."""
    body: Any
    """The JSON of the body; None when there was none or it is no JSON."""
    raw: bytes = field(repr=False)
    """The bytes of the body, chunks put together."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an answer says it cost. `total_tokens` on the wire is the sum of the first two."""

    prompt_tokens: int = 12
    completion_tokens: int = 6
    cached_tokens: int = 0
    """How many of the prompt's tokens came from a cache."""
    reasoning_tokens: int = 0
    """How many of the completion's tokens were reasoning."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message with text. `usage=None` leaves the usage out, a mapping is sent as it stands; `model=""` is the model
    that was asked for."""

    content: str
    usage: "Usage | Mapping[str, Any] | None" = Usage()
    finish_reason: str = "stop"
    model: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool. `arguments` is JSON text sent as it stands, or a value; `id=""` gets one of the server's."""

    name: str
    arguments: str | dict[str, Any] = "{}"
    id: str = ""

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """A message that calls tools, with text before the calls where `content` is given."""

    calls: Sequence[Call]
    content: str = ""
    usage: Usage | None = Usage()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message in which the model declines: `refusal` is set, the content null."""

    text: str = "I'm sorry, I can't help with that."
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class Truncated:
    """A text cut off by the limit of tokens: `finish_reason` "length", or the response is incomplete."""

    content: str
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class Empty:
    """A message without text and without calls: content null, or "" where asked for."""

    content: str | None = None
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class ContentFilter:
    """A message that the endpoint's filter stopped, with the text that had come so far."""

    content: str = ""
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class ContentParts:
    """A message whose content is any value of JSON: a list of parts, `[{"type": "text", "text": "x"}]`, or no text at
    all. A response takes what is text of it."""

    content: Any
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A message that calls a function as chat completions did before they had tools: `function_call`, content null."""

    name: str
    arguments: str | dict[str, Any] = "{}"
    usage: Usage | None = Usage()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in the API's shape. Empty words are filled in by the status.

    `retry_after` is seconds, or the text of a date as HTTP writes it; `retry_after_ms` is milliseconds. `inside_200`
    tells it as gateways do: the HTTP status is 200, and the error's own `code` is the status.
    """

    status: int
    message: str = ""
    code: str = ""
    retry_after: float | str | None = None
    retry_after_ms: float | None = None
    param: str | None = None
    inside_200: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """Another turn, `seconds` later. With `between` the later events of a stream wait so long each, too."""

    seconds: float
    turn: "Turn"
    between: float = 0.0


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, until the client goes or the server is closed."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection ends: at once, or when `after_bytes` of the body of `turn`'s answer were sent.

    The answer is never complete: at least its last byte is held back.
    """

    after_bytes: int = 0
    turn: "Turn" = Text('{"cut": "off before its end"}')


@dataclass(frozen=True, slots=True)
class Garbage:
    """A 200 with exactly these bytes, in a stream too."""

    body: bytes = b"<html>not JSON</html>"
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Streamed:
    """A message as the events of a stream, also where the request asked for none."""

    turn: "Reply"


@dataclass(frozen=True, slots=True)
class Compressed:
    """A message, an error or garbage with its body compressed, whatever the request accepts: `gzip` or `deflate`."""

    turn: "Reply | Problem | Garbage"
    encoding: str = "gzip"


Reply: TypeAlias = Text | ToolCalls | Refusal | Truncated | Empty | ContentFilter | ContentParts | FunctionCall
"""The turns that are a message of a model."""

Turn: TypeAlias = Reply | Problem | Slow | Hang | Drop | Garbage | Streamed | Compressed | Callable[[Received], "Turn"]
"""What answers one request: one of the above, or a function that makes one of the request."""

Script: TypeAlias = Iterable[Turn] | Callable[[Received], Turn]
"""Turns in their order, or one function for everything."""

REPLIES = (Text, ToolCalls, Refusal, Truncated, Empty, ContentFilter, ContentParts, FunctionCall)
KINDS = (*REPLIES, Problem, Slow, Hang, Drop, Garbage, Streamed, Compressed)
_WITHIN: dict[type, tuple[type, ...]] = {Streamed: REPLIES, Compressed: (*REPLIES, Problem, Garbage)}
ENCODINGS = ("gzip", "deflate")


def checked(turn: Any, where: str) -> Turn:
    """The turn itself. Raises TypeError for what is none; `where` names its place."""
    if isinstance(turn, KINDS) or (callable(turn) and not isinstance(turn, type)):
        if isinstance(turn, ToolCalls) and (
            isinstance(turn.calls, Call) or not all(isinstance(each, Call) for each in turn.calls)
        ):
            raise TypeError(f"{where}: ToolCalls takes a sequence of Call")
        if isinstance(turn, Slow | Drop | Streamed | Compressed):
            checked(turn.turn, f"{where}, inside {type(turn).__name__}")
        if not isinstance(getattr(turn, "turn", None), _WITHIN.get(type(turn), object)):
            known = ", ".join(kind.__name__ for kind in _WITHIN[type(turn)])
            raise TypeError(f"{where}: {type(turn).__name__} takes one of {known}")
        if isinstance(turn, Compressed) and turn.encoding not in ENCODINGS:
            raise TypeError(f"{where}: Compressed takes as its encoding one of {', '.join(ENCODINGS)}")
        return turn
    found = f"the class {turn.__name__}" if isinstance(turn, type) else type(turn).__name__
    raise TypeError(
        f"{where}: found {found}; allowed: {', '.join(kind.__name__ for kind in KINDS)}, or a function of the request"
    )


class ReplyParts(NamedTuple):
    """A reply in the terms that both endpoints share."""

    content: Any
    finish_reason: str
    usage: Usage | Mapping[str, Any] | None
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    model: str = ""
    function: Call | None = None
    """The call of a function in the older way."""

    @property
    def text(self) -> str:
        """What is text of the content."""
        if isinstance(self.content, list):
            return "".join(part["text"] for part in self.content if isinstance(part, dict) and "text" in part)
        return self.content if isinstance(self.content, str) else ""


def said(turn: Reply) -> ReplyParts:
    usage = turn.usage
    match turn:
        case Text():
            parts = ReplyParts(turn.content, turn.finish_reason, usage, model=turn.model)
        case ToolCalls():
            parts = ReplyParts(turn.content or None, "tool_calls", usage, calls=tuple(turn.calls), model=turn.model)
        case Refusal():
            parts = ReplyParts(None, "stop", usage, refusal=turn.text)
        case Truncated():
            parts = ReplyParts(turn.content, "length", usage)
        case ContentFilter():
            parts = ReplyParts(turn.content, "content_filter", usage)
        case FunctionCall():
            parts = ReplyParts(None, "function_call", usage, function=Call(turn.name, turn.arguments))
        case Empty() | ContentParts():
            parts = ReplyParts(turn.content, "stop", usage)
    return parts


def pieces(text: str) -> list[str]:
    """The text as a stream brings it: a few pieces, cut anywhere."""
    size = max(5, -(-len(text) // 6))
    return [text[at : at + size] for at in range(0, len(text), size)]
