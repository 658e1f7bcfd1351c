"""Checks that need more than one part of a contract, or a schema's meaning."""

from typing import Any, NamedTuple

from workermd.contract.model import Constraints, Places, Shape, Span
from workermd.contract.problems import Problems
from workermd.protocol.envelope import Document, Status
from workermd.system.text import quoted

FAILURES = (Status.RETRYABLE_ERROR, Status.INVALID_REQUEST, Status.INVALID_OUTPUT)
"""What a run may have to answer whatever its task does; `needs_human` has a substitute (S1.4)."""

_MOST_REFERENCES = 8


class Parts(NamedTuple):
    """What could be read of a contract; None and empty for what could not. `constraints_read` is False when
    the section is missing or its code fence could not be read: then nothing is said to be missing from it.

    `places` are those of `Reading`, `keys` the places of the keys before them.
    """

    shape: Shape
    values: Document
    purpose: str
    input_schema: Document | None
    output_schema: Document | None
    constraints: Constraints
    constraints_read: bool
    places: Places
    keys: Places


def check(parts: Parts, problems: Problems, *, thorough: bool = True) -> None:
    """Everything that is wrong beyond the form of the parts. `thorough` as in `schema.check_schema`."""
    _check_schema("input_schema", parts.input_schema, parts, problems, thorough=thorough)
    usable = _check_schema("output_schema", parts.output_schema, parts, problems, thorough=thorough)
    _check_limits(parts, problems)
    _check_statuses(parts, problems)
    _check_idempotency(parts, problems)
    if usable and parts.output_schema is not None:
        _check_failures(parts.output_schema, parts, problems)
    _check_field_list("inputs", parts.input_schema, parts, problems)
    _check_field_list("outputs", parts.output_schema, parts, problems)


def where(parts: Parts, name: str, problems: Problems) -> Span:
    """The place of a part, else of what it belongs to. A value of several lines is marked at its key."""
    while name and name not in parts.places:
        name = name.rpartition("/")[0]
    span = parts.places.get(name, Span(0, 0))
    if name in parts.keys and problems.line(span.start) != problems.line(max(span.start, span.end - 1)):
        return parts.keys[name]
    return span


def statuses(output_schema: Document | None, constraints: Constraints) -> tuple[str, ...]:
    """The statuses that runs answer with: the output schema's, else `status_enum`, else the five."""
    return schema_statuses(output_schema) or constraints.status_enum or tuple(status.value for status in Status)


def schema_statuses(output_schema: Document | None) -> tuple[str, ...] | None:
    node = _property(output_schema, "status")
    found = node.get("enum", [node["const"]] if "const" in node else None)
    if not isinstance(found, list):
        return None
    return tuple(status for status in found if isinstance(status, str)) or None


def _property(schema: Document | None, name: str) -> Document:
    """The schema of a property, references inside the document followed; empty where there is none."""
    properties = (schema or {}).get("properties")
    node: Any = properties.get(name) if isinstance(properties, dict) else None
    for _ in range(_MOST_REFERENCES):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        node = schema
        for part in reference[2:].split("/"):
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _check_schema(name: str, schema: Document | None, parts: Parts, problems: Problems, *, thorough: bool) -> bool:
    """True when the schema can be used."""
    if schema is None:
        return False
    from workermd.contract.schema import check_schema

    found = check_schema(schema, thorough=thorough)
    for problem in found:
        span = where(parts, f"/{name}{problem.pointer}", problems)
        problems.add("WM501", span, problem.message, problem.hint)
    return not found


def _check_limits(parts: Parts, problems: Problems) -> None:
    """S3.8: bounds are there, and do not contradict each other."""
    bounds = parts.constraints
    heading = parts.places.get("/constraints") if parts.constraints_read else None
    if heading and "/constraints/timeout_seconds" not in parts.keys:
        message = "timeout_seconds is missing; a run needs a limit"
        problems.add("WM701", heading, message, "Add `- timeout_seconds: 30`.")
    if heading and "/constraints/max_attempts" not in parts.keys:
        message = "max_attempts is missing; there will be one attempt"
        problems.add("WM702", heading, message, "Add `- max_attempts: 2`, or 1 to say so.")
    whole, attempt = bounds.timeout_seconds, bounds.attempt_timeout_seconds
    if whole is not None and attempt is not None and attempt > whole:
        span = where(parts, "/constraints/attempt_timeout_seconds", problems)
        line = problems.line(where(parts, "/constraints/timeout_seconds", problems).start)
        message = f"attempt_timeout_seconds is {attempt:g}, above the timeout_seconds of {whole:g} on line {line}"
        problems.add("WM706", span, message, "Lower it: the whole run has to fit into timeout_seconds.")
    if bounds.max_tool_calls == 0 and bounds.tools_allowed:
        span = where(parts, "/constraints/max_tool_calls", problems)
        problems.add("WM707", span, "max_tool_calls is 0, so no tool of tools_allowed can be called", "Raise it.")
    if bounds.tools_allowed == () and bounds.max_tool_calls:
        span = where(parts, "/constraints/tools_allowed", problems)
        problems.add("WM707", span, "tools_allowed is empty, so max_tool_calls has no use", "Name the tools.")
    if bounds.max_output_bytes is not None and bounds.max_output_bytes < len("{}"):
        span = where(parts, "/constraints/max_output_bytes", problems)
        problems.add(
            "WM707",
            span,
            f"max_output_bytes is {bounds.max_output_bytes}, which holds no output",
            "Raise it, or remove it.",
        )


def _check_statuses(parts: Parts, problems: Problems) -> None:
    """S1.2 and S1.6."""
    of_schema, of_constraints = schema_statuses(parts.output_schema), parts.constraints.status_enum
    if of_schema and of_constraints and set(of_schema) != set(of_constraints):
        span = where(parts, "/constraints/status_enum", problems)
        line = problems.line(where(parts, "/output_schema/properties/status/enum", problems).start)
        lacking = [status for status in of_schema if status not in of_constraints]
        beyond = [status for status in of_constraints if status not in of_schema]
        said = [f"lacks {_some(lacking)}"] if lacking else []
        said += [f"has {_some(beyond)} besides"] if beyond else []
        message = f"status_enum {' and '.join(said)}; the enum of the output schema is on line {line}"
        problems.add("WM704", span, message, "Make both name the same statuses.")
    found = statuses(parts.output_schema, parts.constraints)
    enum = "/output_schema/properties/status/enum" if of_schema else "/constraints/status_enum"
    given = "/constraints/success_statuses" in parts.places
    for status in parts.constraints.success_statuses if given else ():
        if status not in found:
            span = where(parts, "/constraints/success_statuses", problems)
            message = f"success_statuses names {quoted(status)}, which is no status of the contract"
            problems.add("WM708", span, message, "Name only statuses of the enum.")
    if Status.OK not in found and not given:
        message = "the statuses do not include ok, so every run ends with an exit code of failure"
        hint = "Add ok, or name the statuses of success in the constraint success_statuses."
        problems.add("WM709", where(parts, enum, problems), message, hint)
    missing = [status.value for status in FAILURES if status not in found]
    if missing:
        message = f"the statuses do not include {', '.join(missing)}, which a failure may need"
        hint = "Add them, to the status enum of the output schema and to status_enum."
        problems.add("WM710", where(parts, enum, problems), message, hint)


def _some(statuses: list[str]) -> str:
    """At most five, quoted."""
    return ", ".join(quoted(status) for status in statuses[:5])


_SCHEMA_WORDS = {"type", "properties", "required", "$ref", "allOf", "anyOf", "oneOf", "additionalProperties", "enum"}


def _check_idempotency(parts: Parts, problems: Problems) -> None:
    """S4.1."""
    if parts.input_schema is None:
        return
    key = parts.constraints.idempotency_key
    given = "/constraints/idempotency_key" in parts.places
    properties, required = parts.input_schema.get("properties"), parts.input_schema.get("required")
    if not given and not any(isinstance(names, dict | list) and key in names for names in (properties, required)):
        return  # the caller names the run
    if _property(parts.input_schema, key).get("type") != "string":
        found = "no string property"
    elif not isinstance(required, list) or key not in required:
        found = "not required"
    else:
        return
    name = "/constraints/idempotency_key" if given else "/input_schema/properties"
    origin = "the idempotency key" if given else "the idempotency key, by default run_id,"
    message = f"{origin} is {quoted(key)}, which is {found} of the input schema"
    hint = f"Make {quoted(key)} a required string of the input schema, or name another field in idempotency_key."
    if key in parts.input_schema and not _SCHEMA_WORDS & parts.input_schema.keys():
        message += "; that has no keyword of JSON Schema, and looks like an example of an input"
        hint = 'Write the schema of the input: {"type": "object", "required": [...], "properties": {...}}.'
    problems.add("WM705", where(parts, name, problems), message, hint)


def _check_failures(output_schema: Document, parts: Parts, problems: Problems) -> None:
    """S5.2: a failure is told in the output, so the schema has to have room for it."""
    if not isinstance(output_schema.get("properties"), dict) or "status" not in output_schema["properties"]:
        return
    from workermd.contract.schema import checker, draft_of

    check_instance = checker(output_schema, draft_of(output_schema))
    unfit = []
    for status in statuses(output_schema, parts.constraints):
        if status not in {*FAILURES, Status.NEEDS_HUMAN}:
            continue
        error = {"code": "timeout", "message": "The deadline passed.", "retryable": status == Status.RETRYABLE_ERROR}
        probe = {"run_id": "run-1", "status": status, "result": {"error": error}}
        if any(not mismatch.pointer.startswith("/run_id") for mismatch in check_instance.check(probe)):
            unfit.append(status)
    if unfit:
        message = f"the output schema cannot hold a failure of status {', '.join(unfit)}: its result is {{error: ...}}"
        hint = "Allow result to be an object with error: {code, message, retryable} and nothing else."
        problems.add("WM711", where(parts, "/output_schema/properties/result", problems), message, hint)


def _check_field_list(name: str, schema: Document | None, parts: Parts, problems: Problems) -> None:
    """The `inputs` and `outputs` of a Worker spec repeat the schemas."""
    listed = parts.values.get(name)
    properties = (schema or {}).get("properties")
    if not listed or not isinstance(properties, dict):
        return
    fields = {field: kind for item in listed for field, kind in item.items()}
    place = f"/front_matter/{name}"
    line = problems.line(where(parts, f"/{name[:-1]}_schema/properties", problems).start)
    for field in sorted(set(fields) ^ set(properties)):
        lists, lacks = (name, f"the schema on line {line}") if field in fields else (f"the schema on line {line}", name)
        message = f"{lists} has {quoted(field)}, which {lacks} lacks"
        problems.add("WM712", where(parts, place, problems), message, "Make both name the same fields.")
    for field in [field for field in fields if field in properties]:
        kind, optional = fields[field].removesuffix("(optional)").strip(), fields[field].endswith("(optional)")
        node = _property(schema, field)
        if _is_other_kind(kind, node):
            message = f"{name} calls {quoted(field)} {quoted(kind)}, which the schema on line {line} does not"
            problems.add("WM712", where(parts, place, problems), message, "Make both say the same.")
        required = (schema or {}).get("required")
        if name == "inputs" and isinstance(required, list) and optional == (field in required):
            message = f"inputs and the schema on line {line} differ in whether {quoted(field)} is required"
            problems.add("WM712", where(parts, place, problems), message, "Make both say the same.")


def _is_other_kind(kind: str, node: Document) -> bool:
    if kind.startswith("enum(") and kind.endswith(")"):
        return [word.strip() for word in kind[5:-1].split(",")] != node.get("enum")
    return isinstance(node.get("type"), str) and node["type"] != kind
