"""Values drawn near two schemas, and schemas drawn near one: seeded, so that a failure can be repeated."""

import copy
from random import Random
from typing import Any

_TEXTS = ("", "a", "b", "ab", "abc", "x", "x-a", "aab", "é", "2024-01-31", "12:00:00Z", "m", "error", "abcdef")
_NUMBERS = (0, 1, -1, 2, 3, 5, 0.5, 1.5, -0.5, 4, 10, 1.0, 1000)
_NAMES = ("a", "b", "ab", "abc", "x-a", "m", "z", "v", "kids", "error", "run_id")


def values_of(schema: Any) -> list[Any]:
    """Everything that the schema names, and its neighbours: members, bounds, lengths, names."""
    found: list[Any] = []
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
            found += [item for item in each if not isinstance(item, dict)]
        elif isinstance(each, dict):
            waiting += each.values()
            found += list(each.get("enum", ())) if isinstance(each.get("enum"), list) else []
            found += [each["const"]] if "const" in each else []
            found += [key for key in each if len(key) < 12]
        elif isinstance(each, int | float) and not isinstance(each, bool):
            found += [each, each + 1, each - 1, each + 0.5]
            if 0 <= each < 300:
                found += ["a" * int(each), "a" * (int(each) + 1), "b" * max(0, int(each) - 1)]
        elif isinstance(each, str) and len(each) < 40:
            found.append(each)
    return found


class Draws:
    """Draws values that follow a schema most of the time, and stray from it at any level."""

    def __init__(self, random: Random, *schemas: Any) -> None:
        self.random = random
        self.atoms = [*_TEXTS, *_NUMBERS, None, True, False, [], {}]
        for schema in schemas:
            self.atoms += values_of(schema)
        self.texts = [atom for atom in self.atoms if isinstance(atom, str)]
        self.numbers = [atom for atom in self.atoms if isinstance(atom, int | float) and not isinstance(atom, bool)]
        self.names = [*_NAMES, *(text for text in self.texts if len(text) < 20)]

    def value(self, schema: Any, root: Any, depth: int = 0) -> Any:
        choice = self.random.random()
        if choice < 0.08 or depth > 6 or not isinstance(schema, dict):
            return self.anything(depth)
        schema = self._resolved(schema, root)
        for keyword in ("enum", "const"):
            if keyword in schema and choice < 0.9:
                return self.random.choice(schema["enum"]) if keyword == "enum" else schema["const"]
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema and choice < 0.8:
                branch = self.random.choice(schema[keyword])
                if isinstance(branch, dict):
                    branch = self._resolved(branch, root)
                    return self.value({**{k: v for k, v in schema.items() if k != keyword}, **branch}, root, depth + 1)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self.random.choice(kind) if kind else None
        if kind is None:
            kind = (
                "object"
                if {"properties", "required"} & schema.keys()
                else "array"
                if {"items", "contains"} & schema.keys()
                else None
            )
        return self._of(kind, schema, root, depth)

    def _resolved(self, schema: dict[str, Any], root: Any) -> dict[str, Any]:
        for _ in range(5):
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            node = root
            for part in reference[2:].split("/"):
                node = node[part]
            schema = {**{k: v for k, v in schema.items() if k != "$ref"}, **node} if isinstance(node, dict) else {}
        return schema

    def _of(self, kind: Any, schema: dict[str, Any], root: Any, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, root, depth)
        if kind == "array":
            return self._array(schema, root, depth)
        if kind == "string":
            return self.random.choice(self.texts)
        if kind in ("integer", "number"):
            number = self.random.choice(self.numbers)
            return int(number) if kind == "integer" else number
        return {"null": None, "boolean": self.random.random() < 0.5}.get(kind, self.anything(depth))

    def _object(self, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        found = {}
        for name, below in properties.items():
            if name in schema.get("required", ()) or self.random.random() < 0.5:
                found[name] = self.value(below, root, depth + 1)
        for name in schema.get("required", ()):
            if name not in found and self.random.random() < 0.9:
                found[name] = self.anything(depth + 1)
        if schema.get("additionalProperties") is not False or self.random.random() < 0.1:
            for _ in range(self.random.choice((0, 0, 1, 2))):
                name = self.random.choice(self.names)
                found.setdefault(name, self.value(schema.get("additionalProperties"), root, depth + 1))
        if found and self.random.random() < 0.1:
            del found[self.random.choice(list(found))]
        return found

    def _array(self, schema: dict[str, Any], root: Any, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        most = self.random.choice((0, 1, 2, 3))
        count = min(12, max(most, schema.get("minItems", 0) if self.random.random() < 0.8 else 0))
        kinds = [schema.get("items"), schema.get("contains")]
        found = []
        for index in range(count):
            below = prefix[index] if index < len(prefix) else self.random.choice(kinds) if kinds[1] else kinds[0]
            found.append(self.value(below, root, depth + 1))
        if len(found) > 1 and self.random.random() < 0.2:
            found[-1] = found[0]
        return found

    def anything(self, depth: int) -> Any:
        choice = self.random.random()
        if depth < 4 and choice < 0.15:
            return {self.random.choice(self.names): self.anything(depth + 1) for _ in range(self.random.randrange(3))}
        if depth < 4 and choice < 0.3:
            return [self.anything(depth + 1) for _ in range(self.random.randrange(3))]
        return copy.deepcopy(self.random.choice(self.atoms))


_SNIPPETS: tuple[dict[str, Any], ...] = (
    {"type": "string"}, {"type": "integer"}, {"type": ["string", "null"]}, {"type": "number"}, {"type": "object"},
    {"minimum": 1}, {"maximum": 2}, {"exclusiveMinimum": 1}, {"exclusiveMaximum": 3}, {"multipleOf": 2}, {"multipleOf": 1},
    {"minLength": 1}, {"maxLength": 2}, {"pattern": "^a"}, {"pattern": "b"}, {"format": "date"},
    {"enum": ["a", "b", 1]}, {"enum": [1, 2, None]}, {"const": "a"}, {"required": ["a"]}, {"required": ["a", "b"]},
    {"additionalProperties": False}, {"additionalProperties": {"type": "string"}}, {"minProperties": 1}, {"maxProperties": 1},
    {"propertyNames": {"maxLength": 1}}, {"propertyNames": {"enum": ["a", "b"]}}, {"patternProperties": {"^a": {"type": "integer"}}}, {"patternProperties": {"^x-": {}}},
    {"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "number"}, "b": {}}}, {"properties": {"b": False}},
    {"dependentRequired": {"a": ["b"]}}, {"dependentSchemas": {"a": {"required": ["b"]}}}, {"dependentSchemas": {"b": False}},
    {"items": {"type": "integer"}}, {"items": {"type": "number"}}, {"items": False}, {"prefixItems": [{"type": "string"}]},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}, {"minItems": 1}, {"maxItems": 2}, {"maxItems": 1}, {"uniqueItems": True},
    {"contains": {"type": "integer"}}, {"contains": {"const": "a"}, "minContains": 2}, {"contains": {"type": "string"}, "maxContains": 1, "minContains": 0},
    {"unevaluatedProperties": False}, {"unevaluatedItems": False},
    {"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"oneOf": [{"type": "string"}, {"type": "object"}]},
    {"not": {"type": "string"}}, {"not": {"required": ["a"]}}, {"not": {"const": "a"}}, {"allOf": [{"minLength": 1}]},
    {"if": {"type": "string"}, "then": {"minLength": 2}}, {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"maxProperties": 1}},
)  # fmt: skip


def mutated(schema: Any, random: Random, changes: int = 1) -> Any:
    """A copy with rules added, dropped, merged from elsewhere, wrapped or moved at any level."""
    schema = copy.deepcopy(schema)
    for _ in range(changes):
        places = [place for place in _schemas(schema) if isinstance(place, dict)]
        place = random.choice(places)
        choice = random.random()
        if choice < 0.4:
            place.update(copy.deepcopy(random.choice(_SNIPPETS)))
        elif choice < 0.65 and place:
            key = random.choice(list(place))
            if key not in ("$defs", "$ref"):
                del place[key]
        elif choice < 0.8:
            _nudge(place, random)
        elif choice < 0.9:
            old = {key: place.pop(key) for key in list(place) if key != "$defs"}
            keyword = random.choice(("anyOf", "oneOf", "allOf"))
            place[keyword] = [old, copy.deepcopy(random.choice(_SNIPPETS))]
        else:
            other = random.choice(places)
            place.update({k: copy.deepcopy(v) for k, v in other.items() if k not in ("$defs", "$ref", "$anchor")})
    return schema


def _nudge(place: dict[str, Any], random: Random) -> None:
    """Move a bound, or lengthen or shorten a list."""
    for key, value in place.items():
        if (
            key.startswith(("min", "max", "exclusive"))
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            place[key] = max(0, value + random.choice((-1, 1)))
        elif key in ("required", "enum") and isinstance(value, list):
            place[key] = (
                value[1:]
                if random.random() < 0.5 and len(value) > 1
                else [*dict.fromkeys([*map(_plain, value), random.choice(_NAMES)])]
            )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else "a"


def _schemas(schema: Any) -> list[Any]:
    from workermd.contract.subschemas import Survey

    return list(Survey(schema, "2020-12").schemas.values())


def drawn(random: Random) -> dict[str, Any]:
    """A small schema of a few rules, some of them one level down."""
    schema: dict[str, Any] = {}
    for _ in range(random.choice((1, 2, 2, 3, 4))):
        schema.update(copy.deepcopy(random.choice(_SNIPPETS)))
    if random.random() < 0.4:
        below = drawn(random)
        schema[random.choice(("items", "additionalProperties", "contains", "not", "propertyNames"))] = below
    if random.random() < 0.4:
        schema.setdefault("properties", {})["a"] = drawn(random)
    return schema
