"""The two schemas of a derived contract: an interface's own, wrapped in the registry's shape, or the mode's starter."""

import json
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical, too_deep
from workermd.contract.schema import check_schema
from workermd.derive.mode import ORCHESTRATION
from workermd.derive.model import Interface
from workermd.derive.plain import cut, json_shown
from workermd.protocol.envelope import Document
from workermd.system.text import whole

STATUSES = ("ok", "retryable_error", "invalid_request", "invalid_output")
"""The registry's four: `needs_human` would leave runs open that nobody was asked to look at."""

MAX_SCHEMA = 48 * 1024
"""Bytes of one schema as written; both and the evidence fit into a contract."""

MAX_DESCRIPTION = 600
MOST_REPAIRS = 20

_DATA = {"const", "enum", "default", "examples", "example"}
_SENTENCES = {"description", "title", "$comment", "examples", "example"}
_MAPS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_PLAIN_KEYS = {"type", "properties", "required", "additionalProperties", "$defs", "definitions", "description", "title"}
_PLAIN_KEYS |= {"$schema", "$comment"}


class Schemas(NamedTuple):
    """`notes` say what could not be expressed; `derived` is False for the starter."""

    input_schema: Document
    output_schema: Document
    notes: tuple[str, ...]
    derived: bool


class Unusable(Exception):
    """Why an interface gives no schemas that a contract can have."""


def of_interface(interface: Interface) -> Schemas:
    """The interface's schemas in the registry's shape. Raises Unusable."""
    notes = [*interface.notes]
    input_schema = _fitted(_input(interface.input_schema, notes), "input", notes)
    output_schema = _fitted(_output(interface.output_schema, notes), "output", notes)
    return Schemas(input_schema, output_schema, tuple(notes), derived=True)


def undescribed(interface: Interface) -> Interface:
    """The interface without the sentences of its schemas: names, types and bounds are facts."""
    answer = interface.output_schema
    return interface._replace(
        input_schema=_bare(interface.input_schema), output_schema=None if answer is None else _bare(answer)
    )


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    bare: Document = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            bare[key] = {name: _bare(each) for name, each in value.items()}
        elif key not in _SENTENCES:
            bare[key] = value if key in _DATA else _bare(value)
    return bare


def written(schema: Document) -> str:
    """As it stands in the contract: two spaces, every invisible character as an escape."""
    return json_shown(json.dumps(schema, ensure_ascii=False, indent=2))


def _run_id(description: str) -> Document:
    return {"type": "string", "minLength": 1, "description": description}


def _identity() -> Document:
    return _run_id("Identity of the run and idempotency key.")


# --- the input ---


def _input(arguments: Document, notes: list[str]) -> Document:
    arguments = _clean(arguments)
    properties = arguments.get("properties", {})
    if _is_plain(arguments):
        required = arguments.get("required", [])
        kept = {
            key: value
            for key, value in arguments.items()
            if key not in ("type", "properties", "required", "additionalProperties")
        }
        head = {"$schema": kept.pop("$schema")} if "$schema" in kept else {}
        return head | {
            "type": "object",
            "additionalProperties": arguments.get("additionalProperties", False),
            "required": ["run_id", *required],
            "properties": {"run_id": _identity(), **properties},
            **kept,
        }
    if isinstance(properties, dict) and "run_id" in properties:
        notes.append("The interface has an argument run_id of its own, so all arguments stand below arguments.")
    head = {"$schema": arguments.pop("$schema")} if "$schema" in arguments else {}
    return head | {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id", "arguments"],
        "properties": {"run_id": _identity(), "arguments": _moved(arguments, "#/properties/arguments")},
    }


def _is_plain(arguments: Document) -> bool:
    """An object of named properties and nothing else: `run_id` can stand beside them."""
    properties, required = arguments.get("properties", {}), arguments.get("required", [])
    return (
        arguments.get("type") == "object"
        and set(arguments) <= _PLAIN_KEYS
        and isinstance(properties, dict)
        and isinstance(required, list)
        and "run_id" not in properties
        and "run_id" not in required
        and isinstance(arguments.get("additionalProperties", False), bool)
        and not _refers_to_root(arguments)
    )


def _refers_to_root(schema: Any) -> bool:
    return '"$ref": "#"' in json.dumps(schema) or '"$dynamicRef"' in json.dumps(schema)


def _moved(schema: Any, prefix: str) -> Any:
    """The schema for another place of the document: its references lead where it stands now."""
    if isinstance(schema, list):
        return [_moved(each, prefix) for each in schema]
    if not isinstance(schema, dict):
        return schema
    moved: Document = {}
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str) and (value == "#" or value.startswith("#/")):
            moved[key] = prefix + value[1:]
        elif key in _MAPS and isinstance(value, dict):
            moved[key] = {name: _moved(each, prefix) for name, each in value.items()}
        elif key in _DATA:
            moved[key] = value
        elif key != "$id":  # it would change what the references are relative to
            moved[key] = _moved(value, prefix)
    return moved


# --- the output ---


def _output(result: Document | None, notes: list[str]) -> Document:
    """`result` is the interface's answer or an error; an answer that is no object stands below `value`."""
    answer: Document
    head: Document = {}
    if result is None:
        notes.append("The interface does not say what it answers: any object is accepted.")
        answer = {"type": "object", "description": "The answer."}
    else:
        result = _clean(result)
        head = {"$schema": result.pop("$schema")} if "$schema" in result else {}
        if result.get("type") == "object":
            answer = _moved(result, "#/$defs/answer")
        else:
            value = _moved(result, "#/$defs/answer/properties/value")
            answer = {
                "type": "object",
                "additionalProperties": False,
                "required": ["value"],
                "properties": {"value": value},
            }
    return head | _envelope(answer)


def _envelope(answer: Document) -> Document:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id", "status", "result"],
        "properties": {
            "run_id": _run_id("As in the input."),
            "status": {"type": "string", "enum": list(STATUSES)},
            "result": {"type": "object", "anyOf": [{"$ref": "#/$defs/answer"}, {"$ref": "#/$defs/failure"}]},
        },
        "$defs": {
            "answer": answer,
            "failure": {
                "type": "object",
                "additionalProperties": False,
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["code", "message", "retryable"],
                        "properties": {
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                            "retryable": {"type": "boolean"},
                        },
                    }
                },
            },
        },
    }


# --- making it usable ---


def _clean(schema: Any, depth: int = 0) -> Any:
    """A copy without half surrogate pairs and with descriptions of bounded length. Raises Unusable."""
    if depth > 48:
        raise Unusable("its schema is nested too deep.")
    if isinstance(schema, dict):
        cleaned = {whole(str(key)): _clean(value, depth + 1) for key, value in schema.items()}
        if isinstance(cleaned.get("description"), str):
            cleaned["description"] = cut(cleaned["description"], MAX_DESCRIPTION)
        return cleaned
    if isinstance(schema, list | tuple):
        return [_clean(each, depth + 1) for each in schema]
    return whole(schema) if isinstance(schema, str) else schema


def _fitted(schema: Document, side: str, notes: list[str]) -> Document:
    """The schema without the keywords that no engine takes, each told in a note. Raises Unusable."""
    for _ in range(MOST_REPAIRS):
        if too_deep(schema):
            raise Unusable(f"its {side} schema is nested too deep.")
        problems = check_schema(schema)
        if not problems:
            break
        place = problems[0].pointer
        if not _removed(schema, place):
            raise Unusable(f"its {side} schema is not valid at {place or 'its root'}.")
        notes.append(f"Left out of the {side} schema: {cut(whole(place), 80)}, which a run could not check.")
    else:
        raise Unusable(f"its {side} schema has too many faults.")
    try:
        canonical(schema)
    except ValueError:
        raise Unusable(f"its {side} schema is no JSON.") from None
    if len(written(schema).encode()) > MAX_SCHEMA:
        raise Unusable(f"its {side} schema is larger than {MAX_SCHEMA} bytes.")
    return schema


def _removed(schema: Any, pointer: str) -> bool:
    """Take the keyword at `pointer` away; False where it is not one of the interface's own."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if not parts or parts[-1] in ("type", "properties", "run_id", "status", "result", "answer", "failure", "$defs"):
        return False
    node = schema
    for part in parts[:-1]:
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return False
    if not isinstance(node, dict) or parts[-1] not in node:
        return False
    del node[parts[-1]]
    return True


# --- starters ---


def starter(mode: str) -> Schemas:
    """The registry's starter of a mode, with a result that can be told from an error."""
    fields: Document = (
        {
            "task": {"type": "string", "minLength": 1, "description": "What to do."},
            "context": {"type": "object", "description": "Further data."},
        }
        if mode == ORCHESTRATION
        else {
            "tool": {"type": "string", "minLength": 1, "description": "Name of the tool to call."},
            "arguments": {"type": "object", "description": "Arguments of the tool."},
        }
    )
    input_schema: Document = {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id", *fields],
        "properties": {"run_id": _identity(), **fields},
    }
    answer: Document = {"type": "object", "minProperties": 1, "description": "The answer."}
    return Schemas(input_schema, _envelope(answer), (), derived=False)
