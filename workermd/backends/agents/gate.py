"""Which tool calls are allowed: the contract's list and the operator's, names and arguments (S3.6)."""

import json

from workermd.protocol import tool_pattern
from workermd.protocol.envelope import Document
from workermd.protocol.tool_pattern import MalformedPattern, ToolPattern
from workermd.task.binding import ToolBinding


def patterns(allowed: tuple[str, ...]) -> list[ToolPattern]:
    """What can be read of a list. A word that is no pattern allows nothing: `workermd validate` says so, and a
    configuration with one is refused."""
    found = []
    for text in allowed:
        try:
            found.append(tool_pattern.read(text))
        except MalformedPattern:
            continue
    return found


def offered(tools: tuple[ToolBinding, ...], allowed: tuple[str, ...] | None) -> tuple[ToolBinding, ...]:
    """The operator's tools that the contract allows by name; a contract without a list leaves it to the operator."""
    if allowed is None:
        return tools
    named = patterns(allowed)
    return tuple(tool for tool in tools if any(pattern.names(tool.name) for pattern in named))


def refusal(tool: ToolBinding, arguments: Document, allowed: tuple[str, ...] | None) -> str:
    """Why a call may not be made, in words for the model; empty when it may."""
    try:
        canonical(arguments)
        for whose, texts in (("contract", allowed), ("operator", tool.allow or None)):
            named = [pattern for pattern in patterns(texts or ()) if pattern.names(tool.name)]
            if texts is not None and not any(pattern.fits(tool.name, arguments) for pattern in named):
                return f"the {whose} does not allow {tool.name}{' with these arguments' if named else ''}"
    except RecursionError:
        return "its arguments are nested too deeply to be looked at"
    return ""


def strange_number(arguments: Document) -> str:
    """Why arguments cannot be looked at as JSON: Python's reader lets numbers through that JSON does not have."""
    try:
        json.dumps(arguments, allow_nan=False)
    except ValueError:
        return "the arguments hold NaN or Infinity, which JSON does not have"
    except RecursionError:
        return ""  # told as what it is, by the gate
    return ""


def canonical(arguments: Document) -> str:
    """The same text for the same arguments: what a decision is held against."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)
