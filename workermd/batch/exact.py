"""JSON whose numbers stay as they are written: an input that is changed on its way in keeps every digit."""

import json
from typing import Any


class Literal(str):
    """A JSON text that stands for itself, such as `1.50`."""

    __slots__ = ()


def loads(data: bytes) -> Any:
    """Raises ValueError for what is no JSON, and for a name that an object has twice."""
    return json.loads(
        data, parse_float=Literal, parse_int=Literal, parse_constant=_refuse, object_pairs_hook=_without_doubles
    )


def _refuse(word: str) -> None:
    raise ValueError(word)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made


def dumps(value: Any) -> str:
    """The JSON text of a value of `loads`."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {dumps(each)}" for name, each in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(dumps, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def encoded(value: Any) -> bytes:
    return dumps(value).encode("utf-8", "surrogatepass")
