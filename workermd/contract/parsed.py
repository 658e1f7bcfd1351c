"""What a reader arrives at, as JSON: the parsed form of a contract, and the JSON Schema of that form."""

from workermd.contract.keys import contract_schema
from workermd.contract.model import Contract
from workermd.protocol.envelope import Document

_GROUPS = ("retries", "observability")


def parsed(contract: Contract) -> Document:
    """The contract without what can be computed from the rest. A constraint that it does not state is left out."""
    stated = {name: value for name, value in contract.constraints._asdict().items() if value is not None}
    return {
        "shape": contract.shape,
        "id": contract.id,
        "name": contract.name,
        "version": contract.version,
        "mode": contract.mode,
        "purpose": contract.purpose,
        "front_matter": contract.front_matter,
        "input_schema": contract.input_schema,
        "output_schema": contract.output_schema,
        "constraints": {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items()},
        "statuses": list(contract.statuses),
    }


def parsed_schema() -> Document:
    """The JSON Schema of the parsed form, as `workermd schema parsed` prints it."""
    keys = contract_schema()
    constraints = keys["$defs"]["constraints"]["properties"]
    texts = {"anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}]}
    properties: Document = {
        "shape": {"enum": ["registry", "site"], "description": "The dialect that the file is written in."},
        "id": {"type": "string", "minLength": 1, "description": "`id`, or `worker_id` of the site's dialect."},
        "name": {"type": "string", "description": "Where it is not given, the id."},
        "version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+"},
        "mode": {"type": "string", "description": "`worker_mode`, or nothing."},
        "purpose": {"type": "string"},
        "front_matter": {"type": "object", "additionalProperties": texts, "description": "Every scalar is text."},
        "input_schema": {"type": "object"},
        "output_schema": {"type": "object"},
        "constraints": {
            "type": "object",
            "additionalProperties": False,
            "required": ["idempotency_key", "success_statuses"],
            "properties": {name: value for name, value in constraints.items() if name not in _GROUPS},
        },
        "statuses": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
    }
    return {
        "$schema": keys["$schema"],
        "title": "The parsed form of a worker.md contract",
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }
