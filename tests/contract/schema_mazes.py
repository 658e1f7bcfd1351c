"""Pairs of schemas made to take long to compare: wide, deep, joined, full of patterns, of lists and of references."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def mazes() -> Iterator[tuple[str, Schema, Schema]]:
    """A name, and two schemas that differ a little everywhere. Each fits into a contract."""
    for keyword in ("anyOf", "oneOf"):
        for width in (4, 12, 60):
            yield f"circles {keyword} {width}", _circles(width, keyword, 30), _circles(width, keyword, 31)
        yield f"constants {keyword}", _constants(keyword, 0), _constants(keyword, 1)
        yield f"beside {keyword}", _beside(keyword, 0), _beside(keyword, 1)
    yield "wide", _wide("x"), _wide("y")
    yield "listed", _members(60, lambda _: _enum(60)), _members(60, lambda _: _alternatives(59))
    yield "patterns", _members(1500, lambda n: {"pattern": f"b{n}"}), _members(1500, lambda n: {"pattern": f"c{n}"})
    yield "named by patterns", _named(0), _named(1)
    yield "contains", _contains(0), _contains(1)
    yield "elements", _prefix("integer"), _prefix("null")
    yield "required", _required(0), _required(1)
    yield "conditions", _conditions(0), _conditions(1)
    yield "names", {"propertyNames": _enum(2000)}, {"propertyNames": _enum(1999)}


def _circles(width: int, keyword: str, last: int) -> Schema:
    """Each alternative holds the whole again."""
    names = [f"n{index}" for index in range(width)]
    branches = [{"required": [name], "properties": {each: {"$ref": "#"} for each in names}} for name in names]
    return {"type": "object", keyword: [*branches, {"minProperties": last}]}


def _constants(keyword: str, more: int) -> Schema:
    held = {f"a{index}": {"const": index + more} for index in range(40)}
    return {keyword: [{"type": "object", "required": [f"a{index}"], "properties": held} for index in range(40)]}


def _beside(keyword: str, more: int) -> Schema:
    def alternatives(n: int) -> list[Schema]:
        return [{"minLength": n + more}, {"maxLength": n + 5 - more}, {"pattern": f"a{more}"}]

    return {"allOf": [{keyword: alternatives(index)} for index in range(30)]}


def _members(count: int, of: Any) -> Schema:
    return {"type": "object", "properties": {f"p{index}": of(index) for index in range(count)}}


def _enum(count: int) -> Schema:
    return {"enum": [f"v{index}" for index in range(count)]}


def _alternatives(count: int) -> Schema:
    return {"anyOf": [{"const": f"v{index}"} for index in range(count)]}


def _wide(last: str) -> Schema:
    listed = {"enum": [*(f"v{index}" for index in range(20)), last]}
    return _members(140, lambda _: _members(5, lambda _: listed))


def _named(more: int) -> Schema:
    patterns = {f"n.*{index}": {"maxLength": index + more} for index in range(40)}
    return {**_members(800, lambda _: {"minLength": more}), "patternProperties": patterns}


def _contains(more: int) -> Schema:
    lists = [{"enum": list(range(index, index + 40 + more))} for index in range(60)]
    return {"allOf": [{"contains": each} for each in lists], "prefixItems": lists}


def _prefix(other: str) -> Schema:
    return {"type": "array", "prefixItems": [{"type": ["string", other]} for _ in range(1000)]}


def _required(more: int) -> Schema:
    return {**_members(2400, lambda _: {"minLength": more}), "required": [f"p{index}" for index in range(more, 2400)]}


def _conditions(more: int) -> Schema:
    def condition(n: int) -> Schema:
        return {"if": {"required": [f"a{n}"]}, "then": {"minProperties": n + more}, "else": {"maxProperties": n}}

    return {"allOf": [condition(index) for index in range(60)]}
