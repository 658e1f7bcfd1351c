"""Values drawn from a JSON Schema, as hypothesis' strategies: they shrink to the smallest that still fails.

What a keyword says and is not drawn by is left to the contract's own checker, which looks at every draw: `not`,
`contains`, `dependentRequired`, `oneOf` with overlapping parts.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from workermd.fuzz import values

MOST_DEPTH = 5
"""References and alternatives inside one another, from which on the smallest way is taken."""

MOST_ITEMS = 6

_KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")

Strategy = st.SearchStrategy[Any]


class Draws:
    """The draws of one schema. `root` is what its references are found in."""

    def __init__(self, root: dict[str, Any], examples: tuple[Any, ...] = ()) -> None:
        self._root = root
        self._examples = examples
        self._made: dict[tuple[str, str, int], Strategy] = {}

    def whole(self) -> Strategy:
        """Inputs: from the schema, and from examples with one or two of their parts drawn anew."""
        drawn = self.of(self._root)
        usable = [each for each in self._examples if isinstance(each, dict) and each]
        return st.one_of(drawn, drawn, self._varied(usable)) if usable else drawn

    def _varied(self, examples: list[dict[str, Any]]) -> Strategy:
        properties = self._resolved(self._root).get("properties", {})

        @st.composite
        def varied(draw: st.DrawFn) -> Any:
            example = dict(draw(st.sampled_from(examples)))
            for name in draw(st.lists(st.sampled_from(sorted(properties)), max_size=2)) if properties else ():
                example[name] = draw(self.of(properties[name], name, 1))
            return example

        return varied()

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """A schema with its local reference put in: what stands beside a reference counts as well."""
        for _ in range(MOST_DEPTH * 2):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = _merged(self._at(schema["$ref"]), rest)
        return schema if isinstance(schema, dict) else {}

    def _at(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found[int(name)] if isinstance(found, list) else found.get(name, {})
        return found

    def of(self, schema: Any, name: str = "", depth: int = 0) -> Strategy:
        """Values of a schema; `name` is that of the property that they are for."""
        if schema is True or schema == {}:
            return self._anything(depth)
        if schema is False:
            return st.nothing()
        key = (json.dumps(schema, sort_keys=True), name, depth)
        if key not in self._made:  # hypothesis looks at every new strategy for a while
            self._made[key] = st.deferred(lambda: self._of(self._resolved(schema), name, depth))
        return self._made[key]

    def _of(self, schema: dict[str, Any], name: str, depth: int) -> Strategy:
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"]) if schema["enum"] else st.nothing()
        if "allOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                rest = _merged(self._resolved(part), rest)
            return self.of(rest, name, depth)
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                rest = {key: value for key, value in schema.items() if key != keyword}
                ways = [_merged(rest, self._resolved(part)) for part in schema[keyword] if part is not False]
                if depth > MOST_DEPTH:
                    ways = ways[:1]
                return st.one_of([self.of(way, name, depth + 1) for way in ways])
        if "if" in schema:
            return self._conditional(schema, name, depth)
        drawn = st.one_of([self._kind(kind, schema, depth) for kind in _kinds(schema)])
        hinted = values.hints(name, schema)
        return st.one_of(drawn, st.sampled_from(hinted), drawn) if hinted else drawn

    def _conditional(self, schema: dict[str, Any], name: str, depth: int) -> Strategy:
        rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
        yes = _merged(rest, _merged(self._resolved(schema["if"]), self._resolved(schema.get("then", {}))))
        no = _merged(rest, self._resolved(schema.get("else", {})))
        return st.one_of(self.of(no, name, depth + 1), self.of(yes, name, depth + 1))

    def _kind(self, kind: str, schema: dict[str, Any], depth: int) -> Strategy:
        if kind == "array":
            return self._arrays(schema, depth)
        if kind == "object":
            return self._objects(schema, depth)
        return _PLAIN[kind](schema)

    def _arrays(self, schema: dict[str, Any], depth: int) -> Strategy:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", least + MOST_ITEMS), least + (MOST_ITEMS if depth < MOST_DEPTH else 0))
        first = schema.get("prefixItems", [])
        inner = self.of(schema.get("items", {}) if not isinstance(schema.get("items"), list) else {}, "", depth + 1)
        if first:
            heads = st.tuples(*(self.of(each, "", depth + 1) for each in first[: max(most, 0)]))
            tail = (
                st.lists(inner, max_size=max(0, most - len(first))) if schema.get("items") is not False else st.just([])
            )
            return st.tuples(heads, tail).map(lambda parts: [*parts[0], *parts[1]])
        if schema.get("uniqueItems"):
            return st.lists(inner, min_size=least, max_size=most, unique_by=repr)
        return st.lists(inner, min_size=least, max_size=most)

    def _objects(self, schema: dict[str, Any], depth: int) -> Strategy:
        properties = schema.get("properties", {})
        required = [name for name in schema.get("required", ()) if name not in properties]
        known = {**dict.fromkeys(required, True), **properties}
        must = {name: self.of(known[name], name, depth + 1) for name in schema.get("required", ())}
        may = {name: self.of(each, name, depth + 1) for name, each in known.items() if name not in must}
        if depth > MOST_DEPTH:
            may = {}
        fixed = st.fixed_dictionaries(must, optional=may)
        others = self._others(schema, known, depth)
        return fixed if others is None else st.tuples(others, fixed).map(lambda parts: {**parts[0], **parts[1]})

    def _others(self, schema: dict[str, Any], known: dict[str, Any], depth: int) -> Strategy | None:
        """Properties that have no name in the schema."""
        inner = schema.get("additionalProperties", True)
        patterns = schema.get("patternProperties", {})
        if (inner is False and not patterns) or depth > MOST_DEPTH:
            return None
        ways = [
            st.dictionaries(st.from_regex(pattern), self.of(each, "", depth + 1), max_size=2)
            for pattern, each in patterns.items()
        ]
        if inner is not False:
            names = st.one_of(st.sampled_from(values.NAMES), _texts(schema.get("propertyNames", {})))
            # A message may name a property, so no name is marked as a value is.
            free = names.filter(lambda name: name not in known and values.CANARY not in name)
            least = max(0, schema.get("minProperties", 0) - len(known))
            ways.append(st.dictionaries(free, self.of(inner, "", depth + 1), min_size=least, max_size=least + 3))
        return st.one_of(ways)

    def _anything(self, depth: int) -> Strategy:
        plain = st.one_of(st.none(), st.booleans(), _integers({}), _floats({}), _texts({}))
        if depth > MOST_DEPTH:
            return plain
        return st.recursive(
            plain,
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(values.NAMES), inner, max_size=3)
            ),
            max_leaves=6,
        )


def _merged(one: Any, other: Any) -> dict[str, Any]:
    """Both schemas at once, as far as they can be put together; the checker sees the rest."""
    one, other = one if isinstance(one, dict) else {}, other if isinstance(other, dict) else {}
    found = {**one, **other}
    for keyword in ("properties", "patternProperties", "$defs"):
        if keyword in one and keyword in other:
            both = {**one[keyword], **other[keyword]}
            shared = one[keyword].keys() & other[keyword].keys()
            found[keyword] = both | {
                name: _merged(one[keyword][name], other[keyword][name])
                for name in shared
                if isinstance(one[keyword][name], dict) and isinstance(other[keyword][name], dict)
            }
    if "required" in one and "required" in other:
        found["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword in one and keyword in other:
            if keyword == "allOf":
                found[keyword] = [*one[keyword], *other[keyword]]
            else:
                found["allOf"] = [*found.get("allOf", []), {keyword: one[keyword]}]
    for keyword, choose in (
        ("minimum", max),
        ("minLength", max),
        ("minItems", max),
        ("maximum", min),
        ("maxLength", min),
    ):
        if keyword in one and keyword in other:
            found[keyword] = choose(one[keyword], other[keyword])
    if "enum" in one and "enum" in other:
        found["enum"] = [each for each in one["enum"] if each in other["enum"]]
    return found


def _kinds(schema: dict[str, Any]) -> list[str]:
    """The types that a schema allows; where it names none, those that its keywords are about."""
    stated = schema.get("type")
    if stated is not None:
        return [stated] if isinstance(stated, str) else list(stated)
    about = {
        "object": ("properties", "required", "additionalProperties", "minProperties", "patternProperties"),
        "array": ("items", "prefixItems", "minItems", "contains"),
        "string": ("pattern", "minLength", "maxLength", "format"),
        "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
    }
    found = [kind for kind, keywords in about.items() if any(keyword in schema for keyword in keywords)]
    return found or list(_KINDS)


def _integers(schema: dict[str, Any]) -> Strategy:
    low, high = values.bounds(schema)
    step = schema.get("multipleOf")
    if isinstance(step, int) and step > 0:
        return st.integers(-50, 50).map(lambda number: number * step)
    least = None if low == -float("inf") else int(low)
    most = None if high == float("inf") else int(high)
    near = [each for each in values.INTEGERS if low <= each <= high]
    drawn = st.integers(least, most) if least is not None or most is not None else st.integers(-(2**64), 2**64)
    ends = [each for each in (least, most) if each is not None]
    return st.one_of(*(st.sampled_from(each) for each in (ends, near) if each), drawn)


def _floats(schema: dict[str, Any]) -> Strategy:
    low, high = values.bounds(schema)
    near = [each for each in values.FLOATS if low <= each <= high]
    drawn = st.floats(
        None if low == -float("inf") else low,
        None if high == float("inf") else high,
        allow_nan=False,
        allow_infinity=False,
    )
    return st.one_of(drawn, st.sampled_from(near)) if near else drawn


def _texts(schema: Any) -> Strategy:
    schema = schema if isinstance(schema, dict) else {}
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        try:
            return st.from_regex(schema["pattern"]).filter(lambda text: least <= len(text) <= (most or len(text)))
        except (re.error, InvalidArgument):  # a pattern that Python has not: the checker chooses among texts
            return st.text(min_size=least)
    ends = most if most is not None and most < least + 40 else None
    drawn = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=ends)
    near = [text for text in values.TEXTS if least <= len(text) <= (len(text) if most is None else most)]
    if most is not None and most <= 2000:
        near += ["x" * most]
    return st.one_of(st.sampled_from(near), drawn) if near else drawn


_PLAIN: dict[str, Callable[[dict[str, Any]], Strategy]] = {
    "null": lambda _: st.none(),
    "boolean": lambda _: st.booleans(),
    "integer": _integers,
    "number": lambda schema: st.one_of(_integers(schema), _floats(schema)),
    "string": _texts,
}
"""The types without parts, and what draws their values."""
