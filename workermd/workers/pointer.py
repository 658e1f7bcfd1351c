"""JSON Pointers (RFC 6901) into plain values."""

from typing import Any


def escaped(key: str) -> str:
    """A member's name as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def value_at(document: Any, pointer: str) -> Any:
    """The value at `pointer`, which is "" or starts with a slash; None where there is none."""
    for step in pointer.split("/")[1:]:
        if isinstance(document, dict):
            document = document.get(unescaped(step))
        elif isinstance(document, list) and step.isascii() and step.isdigit() and len(step) < 10:
            document = document[int(step)] if int(step) < len(document) else None
        else:
            return None
    return document
