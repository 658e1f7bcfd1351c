"""An engine's complaint in our words: the place, the rule, what is allowed; never a value of the instance.

The engine's own texts are not used: they hold property names at any length, and values where its mask
does not reach.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from workermd.contract.json.strict import canonical, pointer
from workermd.system.text import shortened, shown

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError


class Mismatch(NamedTuple):
    """Where a value breaks its schema.

    `pointer` is the place in the instance: of a missing property the object, of a property that is not
    allowed the property. `keyword` is the rule's name ("false" where the schema is just false),
    `schema_pointer` its place in the schema. Pointers hold the instance's property names as they are.
    """

    pointer: str
    keyword: str
    message: str
    schema_pointer: str


Path = Sequence[str | int]


class AppliedKeyword(NamedTuple):
    """A keyword, its value, the schema around it, and the value of the instance that it judges."""

    keyword: str
    value: Any
    schema: dict[str, Any]
    found: Any


def mismatches(error: "ValidationError", schema: Any, instance: Any) -> Iterator[Mismatch]:
    """One Mismatch for an error of jsonschema-rs, or one for each property that is not allowed."""
    place, found = _walk(instance, error.instance_path)
    kind = type(error.kind).__name__
    rule_place, around, value = _rule(schema, error.schema_path)
    at = pointer(place)
    schema_pointer = pointer(rule_place)
    if kind == "FalseSchema":
        yield from _nothing_allowed(place, found, rule_place)
    elif kind in {"AdditionalProperties", "UnevaluatedProperties"}:
        allowed = around.get("properties")
        for name in getattr(error.kind, "unexpected", ()):
            yield Mismatch(pointer([*place, name]), str(rule_place[-1]), _unexpected(name, allowed), schema_pointer)
    elif kind == "PropertyNames":
        message = f"has a property name that the schema does not allow: {_inner(error, schema)}"
        yield Mismatch(at, "propertyNames", message, schema_pointer)
    else:
        keyword = str(rule_place[-1]) if rule_place else error.kind.name
        message = _message(error, AppliedKeyword(keyword, value, around, found), schema, instance)
        yield Mismatch(at, keyword, message, schema_pointer)


def say(rule: AppliedKeyword) -> str:
    """The sentence for a keyword, without its subject: "is shorter than minLength 3"."""
    sentence = _SENTENCES.get(rule.keyword)
    if rule.value is None and rule.keyword != "const":
        sentence = None  # the engine's path could not be followed to the keyword
    return sentence(rule) if sentence else f"does not satisfy {rule.keyword}"


def type_of(value: Any) -> str:
    """A value's type with its article: "is " goes before."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = ((str, "a string"), (int, "an integer"), (float, "a number"), (dict, "an object"), (list, "an array"))
    return next((name for kind, name in names if isinstance(value, kind)), "no JSON value")


def of_schema(value: Any) -> str:
    """A value that the schema itself gives, at most 40 characters."""
    if isinstance(value, str):
        return shown(value)
    text = canonical(value).decode()
    return shortened(text, 40)


def several(values: Sequence[Any], limit: int = 8) -> str:
    """Values of the schema in a row, at most `limit` of them."""
    more = len(values) - limit
    return ", ".join(of_schema(value) for value in values[:limit]) + (f" and {more} more" if more > 0 else "")


# --- sentences ---


def _type(rule: AppliedKeyword) -> str:
    allowed = rule.value if isinstance(rule.value, list) else [rule.value]
    return f"is {type_of(rule.found)}, allowed: {', '.join(map(str, allowed))}"


def _enum(rule: AppliedKeyword) -> str:
    if len(rule.value) == 1:
        return f"must be {of_schema(rule.value[0])}, the only value of the enum"
    return f"must be one of the {len(rule.value)} values of the enum: {several(rule.value)}"


def _required(rule: AppliedKeyword) -> str:
    missing = [name for name in rule.value if isinstance(name, str) and name not in rule.found]
    return f"lacks the required property {several(missing)}"


def _limit(text: str) -> Callable[[AppliedKeyword], str]:
    return lambda rule: f"{text} {rule.keyword} {of_schema(rule.value)}"


def _exclusive(text: str, bound: str) -> Callable[[AppliedKeyword], str]:
    """Draft 4 writes `exclusiveMinimum: true` beside the bound."""
    return lambda rule: (
        f"{text} {rule.keyword} {of_schema(rule.schema.get(bound) if rule.value is True else rule.value)}"
    )


_SENTENCES: dict[str, Callable[[AppliedKeyword], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda rule: f"must be the const {of_schema(rule.value)}",
    "minLength": _limit("is shorter than"),
    "maxLength": _limit("is longer than"),
    "pattern": lambda rule: f"does not match the pattern {shown(str(rule.value), 80)}",
    "format": lambda rule: f"is not in the format {of_schema(rule.value)}",
    "minimum": _limit("is less than"),
    "maximum": _limit("is more than"),
    "exclusiveMinimum": _exclusive("is not more than", "minimum"),
    "exclusiveMaximum": _exclusive("is not less than", "maximum"),
    "multipleOf": _limit("is no multiple of"),
    "minItems": _limit("has fewer items than"),
    "maxItems": _limit("has more items than"),
    "uniqueItems": lambda _rule: "has the same item twice, which uniqueItems forbids",
    "minProperties": _limit("has fewer properties than"),
    "maxProperties": _limit("has more properties than"),
    "contains": lambda _rule: "has no item that matches the schema of contains",
    "minContains": _limit("has fewer items that match the schema of contains than"),
    "maxContains": _limit("has more items that match the schema of contains than"),
    "not": lambda _rule: "matches the schema of not, which it must not",
    "additionalItems": lambda _rule: "has more items than the schema allows (additionalItems)",
    "unevaluatedItems": lambda _rule: "has items that the schema does not allow (unevaluatedItems)",
    "contentEncoding": _limit("is not encoded as said by"),
    "contentMediaType": _limit("is not of the kind said by"),
}


def _message(error: "ValidationError", rule: AppliedKeyword, schema: Any, instance: Any) -> str:
    kind: Any = error.kind
    name = type(kind).__name__
    if name in {"AnyOf", "OneOfNotValid"}:
        return (
            f"matches none of the {len(kind.context)} schemas of {rule.keyword}: {_branches(error, schema, instance)}"
        )
    if name == "OneOfMultipleValid":
        fits = [str(number) for number, errors in enumerate(kind.context, 1) if not errors]
        which = f" (those that match: {', '.join(fits[:8])})" if fits else ""
        return f"matches {len(fits) or 'several'} schemas of oneOf instead of exactly one{which}"
    if name == "Required":
        cause = "" if rule.keyword == "required" else f" ({rule.keyword})"
        return f"lacks the required property {of_schema(kind.property)}{cause}"
    return say(rule)


def _branches(error: "ValidationError", schema: Any, instance: Any) -> str:
    """The first complaint of each alternative; one sentence where all of them are about the type."""
    context: list[list[ValidationError]] = getattr(error.kind, "context", [])
    firsts = [errors[0] for errors in context if errors]
    same_place = all(first.instance_path == error.instance_path for first in firsts)
    if same_place and firsts and all(type(first.kind).__name__ == "Type" for first in firsts):
        allowed = dict.fromkeys(name for first in firsts for name in getattr(first.kind, "types", ()))
        return f"is {type_of(_walk(instance, error.instance_path)[1])}, allowed: {', '.join(allowed)}"
    said = [f"({n}) {_first(errors, error, schema, instance)}" for n, errors in enumerate(context[:4], 1) if errors]
    more = len(context) - 4
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _first(errors: "list[ValidationError]", outer: "ValidationError", schema: Any, instance: Any) -> str:
    """One alternative's first complaint: its place below the value in question, and no list of a list."""
    first = errors[0]
    if type(first.kind).__name__ in {"AnyOf", "OneOfNotValid"}:
        said = f"matches none of the schemas of {first.kind.name}"
    else:
        said = next((mismatch.message for mismatch in mismatches(first, schema, instance)), "does not match")
    place, _ = _walk(instance, first.instance_path)
    below = pointer(place[len(outer.instance_path) :])
    return f"at {shown(below)[1:-1]} {said}" if below else said


def _inner(error: "ValidationError", schema: Any) -> str:
    """What is wrong with a property's name, and the name, for `propertyNames`."""
    inner = getattr(error.kind, "error", None)
    name = inner.instance if inner is not None else None
    if inner is None or not isinstance(name, str):
        return "one of them does not match"
    if type(inner.kind).__name__ in {"AnyOf", "OneOfNotValid", "OneOfMultipleValid", "FalseSchema"}:
        return f"{shown(name)} does not match the schema of propertyNames"
    place, around, value = _rule(schema, inner.schema_path)
    return f"{shown(name)} {say(AppliedKeyword(str(place[-1]), value, around, name))}"


def _unexpected(name: str, allowed: Any) -> str:
    names = f"; allowed: {several(list(allowed))}" if isinstance(allowed, dict) and allowed else ""
    return f"{shown(name)} is a property that the schema does not allow{names}"


def _nothing_allowed(place: Path, found: Any, rule_place: Path) -> Iterator[Mismatch]:
    """The schema is `false`. The engine names the object, not its property, for `additionalProperties: false`."""
    last = rule_place[-1] if rule_place else ""
    schema_pointer = pointer(rule_place)
    if last in {"additionalProperties", "unevaluatedProperties", "propertyNames"} and isinstance(found, dict):
        for name in found:
            yield Mismatch(pointer([*place, name]), str(last), _unexpected(name, None), schema_pointer)
        return
    keyword = str(last) if last in {"items", "additionalItems", "unevaluatedItems", "then", "else"} else "false"
    yield Mismatch(pointer(place), keyword, "is not allowed: the schema for it is false", schema_pointer)


# --- the engine's paths ---


def _rule(schema: Any, path: Path) -> tuple[list[str | int], dict[str, Any], Any]:
    """Place, surrounding schema and value of the keyword at the end of an engine's path."""
    place, value = _walk(schema, path)
    _, around = _walk(schema, path[:-1])
    return place, around if isinstance(around, dict) else {}, value


def _walk(root: Any, path: Path) -> tuple[list[str | int], Any]:
    """The place and the value at an engine's path.

    jsonschema-rs gives any step that reads as a number as one, so that the key "01" comes as 1: the keys
    of the object itself decide.
    """
    node = root
    place: list[str | int] = []
    for step in path:
        if isinstance(node, dict):
            name = _name(node, step)
            while name not in node and isinstance(node.get(""), dict):
                node = node[""]  # the engine's path leaves empty keys out
                place.append("")
                name = _name(node, step)
            node = node.get(name)
            place.append(name)
        else:
            node = node[step] if isinstance(node, list) and isinstance(step, int) and step < len(node) else None
            place.append(step)
    return place, node


def _name(node: dict[str, Any], step: str | int) -> str:
    if isinstance(step, str) or str(step) in node:
        return str(step)
    alike = (name for name in node if re.fullmatch(r"\+?[0-9]{1,40}", name, re.ASCII) and int(name) == step)
    return next(alike, str(step))
