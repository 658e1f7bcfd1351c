"""The JSON Schema of the envelope: what `workermd schema envelope` prints."""

from workermd.protocol.envelope import ERROR_CODES, OUTCOMES, REQUEST_KINDS, SCHEMA_VERSION, Document


def _count() -> Document:
    return {"type": "integer", "minimum": 0}


def envelope_schema() -> Document:
    """The JSON Schema of the envelope, as `workermd schema envelope` prints it."""
    text: Document = {"type": "string"}
    error: Document = {
        "type": "object",
        "required": ["code", "message", "retryable"],
        "additionalProperties": False,
        "properties": {
            "code": {"enum": list(ERROR_CODES)},
            "message": text,
            "retryable": {"type": "boolean"},
            "hint": text,
        },
    }
    duration: Document = {"type": ["number", "null"], "minimum": 0}
    attempt: Document = {
        "type": "object",
        "required": ["n", "started_at", "duration_ms", "outcome"],
        "additionalProperties": False,
        "properties": {
            "n": {"type": "integer", "minimum": 1},
            "started_at": {"type": "string", "format": "date-time"},
            "duration_ms": duration,
            "outcome": {"enum": list(OUTCOMES)},
            "error": error,
            "usage": {"type": "object"},
            "resumed_from": {
                "description": "What earlier attempts had come to and was not done again: the latest of them, how many "
                "requests to models, how many tool calls.",
                "type": "object",
                "required": ["attempt", "requests", "tool_calls"],
                "additionalProperties": False,
                "properties": {
                    "attempt": {"type": "integer", "minimum": 1},
                    "requests": _count(),
                    "tool_calls": _count(),
                },
            },
            "sandbox": {
                "description": "What the attempt was held to, and by which means each thing was held.",
                "type": "object",
                "required": ["mode", "held"],
                "additionalProperties": False,
                "properties": {
                    "mode": {"enum": ["auto", "strict", "off"]},
                    "held": {"type": "object", "additionalProperties": text},
                },
            },
        },
    }
    artifact: Document = {
        "type": "object",
        "required": ["name", "sha256", "bytes", "media_type", "uri"],
        "additionalProperties": False,
        "properties": {
            "name": text,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "bytes": _count(),
            "media_type": text,
            "uri": {"type": "string", "format": "uri"},
        },
    }
    request: Document = {
        "description": "What a person is asked; answered with: workermd approve.",
        "type": "object",
        "required": ["id", "kind", "question", "options"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
            "kind": {"enum": list(REQUEST_KINDS)},
            "question": {"type": "string", "minLength": 1},
            "options": {"type": "array", "items": text, "description": "Without any, every answer is allowed."},
            "proposed": {"type": "object", "description": "Of a tool: tool, arguments. Of a plan: plan."},
        },
    }
    properties: Document = {
        "schema_version": {"const": SCHEMA_VERSION},
        "worker_id": text,
        "version": text,
        "contract_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "run_id": {"type": ["string", "null"]},
        "status": {"type": "string", "minLength": 1},
        "exit_code": _count(),
        "outputs": {"type": ["object", "null"]},
        "output_valid": {"type": "boolean"},
        "error": error,
        "request": request,
        "replayed": {"type": "boolean"},
        "attempts": {"type": "array", "items": attempt},
        "observability": {
            "type": "object",
            "required": ["attempt", "duration_ms", "trace_id", "log_fields"],
            "additionalProperties": False,
            "properties": {
                "attempt": _count(),
                "duration_ms": duration,
                "trace_id": {"type": "string", "minLength": 1, "maxLength": 128},
                "log_fields": {"type": "object"},
            },
        },
        "usage": {"type": "object"},
        "backend": text,
        "artifacts": {"type": "array", "items": artifact},
        "notes": {"type": "array", "items": text},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The record of a run of a worker.md contract",
        "type": "object",
        "required": [name for name in properties if name not in ("error", "request")],
        "additionalProperties": False,
        "properties": properties,
    }
