"""Which tool calls are allowed: the contract's list and the operator's, names and arguments (S3.6).

A pattern is `name` or `name(argument=pattern, …)`. `*` and `?` stand for any text and any character, as in a shell,
in the name and in each argument's pattern; an argument's pattern ends at the next comma or at the closing bracket. An
argument that is no text is compared as its JSON; one that a pattern does not name may be anything; one that it names
has to be there.
"""

import json
import re
from typing import NamedTuple

from workermd.binding import ToolBinding
from workermd.envelope import Document

_PATTERN = re.compile(r"\s*([^()\s]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


class Pattern(NamedTuple):
    """A parsed pattern. `arguments` maps names to patterns of values."""

    name: str
    arguments: dict[str, str]

    def fits(self, name: str, arguments: Document) -> bool:
        return _like(self.name, name) and all(
            key in arguments and _like(pattern, _text(arguments[key])) for key, pattern in self.arguments.items()
        )


def parsed(pattern: str) -> Pattern:
    """Raises ValueError for what is no pattern."""
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise ValueError("a tool pattern is NAME or NAME(argument=pattern, …)")
    arguments: dict[str, str] = {}
    for part in (found[2] or "").split(","):
        key, equals, value = part.strip().partition("=")
        if not part.strip():
            continue
        if not equals or not key.strip():
            raise ValueError("inside the brackets stand pairs: argument=pattern")
        arguments[key.strip()] = value.strip()
    return Pattern(found[1], arguments)


def offered(tools: tuple[ToolBinding, ...], allowed: tuple[str, ...] | None) -> tuple[ToolBinding, ...]:
    """The operator's tools that the contract allows by name; a contract without a list leaves it to the operator."""
    if allowed is None:
        return tools
    patterns = [parsed(pattern) for pattern in allowed]
    return tuple(tool for tool in tools if any(_like(pattern.name, tool.name) for pattern in patterns))


def refusal(tool: ToolBinding, arguments: Document, allowed: tuple[str, ...] | None) -> str:
    """Why a call may not be made, in words for the model; empty when it may."""
    for whose, patterns in (("contract", allowed), ("operator", tool.allow or None)):
        if patterns is None or any(parsed(pattern).fits(tool.name, arguments) for pattern in patterns):
            continue
        return f"the {whose} does not allow {tool.name} with these arguments"
    return ""


def canonical(arguments: Document) -> str:
    """The same text for the same arguments: what a decision is held against."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)


def _like(pattern: str, text: str) -> bool:
    """Shell patterns without brackets, in time linear in both: greedy, with one way back to the last star."""
    at = star = mark = 0
    place, found_star = 0, False
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, mark, found_star = place, at, True
            place += 1
        elif place < len(pattern) and (pattern[place] == "?" or pattern[place] == text[at]):
            place += 1
            at += 1
        elif found_star:
            mark += 1
            place, at = star + 1, mark
        else:
            return False
    return all(rest == "*" for rest in pattern[place:])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
