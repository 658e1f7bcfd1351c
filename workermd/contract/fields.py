"""The keys of the front matter (or of a `Worker spec`): which are known, and what they hold."""

from typing import NamedTuple

from workermd.contract import forms
from workermd.contract.constraints import Given, flattened
from workermd.contract.forms import Form, WrongForm
from workermd.contract.invisible import told, without
from workermd.contract.json.located import JsonPlace
from workermd.contract.json.strict import escape
from workermd.contract.model import Span
from workermd.contract.problems import Problems, meant, nearest
from workermd.contract.suggestion import hint
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

_REQUIRED = ("id", "worker_id", "version")
_CURLY = ("\u2018", "\u2019", "\u201c", "\u201d", "\u201e")
_OPERATORS = {
    "model",
    "models",
    "backend",
    "provider",
    "temperature",
    "base_url",
    "api_key",
    "api_key_env",
    "tools",
    "env",
}
"""Keys of other formats that say what an operator's configuration says here (S6.1)."""

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
        _read_value(key, value, entry, fields, problems)
    else:
        fields.values[key] = value
        if not key.startswith("x-"):
            _add_unknown(key, key_span, front, problems)


def _read_value(key: str, value: Tree, entry: JsonPlace, fields: FrontMatterFields, problems: Problems) -> None:
    try:
        fields.values[key] = FIELDS[key](value, True)
    except WrongForm as wrong:
        span = entry.value if isinstance(value, str) else entry.key or entry.value
        if "\t" in problems.lines.text[span.start : span.end]:
            return  # a line that begins with a TAB goes on the value above it: WM208 tells the cause
        message = f"{key} is {quoted(value)}; allowed is {wrong}"
        unseen = told(value, problems.lines.position(span.start).column) if isinstance(value, str) else ""
        problems.add("WM115", span, message, f"Remove {unseen}." if unseen else hint(FIELDS[key], value, True, wrong))
    else:
        _check_quotes(key, value, entry.value, problems)


def _add_unknown(key: str, span: Span, front: YamlMapping, problems: Problems) -> None:
    """A known key with an unseen character in it lacks under its own name: then that is what is told, once."""
    plain = without(key).strip()
    if plain not in KNOWN and nearest(key, KNOWN) in _lacking(front):
        return  # told as the key that is missing
    if plain not in KNOWN:
        problems.add("WM116", span, f"unknown key {quoted(key)}", lambda: _instead(key))
        return
    unseen = told(key, problems.lines.position(span.start).column)
    code = "WM112" if plain in _REQUIRED else "WM116"
    problems.add(code, span, f"the key {plain} holds {unseen or 'blanks around it'}", "Remove it.")


def _check_quotes(key: str, value: Tree, span: Span, problems: Problems) -> None:
    """Quotes of a word processor are part of the text for YAML."""
    if isinstance(value, str) and value[:1] in _CURLY and value[-1:] in _CURLY:
        message = f"{key} begins and ends with typographic quotes, which become part of it"
        problems.add("WM117", span, message, "Write plain quotes, or none.")


def _instead(key: str) -> str:
    if key.lower() in _OPERATORS:
        return "Remove it: which backend and model serve a contract is the operator's, in workermd.toml."
    return meant(key, KNOWN)


def is_field_list(value: Tree) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and len(item) == 1 and all(isinstance(kind, str) for kind in item.values())
        for item in value
    )


def _check_missing(front: YamlMapping, root: Span, problems: Problems) -> None:
    for key in _lacking(front):
        code, example, else_ = _LACKED[key]
        mistaken = next((name for name in front.values if name not in KNOWN and nearest(name, KNOWN) == key), "")
        if mistaken:
            span = front.places[f"/{escape(mistaken)}"].key or root
            found, to_do = f"{quoted(mistaken)} is not its name", f"Write `{key}:` in its place."
            problems.add(code, span, f"the key {key} is missing: {found}", to_do)
        else:
            problems.add(code, root, f"the key {key} is missing{else_}", f"Add a line `{example}`.")


_LACKED = {
    "id": ("WM112", "id: my-worker", ""),
    "version": ("WM112", "version: 1.0.0", ""),
    "name": ("WM113", "name: ...", "; the id serves as the name"),
}
"""A key that a contract has: the rule about it, a line to add, and what happens without it."""


def _lacking(front: YamlMapping) -> list[str]:
    """Of these keys the ones that are missing; `worker_id` is another word for `id`."""
    written = {without(name).strip() for name in front.values}
    return [key for key in _LACKED if key not in written and not (key == "id" and "worker_id" in written)]


def _check_same_id(front: YamlMapping, problems: Problems) -> None:
    first, second = front.values.get("id"), front.values.get("worker_id")
    if isinstance(first, str) and isinstance(second, str) and first != second:
        line = problems.line(front.places["/id"].value.start)
        message = f"worker_id is {quoted(second)}; id on line {line} is {quoted(first)}"
        problems.add("WM703", front.places["/worker_id"].value, message, "Make both the same, or remove one.")
