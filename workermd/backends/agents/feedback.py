"""What was wrong with an answer, as the next attempt's model is told it: a line a finding, with the schema's part.

A small model does not find one word of a finding in a schema of two pages, and repeats long lists instead of obeying
them: so there are few findings, each with what stands in the schema at that place.
"""

import json
from typing import Any

from workermd.protocol.envelope import Document

MOST = 5
"""Findings that are told; the rest will show itself."""

LONGEST_PART = 400
"""Characters of the schema's part that stands beside a finding."""

_ABOUT_NAMES = frozenset({"required", "additionalProperties", "minProperties", "maxProperties", "dependentRequired"})


def lines(feedback: tuple[Document, ...], schema: Document) -> list[str]:
    """A line for each of the first findings."""
    told = []
    for finding in feedback[:MOST]:
        pointer, keyword = str(finding.get("pointer", "")), str(finding.get("keyword", ""))
        place = f"at {pointer}: " if pointer else ""
        part = _shown(part_of(schema, pointer), keyword) if keyword in _KEYWORDS or pointer else ""
        message = str(finding.get("message", "")).rstrip(". ")
        told.append(f"- {place}{message}.{f' Wanted there: {part}' if part else ''}")
    if len(feedback) > MOST:
        told.append(f"- and {len(feedback) - MOST} more of the kind")
    return told


def part_of(schema: Document, pointer: str) -> Document:
    """The schema of the value at a JSON Pointer, as far as its place tells; else that of the nearest value above it."""
    found = _resolved(schema, schema)
    for token in pointer.split("/")[1:]:
        below = _below(found, token.replace("~1", "/").replace("~0", "~"))
        if below is None:
            break
        found = _resolved(below, schema)
    return found


def _below(schema: Document, token: str) -> Document | None:
    properties = schema.get("properties")
    if isinstance(properties, dict) and isinstance(properties.get(token), dict):
        found: Document = properties[token]
        return found
    items = schema.get("items")
    if token.isdigit() and isinstance(items, dict):
        return items
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else None


def _resolved(schema: Document, root: Document) -> Document:
    """A schema without the references within the document that lead to it."""
    for _ in range(10):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: Any = root
        for name in reference[2:].split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return schema
        schema = found
    return schema


_KEYWORDS = frozenset(
    {
        "type",
        "enum",
        "const",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    }
    | {"anyOf", "oneOf", "items", "uniqueItems", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"}
    | _ABOUT_NAMES
)


def _shown(part: Document, keyword: str) -> str:
    """The part of a schema that a finding is about: what names are there and which are needed, or all that it says."""
    if keyword in _ABOUT_NAMES:
        part = {"names": list(part.get("properties") or ()), "required": part.get("required") or []}
    text = json.dumps({key: value for key, value in part.items() if key != "$schema"}, ensure_ascii=False)
    return text if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]} …"
