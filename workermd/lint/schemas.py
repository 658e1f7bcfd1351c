"""Rules about the two schemas: keywords that are none, that do nothing, or that nothing satisfies."""

from collections.abc import Iterator
from typing import Any

from workermd.contract.json.strict import escape
from workermd.contract.problems import nearest
from workermd.contract.schema import FORMATS, unknown_formats
from workermd.lint import keywords
from workermd.lint.impossible import reasons, types_of
from workermd.lint.subject import SIDES, Fault, Schema, Subject
from workermd.system.text import shown

EXAMPLE_HINT = 'Write the schema of it: {"type": "object", "required": [...], "properties": {...}}.'


def is_example(schema: dict[str, Any]) -> bool:
    """Whether somebody wrote a document where its schema belongs: two keys or more, and none that is near a keyword."""
    if len(schema) < 2 or not keywords.ALL.isdisjoint(schema):
        return False
    return not any(nearest(word, keywords.ALL) or word.startswith(("x-", "$")) for word in schema)


def unknown_keywords(subject: Subject) -> Iterator[Fault]:
    """WM510"""
    for schema in subject.schemas:
        if is_example(schema.value):
            message = "no key of it is a keyword of JSON Schema: it looks like an example of the document"
            yield Fault(subject.where(schema.place), message, EXAMPLE_HINT)
            continue
        for word in schema.value:
            if word not in keywords.ALL and not word.startswith("x-"):
                message = f"unknown keyword {shown(word)}, which a JSON Schema does not have and nothing checks"
                yield Fault(subject.key(f"{schema.place}/{escape(word)}"), message, _meant(word, schema.draft))


def _meant(word: str, draft: str) -> str:
    known = keywords.KEYWORDS[draft]
    near = next((each for each in known if each.lower() == word.lower()), None)
    near = near or keywords.INSTEAD.get(word) or nearest(word, sorted(known))
    return f"Did you mean {near}?" if near else "Remove it, or begin its name with x-."


def other_drafts(subject: Subject) -> Iterator[Fault]:
    """WM511"""
    for schema in subject.schemas:
        for word in schema.value:
            if word in keywords.ALL and word not in keywords.KEYWORDS[schema.draft]:
                message = f"{word} is a keyword of another draft than {schema.draft}, which this schema is read as"
                instead = keywords.INSTEAD.get(word)
                hint = f"Write {instead}." if instead else "Remove it, or name the draft that has it in $schema."
                yield Fault(subject.key(f"{schema.place}/{escape(word)}"), message, hint)


def beyond_the_closed(subject: Subject) -> Iterator[Fault]:
    """WM512"""
    for schema in _judging(subject):
        value = schema.value
        required, properties = value.get("required"), value.get("properties", {})
        if (
            not isinstance(properties, dict)
            or value.get("additionalProperties") is not False
            or "patternProperties" in value
        ):
            continue
        for index, name in enumerate(required if isinstance(required, list) else ()):
            if isinstance(name, str) and name not in properties:
                message = f"{shown(name)} is required, but it is no property and others are forbidden: nothing matches"
                near = nearest(name, properties)
                hint = f"Did you mean {shown(near)}?" if near else "Add it to properties, or remove it from required."
                yield Fault(subject.where(f"{schema.place}/required/{index}"), message, hint)


def contradictions(subject: Subject) -> Iterator[Fault]:
    """WM513"""
    for schema in _judging(subject):
        for reason in reasons(schema.value):
            where = subject.key(f"{schema.place}/{escape(reason.keyword)}")
            yield Fault(where, f"{reason.message}: no value matches", reason.hint)


def idle_keywords(subject: Subject) -> Iterator[Fault]:
    """WM514"""
    for schema in _judging(subject):
        types = types_of(schema.value)
        for word in schema.value:
            judged = keywords.APPLIES_TO.get(word)
            if word == "format" and schema.value[word] not in FORMATS[schema.draft]:
                continue  # WM518: nothing checks it on any type
            if judged and types.isdisjoint(judged):
                message = f"{word} has no effect on a value of type {' or '.join(sorted(types))}"
                hint = f"Remove it, or make the type {judged[0]}."
                yield Fault(subject.key(f"{schema.place}/{escape(word)}"), message, hint)


def admits_everything(subject: Subject) -> Iterator[Fault]:
    """WM515"""
    for side in SIDES:
        root = getattr(subject.contract, side)
        kind = side.removesuffix("_schema")
        properties = root.get("properties", {})
        named = [(f"/{side}", f"the {kind} schema", root)]
        named += [(f"/{side}/properties/{escape(name)}", shown(name), below) for name, below in properties.items()]
        for place, name, schema in named:
            what = _admitted(schema)
            if what:
                message = f"{name} admits {what}, so nothing about it is checked"
                yield Fault(subject.key(place), message, "Say what it holds: properties, required, a type.")


def _admitted(schema: Any) -> str:
    if schema is True:
        return "any value"
    if not isinstance(schema, dict):
        return ""
    rest = set(schema) - keywords.ANNOTATIONS - {"type"}
    if schema.get("additionalProperties") in (True, {}):
        rest.discard("additionalProperties")
    rest = {word for word in rest if not word.startswith("x-")}
    if rest or schema.get("type", "object") != "object":
        return ""
    return "every object, {} included" if "type" in schema else "any value"


def idle_formats(subject: Subject) -> Iterator[Fault]:
    """WM518"""
    sides = ((SIDES[0], subject.contract.input_draft), (SIDES[1], subject.contract.output_draft))
    for side, draft in sides:
        for problem in unknown_formats(getattr(subject.contract, side), draft):
            yield Fault(subject.where(f"/{side}{problem.pointer}"), problem.message, problem.hint)


def phantom_requirements(subject: Subject) -> Iterator[Fault]:
    """WM519"""
    for schema in _judging(subject):
        properties, required = schema.value.get("properties"), schema.value.get("required")
        if not isinstance(properties, dict) or not isinstance(required, list) or not properties:
            continue
        if schema.value.get("additionalProperties") is False and "patternProperties" not in schema.value:
            continue  # WM512
        if any(word in schema.value for word in _BRINGING_IN):
            continue
        for index, name in enumerate(required):
            if isinstance(name, str) and name not in properties:
                near = nearest(name, properties)
                hint = f"Did you mean {shown(near)}?" if near else "Add it to properties, or remove it from required."
                message = f"{shown(name)} is required, but properties does not describe it"
                yield Fault(subject.where(f"{schema.place}/required/{index}"), message, hint)


_BRINGING_IN = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas")
"""Keywords that may describe a property elsewhere."""


def beside_reference(subject: Subject) -> Iterator[Fault]:
    """WM516"""
    for schema in subject.schemas:
        if schema.draft not in keywords.REF_STANDS_ALONE or not isinstance(schema.value.get("$ref"), str):
            continue
        for word in schema.value:
            if word in keywords.ALL and word != "$ref" and word not in keywords.ANNOTATIONS:
                message = f"{word} stands beside $ref, and draft {schema.draft} ignores what does"
                hint = "Put both into allOf, or move to 2020-12."
                yield Fault(subject.key(f"{schema.place}/{escape(word)}"), message, hint)


def _judging(subject: Subject) -> Iterator[Schema]:
    """The schemas whose keywords all count."""
    for schema in subject.schemas:
        if schema.draft not in keywords.REF_STANDS_ALONE or "$ref" not in schema.value:
            yield schema
