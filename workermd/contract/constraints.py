"""Constraints: bullets, one JSON object or keys of the front matter become typed bounds."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.contract import forms
from workermd.contract.document import Section, line_span
from workermd.contract.forms import Form, WrongForm
from workermd.contract.invisible import told, without
from workermd.contract.json.located import JsonPlace
from workermd.contract.json.strict import escape
from workermd.contract.model import Constraints, Lines, Span
from workermd.contract.problems import Problems, meant
from workermd.contract.sections import PlacedText, loose_paragraphs
from workermd.contract.suggestion import hint, written_right
from workermd.protocol.envelope import Document
from workermd.system.text import quoted

FORMS: dict[str, Form] = {
    "timeout_seconds": forms.seconds,
    "attempt_timeout_seconds": forms.seconds,
    "max_attempts": forms.count_from_1,
    "retries.max_attempts": forms.count_from_1,
    "backoff": forms.backoff,
    "retries.backoff": forms.backoff,
    "idempotency_key": forms.text,
    "status_enum": forms.some_words,
    "success_statuses": forms.some_words,
    "max_tokens": forms.count,
    "max_cost_usd": forms.cost,
    "max_tool_calls": forms.count,
    "max_turns": forms.count,
    "max_output_bytes": forms.count,
    "max_memory_mb": forms.count_from_1,
    "max_processes": forms.count_from_1,
    "max_artifact_mb": forms.count,
    "network": forms.network,
    "files": forms.files,
    "tools_allowed": forms.tools,
    "rate_limit": forms.text,
    "notes": forms.text,
    "observability.trace_id": forms.text,
    "observability.log_fields": forms.words,
}
ALIASES = {"retries.max_attempts": "max_attempts", "retries.backoff": "backoff"}
NESTED = ("retries", "observability")

INSTEAD = {
    "timeout": "timeout_seconds",
    "timeout_s": "timeout_seconds",
    "timeout_sec": "timeout_seconds",
    "timeout_secs": "timeout_seconds",
    "time_limit": "timeout_seconds",
    "deadline": "timeout_seconds",
    "max_retries": "max_attempts",
    "max_tries": "max_attempts",
    "attempts": "max_attempts",
    "retries": "max_attempts",
    "retry": "max_attempts",
    "attempt_timeout": "attempt_timeout_seconds",
    "token_limit": "max_tokens",
    "max_cost": "max_cost_usd",
    "max_budget_usd": "max_cost_usd",
    "tools": "tools_allowed",
    "allowed_tools": "tools_allowed",
    "statuses": "status_enum",
    "rate": "rate_limit",
    "memory": "max_memory_mb",
    "max_memory": "max_memory_mb",
    "memory_limit": "max_memory_mb",
    "processes": "max_processes",
    "hosts": "network",
    "allowed_hosts": "network",
    "paths": "files",
    "idempotency": "idempotency_key",
}
"""What other formats call a constraint, and what it is called here."""

_NEEDED = {"timeout_seconds": "WM701", "max_attempts": "WM702"}
"""Constraints whose absence is a finding of its own: it is told at what was written instead, once."""

_PLAIN = re.compile(r"([^:]*?):(?:[ \t]+(.*))?")
_SEPARATOR = re.compile("[:=]")
_NO_WORD = re.compile(r"[^A-Za-z0-9_.]")


class Given(NamedTuple):
    """A constraint as it stands. `textual` as in `forms`; a textual None has been reported already."""

    name: str
    value: object
    key: Span
    place: Span
    textual: bool


class Merged(NamedTuple):
    """`observability` holds the members of that group. `places` and `keys` are by field name; `keys` has those
    whose value is unusable too."""

    constraints: Constraints
    observability: Document
    places: dict[str, Span]
    keys: dict[str, Span]


def bullets(texts: list[PlacedText], problems: Problems) -> list[Given]:
    """The constraints of one-line bullets `key: rest of line`."""
    given: list[Given] = []
    lines: dict[str, int] = {}
    for text, span in texts:
        found = _PLAIN.fullmatch(text)
        stripped = _NO_WORD.sub("", _SEPARATOR.split(text, maxsplit=1)[0]).strip("_")
        if found is None or (found[1] not in FORMS and stripped in FORMS) or not found[1].strip():
            _add_not_plain(text, stripped, span, problems)
            given.append(Given(stripped if stripped in FORMS else "x-", None, span, span, textual=True))
            continue
        name, key = found[1], Span(span.start, span.start + found.end(1))
        if name in lines:
            message = f"found {name} again; it stands on line {lines[name]} already"
            problems.add("WM605", key, message, "Keep one of the two.")
            continue
        lines[name] = problems.line(span.start)
        value = found[2] or ""
        given.append(Given(name, value, key, Span(span.end - len(value), span.end), textual=True))
    return given


def _add_not_plain(text: str, stripped: str, span: Span, problems: Problems) -> None:
    unseen = told(text, problems.lines.position(span.start).column)
    if unseen:
        message = f"found {unseen} where a constraint has a plain blank, or nothing"
        problems.add("WM601", span, message, f"Write `- {' '.join(without(text).split())[:60]}`.")
        return
    rest = "".join(_SEPARATOR.split(text, maxsplit=1)[1:]).strip(" \t*_`")
    hint = f"Write `- {stripped}: {rest[:40]}`." if stripped in FORMS else "Write `- key: value`, or remove the item."
    message = f"found {quoted(text)}; a constraint is a plain key, a colon, a blank and the value"
    problems.add("WM601", span, message, hint)


def check_loose(section: Section, lines: Lines, problems: Problems) -> bool:
    """Report paragraphs that were probably meant to be constraints. True where there are some: what they were to say is
    not missing besides."""
    found = False
    for block in loose_paragraphs(section):
        if block.text.startswith("|") and any(name in block.text for name in FORMS):
            hint = "Write each row as a bullet `- key: value`."
            problems.add(
                "WM604", line_span(lines, block.line), "found a table; constraints are read from bullets", hint
            )
            found = True
            continue
        span = line_span(lines, block.line)
        column = lines.position(span.start).column
        unseen = told(lines.line_text(block.line)[column - 1 :], column)
        meant_line = " ".join(without(block.text.split("\n")[0]).split())
        if unseen and meant_line.lstrip("-*+ ").partition(":")[0] in (*FORMS, *INSTEAD):
            problems.add(
                "WM604", span, f"found {unseen}, so this is no bullet and not read", f"Write `{meant_line[:60]}`."
            )
            found = True
            continue
        key = _NO_WORD.sub("", block.text.partition(":")[0]).strip("_")
        if key in FORMS and ":" in block.text:
            message = f"{key} stands outside the bullet list of the section and is not read"
            problems.add("WM604", line_span(lines, block.line), message, f"Write it as a bullet `- {key}: ...`.")
            found = True
    return found


def flattened(
    values: dict[str, Any], places: dict[str, JsonPlace], pointer: str, prefix: str, *, textual: bool
) -> Iterator[Given]:
    """The members of a mapping as constraints; groups below it under dotted names."""
    for key, value in values.items():
        below = f"{pointer}/{escape(key)}"
        if key in NESTED and not prefix and isinstance(value, dict):
            yield from flattened(value, places, below, f"{key}.", textual=textual)
        else:
            entry = places[below]
            yield Given(prefix + key, value, entry.key or entry.value, entry.value, textual)


def merge(given: list[Given], problems: Problems) -> Merged:
    """Type every constraint; what is given twice must be the same."""
    values: dict[str, Any] = {}
    places: dict[str, Span] = {}
    keys: dict[str, Span] = {}
    names = {ALIASES.get(one.name, one.name) for one in given}
    for one in given:
        if one.name not in FORMS:
            if not one.name.startswith("x-"):
                _add_unknown(one, names, keys, problems)
            continue
        name = ALIASES.get(one.name, one.name)
        first = keys.setdefault(name, one.key)
        value = None if one.value is None and one.textual else _typed(one, problems)
        if value is None:
            continue
        if values.setdefault(name, value) != value:
            line = problems.line(first.start)
            message = f"{one.name} is {quoted(one.value)}; it is {_short(values[name])} on line {line}"
            problems.add("WM703", one.place, message, "Make both the same, or remove one.")
        places.setdefault(name, one.place)
    observability = {name: _as_json(values.pop(name)) for name in list(values) if name.startswith("observability.")}
    return Merged(Constraints(**values), observability, places, keys)


def _short(value: object) -> str:
    """A value of ours for a message."""
    return f"{value:g}" if isinstance(value, float) else quoted(_as_json(value))


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _add_unknown(one: Given, names: set[str], keys: dict[str, Span], problems: Problems) -> None:
    plain = without(one.name).strip()
    name = plain if plain in FORMS else INSTEAD.get(plain.lower().replace("-", "_").replace(" ", "_"), "")
    if name in _NEEDED and name not in names:
        keys.setdefault(name, one.key)
        unseen = told(one.name, problems.lines.position(one.key.start).column)
        found = f"the key holds {unseen}" if unseen else f"{quoted(one.name)} is not its name"
        value = written_right(FORMS[name], one.value, one.textual) or "30"
        problems.add(_NEEDED[name], one.key, f"{name} is missing: {found}", f"Write `- {name}: {value}`.")
    elif name:
        problems.add("WM607", one.key, f"unknown constraint {quoted(one.name)}", f"Did you mean {name}?")
    else:
        problems.add("WM607", one.key, f"unknown constraint {quoted(one.name)}", lambda: meant(one.name, FORMS))


def _typed(one: Given, problems: Problems) -> object:
    if one.value == "":
        problems.add("WM606", one.key, f"{one.name} has no value", "Write a value, or remove the constraint.")
        return None
    try:
        return FORMS[one.name](one.value, one.textual)
    except WrongForm as wrong:
        span = one.place if isinstance(one.value, str | int | float) else one.key
        unseen = told(one.value, problems.lines.position(span.start).column) if isinstance(one.value, str) else ""
        to_do = f"Remove {unseen}." if unseen else hint(FORMS[one.name], one.value, one.textual, wrong)
        problems.add("WM606", span, f"{one.name} is {quoted(one.value)}; allowed is {wrong}", to_do)
        return None
