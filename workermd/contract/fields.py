"""The keys of the front matter (or of a `Worker spec`): which are known, and what they hold."""

from typing import NamedTuple

from workermd.contract import forms
from workermd.contract.constraints import Given, flattened
from workermd.contract.forms import Form, WrongForm
from workermd.contract.json.strict import escape
from workermd.contract.model import Span
from workermd.contract.problems import Problems, meant
from workermd.contract.yamltext import Tree, YamlMapping
from workermd.protocol.envelope import Document
from workermd.system.text import quoted

FIELDS: dict[str, Form] = {
    "id": forms.identifier,
    "worker_id": forms.identifier,
    "name": forms.text,
    "version": forms.version,
    "purpose": forms.text,
    "source_registry_url": forms.url,
    "source_repository": forms.url,
    "repository_default_branch": forms.text,
    "repository_language": forms.text,
    "repository_license": forms.text,
    "repository_updated_at": forms.date,
    "worker_mode": forms.text,
    "derivation_method": forms.text,
    "derivation_confidence": forms.confidence,
    "derived_on": forms.date,
    "tags": forms.texts,
}
GROUPS = ("constraints", "retries", "observability")
"""Mappings whose members count as constraints; those of the last two under dotted names."""

FIELD_LISTS = ("inputs", "outputs")
KNOWN = (*FIELDS, *GROUPS, *FIELD_LISTS)
OTHERS_USE = {"name", "version", "tags", "purpose", "inputs", "outputs"}
"""Keys that do not tell a contract from the front matter of any other Markdown file."""

OF_FIELD_LIST = "a list of one-key maps such as `- text: string`"


class FrontMatterFields(NamedTuple):
    """`values` holds what the front matter says, `given` the constraints that it states."""

    values: Document
    given: list[Given]


def is_ours(keys: list[str]) -> bool:
    """True when a key belongs to a worker.md contract and hardly to any other file."""
    return any(key in KNOWN and key not in OTHERS_USE for key in keys)


def read_fields(front: YamlMapping, root: Span, problems: Problems) -> FrontMatterFields:
    """Check every key. `root` is the place for keys that are missing."""
    fields = FrontMatterFields({}, [])
    for key, value in front.values.items():
        if value is not None:  # an alias, which has been reported
            _read_field(key, value, front, fields, problems)
    if front.complete:
        _check_missing(front, root, problems)
    _check_same_id(front, problems)
    return fields


def _read_field(key: str, value: Tree, front: YamlMapping, fields: FrontMatterFields, problems: Problems) -> None:
    entry = front.places[f"/{escape(key)}"]
    key_span = entry.key or entry.value
    if value == "" and key in KNOWN:
        problems.add("WM114", key_span, f"{key} has no value", "Write a value, or remove the key.")
    elif key in GROUPS:
        if isinstance(value, dict):
            prefix = "" if key == "constraints" else f"{key}."
            fields.given.extend(flattened(value, front.places, f"/{key}", prefix, textual=True))
        else:
            problems.add(
                "WM115", entry.value, f"{key} is {quoted(value)}; allowed is a mapping", "Nest the keys below it."
            )
    elif key in FIELD_LISTS:
        if is_field_list(value):
            fields.values[key] = value
        else:
            problems.add("WM115", key_span, f"{key} is no {OF_FIELD_LIST}", f"Write {OF_FIELD_LIST}.")
    elif key in FIELDS:
        try:
            fields.values[key] = FIELDS[key](value, True)
        except WrongForm as wrong:
            span = entry.value if isinstance(value, str) else key_span
            message = f"{key} is {quoted(value)}; allowed is {wrong}"
            problems.add("WM115", span, message, f"Write {wrong}.")
    else:
        fields.values[key] = value
        if not key.startswith("x-"):
            problems.add("WM116", key_span, f"unknown key {quoted(key)}", lambda: meant(key, KNOWN))


def is_field_list(value: Tree) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and len(item) == 1 and all(isinstance(kind, str) for kind in item.values())
        for item in value
    )


def _check_missing(front: YamlMapping, root: Span, problems: Problems) -> None:
    for key, others in (("id", ("worker_id",)), ("version", ())):
        if key not in front.values and not any(other in front.values for other in others):
            example = "id: my-worker" if key == "id" else "version: 1.0.0"
            problems.add("WM112", root, f"the key {key} is missing", f"Add a line `{example}`.")
    if "name" not in front.values:
        problems.add("WM113", root, "the key name is missing; the id serves as the name", "Add a line `name: ...`.")


def _check_same_id(front: YamlMapping, problems: Problems) -> None:
    first, second = front.values.get("id"), front.values.get("worker_id")
    if isinstance(first, str) and isinstance(second, str) and first != second:
        line = problems.line(front.places["/id"].value.start)
        message = f"worker_id is {quoted(second)}; id on line {line} is {quoted(first)}"
        problems.add("WM703", front.places["/worker_id"].value, message, "Make both the same, or remove one.")
