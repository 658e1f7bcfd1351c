"""Which branches of an input schema the drawn inputs took: alternatives, enum members, properties there and not there."""

from collections.abc import Iterator
from typing import Any

from workermd.contract.json.strict import canonical, escape
from workermd.contract.schema import Checker, checker


class Branches:
    """All branches of a schema, by a name with its place, and those that were taken."""

    def __init__(self, schema: dict[str, Any], draft: str) -> None:
        self._root = schema
        self._draft = draft
        self._checkers: dict[str, Checker | None] = {}
        self._seen: set[str] = set()
        self.all: set[str] = set(self._listed("", schema, set()))
        self.taken: set[str] = set()

    def note(self, value: Any) -> None:
        """An input that was drawn."""
        self.taken |= self.all.intersection(self._of("", self._root, value, 0))

    @property
    def missed(self) -> list[str]:
        return sorted(self.all - self.taken)

    def _resolved(self, place: str, schema: Any) -> tuple[str, Any]:
        """A reference is the schema that it leads to, with that one's place."""
        for _ in range(20):
            reference = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(reference, str) or not reference.startswith("#"):
                break
            place, schema = reference[1:], self._root
            for part in place.split("/")[1:]:
                name = part.replace("~1", "/").replace("~0", "~")
                schema = schema[int(name)] if isinstance(schema, list) else schema.get(name, {})
        return place, schema

    def _listed(self, place: str, schema: Any, seen: set[str]) -> Iterator[str]:
        place, schema = self._resolved(place, schema)
        if not isinstance(schema, dict) or place in seen:
            return
        seen.add(place)
        yield from self._own(place, schema)
        for name, inner in schema.get("properties", {}).items():
            yield from self._listed(f"{place}/properties/{escape(name)}", inner, seen)
        if isinstance(schema.get("items"), dict):
            yield from self._listed(f"{place}/items", schema["items"], seen)
        for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for number, inner in enumerate(schema.get(keyword, [])):
                yield from self._listed(f"{place}/{keyword}/{number}", inner, seen)

    def _own(self, place: str, schema: dict[str, Any]) -> Iterator[str]:
        """The branches that a schema has itself."""
        for number, _ in enumerate(schema.get("enum", [])):
            yield f"{place}/enum/{number}"
        for kind in schema["type"] if isinstance(schema.get("type"), list) else []:
            yield f"{place}/type {kind}"
        for keyword in ("anyOf", "oneOf"):
            for number, _ in enumerate(schema.get(keyword, [])):
                yield f"{place}/{keyword}/{number}"
        for name in schema.get("properties", {}):
            if name not in schema.get("required", ()):
                yield f"{place}/properties/{escape(name)} there"
                yield f"{place}/properties/{escape(name)} not there"
        if "items" in schema:
            yield f"{place} some items"
            if not schema.get("minItems"):
                yield f"{place} no items"

    def _of(self, place: str, schema: Any, value: Any, depth: int) -> Iterator[str]:
        place, schema = self._resolved(place, schema)
        if not isinstance(schema, dict) or depth > 40:
            return
        for number, each in enumerate(schema.get("enum", [])):
            if canonical(each) == canonical(value):
                yield f"{place}/enum/{number}"
        if isinstance(schema.get("type"), list):
            yield from (f"{place}/type {kind}" for kind in schema["type"] if _is(kind, value))
        yield from self._ways(place, schema, value, depth)
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                at = f"{place}/properties/{escape(name)}"
                yield f"{at} there" if name in value else f"{at} not there"
                if name in value:
                    yield from self._of(at, inner, value[name], depth + 1)
        if isinstance(value, list) and "items" in schema:
            yield f"{place} some items" if value else f"{place} no items"
            for each in value:
                yield from self._of(f"{place}/items", schema["items"], each, depth + 1)

    def _ways(self, place: str, schema: dict[str, Any], value: Any, depth: int) -> Iterator[str]:
        """The alternatives that a value matches."""
        for keyword in ("anyOf", "oneOf", "allOf"):
            for number, inner in enumerate(schema.get(keyword, [])):
                at = f"{place}/{keyword}/{number}"
                if keyword == "allOf" or self._accepts(at, inner, value):
                    yield at
                    yield from self._of(at, inner, value, depth + 1)

    def _accepts(self, place: str, schema: Any, value: Any) -> bool:
        if place not in self._checkers:
            shared: dict[str, Any] = {
                key: self._root[key] for key in ("$defs", "definitions", "$schema") if key in self._root
            }
            try:
                self._checkers[place] = checker({**shared, "allOf": [schema]}, self._draft)
            except ValueError:  # it refers to what is not shared: it counts as taken with its holder
                self._checkers[place] = None
        found = self._checkers[place]
        return found is None or found.accepts(value)


def _is(kind: str, value: Any) -> bool:
    kinds: dict[str, Any] = {
        "null": value is None,
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    return bool(kinds.get(kind, False))
