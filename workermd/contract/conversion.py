"""The site's shape (a Worker spec, constraints as JSON) becomes the registry's (front matter, bullets)."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workermd.contract import document, purpose, sections, yamltext
from workermd.contract.constraints import ALIASES, FORMS, Given, bullets, flattened
from workermd.contract.document import Block
from workermd.contract.fields import FIELD_LISTS, GROUPS, read_fields
from workermd.contract.json import located
from workermd.contract.layout import (
    KeyLines,
    Layout,
    Replacement,
    applied,
    bullet,
    laid_out,
    newline_before,
    rank,
    take_apart,
)
from workermd.contract.model import Reading, Span
from workermd.contract.problems import Problems
from workermd.contract.reader import read


class NotConvertible(Exception):
    """What has no form in the registry's shape, as one line."""


def to_registry(reading: Reading) -> str:
    """The file in the registry's shape and in its layout; prose and schemas stay. A file of that shape is laid out.

    Raises ValueError where the contract has errors, NotConvertible as said there.
    """
    if reading.contract is None:
        raise ValueError("a contract with errors cannot be converted")
    if reading.contract.shape == "registry":
        return laid_out(reading)
    layout = take_apart(reading)
    if layout.entries is None:
        raise NotConvertible("the keys of its Worker spec do not each begin a line of their own")
    newline = newline_before(reading.text, layout.front.start)
    edits = [*_without_spec(layout, newline), *_constraints(layout, newline)]
    text = applied(reading.text, edits)
    gap = "" if text.startswith(("\n", "\r\n")) else newline
    text = f"---{newline}{_front(layout, layout.entries)}---{newline}{gap}{text}"
    return laid_out(_same(reading, text))


def _same(before: Reading, text: str) -> Reading:
    """The new file as it is read. Raises NotConvertible where it would not be the same contract."""
    after = read(text.encode(), before.path)
    old, new = before.contract, after.contract
    if old is None or new is None:
        code = next((finding.code for finding in after.findings if finding.severity == "error"), "")
        raise NotConvertible(f"the result would break the rule {code}")
    if (old.id, old.name, old.version, old.meaning_sha256) != (new.id, new.name, new.version, new.meaning_sha256):
        raise NotConvertible("the result would be another contract")
    return after


# --- the front matter -------------------------------------------------------------------------------------


def _front(layout: Layout, entries: tuple[KeyLines, ...]) -> str:
    text = layout.reading.text
    names = {entry.key for entry in entries}
    dropped = {*GROUPS, *({"worker_id"} if "id" in names else ())}
    if not any(finding.code == "WM712" for finding in layout.reading.findings):
        dropped |= set(FIELD_LISTS)  # the schemas say the same
    if _purpose_line(layout) is not None or purpose.stated(layout.body, layout.lines):
        dropped.add("purpose")
    kept = [text[layout.front.start : entries[0].span.start]]
    for entry in entries:
        if entry.key in dropped:
            continue
        key = "id" if entry.key == "worker_id" else text[entry.key_span.start : entry.key_span.end]
        kept += [text[entry.span.start : entry.key_span.start], key, text[entry.key_span.end : entry.span.end]]
    return "".join(kept)


def _purpose_line(layout: Layout) -> str | None:
    """The purpose as a paragraph of one line. None: there is none, or it has no such form and stays a key."""
    contract = layout.reading.contract
    text = contract.purpose if contract is not None else ""
    if not text or "\n" in text or text != text.strip():
        return None
    return f"Purpose: {text}" if not purpose.stated(layout.body, layout.lines) else None


def _without_spec(layout: Layout, newline: str) -> Iterator[Replacement]:
    """The heading and the fence go; the purpose takes the heading's place; what else stands there stays."""
    spec = layout.body.section(document.WORKER_SPEC)
    if spec is None:
        return
    fence = sections.only_fence(spec, "yaml", layout.lines, Problems("", layout.lines), required=False)
    if fence is None:
        return
    line = _purpose_line(layout)
    before = layout.lines.line_text(spec.heading.line - 1).strip() if spec.heading.line > 1 else ""
    after = layout.lines.line_text(spec.heading.end).strip() if spec.heading.end <= layout.lines.count else ""
    above, below = newline if before else "", newline if after else ""  # a paragraph of its own
    yield Replacement(_whole(layout, spec.heading), f"{above}{line}{newline}{below}" if line else "")
    yield Replacement(_whole(layout, fence), "")


def _whole(layout: Layout, block: Block) -> Span:
    """The lines of a block, and the blank one after it when there is one before it too."""
    lines = layout.lines
    end = block.end

    def is_blank(line: int) -> bool:
        return line < 1 or (line <= lines.count and not lines.line_text(line).strip())

    if block.kind == "fence" and is_blank(block.line - 1) and is_blank(end):
        end += 1
    return Span(lines.start(block.line), lines.start(end) if end <= lines.count else len(lines.text))


# --- the constraints --------------------------------------------------------------------------------------


def _constraints(layout: Layout, newline: str) -> Iterator[Replacement]:
    """All constraints, wherever they were stated, as bullets in the section."""
    section = layout.body.section(document.CONSTRAINTS)
    if section is None:
        return
    lines, problems = layout.lines, Problems("", layout.lines)
    front = yamltext.read(lines.text, *layout.front, problems)
    given = read_fields(front, Span(0, 0), problems).given
    fence = sections.only_fence(section, "json", lines, problems, required=False)
    if fence is not None:
        found = located.read(lines.text, *document.fence_content(fence, lines))
        given += flattened(found.value, found.places, "", "", textual=False)
    items = sections.items(section, lines, problems)
    there = {one.name for one in bullets(items, problems)}
    written = _bullets(given, there)
    if fence is not None:
        yield Replacement(_whole_fence(layout, fence), written.replace("\n", newline))
    elif written:
        after = lines.position(items[-1].span.start).line + 1 if items else section.heading.end
        place = lines.start(after) if after <= lines.count else len(lines.text)
        gap = newline if place == len(lines.text) and not lines.text.endswith("\n") else ""
        gap += "" if items else newline
        yield Replacement(Span(place, place), gap + written.replace("\n", newline))


def _whole_fence(layout: Layout, fence: Block) -> Span:
    lines = layout.lines
    return Span(lines.start(fence.line), lines.start(fence.end) if fence.end <= lines.count else len(lines.text))


def _bullets(given: list[Given], there: set[str]) -> str:
    """One line for each constraint that is not there yet."""
    texts: dict[str, str] = {}
    for one in given:
        name = ALIASES.get(one.name, one.name)
        if one.value is not None and name not in there and one.name not in there:
            texts.setdefault(name, _value(one))
    order = tuple(FORMS)
    return "".join(
        f"{bullet(f'{name}: {texts[name]}')}\n" for name in sorted(texts, key=lambda name: rank(name, order))
    )


def _value(one: Given) -> str:
    """The rest of the line. Raises NotConvertible for what has no form on one line."""
    value: Any = FORMS[one.name](one.value, one.textual) if one.name in FORMS else one.value
    if isinstance(value, tuple):
        text = f"[{', '.join(value)}]"
    elif isinstance(value, float):
        text = format(Decimal(repr(value)), "f").removesuffix(".0")
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text != text.strip() or len(text.splitlines()) > 1:
        raise NotConvertible(f"the constraint {one.name[:40]} is text of several lines, which no bullet holds")
    return text
