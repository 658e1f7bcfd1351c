"""What a schema says for certain: its rules laid flat, the types it leaves, and whether anything matches it.

Everything here errs on one side: a fact holds for every value that matches, so that a proof may build on
it. A rule that is not understood yields no fact. 2020-12 is the common language; the rules of drafts 6, 7
and 2019-09 are translated into it.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from math import ceil, floor
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical, escape
from workermd.contract.schema import Checker, checker
from workermd.contract.subschemas import Survey
from workermd.system.digest import sha256

TYPES = ("array", "boolean", "fraction", "integer", "null", "object", "string")
"""The types of a value that exclude one another: `number` is `integer` and `fraction`."""

FINITE = 256
"""Whole numbers in a range that are listed one by one."""

DEPTH = 6
"""Levels of required parts that are searched for one that nothing can match."""

PATIENCE = 4_000
"""Looks at what types are left in one question, larger sets of rules counted more; later ones learn nothing."""

BUILDING = 8_000_000
"""Bytes of schemas from which judges are built for one source; later ones are not there to ask."""

PATTERN_COST = 20_000
"""Bytes that take as long to build as one pattern."""

DRAFT_URIS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "7": "http://json-schema.org/draft-07/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
}

_IN_PLACE = {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"}
_ONE = {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
_SEVERAL = {"anyOf", "oneOf", "prefixItems"}
_NAMED = {"dependentSchemas", "patternProperties", "properties"}
_PLAIN = {
    *("const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains"),
    *("maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength"),
    *("minProperties", "minimum", "multipleOf", "pattern", "required", "type", "uniqueItems"),
}
_SINCE_2019 = {"dependentRequired", "dependentSchemas", "maxContains", "minContains"}
OPAQUE = "opaque"
"""Stands for rules that are neither understood nor without effect; its value is their keyword."""


class SchemaSource:
    """A schema document that references are resolved in. `checker` judges values by any of its schemas."""

    def __init__(self, root: Any, draft: str) -> None:
        self.root = root
        self.draft = draft
        self.survey = Survey(root, draft) if isinstance(root, dict) else None
        self.patience = PATIENCE
        self._building = BUILDING
        self._checkers: dict[str, Checker | None] = {}
        self._texts: dict[str, bytes] = {}
        self._parts: dict[str, Parts] = {}
        self._led: dict[str, tuple[SchemaNode, ...]] = {}
        self._digests: dict[str, str] = {}

    @property
    def node(self) -> "SchemaNode":
        return SchemaNode(self, "", self.root)

    def target(self, reference: str) -> "SchemaNode | None":
        found = self.survey.target(reference) if self.survey else None
        return None if found is None else SchemaNode(self, *found)

    def checker(self, node: "SchemaNode") -> Checker | None:
        """None where the engine does not take it, or has built enough."""
        if node.pointer not in self._checkers:
            self._checkers[node.pointer] = self._checker(node)
        return self._checkers[node.pointer]

    def _checker(self, node: "SchemaNode") -> Checker | None:
        alone = not node.pointer or next(_references(node.schema), None) is None
        text = self.text(node.pointer, node.schema) if alone else self.text("", self.root)
        self._building -= len(text) + PATTERN_COST * text.count(b'"pattern')
        if self._building < 0:
            return None
        schema = (node.schema if isinstance(node.schema, dict) else {"allOf": [node.schema]}) if alone else None
        try:
            return checker(schema or self._referring(node.pointer), self.draft)
        except ValueError:
            return None

    def _referring(self, pointer: str) -> dict[str, Any]:
        """A schema of which nothing is left but a reference into the whole document."""
        from urllib.parse import quote

        base = self.root.get("$id", "urn:workermd:compared").removesuffix("#")
        return {
            "$schema": DRAFT_URIS[self.draft],
            "allOf": [{"$ref": f"{base}#{quote(pointer)}"}],
            "definitions" if self.draft in ("6", "7") else "$defs": {"compared": {**self.root, "$id": base}},
        }

    def parts(self, node: "SchemaNode") -> "Parts":
        """`flat` of a node, taken apart once."""
        if node.pointer not in self._parts:
            self._parts[node.pointer] = _flat(node)
        return self._parts[node.pointer]

    def text(self, pointer: str, schema: Any) -> bytes:
        """Bytes that stand for a schema and for everything that it refers to: equal bytes mean the same."""
        if pointer not in self._texts:
            targets: dict[str, Any] = {}
            waiting = [SchemaNode(self, pointer, schema)]
            while waiting:
                for node in self._targets(waiting.pop()):
                    if node.pointer not in targets:
                        targets[node.pointer] = self._digest(node)
                        waiting.append(node)
            self._texts[pointer] = canonical([self.draft, schema, targets])
        return self._texts[pointer]

    def _targets(self, node: "SchemaNode") -> tuple["SchemaNode", ...]:
        """Where the references in a schema lead, each once."""
        if node.pointer not in self._led:
            found = {reference: self.target(reference) for reference in dict.fromkeys(_references(node.schema))}
            self._led[node.pointer] = tuple(each for each in found.values() if each is not None)
        return self._led[node.pointer]

    def _digest(self, node: "SchemaNode") -> str:
        if node.pointer not in self._digests:
            self._digests[node.pointer] = sha256(canonical(node.schema)).hex()
        return self._digests[node.pointer]


def _references(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            for key, item in each.items():
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(item, str):
                    yield item
                else:
                    waiting.append(item)


class SchemaNode(NamedTuple):
    """One schema of a source, by its JSON Pointer."""

    source: SchemaSource
    pointer: str
    schema: Any

    @property
    def key(self) -> tuple[int, str]:
        return id(self.source), self.pointer

    def accepts(self, value: Any) -> bool | None:
        """What the engine says; None where it cannot say."""
        judge = self.source.checker(self)
        return None if judge is None else judge.accepts(value)

    def below(self, keyword: str, *names: str | int) -> "SchemaNode":
        schema, pointer = self.schema[keyword], f"{self.pointer}/{escape(keyword)}"
        for name in names:
            schema = schema[name]
            pointer += f"/{name if isinstance(name, int) else escape(name)}"
        return SchemaNode(self.source, pointer, schema)

    def is_same(self, other: "SchemaNode") -> bool:
        """True where both mean the same because they read the same."""
        return self.source.text(self.pointer, self.schema) == other.source.text(other.pointer, other.schema)


class SchemaPart(NamedTuple):
    """Rules of one schema object without those that refer elsewhere or join others (`$ref`, `allOf`).

    Schemas among the rules are SchemaNodes. `without` names alternatives that were taken out to look at one of them:
    what is looked at then still matches all of `node`.
    """

    node: SchemaNode
    rules: dict[str, Any]
    without: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, str, tuple[str, ...]]:
        return (*self.node.key, self.without)

    def place(self, keyword: str) -> str:
        schema = self.node.schema
        known = isinstance(schema, dict) and keyword in schema
        return f"{self.node.pointer}/{escape(keyword)}" if known else self.node.pointer

    def minus(self, keyword: str) -> "SchemaPart":
        rest = {name: rule for name, rule in self.rules.items() if name != keyword}
        return SchemaPart(self.node, rest, (*self.without, keyword))


Parts = tuple[SchemaPart, ...]
"""Rules that hold together; none at all allow every value."""


def flat(node: SchemaNode) -> Parts:
    """The parts of a schema, references and `allOf` followed. They never end in a circle: the reader refuses those."""
    return node.source.parts(node)


def _flat(node: SchemaNode) -> Parts:
    found: list[SchemaPart] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.schema is True:
            continue
        if each.schema is False:
            found.append(SchemaPart(each, {"type": []}))
            continue
        schema = each.schema
        alone = each.source.draft in ("6", "7") and "$ref" in schema
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(schema.get(keyword), str):
                target = each.source.target(schema[keyword])
                waiting += [target] if target is not None else []
                if target is None:
                    found.append(SchemaPart(each, {OPAQUE: keyword}))
        if alone:
            continue
        waiting += [each.below("allOf", index) for index in range(len(schema.get("allOf", ())))]
        rules = _rules(each)
        if rules:
            found.append(SchemaPart(each, rules))
    return tuple(sorted(found, key=lambda part: part.node.pointer))


def _rules(node: SchemaNode) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    draft = node.source.draft
    older = draft in ("6", "7")
    for keyword, value in node.schema.items():
        if older and keyword in _SINCE_2019:
            rules[OPAQUE] = keyword
        elif keyword in _PLAIN:
            rules[keyword] = value
        elif keyword in _ONE and isinstance(value, dict | bool):
            rules[keyword] = node.below(keyword)
        elif keyword in _SEVERAL and isinstance(value, list):
            rules[keyword] = [node.below(keyword, index) for index in range(len(value))]
        elif keyword in _NAMED and isinstance(value, dict):
            rules[keyword] = {name: node.below(keyword, name) for name in value}
    if draft == "6" and not {"if", "then", "else"}.isdisjoint(rules):
        rules[OPAQUE] = "if"
    _translate(node, rules)
    _add_unevaluated(node, rules)
    if "if" not in rules:
        rules.pop("then", None)
        rules.pop("else", None)
    if "contains" not in rules:
        rules.pop("minContains", None)
        rules.pop("maxContains", None)
    return rules


def _translate(node: SchemaNode, rules: dict[str, Any]) -> None:
    """Rules of earlier drafts in the words of 2020-12."""
    schema, draft = node.schema, node.source.draft
    if draft == "2020-12":
        if "dependencies" in schema or "additionalItems" in schema:
            rules[OPAQUE] = "dependencies" if "dependencies" in schema else "additionalItems"
        return
    if "prefixItems" in rules:
        del rules["prefixItems"]
        rules[OPAQUE] = "prefixItems"
    if isinstance(schema.get("items"), list):
        rules["prefixItems"] = [node.below("items", index) for index in range(len(schema["items"]))]
        if "additionalItems" in schema:
            rules["items"] = node.below("additionalItems")
    for name, needed in schema.get("dependencies", {}).items():
        if isinstance(needed, list):
            rules["dependentRequired"] = {**rules.get("dependentRequired", {}), name: needed}
        else:
            schemas = {**rules.get("dependentSchemas", {}), name: node.below("dependencies", name)}
            rules["dependentSchemas"] = schemas


def _add_unevaluated(node: SchemaNode, rules: dict[str, Any]) -> None:
    """`unevaluated…` is `additional…` where nothing in place evaluates; elsewhere it is beyond these rules."""
    schema = node.schema
    joined = not _IN_PLACE.isdisjoint(schema)
    for keyword, plain, evaluating in (
        ("unevaluatedProperties", "additionalProperties", ()),
        ("unevaluatedItems", "items", ("contains",)),
    ):
        value = schema.get(keyword)
        if value is None or value is True or value == {} or plain in rules:
            continue
        if node.source.draft in ("6", "7") or joined or any(each in rules for each in evaluating):
            rules[OPAQUE] = keyword
        else:
            rules[plain] = node.below(keyword)


# --- facts about parts that hold together ---


def given(parts: Parts, keyword: str) -> Iterator[Any]:
    """Every value that a rule has."""
    return (part.rules[keyword] for part in parts if keyword in part.rules)


def has(parts: Parts, *keywords: str) -> bool:
    return any(keyword in part.rules for part in parts for keyword in keywords)


def named_types(value: Any) -> set[str]:
    """What `type` allows, in the words of TYPES."""
    names = {value} if isinstance(value, str) else set(value)
    return (names & set(TYPES)) | ({"integer", "fraction"} if "number" in names else set())


class Range(NamedTuple):
    """Numbers from `low` to `high`; None is no end. An exclusive end is not part of it."""

    low: float | None = None
    low_exclusive: bool = False
    high: float | None = None
    high_exclusive: bool = False


def number_range(parts: Parts, *, whole: bool) -> Range:
    """The range that `minimum` and its kin leave; `whole`: its ends are whole numbers."""
    lows = [(value, False) for value in given(parts, "minimum")]
    lows += [(value, True) for value in given(parts, "exclusiveMinimum")]
    highs = [(value, False) for value in given(parts, "maximum")]
    highs += [(value, True) for value in given(parts, "exclusiveMaximum")]
    if whole:
        lows = [(floor(value) + 1 if exclusive else ceil(value), False) for value, exclusive in lows]
        highs = [(ceil(value) - 1 if exclusive else floor(value), False) for value, exclusive in highs]
    low, low_exclusive = max(lows, default=(None, False))
    high, high_exclusive = min(highs, key=lambda end: (end[0], not end[1]), default=(None, False))
    return Range(low, low_exclusive, high, high_exclusive)


def at_least(parts: Parts, keyword: str) -> int:
    """The largest of the lower bounds on a count."""
    return int(max(given(parts, keyword), default=0))


def at_most(parts: Parts, keyword: str) -> int | None:
    """The smallest of the upper bounds on a count, or None."""
    found = min(given(parts, keyword), default=None)
    return None if found is None else int(found)


def required(parts: Parts) -> set[str]:
    return {name for names in given(parts, "required") for name in names}


@cache
def _pattern(pattern: str) -> Checker:
    return checker({"pattern": pattern}, "2020-12")


def matches(pattern: str, name: str) -> bool:
    """True where the engine finds the pattern in the name."""
    return _pattern(pattern).accepts(name)


def member_nodes(part: SchemaPart, name: str) -> list[SchemaNode]:
    """The schemas that one part applies to a member of an object."""
    rules = part.rules
    found = [rules["properties"][name]] if name in rules.get("properties", ()) else []
    found += [node for pattern, node in rules.get("patternProperties", {}).items() if matches(pattern, name)]
    if not found and "additionalProperties" in rules:
        found = [rules["additionalProperties"]]
    return found


def member(parts: Parts, name: str) -> Parts:
    """What holds for a member of an object."""
    return tuple(below for part in parts for node in member_nodes(part, name) for below in flat(node))


def element_node(part: SchemaPart, index: int) -> SchemaNode | None:
    """The schema that one part applies to an element of an array."""
    prefix = part.rules.get("prefixItems", ())
    found: SchemaNode | None = prefix[index] if index < len(prefix) else part.rules.get("items")
    return found


def element(parts: Parts, index: int) -> Parts:
    """What holds for an element of an array."""
    nodes = [element_node(part, index) for part in parts]
    return tuple(below for node in nodes if node is not None for below in flat(node))


def longest_prefix(parts: Iterable[SchemaPart]) -> int:
    return max((len(part.rules.get("prefixItems", ())) for part in parts), default=0)


def most_items(parts: Parts, depth: int = 0) -> int | None:
    """The most elements that an array may have, or None."""
    found = at_most(parts, "maxItems")
    if depth < DEPTH:
        for index in range(longest_prefix(parts) + 1):
            if found is not None and index >= found:
                break
            if not possible_types(element(parts, index), depth + 1):
                return index
    return found


def most_properties(parts: Parts) -> int | None:
    """The most members that an object may have, or None."""
    found = at_most(parts, "maxProperties")
    for part in parts:
        names = names_of(part)
        if names is not None and (found is None or len(names) < found):
            found = len(names)
    return found


def names_of(part: SchemaPart) -> tuple[str, ...] | None:
    """All names that members may have where a part allows no others, else None."""
    others = part.rules.get("additionalProperties")
    if others is None or others.schema is not False or part.rules.get("patternProperties"):
        return None
    return tuple(part.rules.get("properties", ()))


def possible_types(parts: Parts, depth: int = 0) -> set[str]:
    """The types of TYPES that a matching value can have, perhaps more; empty: nothing can match."""
    types = set(TYPES)
    if not parts:
        return types
    for value in given(parts, "type"):
        types &= named_types(value)
    if any(value >= 1 and value == floor(value) for value in given(parts, "multipleOf")):
        types.discard("fraction")
    parts[0].node.source.patience -= 1 + len(parts) // 4
    if parts[0].node.source.patience < 0:
        return types
    types -= {kind for kind in types if _is_impossible(kind, parts, depth)}
    if not types or depth >= DEPTH:
        return types
    values = listed_values(parts)
    if values is not None:
        types &= {type_of(value) for value in values}
    for part in parts:
        for keyword in ("anyOf", "oneOf"):
            if keyword in part.rules:
                types &= _types_of_any(part.rules[keyword], parts, depth)
    return types


def _types_of_any(branches: list[SchemaNode], parts: Parts, depth: int) -> set[str]:
    """The types that at least one alternative leaves beside the other rules."""
    plain = tuple(part.minus("anyOf").minus("oneOf") for part in parts)
    found: set[str] = set()
    for branch in branches:
        found |= possible_types((*plain, *flat(branch)), depth + 1)
    return found


def _is_impossible(kind: str, parts: Parts, depth: int) -> bool:
    """True where no value of the type can match."""
    if kind in ("integer", "fraction"):
        span = number_range(parts, whole=kind == "integer")
        if span.low is None or span.high is None:
            return False
        return span.low > span.high or (span.low == span.high and kind == "fraction" and _no_fraction(span))
    if kind == "string":
        most = at_most(parts, "maxLength")
        return most is not None and most < at_least(parts, "minLength")
    if kind == "array":
        least = at_least(parts, "minItems")
        most = most_items(parts, depth)
        return most is not None and most < least
    if kind == "object":
        return _is_impossible_object(parts, depth)
    return False


def _no_fraction(span: Range) -> bool:
    return span.low_exclusive or span.high_exclusive or span.low == floor(span.low or 0)


def _is_impossible_object(parts: Parts, depth: int) -> bool:
    names = required(parts)
    most = most_properties(parts)
    if most is not None and most < max(len(names), at_least(parts, "minProperties")):
        return True
    return depth < DEPTH and any(not possible_types(member(parts, name), depth + 1) for name in names)


def type_of(value: Any) -> str:
    """The type of a value, in the words of TYPES."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if value == floor(value) else "fraction"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def listed_values(parts: Parts) -> list[Any] | None:
    """All values that can match where `enum` or `const` lists them, each judged by the engine; else None."""
    lists = [*given(parts, "enum"), *([value] for value in given(parts, "const"))]
    if not lists:
        return None
    return _accepted(min(lists, key=len), parts)


def all_values(parts: Parts, types: set[str]) -> list[Any] | None:
    """All values that can match where they are few, else None. `types` are those of `possible_types`."""
    listed = listed_values(parts)
    if listed is not None:
        return listed
    values: list[Any] = []
    for kind in sorted(types):
        few = _few(kind, parts)
        if few is None:
            return None
        values += few
    return _accepted(values, parts)


def _few(kind: str, parts: Parts) -> list[Any] | None:
    if kind == "integer":
        span = number_range(parts, whole=True)
        if span.low is None or span.high is None or span.high - span.low >= FINITE:
            return None
        return list(range(int(span.low), int(span.high) + 1))
    if kind == "string" and at_most(parts, "maxLength") == 0:
        return [""]
    if kind == "array" and most_items(parts) == 0:
        return [[]]
    if kind == "object" and most_properties(parts) == 0:
        return [{}]
    few: dict[str, list[Any]] = {"null": [None], "boolean": [False, True]}
    return few.get(kind)


def _accepted(values: list[Any], parts: Parts) -> list[Any]:
    """Without those that the engine refuses. A part without its alternatives stands for some values of the whole."""
    nodes = [part.node for part in parts]
    return [value for value in values if all(node.accepts(value) is not False for node in nodes)]
