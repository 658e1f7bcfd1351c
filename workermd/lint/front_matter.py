"""Rules about the front matter: what it says of the contract and of where the contract comes from."""

import re
from collections.abc import Iterator

from workermd.contract.fields import FIELDS
from workermd.contract.model import Span
from workermd.contract.problems import nearest
from workermd.lint.subject import Edit, Fault, Subject
from workermd.protocol.call import KEY, WrongCall, named, parse
from workermd.system.text import shown

REGISTRY_KEYS = tuple(key for key in FIELDS if key not in ("worker_id", "purpose"))
"""The 14 keys of every entry of the registry, in its order."""

MODES = ("agent-orchestration-worker", "tool-gateway-worker")

_SEMANTIC = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_OWN_LINE = re.compile(r"[ \t]*-[ \t]+\S[^\n]*\n?")


def repeated_tags(subject: Subject) -> Iterator[Fault]:
    """WM120"""
    first: dict[str, int] = {}
    tags = subject.contract.front_matter.get("tags", [])
    for index, tag in enumerate(tags):
        place = subject.where(f"/front_matter/tags/{index}")
        line = subject.lines.position(place.start).line
        if tag in first:
            message = f"the tag {shown(tag)} stands on line {first[tag]} already"
            yield Fault(place, message, "Remove it.", _without_line(subject, place, line))
        first.setdefault(tag, line)


def _without_line(subject: Subject, place: Span, line: int) -> tuple[Edit, ...]:
    """Removes a list item that has its line to itself."""
    start = subject.lines.start(line)
    item = _OWN_LINE.match(subject.text, start)
    if item is None or item.end() < place.end or "#" in item[0]:
        return ()
    return (Edit(start, item.end(), ""),)


def missing_keys(subject: Subject) -> Iterator[Fault]:
    """WM121"""
    given = subject.contract.front_matter
    derived = "source_registry_url" if "source_registry_url" in given else None
    missing = [key for key in REGISTRY_KEYS if key not in given and not (key == "id" and "worker_id" in given)]
    if derived and missing:
        message = f"{derived} says that this is a registry's entry, but {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        hint = "Add what is missing, or remove the key."
        yield Fault(subject.key(f"/front_matter/{derived}"), message, hint)


def semantic_version(subject: Subject) -> Iterator[Fault]:
    """WM122"""
    version = subject.contract.version
    if not _SEMANTIC.fullmatch(version):
        message = f"the version {shown(version)} is no semantic version, so tools cannot order it"
        hint = "Write three numbers without leading zeros, such as 1.0.0, when the contract next changes."
        yield Fault(subject.where("/front_matter/version"), message, hint)


def derived_before(subject: Subject) -> Iterator[Fault]:
    """WM123"""
    given = subject.contract.front_matter
    derived, updated = given.get("derived_on"), given.get("repository_updated_at")
    if isinstance(derived, str) and isinstance(updated, str) and derived < updated:
        line = subject.lines.position(subject.where("/front_matter/repository_updated_at").start).line
        message = f"derived_on is {derived}, before the repository_updated_at of {updated} on line {line}"
        yield Fault(subject.where("/front_matter/derived_on"), message, "Correct one of the two dates.")


def misspelt_mode(subject: Subject) -> Iterator[Fault]:
    """WM124"""
    mode = subject.contract.mode
    near = (nearest(mode, MODES, 0.85) or _abbreviated(mode)) if mode and mode not in MODES else None
    if near:
        message = f"worker_mode is {shown(mode)}, which is almost a known mode and chooses no default backend"
        yield Fault(subject.where("/front_matter/worker_mode"), message, f"Did you mean {near}?")


def _abbreviated(mode: str) -> str | None:
    """The known mode whose first words these are, such as `agent` or `tool-gateway`."""
    word = mode.strip().lower().replace("_", "-")
    return next((each for each in MODES if each.startswith(f"{word}-")), None)


def call(subject: Subject) -> Iterator[Fault]:
    """WM125"""
    listed = subject.contract.front_matter.get(KEY)
    if listed is None:
        return
    hint = "Derive the contract again, or write x-call as docs/derive.md shows it."
    try:
        call = parse(listed)
    except WrongCall as wrong:
        yield Fault(subject.key(f"/front_matter/{KEY}"), str(wrong), hint)
        return
    schema = subject.contract.input_schema
    properties = schema.get("properties", {})
    below = properties.get("arguments", {}) if set(properties) == {"run_id", "arguments"} else {}
    known = {**properties, **(below.get("properties", {}) if isinstance(below, dict) else {})}
    for name in named(call):
        if name not in known:
            message = f"x-call takes {shown(name)}, which is no property of the input schema"
            yield Fault(subject.key(f"/front_matter/{KEY}"), message, hint)
