"""What structured output demands of a schema sent with `strict: true`, as far as it can be read off the schema."""

from collections.abc import Iterator
from typing import Any

_REFUSED = ("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas")
_DEEPEST = 64


def fault(schema: Any) -> str:
    """The first thing that a strict endpoint refuses, with its JSON Pointer; "" for none."""
    if not isinstance(schema, dict) or schema.get("type") != "object" or "anyOf" in schema:
        return 'the schema itself must have the type "object", without "anyOf"'
    for pointer, part, depth in _parts(schema, "", 1):
        found = f"more than {_DEEPEST} levels" if depth > _DEEPEST else _part(part)
        if found:
            return f'at "{pointer}": {found}'
    return ""


def _part(part: dict[str, Any]) -> str:
    for key in _REFUSED:
        if key in part:
            return f'"{key}" is not permitted'
    kind = part.get("type")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind) and "properties" not in part:
        return ""
    if part.get("additionalProperties") is not False:
        return '"additionalProperties" is required to be supplied and to be false'
    properties, required = part.get("properties") or {}, part.get("required") or []
    for name in properties:
        if name not in required:
            return f'"required" has to list every property; missing: "{name}"'
    for name in required:
        if name not in properties:
            return f'"required" lists "{name}", which is no property'
    return ""


def _parts(schema: Any, pointer: str, depth: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    if not isinstance(schema, dict):
        return
    yield pointer, schema, depth
    if depth > _DEEPEST:
        return
    for key in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(key), dict):
            for name, part in schema[key].items():
                yield from _parts(part, f"{pointer}/{key}/{name}", depth + 1)
    for key in ("anyOf", "prefixItems"):
        if isinstance(schema.get(key), list):
            for index, part in enumerate(schema[key]):
                yield from _parts(part, f"{pointer}/{key}/{index}", depth + 1)
    yield from _parts(schema.get("items"), f"{pointer}/items", depth + 1)
