"""What agents said and did in an attempt, from the events that were kept of it."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.studio import wording


class SaidWords(NamedTuple):
    """One thing that was said or done. `kind` is reply, message, tool, result, denied, fallback or note."""

    kind: str
    who: str
    text: str
    detail: str = ""
    took: str = ""
    tokens: str = ""


def conversation(events: Iterable[Document]) -> tuple[SaidWords, ...]:
    """The events that say something to a reader, in their order."""
    found = []
    for event in events:
        make = _MADE.get(str(event.get("event")))
        if make is not None and (said := make(event)) is not None:
            found.append(said)
    return tuple(found)


def _word(event: Document, name: str) -> str:
    value = event.get(name)
    return "" if value is None else str(value)


def _took(event: Document) -> str:
    duration = event.get("duration_ms")
    return wording.span(duration) if isinstance(duration, int | float) else ""


def _reply(event: Document) -> SaidWords | None:
    status = event.get("status", 200)
    if status != 200 or event.get("error"):
        what = "the endpoint cannot be reached" if status == 0 else f"the endpoint answered {status}"
        return SaidWords("denied", _word(event, "agent"), what, _word(event, "error"), _took(event))
    tools = ", ".join(map(str, event.get("tools") or ()))
    usage = event.get("usage") or {}
    used = f"{wording.count(wording.tokens(usage))} tokens so far" if "input_tokens" in usage else ""
    return SaidWords(
        "reply", _word(event, "agent"), _word(event, "text"), f"calls {tools}" if tools else "", _took(event), used
    )


def _message(event: Document) -> SaidWords:
    return SaidWords("message", _word(event, "agent"), _word(event, "text"))


def _tool(event: Document) -> SaidWords:
    arguments = json.dumps(event.get("arguments"), ensure_ascii=False, indent=2)
    return SaidWords("tool", _word(event, "agent"), f"calls {_word(event, 'tool')}", arguments)


def _result(event: Document) -> SaidWords:
    failed = " failed" if event.get("failed") else " answered"
    return SaidWords(
        "result", _word(event, "tool"), f"{_word(event, 'tool')}{failed}", _word(event, "text"), _took(event)
    )


def _denied(event: Document) -> SaidWords:
    return SaidWords("denied", _word(event, "agent"), f"may not call {_word(event, 'tool')}", _word(event, "reason"))


def _fallback(event: Document) -> SaidWords:
    instead = f"asking for {_word(event, 'instead')} instead"
    return SaidWords(
        "note", _word(event, "agent"), f"{_word(event, 'asked')} was not given; {instead}", _word(event, "reason")
    )


def _given_again(event: Document) -> SaidWords:
    return SaidWords(
        "note", _word(event, "agent"), f"{_word(event, 'tool')} was called before; its answer is given again"
    )


_MADE = {
    "reply": _reply,
    "message": _message,
    "tool": _tool,
    "tool_result": _result,
    "denied": _denied,
    "fallback": _fallback,
    "given_again": _given_again,
}
