"""What can stand at the cursor: keys and constraints that are not there yet, their values, statuses, codes of rules."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lsprotocol import types

from workermd.contract.constraints import FORMS, NESTED
from workermd.contract.document import OUTPUT_SCHEMA
from workermd.contract.fields import FIELD_LISTS, FIELDS, GROUPS
from workermd.contract.model import Span
from workermd.contract.rules import RULES
from workermd.editor.buffer import Buffer
from workermd.editor.diagnostics import at
from workermd.editor.hover import explained, meaning
from workermd.editor.outline import FRONT_MATTER, DocumentPart, holds_keys, placed
from workermd.lint.front_matter import MODES
from workermd.protocol.envelope import Status

TRIGGERS = ("-", " ", "[", '"', ",")

_FAR_BACK = 2000
"""Characters before the cursor among which the beginning of a list of statuses is looked for."""

_IGNORE = re.compile(r"[ \t]{0,3}<!--[ \t]*workermd:[ \t]*ignore[ \t]+(\w*)")
_NEW_KEY = {
    "yaml": re.compile(r"[ \t]*([\w.-]*)"),
    "bullets": re.compile(r"[ \t]{0,3}[-*+][ \t]+([\w.-]*)|[ \t]{0,3}([-*+]?)"),
    "json": re.compile(r'[ \t]*("[\w.-]*)'),
}
_VALUE = re.compile(r"[ \t]*([^\s,\[\]\"']*)")
_LISTED = re.compile(r"[^\s,\[\]\"']*$")
_STATUS_LIST = re.compile(r'"status"[ \t\r\n]*:[ \t\r\n]*\{[^{}]*"enum"[ \t\r\n]*:[ \t\r\n]*\[([^\]{}]*)\Z')

_NAME = re.compile(r"[\w-]+")

Words = dict[str, str]
"""What can be written, each with what it means as Markdown."""

Kind = types.CompletionItemKind


class CompletionOffer(NamedTuple):
    """`typed` is how many characters before the cursor a word takes the place of; it is written as `form` has it."""

    words: Words
    typed: int
    kind: Kind
    form: str = "{}"


def at_offset(buffer: Buffer, offset: int) -> list[types.CompletionItem]:
    """An item a word, in the order of `Offer.words`. `offset` is one of `reading.text`."""
    offer = _offer(buffer, offset)
    if offer is None:
        return []
    place = at(buffer, Span(offset - offer.typed, offset))
    return [
        types.CompletionItem(
            label=word,
            kind=offer.kind,
            documentation=types.MarkupContent(types.MarkupKind.Markdown, said) if said else None,
            sort_text=f"{number:03}",
            filter_text=offer.form.format(word),
            text_edit=types.TextEdit(place, offer.form.format(word)),
        )
        for number, (word, said) in enumerate(offer.words.items())
    ]


def _offer(buffer: Buffer, offset: int) -> CompletionOffer | None:
    line = buffer.lines.position(offset).line
    before = buffer.reading.text[buffer.lines.start(line) : offset]
    if ignore := _IGNORE.fullmatch(before):
        return CompletionOffer({code: explained(code) for code in RULES}, len(ignore[1]), Kind.Constant)
    part = buffer.outline.part(line)
    if part is None:
        return None
    if part.form == "json" and part.name == OUTPUT_SCHEMA:
        return _status_of_schema(buffer, part, offset)
    if not holds_keys(part):
        return None
    if new := _NEW_KEY[part.form].fullmatch(before):
        typed = new[new.lastindex or 1]
        begun = part.form != "bullets" or new.lastindex == 1
        return _new_key(buffer, part, line, typed, "" if begun else "- ")
    return _value(buffer, line, offset, before)


# --- keys -------------------------------------------------------------------------------------------------


def _new_key(buffer: Buffer, part: DocumentPart, line: int, typed: str, mark: str) -> CompletionOffer:
    """The keys that are not given yet; `mark` begins the bullet where there is none."""
    outline = buffer.outline
    groups = outline.groups(line)
    _, is_constraint = placed("", groups, part)
    known = _constraints(groups) if is_constraint else _fields(part, groups)
    given = {key.name for each in range(part.first, part.end) if each != line and (key := outline.key(each))}
    full = {name: placed(name, groups, part)[0] for name in known}
    words = {name: meaning(whole, is_constraint=is_constraint) for name, whole in full.items() if whole not in given}
    return CompletionOffer(words, len(typed), Kind.Property, '"{}": ' if part.form == "json" else f"{mark}{{}}: ")


def _fields(part: DocumentPart, groups: tuple[str, ...]) -> Iterable[str]:
    if groups:
        return ()
    if part.name == FRONT_MATTER:
        return (name for name in FIELDS if name != "worker_id")
    return ("worker_id", "name", "version", "purpose", *FIELD_LISTS, *GROUPS)


def _constraints(groups: tuple[str, ...]) -> Iterator[str]:
    """Those of the group that the cursor is below, without its name; outside any group those without a dot."""
    inner = next((group for group in groups if group in NESTED), "")
    for name in FORMS:
        group, _, rest = name.rpartition(".")
        if group == inner:
            yield rest


# --- values -----------------------------------------------------------------------------------------------


def _value(buffer: Buffer, line: int, offset: int, before: str) -> CompletionOffer | None:
    key = buffer.outline.key(line)
    if key is None or offset < key.after:
        return None
    after = before[key.after - buffer.lines.start(line) :]
    if key.is_constraint and key.name in ("status_enum", "success_statuses"):
        listed = _LISTED.sub("", after)
        words = _without(_statuses(buffer), listed)
        return CompletionOffer(words, len(after) - len(listed), Kind.EnumMember, "{}" if "[" in after else "[{}]")
    value = _VALUE.fullmatch(after)
    return CompletionOffer(_single(buffer, key.name), len(value[1]), Kind.Value) if value else None


def _single(buffer: Buffer, name: str) -> Words:
    """The values of a key that takes one of a few words."""
    if name == "worker_mode":
        return dict.fromkeys(MODES, "")
    if name in ("backoff", "retries.backoff"):
        return {"exponential": ""}
    if name == "idempotency_key":
        top = "/input_schema/properties/"
        names = (place.removeprefix(top) for place in buffer.reading.places if place.startswith(top))
        return {each: "" for each in names if _NAME.fullmatch(each)}
    return {}


def _statuses(buffer: Buffer) -> Words:
    """The contract's own after the five."""
    five = {status.value: status.sentence for status in Status}
    own = buffer.reading.contract.statuses if buffer.reading.contract is not None else ()
    return {**five, **{name: "" for name in own if name not in five}}


def _without(words: Words, listed: str) -> Words:
    there = set(_NAME.findall(listed))
    return {word: said for word, said in words.items() if word not in there}


def _status_of_schema(buffer: Buffer, part: DocumentPart, offset: int) -> CompletionOffer | None:
    """In the list of statuses of an output schema."""
    start = max(buffer.lines.start(part.first), offset - _FAR_BACK)
    found = _STATUS_LIST.search(buffer.reading.text[start:offset])
    if found is None:
        return None
    begun = found[1].count('"') % 2 == 1
    listed = found[1].rpartition('"')[0] if begun else found[1]
    return CompletionOffer(
        _without(_statuses(buffer), listed),
        len(found[1]) - len(listed) - 1 if begun else 0,
        Kind.EnumMember,
        "{}" if begun else '"{}"',
    )
