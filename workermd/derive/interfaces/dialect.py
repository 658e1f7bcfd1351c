"""A schema found in a repository becomes one of ours: draft 2020-12, self-contained, within caps.

Only keywords known here are taken over, each in the form that the draft demands, so nothing that a stranger wrote
can make the result unusable. References are written out in place; what leaves the document is not followed, what comes
back to itself is cut, what is too deep or too large is cut, and each of these leaves a note. Cutting always accepts
more than the original, never less.
"""

import re
from typing import Any, TypeGuard
from urllib.parse import unquote

from workermd.contract.json.strict import canonical, escape, too_deep
from workermd.contract.schema import FORMATS, check_schema, checker
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible, shown

MAX_SCHEMA_BYTES = 32 * 1024
"""Of one written schema, as canonical JSON: a contract holds two, and has to be read by people."""

MAX_SCHEMAS = 4000
"""Schemas in one written schema."""

MAX_ENUM = 200
MAX_VALUE_BYTES = 2000
"""Of one default or example."""

MAX_LEVELS = 52
"""Of arrays and objects in one written schema: the contract that holds it allows 64."""

_DEPTHS = (24, 16, 12, 8, 6, 4, 3, 2, 1)

_TYPES = ("null", "boolean", "object", "array", "number", "string", "integer")
_NUMBERS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
_COUNTS = (
    *("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"),
    *("maxContains", "minContains"),
)
_FLAGS = ("uniqueItems", "readOnly", "writeOnly", "deprecated")
_ONE = (
    *("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_QUIET_FORMATS = {"int32", "int64", "float", "double", "password", "byte", "binary"}


class _TooLarge(Exception):
    """The schema does not fit at this depth."""


class Dialect:
    """Where a schema stands and how it is meant.

    `root` is the document that references stay inside. `word` is `openapi-3.0`, `openapi-3.1` or `json-schema`; for the
    last one `$schema` decides between the drafts. `direction` is `input` or `output`: what is read-only is no input.
    `notes` collects what could not be expressed, `followed` the pointers of what was written out.
    """

    def __init__(self, root: Any, word: str, direction: str, notes: Notes) -> None:
        self.root = root
        self.word = word
        self.direction = direction
        self.notes = notes
        self.followed: dict[str, None] = {}
        self._open: list[str] = []
        self._count = 0
        self._limit = 0
        self._losses = 0
        self._usable: dict[str, bool] = {}

    def schema(self, node: Any) -> Document:
        """The schema as one of ours; `{}` where nothing of it can be used."""
        collected = self.notes
        for limit in _DEPTHS:
            self._count, self._limit, self._open, self.notes = 0, limit, [], Notes()
            try:
                found = self._schema(node, 0)
            except _TooLarge:
                continue
            finally:
                tried, self.notes = self.notes, collected
            result: Document = {"not": {}} if found is False else {} if found is True else found
            if not too_deep(result, MAX_LEVELS) and len(canonical(result)) <= MAX_SCHEMA_BYTES:
                for note in tried.all():
                    collected.add(note)
                return sound(result, collected)
        collected.add("a schema is too large to be written out; anything is accepted in its place")
        return {}

    def _lose(self, note: str) -> None:
        """What is written from here accepts more than it should: see `_below` for where that must not happen."""
        self._losses += 1
        self.notes.add(note)

    # --- one schema ---

    def _schema(self, node: Any, depth: int) -> Document | bool:
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._lose("what should be a schema is none; anything is accepted in its place")
            return {}
        self._count += 1
        if self._count > MAX_SCHEMAS:
            raise _TooLarge
        if depth >= self._limit:
            return self._stub(node, f"schemas below level {self._limit} are cut; anything is accepted there")
        reference = node.get("$ref")
        if isinstance(reference, str):
            return self._referred(node, reference, depth)
        if "$dynamicRef" in node or "$recursiveRef" in node:
            self._lose("a dynamic reference is not followed; anything is accepted in its place")
        return self._written(node, depth)

    def _written(self, node: dict[str, Any], depth: int) -> Document:
        out: Document = {}
        self._say(node, out)
        self._type(node, out)
        self._values(node, out)
        self._bounds(node, out)
        self._format(node, out)
        losses = self._losses
        whole = self._properties(node, out, depth)
        self._items(node, out, depth)
        self._below(node, out, depth, whole=whole)
        if self._losses > losses:  # what was lost can no longer say which parts it knew
            out.pop("unevaluatedProperties", None)
            out.pop("unevaluatedItems", None)
        if "discriminator" in node:
            self.notes.add("a discriminator is not enforced; the alternatives themselves are")
        if self.word == "openapi-3.0" and node.get("nullable") is True and not {"type", "enum", "const"} & out.keys():
            applied = {"allOf", "anyOf", "oneOf"} & out.keys()
            if applied:
                said = {key: out.pop(key) for key in list(out) if key in _ANNOTATIONS}
                return {**said, "anyOf": [out, {"type": "null"}]}
        return out

    def _stub(self, node: dict[str, Any], note: str) -> Document:
        self._lose(note)
        kept = node.get("type")
        nullable = node.get("nullable") is True
        return {"type": kept} if isinstance(kept, str) and kept in _TYPES and not nullable else {}

    def _say(self, node: dict[str, Any], out: Document) -> None:
        for keyword, limit in (("title", MAX_KEY), ("description", MAX_DESCRIPTION)):
            said = cleaned(node.get(keyword), limit)
            if said:
                out[keyword] = said
        for keyword in _FLAGS:
            if isinstance(node.get(keyword), bool):
                out[keyword] = node[keyword]
        if "default" in node and fits(node["default"]):
            out["default"] = node["default"]
        examples = node.get("examples")
        if not isinstance(examples, list):
            examples = [node["example"]] if "example" in node else []
        kept = [example for example in examples[:3] if fits(example) and _is_of(node.get("type"), example)]
        if kept:
            out["examples"] = kept

    def _type(self, node: dict[str, Any], out: Document) -> None:
        named = node.get("type")
        words = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        known = [word for word in _TYPES if word in words]
        unknown = [word for word in words if word not in _TYPES]
        if unknown:
            self._lose(f"the type {shown(str(unknown[0]))} is none of JSON Schema; any is accepted")
            return
        if known and self.word == "openapi-3.0" and node.get("nullable") is True and "null" not in known:
            known.append("null")
        if known:
            out["type"] = known[0] if len(known) == 1 else known

    def _values(self, node: dict[str, Any], out: Document) -> None:
        if "const" in node:
            if fits(node["const"]):
                out["const"] = node["const"]
            else:
                self._lose("a constant is too large to be written out; any value is accepted")
        allowed = node.get("enum")
        if not isinstance(allowed, list) or not allowed:
            return
        if len(allowed) > MAX_ENUM or not all(fits(value) for value in allowed):
            self._lose(f"a list of allowed values is too large (more than {MAX_ENUM}); any value is accepted")
            return
        kept = {canonical(value): value for value in allowed}
        if self.word == "openapi-3.0" and node.get("nullable") is True:
            kept.setdefault(b"null", None)
        out["enum"] = list(kept.values())

    def _bounds(self, node: dict[str, Any], out: Document) -> None:
        for keyword in _NUMBERS:
            if _is_number(node.get(keyword)):
                out[keyword] = node[keyword]
        for keyword, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if node.get(exclusive) is True and keyword in out:  # draft 4 and OpenAPI 3.0
                out[exclusive] = out.pop(keyword)
        step = node.get("multipleOf")
        if _is_number(step) and step > 0:
            out["multipleOf"] = step
        for keyword in _COUNTS:
            count = node.get(keyword)
            if _is_number(count) and count >= 0 and count == int(count):
                out[keyword] = int(count)
        pattern = node.get("pattern")
        if isinstance(pattern, str) and self._is_usable(pattern):
            out["pattern"] = pattern

    def _is_usable(self, pattern: str) -> bool:
        """Whether a pattern can be run, in linear time, and be read by a person."""
        if pattern not in self._usable:
            self._usable[pattern] = (
                len(pattern) <= MAX_DESCRIPTION
                and is_visible(pattern)
                and not check_schema({"pattern": pattern}, thorough=False)
            )
        if not self._usable[pattern]:
            self._lose("a pattern is left out: it is too long, or cannot run in linear time")
        return self._usable[pattern]

    def _format(self, node: dict[str, Any], out: Document) -> None:
        word = node.get("format")
        if isinstance(word, str) and word in FORMATS["2020-12"]:
            out["format"] = word
        elif word == "byte" and self.word == "openapi-3.0":
            out["contentEncoding"] = "base64"
        elif isinstance(word, str) and word not in _QUIET_FORMATS:
            self.notes.add(f"the format {shown(word)} is not checked")
        for keyword in ("contentEncoding", "contentMediaType"):
            if cleaned(node.get(keyword), MAX_KEY):
                out[keyword] = cleaned(node[keyword], MAX_KEY)

    def _properties(self, node: dict[str, Any], out: Document, depth: int) -> bool:
        """True where every property named was taken over."""
        listed = node.get("required")
        required = (
            [name for name in listed if isinstance(name, str) and _is_key(name)] if isinstance(listed, list) else []
        )
        named = node.get("properties")
        patterns = node.get("patternProperties")
        whole = True
        if isinstance(named, dict):
            properties: Document = {}
            for name, below in named.items():
                if not _is_key(name):
                    whole = False
                    continue
                properties[name] = self._schema(below, depth + 1)
                if name in required and self._one_sided(properties[name]):
                    required.remove(name)
            out["properties"] = properties
        if required:
            out["required"] = list(dict.fromkeys(required))
        if isinstance(patterns, dict):
            usable = {pattern: below for pattern, below in patterns.items() if self._is_usable(pattern)}
            out["patternProperties"] = {pattern: self._schema(below, depth + 1) for pattern, below in usable.items()}
            whole = whole and len(usable) == len(patterns)
        if not whole:
            self._lose("properties whose names are too long, or cannot be read, are left out")
        self._dependent(node, out, depth)
        return whole

    def _one_sided(self, schema: Document | bool) -> bool:
        """Whether a required property is only for the other direction."""
        keyword = "readOnly" if self.direction == "input" else "writeOnly"
        if isinstance(schema, bool) or schema.get(keyword) is not True or not self.word.startswith("openapi"):
            return False
        self._lose(f"required properties that are {keyword} are not required here")
        return True

    def _dependent(self, node: dict[str, Any], out: Document, depth: int) -> None:
        old = node.get("dependencies")
        mixed = old if isinstance(old, dict) else {}
        lists = node.get("dependentRequired")
        schemas = node.get("dependentSchemas")
        needed = {**mixed, **(lists if isinstance(lists, dict) else {})}
        required = {
            name: list(dict.fromkeys(word for word in words if isinstance(word, str)))
            for name, words in needed.items()
            if isinstance(words, list)
        }
        below = {**mixed, **(schemas if isinstance(schemas, dict) else {})}
        written = {
            name: self._schema(schema, depth + 1) for name, schema in below.items() if isinstance(schema, dict | bool)
        }
        out.update({"dependentRequired": required} if required else {})
        out.update({"dependentSchemas": written} if written else {})

    def _items(self, node: dict[str, Any], out: Document, depth: int) -> None:
        """The array form of `items` (before 2020-12) is today's `prefixItems`."""
        items = node.get("items")
        if isinstance(items, list):
            if items:
                out["prefixItems"] = [self._schema(item, depth + 1) for item in items]
            if isinstance(node.get("additionalItems"), dict | bool):
                out["items"] = self._schema(node["additionalItems"], depth + 1)

    def _below(self, node: dict[str, Any], out: Document, depth: int, *, whole: bool) -> None:
        """The schemas inside. Where accepting more inside means accepting less outside, the keyword gives way."""
        for keyword in _ONE:
            if not isinstance(node.get(keyword), dict | bool) or keyword in out:
                continue
            if keyword == "additionalProperties" and not whole:  # a closed object would refuse what was left out
                continue
            losses = self._losses
            out[keyword] = self._schema(node[keyword], depth + 1)
            if self._losses > losses and keyword in {"not", "if"}:
                del out[keyword]
            elif self._losses > losses and keyword == "contains":
                out.pop("maxContains", None)
        for keyword in _SEVERAL:
            several = node.get(keyword)
            if isinstance(several, list) and several and keyword not in out:
                losses = self._losses
                written = [self._schema(item, depth + 1) for item in several]
                if keyword != "oneOf" or self._losses == losses:
                    out[keyword] = written
                    continue
                self.notes.add("one of several alternatives was cut: more than one of them may match")
                out.setdefault("anyOf", written)

    # --- references ---

    def _referred(self, node: dict[str, Any], reference: str, depth: int) -> Document | bool:
        found = self.resolve(reference)
        if found is None:
            return {}
        pointer, target = found
        if pointer in self._open:
            name = shown(pointer.rpartition("/")[2])
            note = f"{name} holds itself; anything is accepted where it comes back"
            return self._stub(target if isinstance(target, dict) else {}, note)
        self._open.append(pointer)
        written = self._schema(target, depth + 1)
        self._open.pop()
        beside = {keyword: value for keyword, value in node.items() if keyword != "$ref"}
        if not self._siblings_count():
            beside = {keyword: value for keyword, value in beside.items() if keyword in _ANNOTATIONS}
        more = self._written(beside, depth + 1) if beside else {}
        if not more or isinstance(written, bool):
            return {**more, "allOf": [written]} if more else written
        if more.keys() <= _ANNOTATIONS:
            return {**written, **more}
        return {"allOf": [written], **more}

    def _siblings_count(self) -> bool:
        """Up to draft 7, and in OpenAPI 3.0, keywords beside `$ref` mean nothing."""
        if self.word == "json-schema":
            draft = self.root.get("$schema") if isinstance(self.root, dict) else None
            return not (isinstance(draft, str) and re.search("draft-0[3-7]", draft))
        return self.word != "openapi-3.0"

    def resolve(self, reference: str) -> tuple[str, Any] | None:
        """Pointer and value of what a reference means within the document; None, with a note, where nothing does."""
        place, mark, fragment = reference.partition("#")
        if place or not mark:
            self._lose(f"the reference {shown(reference, 80)} leaves the document and is not followed")
            return None
        pointer = unquote(fragment)
        node: Any = self.root
        if pointer and not pointer.startswith("/"):
            self._lose(f"the reference {shown(reference, 80)} names an anchor and is not followed")
            return None
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and name in node:
                node = node[name]
            elif isinstance(node, list) and re.fullmatch("[0-9]{1,6}", name) and int(name) < len(node):
                node = node[int(name)]
            else:
                self._lose(f"the reference {shown(reference, 80)} leads nowhere")
                return None
        self.followed.setdefault(pointer)
        return pointer, node


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def fits(value: Any) -> bool:
    """Whether a value may be written into a schema as default, example, constant or choice."""
    if too_deep(value, 8):
        return False
    try:
        return len(canonical(value)) <= MAX_VALUE_BYTES
    except ValueError:
        return False


def defaulted(schema: Document, value: Any) -> Document:
    """The schema with a default, where the value is one that the schema itself accepts."""
    if not fits(value):
        return schema
    try:
        good = checker(schema, "2020-12").accepts(value)
    except ValueError:  # a pattern that cannot be run: `fitted` will leave it out
        good = True
    return {**schema, "default": value} if good else schema


def _is_of(word: Any, value: Any) -> bool:
    """Whether a value is of the type that stands beside it; an example that is not helps nobody."""
    known = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "object": dict, "array": list}
    if not isinstance(word, str) or word not in known:
        return True
    return isinstance(value, known[word]) and (word == "boolean" or not isinstance(value, bool))  # type: ignore[arg-type]


def _is_key(name: str) -> bool:
    return len(name) <= MAX_KEY and is_visible(name)


def sound(schema: Document, notes: Notes) -> Document:
    """The schema, or `{}` with a note where the engine does not take it after all."""
    if not check_schema(schema, thorough=False):
        return schema
    notes.add("a schema cannot be used as it stands; anything is accepted in its place")
    return {}


def arguments(properties: dict[str, Document], required: list[str]) -> Document:
    """The schema of one object of named arguments, and no others."""
    schema: Document = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return schema


def fitted(schema: Document, notes: Notes) -> Document:
    """A schema of our own making, cut where it grew too large. Its parts are sound already."""
    return Dialect(schema, "json-schema", "input", notes).schema(schema)


def pointer_to(*parts: str | int) -> str:
    return "".join(f"/{escape(str(part))}" for part in parts)
