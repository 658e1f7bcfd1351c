"""What the keys of a contract mean, and a JSON Schema of them for editors: front matter, Worker spec, constraints."""

from typing import Any

from workermd.contract import forms
from workermd.contract.constraints import FORMS
from workermd.contract.fields import FIELD_LISTS, FIELDS, OF_FIELD_LIST
from workermd.contract.forms import MOST_COUNT, MOST_SECONDS, Form, WrongForm
from workermd.protocol.envelope import Document

MEANINGS: dict[str, str] = {
    "id": "Machine name of the worker. With the run_id it identifies a run.",
    "worker_id": "The same as id, as the site's shape calls it.",
    "name": "Name for people.",
    "version": "Version of the contract, N.N or N.N.N with an optional -suffix.",
    "purpose": "What the worker does, in a sentence; in the registry's shape a line `Purpose: ...` of the body.",
    "source_registry_url": "Page of the registry entry.",
    "source_repository": "Repository that the contract describes.",
    "repository_default_branch": "Its main branch.",
    "repository_language": "Its main language.",
    "repository_license": "Licence as the hosting site states it; no proof of the code's licence.",
    "repository_updated_at": "Day of its last change.",
    "worker_mode": "Class of the worker; a hint for choosing a default backend.",
    "derivation_method": "How the contract was made.",
    "derivation_confidence": "How sure that derivation was, from 0 to 1.",
    "derived_on": "Day of the derivation.",
    "tags": "Topics.",
    "inputs": "Fields of the input, each a map of one key to its type; repeats the input schema.",
    "outputs": "Fields of the output, each a map of one key to its type; repeats the output schema.",
    "constraints": "Bounds of a run.",
    "retries": "How often, and how, a failed attempt is repeated.",
    "observability": "What a run records.",
}
"""Each key of the front matter or a Worker spec, in a sentence."""

CONSTRAINT_MEANINGS: dict[str, str] = {
    "timeout_seconds": "Limit of the whole run in seconds: attempts, waiting and checks.",
    "attempt_timeout_seconds": "Limit of one attempt in seconds.",
    "max_attempts": "How many attempts there may be, the first included.",
    "retries.max_attempts": "The same as max_attempts.",
    "backoff": "How the wait between attempts grows.",
    "retries.backoff": "The same as backoff.",
    "idempotency_key": "The input field that marks a repeated request; run_id where nothing is said.",
    "status_enum": "The statuses of the contract; the same as in the output schema.",
    "success_statuses": "The statuses that count as success; ok where nothing is said.",
    "max_tokens": "Most tokens that a run may use, over all attempts.",
    "max_cost_usd": "Most US dollars that a run may cost, over all attempts.",
    "max_tool_calls": "Most calls of tools in a run.",
    "max_turns": "Most requests to models in a run.",
    "max_output_bytes": "Largest output in bytes.",
    "max_memory_mb": "Most memory in MiB that all processes of an attempt have together.",
    "max_processes": "Most processes and threads that an attempt has at once, beside the process that it begins in.",
    "max_artifact_mb": "Most MiB that an attempt's artifacts may have together.",
    "network": "What an attempt reaches: none, loopback (its own), or the hosts of a list, each with its port.",
    "files": "Which files an attempt needs beside the system's, by names that the operator grants: none, or a list of read(name) and write(name).",
    "tools_allowed": "The only tools that may be called.",
    "rate_limit": "How often the worker may be called: 10/min, or 5/s per /tenant; counted by the ledger.",
    "notes": "Advice to the adopter; binds nobody.",
    "observability.trace_id": "Whether a trace id is needed.",
    "observability.log_fields": "The fields of each log line.",
}
"""Each constraint, in a sentence."""


def allowed(name: str, *, is_constraint: bool) -> str:
    """What a key of `MEANINGS`, or a constraint, may hold, as a phrase; empty where nothing is to be said."""
    form = (FORMS if is_constraint else FIELDS).get(name)
    if form is None:
        return OF_FIELD_LIST if name in FIELD_LISTS else ""
    try:
        form(None, False)  # a form says what it allows when it is given something else
    except WrongForm as wrong:
        return str(wrong)
    return ""


def contract_schema() -> Document:
    """The JSON Schema of a contract's keys, as `workermd schema contract` prints it.

    The root is the front matter or the Worker spec as a YAML reader gives it, so a number or a date may be text
    or not. `#/$defs/constraints` is the JSON object of a Constraints section. Unknown keys are allowed, since they
    are warnings; a rule that spans two keys is not in a schema.
    """
    properties = {name: _described(form, MEANINGS[name], textual=True) for name, form in FIELDS.items()}
    field_list: Document = {
        "type": "array",
        "items": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": "string"},
        },
    }
    properties |= {name: {**field_list, "description": MEANINGS[name]} for name in ("inputs", "outputs")}
    properties["constraints"] = {**_group("", textual=True), "description": MEANINGS["constraints"]}
    for name in ("retries", "observability"):
        properties[name] = {**_group(f"{name}.", textual=True), "description": MEANINGS[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The front matter or the Worker spec of a worker.md contract",
        "type": "object",
        "required": ["version"],
        "anyOf": [{"required": ["id"]}, {"required": ["worker_id"]}],
        "properties": properties,
        "$defs": {"constraints": _group("", textual=False)},
    }


def _group(prefix: str, *, textual: bool) -> Document:
    """The constraints below a group; those of the groups within it are objects."""
    properties: Document = {}
    for name, form in FORMS.items():
        group, _, rest = name.rpartition(".")
        if name.startswith(prefix) and group == prefix.rstrip("."):
            properties[rest] = _described(form, CONSTRAINT_MEANINGS[name], textual=textual)
    if not prefix:
        properties |= {name: _group(f"{name}.", textual=textual) for name in ("retries", "observability")}
    return {"type": "object", "properties": properties}


def _described(form: Form, meaning: str, *, textual: bool) -> Document:
    return {**(_TEXTUAL[form] if textual and form in _TEXTUAL else _SCHEMAS[form]), "description": meaning}


_WORD = r"""[^\s,\[\]{}"'\\]+"""
_WORDS: dict[str, Any] = {
    "type": "array",
    "uniqueItems": True,
    "items": {"type": "string", "pattern": f"^{_WORD}$"},
}
_TOOLS: dict[str, Any] = {
    **_WORDS,
    "items": {"type": "string", "pattern": rf"""^({_WORD}|[^\s,\[\]{{}}"'\\()]+\([^\n]+\)|{_WORD} \(optional\))$"""},
}
_HOSTS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"type": "string", "pattern": r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[1-9][0-9]{0,4}$"},
}
_NEEDS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"type": "string", "pattern": r"^(read|write)\([a-z][a-z0-9_-]{0,63}\)$"},
}
_DECIMAL = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$"

_SCHEMAS: dict[Form, Document] = {
    forms.text: {"type": "string"},
    forms.identifier: {"type": "string", "pattern": "^[A-Za-z0-9._-]*[A-Za-z0-9][A-Za-z0-9._-]*$"},
    forms.version: {"type": "string", "pattern": r"^[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z.-]+)?$"},
    forms.url: {"type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]+\S*$"},
    forms.date: {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    forms.confidence: {"type": "number", "minimum": 0, "maximum": 1},
    forms.texts: {"type": "array", "items": {"type": "string", "minLength": 1}},
    forms.seconds: {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SECONDS},
    forms.cost: {"type": "number", "minimum": 0, "maximum": MOST_SECONDS},
    forms.count: {"type": "integer", "minimum": 0, "maximum": MOST_COUNT},
    forms.count_from_1: {"type": "integer", "minimum": 1, "maximum": MOST_COUNT},
    forms.backoff: {"const": "exponential"},
    forms.words: _WORDS,
    forms.tools: _TOOLS,
    forms.some_words: {**_WORDS, "minItems": 1},
    forms.network: {"anyOf": [{"enum": ["none", "loopback"]}, _HOSTS]},
    forms.files: {"anyOf": [{"const": "none"}, _NEEDS]},
}
"""What JSON of each form looks like."""

_TEXTUAL: dict[Form, Document] = {
    forms.version: {"anyOf": [_SCHEMAS[forms.version], {"type": "number", "minimum": 0}]},
    forms.text: {"type": ["string", "number", "boolean"]},
    forms.texts: {"type": "array", "items": {"type": ["string", "number", "boolean"], "minLength": 1}},
    **{
        form: {"anyOf": [_SCHEMAS[form], {"type": "string", "pattern": _DECIMAL}]}
        for form in (forms.confidence, forms.seconds, forms.cost, forms.count, forms.count_from_1)
    },
    **{
        form: {"anyOf": [_SCHEMAS[form], {"type": "string", "pattern": r"^\[[^\[\]]*\]$"}]}
        for form in (forms.words, forms.some_words, forms.network, forms.files)
    },
    forms.tools: {"anyOf": [_TOOLS, {"type": "string", "pattern": r"^\[.*\]$"}]},
}
"""What YAML may make of it besides: here every value counts as the text that stands in the file."""
