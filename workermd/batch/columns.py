"""Columns of a table and members of a document: where each stands, and what its text means by the schema.

`customer.name` and `/customer/name` both mean the member `name` of `customer`; a property whose own name has a dot wins.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.batch.exact import Literal, loads

_WHOLE = re.compile(r"\s*([+-]?)0*(\d+)\s*")
_DECIMAL = re.compile(r"\s*\+?(-?)0*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*")
_FALSE, _TRUE = ("false", "0", "no"), ("true", "1", "yes")
_DEEPEST = 16


class Column(NamedTuple):
    """A column and the place of its value in the document; `kinds` are the types that the schema allows there, none
    where it does not say at once."""

    name: str
    path: tuple[str, ...]
    kinds: frozenset[str]


def placed(name: str, schema: Any) -> Column:
    """Where the value of a column belongs."""
    if name.startswith("/"):
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/"))
    elif name in _properties(schema, schema) or "." not in name:
        path = (name,)
    else:
        path = tuple(name.split("."))
    return Column(name, path, _kinds(_at(schema, path), schema))


def is_known(column: Column, schema: Any) -> bool:
    """Whether the schema names the member that a column begins with."""
    return column.path[0] in _properties(schema, schema)


def fields(schema: Any) -> list[str]:
    """The members that the schema of a document names."""
    return list(_properties(schema, schema))


def meant(text: str, kinds: frozenset[str]) -> Any:
    """The value of a cell. Text stays text where the schema has it; what does not fit stays text too, and the check of
    the input says so."""
    if not kinds or "string" in kinds:
        return text
    number = _number(text, kinds)
    if number:
        return number
    word = text.strip().lower()
    if "boolean" in kinds and word in _FALSE + _TRUE:
        return word in _TRUE
    if kinds & {"object", "array", "null"}:
        with contextlib.suppress(ValueError, RecursionError):
            return loads(text.encode("utf-8", "surrogatepass"))
    return text


def _number(text: str, kinds: frozenset[str]) -> Literal | None:
    """A number with every digit that the cell has, written as JSON has it."""
    if kinds & {"integer", "number"} and (whole := _WHOLE.fullmatch(text)):
        return Literal(("-" if whole[1] == "-" else "") + whole[2])
    if "number" in kinds and (decimal := _DECIMAL.fullmatch(text)):
        return Literal(decimal[1] + decimal[2])
    return None


def put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the member at a path; what stands in the way is replaced."""
    for name in path[:-1]:
        inner = document.get(name)
        if not isinstance(inner, dict):
            inner = document[name] = {}
        document = inner
    document[path[-1]] = value


def take(document: Any, path: tuple[str, ...]) -> tuple[bool, Any]:
    """Whether there is a member at a path, and what it is; it is taken out."""
    for name in path[:-1]:
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, dict) or path[-1] not in document:
        return False, None
    return True, document.pop(path[-1])


def with_lists(value: Any, schema: Any, root: Any) -> Any:
    """Objects whose members are numbered become lists where the schema has a list."""
    if not isinstance(value, dict):
        return value
    if "array" in _kinds(schema, root) and "object" not in _kinds(schema, root) and all(map(str.isdecimal, value)):
        items = _resolved(schema, root).get("items")
        return [with_lists(value[each], items, root) for each in sorted(value, key=int)]
    known = _properties(schema, root)
    return {name: with_lists(each, known.get(name), root) for name, each in value.items()}


def leaves(
    schema: Any, *, root: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """The members of a document that are values of their own, by its schema: objects with properties are opened."""
    root = schema if root is None else root
    for name, inner in _properties(schema, root).items():
        at = (*path, name)
        if _properties(inner, root) and len(at) < _DEEPEST:
            yield from leaves(inner, root=root, path=at)
        else:
            yield at, _kinds(inner, root)


def is_open(schema: Any) -> bool:
    """Whether a document may have members that its schema does not name."""
    return not isinstance(schema, dict) or schema.get("additionalProperties") is not False


def _resolved(schema: Any, root: Any) -> dict[str, Any]:
    """The schema, one reference within the same document followed."""
    if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str) and reference.startswith("#/"):
        found: Any = root
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        schema = found
    return schema if isinstance(schema, dict) else {}


def _properties(schema: Any, root: Any) -> dict[str, Any]:
    found = _resolved(schema, root).get("properties")
    return found if isinstance(found, dict) else {}


def _at(schema: Any, path: tuple[str, ...]) -> Any:
    root = schema
    for name in path:
        resolved = _resolved(schema, root)
        schema = _properties(schema, root).get(name)
        if schema is None and name.isdecimal():
            schema = resolved.get("items")
    return _resolved(schema, root)


def _kinds(schema: Any, root: Any) -> frozenset[str]:
    kinds = _resolved(schema, root).get("type")
    if isinstance(kinds, str):
        return frozenset((kinds,))
    return frozenset(kind for kind in kinds if isinstance(kind, str)) if isinstance(kinds, list) else frozenset()
