"""Patterns of tool calls (S3.6): `name`, or `name(argument=pattern, …)`.

`*` stands for any text and `?` for any one character, in the name and in each argument's pattern; a backslash takes
the next character as it is, which a comma, a bracket, a wildcard and a blank at an end need. Letters count as they
are written. What a call has to have to fit:

- Every argument that the pattern names is there; one that it does not name may be anything.
- An argument inside another is named by its path, `filter.language`. Where a name can be read both ways, both fit.
- A list fits when it has members and each of them fits; an empty one fits `*` alone. What is neither text nor list
  is compared as its JSON.
- A text with a step upward, `..` between slashes, fits `*` alone, or a pattern with such a step of its own:
  `docs/*` is not meant to reach `docs/../keys`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

ANY, ONE = "any text", "one character"
"""The wildcards among the tokens of a pattern; every other token is one character."""

_NAME = re.compile(r"[^()\s,\\\[\]{}\"']+")
_UPWARD = re.compile(r"(?:^|[/\\])\.\.(?:$|[/\\])")

Glob = tuple[str, ...]


class MalformedPattern(ValueError):
    """No pattern. The message says what is allowed."""


class ToolPattern(NamedTuple):
    """A pattern that was read. `arguments` maps names of arguments, or paths to them, to patterns of their values."""

    name: Glob
    arguments: dict[str, Glob]

    def names(self, tool: str) -> bool:
        """Whether the pattern is about a tool of this name, whatever the arguments."""
        return _like(self.name, tool)

    def fits(self, tool: str, arguments: dict[str, Any]) -> bool:
        return self.names(tool) and all(_fits(glob, arguments, key) for key, glob in self.arguments.items())

    def covers(self, other: "ToolPattern") -> bool:
        """Whether every call that fits the other fits this one too, as far as it can be told from the two texts."""
        return _like(self.name, other.name) and all(
            key in other.arguments and _value_fits(glob, other.arguments[key]) for key, glob in self.arguments.items()
        )


def read(text: str) -> ToolPattern:
    """Raises MalformedPattern."""
    name = _NAME.match(text)
    if name is None:
        raise MalformedPattern("a tool pattern is NAME or NAME(argument=pattern, …)")
    rest = text[name.end() :]
    if not rest:
        return ToolPattern(_glob(name[0]), {})
    if not rest.startswith("(") or _closing(rest) != len(rest) - 1:
        raise MalformedPattern("a tool pattern ends with its name, or with the bracket that closes its arguments")
    arguments: dict[str, Glob] = {}
    for part in split(rest[1:-1]):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not key:
            raise MalformedPattern("inside the brackets stand pairs: argument=pattern")
        if key in arguments:
            raise MalformedPattern("an argument stands in the brackets twice")
        arguments[key] = _glob(_stripped(value))
    return ToolPattern(_glob(name[0]), arguments)


def split(text: str) -> list[str]:
    """The parts between commas that stand outside brackets, blanks around them gone. No text has no parts."""
    parts, start, depth = [], 0, 0
    for at, character in _plain(text):
        depth += (character == "(") - (character == ")" and depth > 0)
        if character == "," and depth == 0:
            parts.append(_stripped(text[start:at]))
            start = at + 1
    return [*parts, _stripped(text[start:])] if text.strip() else []


def _plain(text: str) -> Iterator[tuple[int, str]]:
    """Every character that no backslash stands before, with its place."""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        yield at, text[at]
        at += 1


def _closing(text: str) -> int:
    """Where the bracket at the beginning is closed; -1 where it is not, or where another one opens before."""
    for at, character in _plain(text):
        if character == ")" or (character == "(" and at):
            return at if character == ")" else -1
    return -1


def _stripped(text: str) -> str:
    """Without blanks around it; one behind a backslash stays."""
    text = text.lstrip(" \t")
    blanks = len(text) - len(text.rstrip(" \t"))
    body = text[: len(text) - blanks]
    slashes = len(body) - len(body.rstrip("\\"))
    return text[: len(body) + 1] if blanks and slashes % 2 else body


def _glob(text: str) -> Glob:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\":
            if at + 1 == len(text):
                raise MalformedPattern("a backslash stands before the character that it takes as it is")
            tokens.append(text[at + 1])
            at += 2
            continue
        tokens.append({"*": ANY, "?": ONE}.get(text[at], text[at]))
        at += 1
    return tuple(tokens)


def _fits(glob: Glob, arguments: dict[str, Any], key: str) -> bool:
    found = list(_found(arguments, key))
    return bool(found) and all(_value_fits(glob, text) for text in found)


def _found(value: Any, path: str) -> Iterator[str | None]:
    """The texts at a path, each way of reading it. None stands for what a list does not have."""
    if not isinstance(value, dict):
        return
    if path in value:
        yield from _texts(value[path])
    for at, character in enumerate(path):
        if character == "." and path[:at] in value:
            inner = value[path[:at]]
            if isinstance(inner, list):
                yield from (text for each in inner or [None] for text in list(_found(each, path[at + 1 :])) or [None])
            else:
                yield from _found(inner, path[at + 1 :])


def _texts(value: Any) -> Iterator[str | None]:
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
            if not each:
                yield None
        else:
            yield each if isinstance(each, str) else json.dumps(each, sort_keys=True, ensure_ascii=False)


def _value_fits(glob: Glob, row: Sequence[str] | None) -> bool:
    if set(glob) == {ANY}:
        return True
    if row is None:
        return False
    upward = _UPWARD.search(row if isinstance(row, str) else _shown(row))
    return (upward is None or _UPWARD.search(_shown(glob)) is not None) and _like(glob, row)


def _shown(glob: Sequence[str]) -> str:
    return "".join({ANY: "*", ONE: "?"}.get(token, token) for token in glob)


def _like(glob: Glob, row: Sequence[str]) -> bool:
    """Whether a pattern fits a text, or all that another pattern fits: its wildcards are then characters that only
    wildcards fit. The pieces between the stars are looked for one after another, so nothing is tried twice."""
    pieces: list[list[str]] = [[]]
    for token in glob:
        if token == ANY:
            pieces.append([])
        else:
            pieces[-1].append(token)
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(row) == len(first) and _at(first, row, 0)
    at, end = len(first), len(row) - len(last)
    if end < at or not _at(first, row, 0) or not _at(last, row, end):
        return False
    for piece in pieces[1:-1]:
        found = _find(piece, row, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _at(piece: list[str], row: Sequence[str], place: int) -> bool:
    part = row[place : place + len(piece)]
    return all(ours == theirs or (ours == ONE and theirs != ANY) for ours, theirs in zip(piece, part, strict=True))


def _find(piece: list[str], row: Sequence[str], at: int, end: int) -> int:
    if isinstance(row, str):
        wanted = "".join("." if token == ONE else re.escape(token) for token in piece)
        found = re.compile(wanted, re.DOTALL).search(row, at, end)
        return found.start() if found else -1
    return next((place for place in range(at, end - len(piece) + 1) if _at(piece, row, place)), -1)
