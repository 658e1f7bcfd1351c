"""A contract's file in its one layout: keys, schemas and constraints in order, prose byte for byte as it is.

Nothing is written anew but what is laid out; all else is copied by its place. Before a text is given back it is
read again: what it means, and what there is to say about it, has to be the same.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from workermd.contract import document, sections
from workermd.contract.constraints import FORMS
from workermd.contract.document import Body, Section
from workermd.contract.fields import FIELD_LISTS, FIELDS, GROUPS
from workermd.contract.forms import files, network, some_words, tools, words
from workermd.contract.indent import indented
from workermd.contract.json.strict import escape
from workermd.contract.model import Lines, Places, Reading, Span
from workermd.contract.problems import Problems
from workermd.contract.reader import parse, read
from workermd.contract.sections import PlacedText
from workermd.protocol import tool_pattern

ORDER = (*FIELDS, *FIELD_LISTS, *GROUPS)
"""The keys of the front matter as the registry orders them; then unknown ones, then those with `x-`."""

_BRACKETED = {name for name, form in FORMS.items() if form in (words, some_words, tools, network, files)}
_BULLET = re.compile(r"([^:]*?):[ \t]*(.*)")


class Unsafe(Exception):
    """A layout would change what a file means; says what. It is a fault of ours."""


class Replacement(NamedTuple):
    """New text for a piece of the file."""

    span: Span
    text: str


class KeyLines(NamedTuple):
    """A key of the front matter with its value: whole lines, the comments right above the key included."""

    key: str
    key_span: Span
    span: Span


class Layout(NamedTuple):
    """A file whose contract is usable, taken apart. `front` is where its YAML stands; `entries` is None where
    that cannot be parted by lines."""

    reading: Reading
    lines: Lines
    body: Body
    bounds: document.FrontMatterBounds
    entries: tuple[KeyLines, ...] | None
    front: Span


def laid_out(reading: Reading) -> str:
    """The text of the file in its layout. Raises ValueError where the contract has errors, Unsafe as said there."""
    layout = take_apart(reading)
    edits = [*_front_matter(layout), *_json_sections(layout), *_bullets(layout)]
    return checked(reading, applied(reading.text, edits))


def take_apart(reading: Reading) -> Layout:
    if reading.contract is None:
        raise ValueError("a contract with errors has no layout")
    parsed = parse(reading.text.encode(), reading.path)
    lines = Lines(reading.text)
    problems = Problems(reading.path, lines)
    bounds = document.bounds(lines, problems)
    if parsed.parts is None or bounds is None:
        raise ValueError("a contract with errors has no layout")
    body = document.read_body(lines, bounds.body_line)
    front = bounds.yaml or fence_of(body.section(document.WORKER_SPEC), "yaml", lines) or Span(0, 0)
    return Layout(reading, lines, body, bounds, _entries(front, parsed.parts.keys, parsed.parts.places, lines), front)


def applied(text: str, edits: list[Replacement]) -> str:
    """The text with every edit made. They do not overlap."""
    pieces, at = [], 0
    for edit in sorted(edits):
        pieces += [text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*pieces, text[at:]])


def checked(before: Reading, text: str) -> str:
    """The text, when it means the same and the same is to be said about it. Raises Unsafe."""
    if text != before.text:
        after = read(text.encode(), before.path)
        if after.contract != before.contract:
            raise Unsafe("the contract would be another")
        if _codes(after) != _codes(before):
            raise Unsafe("there would be other findings")
    return text


def _codes(reading: Reading) -> Counter[str]:
    return Counter(finding.code for finding in reading.findings if finding.code != "WM102")  # the mark is no text


# --- front matter -----------------------------------------------------------------------------------------


def _entries(front: Span, keys: Places, places: Places, lines: Lines) -> tuple[KeyLines, ...] | None:
    """The keys with their lines; None unless every key begins a line of its own."""
    found = sorted(
        (span, name.removeprefix("/front_matter/").replace("~1", "/").replace("~0", "~"))
        for name, span in keys.items()
        if name.startswith("/front_matter/") and name.count("/") == 2
    )
    if not found or any(lines.position(span.start).column != 1 for span, _ in found):
        return None
    starts = []
    floor = front.start
    for span, name in found:
        line = lines.position(span.start).line
        while lines.start(line) > floor and lines.line_text(line - 1).startswith("#"):
            line -= 1
        starts.append(lines.start(line))
        floor = _after_value(f"/front_matter/{escape(name)}", places, lines)
    ends = [*starts[1:], front.end]
    return tuple(KeyLines(name, span, Span(*piece)) for (span, name), *piece in zip(found, starts, ends, strict=True))


def _after_value(name: str, places: Places, lines: Lines) -> int:
    """Where comments of the next key may begin. What is quoted or in brackets may hold a line that begins with `#`."""
    floor = places[name].start
    for other, span in places.items():
        if (other == name or other.startswith(f"{name}/")) and lines.text[span.start] in "'\"[{":
            line = lines.position(span.end).line
            floor = max(floor, lines.start(line + 1) if line < lines.count else len(lines.text))
    return floor


def _front_matter(layout: Layout) -> Iterator[Replacement]:
    if layout.entries is None:
        return
    wanted = sorted(layout.entries, key=lambda entry: rank(entry.key, ORDER))
    if wanted != list(layout.entries):
        text = layout.lines.text
        span = Span(layout.entries[0].span.start, layout.entries[-1].span.end)
        yield Replacement(span, "".join(text[entry.span.start : entry.span.end] for entry in wanted))


def rank(key: str, order: tuple[str, ...]) -> int:
    """Known keys by their order, then unknown ones, then those that begin with `x-`."""
    if key in order:
        return order.index(key)
    return len(order) + key.startswith("x-")


# --- JSON -------------------------------------------------------------------------------------------------


def _json_sections(layout: Layout) -> Iterator[Replacement]:
    for name in (document.INPUT_SCHEMA, document.OUTPUT_SCHEMA, document.CONSTRAINTS):
        span = fence_of(layout.body.section(name), "json", layout.lines)
        if span is not None:
            newline = newline_before(layout.lines.text, span.start)
            text = layout.lines.text[span.start : span.end]
            if text.strip():
                yield Replacement(span, indented(text, newline) + newline)


def newline_before(text: str, offset: int) -> str:
    """The line end before a place: a file keeps its own."""
    return "\r\n" if text[:offset].endswith("\r\n") else "\n"


def fence_of(section: Section | None, word: str, lines: Lines) -> Span | None:
    """What stands in the section's code fence."""
    if section is None:
        return None
    fence = sections.only_fence(section, word, lines, Problems("", lines), required=False)
    return document.fence_content(fence, lines) if fence is not None else None


# --- bullets ----------------------------------------------------------------------------------------------


def _bullets(layout: Layout) -> Iterator[Replacement]:
    section = layout.body.section(document.CONSTRAINTS)
    if section is None:
        return
    found = sections.items(section, layout.lines, Problems("", layout.lines))
    ordered = found
    if _are_one_list(section, found, layout.lines):
        ordered = sorted(found, key=lambda item: rank(item.text.partition(":")[0], tuple(FORMS)))
    for slot, item in zip(found, ordered, strict=True):
        line = layout.lines.position(slot.span.start).line
        start = layout.lines.start(line)
        yield Replacement(Span(start, start + len(layout.lines.line_text(line))), bullet(item.text))


def bullet(text: str) -> str:
    """The line of a constraint `key: value`."""
    match = _BULLET.fullmatch(text)
    if match is None:
        return f"- {text}"
    key, value = match[1], match[2]
    if key in _BRACKETED and value.startswith("["):
        value = f"[{', '.join(tool_pattern.split(value[1:-1]))}]"
    return f"- {key}: {value}".rstrip(" \t")


def _are_one_list(section: Section, found: list[PlacedText], lines: Lines) -> bool:
    """Only blank lines stand between the bullets. A comment or a sentence may speak of the bullet beside it:
    then the order is the author's."""
    if not found:
        return False
    if any(block.kind == "html" for block in section.blocks) or any("<!--" in item.text for item in found):
        return False
    taken = [lines.position(item.span.start).line for item in found]
    between = set(range(taken[0], taken[-1])) - set(taken)
    return not any(lines.line_text(line).strip() for line in between)
