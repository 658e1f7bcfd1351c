"""Why no value can satisfy a schema. Only what is certain from one schema object is told, nothing guessed."""

from collections.abc import Iterator
from math import ceil, floor
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical
from workermd.system.text import shown

_EVERY = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_PAIRS = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)


class Impossibility(NamedTuple):
    """`keyword` is the one to mark."""

    keyword: str
    message: str
    hint: str


def reasons(schema: dict[str, Any]) -> Iterator[Impossibility]:
    """All that is certain about a schema that the meta-schema accepts."""
    yield from _bounds(schema)
    yield from _listed(schema)
    yield from _properties(schema)
    yield from _all_of(schema)


def _bounds(schema: dict[str, Any]) -> Iterator[Impossibility]:
    for least, most in _PAIRS:
        fewest, largest = number(schema, least), number(schema, most)
        if fewest is not None and largest is not None and fewest > largest:
            if least == "minContains" and "contains" not in schema:
                continue
            yield Impossibility(
                least, f"{_said(least, fewest)} is above {_said(most, largest)}", f"Lower {least}, or raise {most}."
            )
    low, high = _limit(schema, "minimum", "exclusiveMinimum"), _limit(schema, "maximum", "exclusiveMaximum")
    if low is None or high is None:
        return
    (low_word, lowest, low_open), (high_word, highest, high_open) = low, high
    empty = lowest > highest or (lowest == highest and (low_open or high_open))
    if not empty and types_of(schema) == {"integer"}:
        first = floor(lowest) + 1 if low_open else ceil(lowest)
        empty = first > (ceil(highest) - 1 if high_open else floor(highest))
    if empty:
        yield Impossibility(
            low_word,
            f"{_said(low_word, lowest)} and {_said(high_word, highest)} leave no number between them",
            "Lower the one, or raise the other.",
        )


def _said(keyword: str, value: Any) -> str:
    """A bound with its number, unless that is too long to be read."""
    return f"{keyword} {value}" if abs(value) < 1e15 else keyword


def _limit(schema: dict[str, Any], plain: str, exclusive: str) -> tuple[str, Any, bool] | None:
    """The tighter of two bounds on one side: its keyword, its value, whether the value itself is left out."""
    found = []
    bound, open_bound = number(schema, plain), number(schema, exclusive)
    if bound is not None:
        found.append((plain, bound, schema.get(exclusive) is True))  # draft 4
    if open_bound is not None:
        found.append((exclusive, open_bound, True))
    if not found:
        return None
    sign = 1 if plain == "minimum" else -1
    return max(found, key=lambda each: (sign * each[1], each[2]))


def number(schema: dict[str, Any], keyword: str) -> Any:
    """The number that a keyword gives, or None. Where a keyword of another draft holds a schema, no meta-schema has
    looked at it: its keywords may hold anything."""
    found = schema.get(keyword)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def types_of(schema: dict[str, Any]) -> set[str]:
    """The types that a schema names; every type where it names none. A number may be an integer."""
    given = schema.get("type")
    types = {given} if isinstance(given, str) else {each for each in given if isinstance(each, str)} if isinstance(given, list) else set()  # fmt: skip
    return types & _EVERY or set(_EVERY)


def _type(value: Any) -> set[str]:
    """The types that a value is of."""
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return {"integer", "number"}
    if isinstance(value, float):
        return {"number"}
    return {"string"} if isinstance(value, str) else {"array"} if isinstance(value, list) else {"object"}


def _listed(schema: dict[str, Any]) -> Iterator[Impossibility]:
    types = types_of(schema)
    named = " or ".join(sorted(types))
    listed = schema.get("enum")
    if listed == []:
        yield Impossibility("enum", "the enum is empty", "List the values that are allowed.")
    elif isinstance(listed, list) and not any(types & _type(value) for value in listed):
        yield Impossibility("enum", f"no value of the enum is of type {named}", "Correct the type, or the values.")
    if "const" not in schema:
        return
    if not types & _type(schema["const"]):
        yield Impossibility("const", f"the const is not of type {named}", "Correct the type, or the const.")
    if isinstance(listed, list) and listed and canonical(schema["const"]) not in {canonical(value) for value in listed}:
        yield Impossibility("const", "the const is no value of the enum", "Keep one of the two.")


def _properties(schema: dict[str, Any]) -> Iterator[Impossibility]:
    required, properties = schema.get("required"), schema.get("properties")
    names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    properties = properties if isinstance(properties, dict) else {}
    for name in sorted(names):
        if properties.get(name) is False or properties.get(name) == {"not": {}}:
            hint = "Remove it from required, or give the property a schema."
            yield Impossibility("required", f"{shown(name)} is required and forbidden", hint)
    most, least = number(schema, "maxProperties"), number(schema, "minProperties")
    if most is not None and len(names) > most:
        message = f"{len(names)} properties are required, above {_said('maxProperties', most)}"
        yield Impossibility("maxProperties", message, "Raise maxProperties, or require fewer.")
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    if closed and least is not None and least > len(properties):
        message = f"{_said('minProperties', least)} is above the {len(properties)} properties there are, and others are forbidden"
        yield Impossibility("minProperties", message, "Lower minProperties, or add properties.")


def _all_of(schema: dict[str, Any]) -> Iterator[Impossibility]:
    listed = schema.get("allOf")
    parts = [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    common = _with_integers(types_of(schema))
    for part in parts:
        common &= _with_integers(types_of(part))
    if not common:
        yield Impossibility("allOf", "the types in allOf exclude each other", "Make the types agree, or use anyOf.")


def _with_integers(types: set[str]) -> set[str]:
    return types | {"integer"} if "number" in types else types
