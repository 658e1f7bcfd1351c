"""Places of an input that an operator calls sensitive: what stands there is used, and kept nowhere (S6.6)."""

from collections.abc import Iterator
from typing import Any

HIDDEN = "***"
"""What is kept instead."""


def hidden(value: Any, pointers: tuple[str, ...]) -> Any:
    """The same JSON value with what stands at these JSON Pointers hidden; what is not there hides nothing.

    `*` stands for every member of an object or a list.
    """
    for pointer in pointers:
        value = _hidden(value, _parts(pointer))
    return value


def texts(value: Any, pointers: tuple[str, ...]) -> tuple[str, ...]:
    """Every text and number at these JSON Pointers, and below them, as it is written."""
    found = [each for pointer in pointers for place in _at(value, _parts(pointer)) for each in _texts(place)]
    return tuple(dict.fromkeys(found))


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _names(value: Any, part: str) -> list[Any]:
    """The members of a value that a part of a pointer names."""
    if isinstance(value, dict):
        return list(value) if part == "*" else [part] if part in value else []
    if isinstance(value, list):
        if part == "*":
            return list(range(len(value)))
        return [int(part)] if part.isdecimal() and len(part) < 10 and int(part) < len(value) else []
    return []


def _hidden(value: Any, parts: list[str]) -> Any:
    if not parts:
        return HIDDEN
    changed: Any = value.copy() if isinstance(value, dict | list) else value
    for name in _names(value, parts[0]):
        changed[name] = _hidden(value[name], parts[1:])
    return changed


def _at(value: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield value
        return
    for name in _names(value, parts[0]):
        yield from _at(value[name], parts[1:])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield str(value)
