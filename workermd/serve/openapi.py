"""The OpenAPI document (3.1) of what is served: its schemas are the contracts' own."""

from typing import Any

from workermd import __version__
from workermd.contract.model import Contract
from workermd.protocol.envelope import Document
from workermd.protocol.envelope_schema import envelope_schema
from workermd.runner.run_key import MAX_LENGTH
from workermd.serve.catalogue import Catalogue, Offer
from workermd.serve.problem import MEDIA_TYPE
from workermd.serve.reading import JSON

_TEXT: Document = {"type": "string"}
_PROBLEM: Document = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "hint": _TEXT,
        "findings": {"type": "array", "items": {"type": "object"}},
        "envelope": {"$ref": "#/components/schemas/Envelope"},
    },
}
_STATE: Document = {
    "type": "object",
    "required": ["worker_id", "run_id", "state"],
    "properties": {"worker_id": _TEXT, "run_id": _TEXT, "state": _TEXT},
}
_ITEMS: Document = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {"type": "object", "required": ["status"], "properties": {"status": {"type": "integer"}}},
        }
    },
}
_REFUSALS = {
    "400": "The request contradicts itself, or its key is missing.",
    "401": "No token, or nobody's.",
    "403": "A page of another origin.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "421": "The Host header names another server.",
    "429": "Too many requests of this caller, or too many runs here.",
    "503": "A transient failure, or the server ends.",
}
_OF_RUNS = {
    "404": "There is no such contract, or no such run.",
    "409": "The run is not in a state for this.",
    "415": "Not the media type.",
    "422": "The input does not match its schema, or the key had another input.",
    "502": "The task failed, or gave no valid output.",
    "504": "The run's deadline passed.",
}


def openapi(catalogue: Catalogue, address: str) -> Document:
    """Paths of every contract, so that each has the schemas of its own."""
    schemas: Document = {"Problem": _PROBLEM, "State": _STATE, "Envelope": _embedded(envelope_schema(), "Envelope")}
    paths: Document = {
        "/healthz": {
            "get": _operation("healthy", "The process lives.", {"200": _object("It lives.")}) | {"security": []}
        },
        "/readyz": {
            "get": _operation("ready", "A run would be taken.", {"200": _object("It would.")}) | {"security": []}
        },
        "/workers": {"get": _operation("workers", "What is served.", {"200": _object("The contracts.")})},
        "/pending": {"get": _operation("pending", "What waits for a person.", {"200": _object("The requests.")})},
    }
    for offer in catalogue.values():
        contract = offer.worker.contract
        schemas[f"{offer.id}.input"] = _keyed(_embedded(contract.input_schema, f"{offer.id}.input"), contract)
        schemas[f"{offer.id}.output"] = _embedded(contract.output_schema, f"{offer.id}.output")
        paths |= _paths(offer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "workermd", "version": __version__, "description": "Contracts, each run a bounded step."},
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _paths(offer: Offer) -> Document:
    contract, root = offer.worker.contract, f"/workers/{offer.id}"
    run = {"name": "run_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    output: Document = {"$ref": f"#/components/schemas/{offer.id}.output"}
    if not contract.reports_status:
        output = {"anyOf": [output, {"$ref": "#/components/schemas/Envelope"}]}
    state = _response("The run has not ended.", {"$ref": "#/components/schemas/State"})
    envelope = _response("The run's record.", {"$ref": "#/components/schemas/Envelope"})
    decision = _body(
        answer={"type": "string", "minLength": 1}, reason=_TEXT, final={"type": "boolean"}, request_id=_TEXT
    )
    decision[JSON]["schema"]["required"] = ["answer"]
    reopening = _body(attempts={"type": "integer", "minimum": 1, "maximum": 100}, reason=_TEXT)
    return {
        f"{root}/runs": {
            "post": _operation(
                f"run {offer.id}",
                contract.purpose or f"Run {contract.name}.",
                {"200": _response("The output.", output), "202": state},
                *_key_of(contract),
                _header("Prefer", "respond-async, or wait=SECONDS; others are ignored."),
                body={JSON: {"schema": {"$ref": f"#/components/schemas/{offer.id}.input"}}},
            ),
            "get": _operation(f"list {offer.id}", "The newest runs.", {"200": _object("The runs.")}, *_filters()),
        },
        f"{root}/batches": {
            "post": _operation(
                f"batch {offer.id}",
                "Run many inputs; for each the response says what became of it.",
                {"200": _response("One item an input, in their order.", _ITEMS)},
                _header("Prefer", "Ignored: a batch never waits."),
                body={JSON: {"schema": _inputs(offer)}},
            )
        },
        f"{root}/runs/{{run_id}}": {
            "get": _operation(f"look {offer.id}", "A run as it stands.", {"200": envelope, "202": state}, run)
        },
        f"{root}/runs/{{run_id}}/events": {
            "get": _operation(
                f"events {offer.id}",
                "What happens in the run, as server-sent events.",
                {
                    "200": {"description": "The events.", "content": {"text/event-stream": {}}},
                    "204": {"description": "Nothing is told of this run any more."},
                },
                run,
                _header("Last-Event-ID", "The number of the event that was seen last."),
            )
        },
        f"{root}/runs/{{run_id}}/artifacts": {
            "get": _operation(
                f"artifact {offer.id}",
                "A file that an attempt left, as the envelope addresses it.",
                {"200": {"description": "The file.", "content": {"application/octet-stream": {}}}},
                run,
                {"name": "sha256", "in": "query", "required": True, "schema": _TEXT},
            )
        },
        f"{root}/runs/{{run_id}}/cancel": {
            "post": _operation(f"cancel {offer.id}", "End the run early.", {"202": state}, run)
        },
        f"{root}/runs/{{run_id}}/decisions": {
            "post": _operation(
                f"decide {offer.id}", "Decide what the run asks.", {"200": envelope, "202": state}, run, body=decision
            )
        },
        f"{root}/runs/{{run_id}}/reopenings": {
            "post": _operation(
                f"reopen {offer.id}", "Grant further starts.", {"200": envelope, "202": state}, run, body=reopening
            )
        },
    }


def _inputs(offer: Offer) -> Document:
    """What does not match is an item of the response, and no reason to refuse the rest."""
    inputs = {"type": "array", "maxItems": 1000, "description": f"Inputs of {offer.id}."}
    return {"type": "object", "additionalProperties": False, "required": ["inputs"], "properties": {"inputs": inputs}}


def _operation(
    name: str, summary: str, answers: Document, *parameters: Document, body: Document | None = None
) -> Document:
    of_runs = _OF_RUNS if parameters else {}
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {code: {"description": text, "content": problem} for code, text in (_REFUSALS | of_runs).items()}
    operation: Document = {"operationId": name.replace(" ", "-"), "summary": summary, "responses": refusals | answers}
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _response(description: str, schema: Document) -> Document:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _object(description: str) -> Document:
    return _response(description, {"type": "object"})


def _body(**properties: Document) -> Document:
    return {JSON: {"schema": {"type": "object", "properties": properties, "additionalProperties": False}}}


def _header(name: str, description: str) -> Document:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": _TEXT}


def _filters() -> list[Document]:
    limit = {"type": "integer", "minimum": 1, "maximum": 500}
    return [
        {"name": "limit", "in": "query", "required": False, "schema": limit},
        {"name": "status", "in": "query", "required": False, "schema": _TEXT},
    ]


def _key_of(contract: Contract) -> list[Document]:
    """Where the input has the key itself, a header could only repeat it."""
    if contract.key_in_input:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}
    return [_header("Idempotency-Key", "The run's key.") | {"required": True, "schema": schema}]


def _keyed(schema: Document, contract: Contract) -> Document:
    """A key names rows and folders, so it has bounds that the contract need not repeat."""
    name = contract.constraints.idempotency_key
    if not contract.key_in_input:
        return schema
    bounds = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": r"^(?:[^\p{C}\p{Z}]| )+$"}
    properties = schema["properties"] | {name: {"allOf": [schema["properties"][name], bounds]}}
    return schema | {"properties": properties}


_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_VALUES = ("enum", "const", "default", "examples")


def _embedded(schema: Any, name: str) -> Any:
    """A schema of ours below `components`: its references, which all stay inside it, begin there."""
    if isinstance(schema, list):
        return [_embedded(each, name) for each in schema]
    if not isinstance(schema, dict):
        return schema
    embedded: Document = {}
    for key, value in schema.items():
        if key in _VALUES:
            embedded[key] = value
        elif key in _NAMED and isinstance(value, dict):
            embedded[key] = {each: _embedded(below, name) for each, below in value.items()}
        elif key not in ("$schema", "$id"):
            embedded[key] = _embedded(value, name)
    reference = embedded.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and reference[1:2] in ("", "/"):
        embedded["$ref"] = f"#/components/schemas/{name}{reference[1:]}"
    return embedded
