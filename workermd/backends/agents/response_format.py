"""How a model is asked for an output of the contract's shape: `response_format` and what it falls back to."""

from typing import Any

from workermd.protocol.envelope import Document

LADDER = ("schema", "json", "text")
"""From the strongest way of asking to the weakest. Whatever was asked for, the output is checked by us."""

FIRST = {"auto": 0, "schema": 0, "json": 1, "text": 2}

_STRICT_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
_STRICT_KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"}
    | {"description", "title", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"multipleOf", "minItems", "maxItems", "$schema"}
)
"""What OpenAI's structured outputs take in a strict schema (its guide "Structured model outputs", supported schemas)."""


def asked_for(schema: Document) -> Document:
    """The strongest `response_format` for an output schema: strict where the schema is of the strict subset."""
    sent = {key: value for key, value in schema.items() if key != "$schema"}
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": sent, "strict": is_strict(schema)}}


def weakened(response_format: Document, level: int) -> Document | None:
    """The same wish at a level of the ladder; None for plain text."""
    if LADDER[level] == "schema":
        return response_format
    return {"type": "json_object"} if LADDER[level] == "json" else None


def is_strict(node: Any, depth: int = 0) -> bool:
    """Whether a schema is of the strict subset: every object closed, with all its properties required."""
    if not isinstance(node, dict) or depth > 64 or not _STRICT_KEYWORDS.issuperset(node):
        return False
    types = node.get("type", [])
    types = [types] if isinstance(types, str) else types
    properties = node.get("properties", {})
    closed = node.get("additionalProperties") is False and set(node.get("required", ())) == set(properties)
    if (
        not _STRICT_TYPES.issuperset(types)
        or (("object" in types or properties) and not closed)
        or ("array" in types and "items" not in node)
        or not {"type", "enum", "const", "anyOf", "$ref"} & node.keys()  # anything goes: not of the subset
    ):
        return False
    below = [*properties.values(), *node.get("$defs", {}).values(), *node.get("anyOf", ())]
    below += [node["items"]] if "items" in node else []
    return all(is_strict(each, depth + 1) for each in below)
