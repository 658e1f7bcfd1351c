"""Where the schemas of a JSON Schema document stand, and where their references lead.

Pure: no engine, no file, no network. Knows which keywords hold schemas, so that `$ref` inside `const`,
`enum`, `default` or `examples` is data, and a property named `$ref` is a schema.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from workermd.contract.json.strict import escape
from workermd.system.text import shown

_SCHEMA = {
    *("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
    *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
}
_LIST = {"allOf", "anyOf", "oneOf", "prefixItems", "items"}
_MAP = {"$defs", "definitions", "dependentSchemas", "dependencies", "patternProperties", "properties"}
_IN_PLACE = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}

MAX_IN_A_ROW = 64
"""Schemas that may apply to one value through one another, before any of its parts is looked at."""

MAX_AT_ONCE = 10_000
"""Schemas that may apply to one value in all, every way to reach one counted."""


_FRAGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*+").fullmatch


class SchemaProblem(NamedTuple):
    """Why a schema cannot be used: the JSON Pointer of the faulty keyword, one sentence, the next step."""

    pointer: str
    message: str
    hint: str


class Step(NamedTuple):
    """One way from a schema to another. `parts`: None where it is about the same value (allOf, $ref), else
    the name of the keyword that picks parts of the value, and `name` the property or index it picks."""

    target: str
    parts: str | None = None
    name: str = ""


class Survey:
    """All schemas of a document by JSON Pointer, the steps between them, and what is wrong with them.

    `strays` are the pointers of schemas that only a reference makes one (`#/x-own/thing`): no meta-schema
    looks at them unasked. `patterns` and `formats` are pairs of pointer and word.
    """

    def __init__(self, schema: dict[str, Any], draft: str) -> None:
        self.root = schema
        self.draft = draft
        self.schemas: dict[str, Any] = {}
        self.steps: dict[str, list[Step]] = {}
        self.strays: list[str] = []
        self.patterns: list[tuple[str, str]] = []
        self.formats: list[tuple[str, str]] = []
        self.problems: list[SchemaProblem] = []
        self._anchors: dict[str, str] = {}
        self._references: list[tuple[str, str, str]] = []
        self._id_keyword = "id" if draft == "4" else "$id"
        base = schema.get(self._id_keyword)
        self._base = base.removesuffix("#") if isinstance(base, str) else ""
        self._visit("", schema)
        self._follow()
        if not self.problems:
            self._bound()

    def problem(self, pointer: str, message: str, hint: str) -> None:
        self.problems.append(SchemaProblem(pointer, message, hint))

    # --- schemas and their keywords ---

    def _visit(self, place: str, schema: Any) -> None:
        waiting = [(place, schema)]
        while waiting:
            place, schema = waiting.pop()
            if place in self.schemas:
                continue
            self.schemas[place] = schema
            steps = self.steps[place] = []
            if isinstance(schema, dict):
                for keyword, step, below in _below(place, schema):
                    steps.append(step if keyword not in _IN_PLACE else Step(step.target))
                    waiting.append((step.target, below))
                self._keywords(place, schema)

    def _keywords(self, place: str, schema: dict[str, Any]) -> None:
        if place and "$schema" in schema:
            self.problem(
                f"{place}/$schema", "$schema below the root", "Remove it: one draft holds for the whole schema."
            )
        if "$vocabulary" in schema:
            self.problem(f"{place}/$vocabulary", "$vocabulary belongs to meta-schemas", "Remove it.")
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            self.patterns.append((f"{place}/pattern", pattern))
        names = schema.get("patternProperties")
        if isinstance(names, dict):
            self.patterns.extend((f"{place}/patternProperties/{escape(name)}", name) for name in names)
        word = schema.get("format")
        if isinstance(word, str):
            self.formats.append((f"{place}/format", word))
        self._identity(place, schema)
        for keyword in ("$ref", *_REFERENCES.get(self.draft, ())):
            reference = schema.get(keyword)
            if isinstance(reference, str):
                self._references.append((place, keyword, reference))

    def _identity(self, place: str, schema: dict[str, Any]) -> None:
        for keyword in _ANCHORS.get(self.draft, ()):
            name = schema.get(keyword)
            if isinstance(name, str):
                self._anchor(place, keyword, name)
        identity = schema.get(self._id_keyword)
        if not isinstance(identity, str):
            return
        if self.draft in {"4", "6", "7"} and identity.startswith("#") and identity != "#":
            self._anchor(place, self._id_keyword, identity[1:])
        elif place:
            self.problem(
                f"{place}/{self._id_keyword}",
                f"{self._id_keyword} below the root, which would lead references away from this document",
                f"Remove it, and refer to this schema as {shown('#' + place, 80)}.",
            )

    def _anchor(self, place: str, keyword: str, name: str) -> None:
        if self._anchors.setdefault(name, place) != place:
            message = f"the anchor {shown(name)} is given twice"
            self.problem(f"{place}/{keyword}", message, "Rename one of the two.")

    # --- references ---

    def _follow(self) -> None:
        """Resolve every reference; a target that no keyword makes a schema becomes one, and is visited."""
        while self._references:
            place, keyword, reference = self._references.pop(0)
            if keyword == "$recursiveRef" and reference != "#":
                self.problem(f"{place}/{keyword}", "$recursiveRef that is not '#'", "Use $ref, or write '#'.")
                continue
            found = self._resolve(reference)
            if isinstance(found, SchemaProblem):
                self.problems.append(found._replace(pointer=f"{place}/{keyword}"))
                continue
            target, schema = found
            self.steps[place].append(Step(target))
            if target not in self.schemas:
                self.strays.append(target)
                self._visit(target, schema)

    def target(self, reference: str) -> tuple[str, Any] | None:
        """Pointer and schema of what a reference means; None where it leads nowhere."""
        found = self._resolve(reference)
        return None if isinstance(found, SchemaProblem) else found

    def _resolve(self, reference: str) -> tuple[str, Any] | SchemaProblem:
        if self._base and (reference == self._base or reference.startswith(f"{self._base}#")):
            reference = reference[len(self._base) :] or "#"
        if reference and not reference.startswith("#"):
            hint = "Copy the schema it means under $defs, and refer to it as '#/$defs/...'."
            return SchemaProblem("", "a reference that leaves this document, which is never followed", hint)
        fragment = reference[1:]
        if not _FRAGMENT(fragment):
            hint = "Percent-encode them: a space is %20."
            return SchemaProblem("", "a reference with characters that a URI does not have", hint)
        if fragment.startswith("/"):
            if "%" in fragment:
                from urllib.parse import unquote

                fragment = unquote(fragment)
        elif fragment:
            if fragment in self._anchors:
                place = self._anchors[fragment]
                return place, self.schemas[place]
            return SchemaProblem("", f"no schema has the anchor {shown(fragment)}", "Refer to it as '#/$defs/...'.")
        return self._at(fragment)

    def _at(self, pointer: str) -> tuple[str, Any] | SchemaProblem:
        node: Any = self.root
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and name in node:
                node = node[name]
            elif isinstance(node, list) and re.fullmatch("0|[1-9][0-9]{0,8}", name) and int(name) < len(node):
                node = node[int(name)]
            else:
                hint = "Refer to a place that exists, such as '#/$defs/name'."
                return SchemaProblem("", f"nothing stands at {shown('#' + pointer, 80)}", hint)
        if not isinstance(node, dict | bool):
            hint = "Refer to an object or a boolean."
            return SchemaProblem("", f"what stands at {shown('#' + pointer, 80)} is no schema", hint)
        return pointer, node

    # --- bounds ---

    def _bound(self) -> None:
        """Refuse circles that never reach a part of the value, and schemas that multiply without end."""
        counts: dict[str, tuple[int, int]] = {}  # schemas applied in all, and in a row
        open_places: set[str] = set()
        for start in self.schemas:
            waiting = [start]
            while waiting:
                place = waiting[-1]
                targets = [step.target for step in self.steps[place] if step.parts is None]
                missing = [target for target in targets if target not in counts]
                if place in counts or not missing:
                    waiting.pop()
                    open_places.discard(place)
                    below = [counts[target] for target in targets]
                    total = 1 + sum(count for count, _ in below)
                    row = 1 + max((length for _, length in below), default=0)
                    counts[place] = min(total, MAX_AT_ONCE + 1), min(row, MAX_IN_A_ROW + 1)
                    continue
                if place in open_places and any(target in open_places for target in missing):
                    self._refuse_circle(place)
                    return
                open_places.add(place)
                waiting.extend(missing)
        for place, (total, row) in counts.items():
            if total > MAX_AT_ONCE or row > MAX_IN_A_ROW:
                found = (
                    f"more than {MAX_AT_ONCE} schemas apply to one value"
                    if total > MAX_AT_ONCE
                    else (f"more than {MAX_IN_A_ROW} schemas refer to one another in a row")
                )
                self.problem(place, f"{found} here", "Simplify the schema: fewer alternatives, fewer references.")
                return

    def _refuse_circle(self, place: str) -> None:
        message = "a reference that comes back here without going into a part of the value: it decides nothing"
        keyword = next((k for k in ("$ref", "$dynamicRef", "$recursiveRef") if k in self.schemas[place]), None)
        hint = "Refer to it from inside properties or items, or remove the reference."
        self.problem(f"{place}/{keyword}" if keyword else place, message, hint)

    def too_many_ways(self, instance: Any, budget: int = 5000) -> bool:
        """True where schemas multiply along the value: an engine that lists every error may never end.

        Counts schemas applied to parts of `instance`, as if each one had to be tried; more than `budget`
        is too many where the same pairs come back again and again, not where the value is merely large.
        """
        seen: set[tuple[str, int]] = set()
        places: dict[tuple[int, str | int], int] = {}  # parts by number: equal parts are still two
        count = 0
        waiting: list[tuple[str, int, Any]] = [("", 0, instance)]
        while waiting:
            schema, number, value = waiting.pop()
            count += 1
            seen.add((schema, number))
            if count % budget == 0 and count > 10 * len(seen):
                return True
            for step in self.steps[schema]:
                if step.parts is None:
                    waiting.append((step.target, number, value))
                    continue
                for name, part in _parts(step, value):
                    below = places.setdefault((number, name), len(places) + 1)
                    waiting.append((step.target, below, part))
        return False


def _parts(step: Step, value: Any) -> Iterable[tuple[str | int, Any]]:
    """The parts of a value that a step may lead to: at least those that an engine looks at."""
    if isinstance(value, dict) and step.parts in _OF_OBJECTS:
        if step.parts == "properties":
            return ((step.name, value[step.name]),) if step.name in value else ()
        return value.items()
    if isinstance(value, list) and step.parts in _OF_ARRAYS:
        if step.name:
            return [(int(step.name), part) for part in value[int(step.name) :][:1]]
        return enumerate(value)
    return ()


_OF_OBJECTS = {"properties", "patternProperties", "additionalProperties", "unevaluatedProperties"}
_OF_ARRAYS = {"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"}
_REFERENCES = {"2020-12": ("$dynamicRef",), "2019-09": ("$recursiveRef",)}
_ANCHORS = {"2020-12": ("$anchor", "$dynamicAnchor"), "2019-09": ("$anchor",)}


def _below(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, Step, Any]]:
    """The schemas directly inside a schema: the keyword, the step to it, the schema."""
    for keyword, value in schema.items():
        here = f"{place}/{escape(keyword)}"
        if keyword in _SCHEMA and isinstance(value, dict | bool):
            yield keyword, Step(here, keyword), value
        elif keyword in _LIST and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict | bool):
                    yield keyword, Step(f"{here}/{index}", keyword, str(index)), item
        elif keyword in _MAP and isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, dict | bool):
                    yield keyword, Step(f"{here}/{escape(name)}", keyword, name), item
