"""Where a contract says what its worker is for: the forms that are read, and what only looks like one.

Read are a paragraph that begins `Purpose:` (any case, emphasis around it) and a section headed `Purpose`. The front
matter's key `purpose` is the third form; the reader holds all of them against each other.
"""

import re
from typing import NamedTuple

from workermd.contract.document import PURPOSE, Block, Body, Section, line_span
from workermd.contract.invisible import told
from workermd.contract.model import Lines, Span
from workermd.contract.problems import nearest
from workermd.system.text import quoted

SECTION_FORM = f"a section `### {PURPOSE}`"

_LABEL = re.compile(r"([*_]{0,3})purpose([*_]{0,3})[ \t]*:([*_]{0,3})[ \t]*", re.IGNORECASE)
_ALIKE = re.compile(r"(?:<[^<>]{0,40}>|[\s>*+\-#|_`\d.)\u00a0\u200b\ufeff])*purpose\b", re.IGNORECASE)

_LABELLED = re.compile(r"\W*([A-Za-z]{5,9})\W*:")


class Stated(NamedTuple):
    """A purpose as it stands in the body. `block` is its paragraph; None for a section, which holds all there is."""

    text: str
    span: Span
    block: Block | None


class NearMiss(NamedTuple):
    """A line that looks like a purpose, and why it is not read."""

    span: Span
    why: str


def stated(body: Body, lines: Lines) -> list[Stated]:
    """Every purpose with words in it, sections first."""
    headed = _sections(body)
    found = [_of_section(section, lines) for section in headed]
    inside = {block.line for section in headed for block in section.blocks}
    found += [_of_paragraph(block, lines) for block in body.blocks if _is_labelled(block) and block.line not in inside]
    return [each for each in found if each.text]


def beside(purpose: Stated, body: Body, lines: Lines) -> Span | None:
    """What stands between a purpose's paragraph and the next heading: it looks like more of it, and is not read."""
    if purpose.block is None:
        return None
    for block in body.blocks[body.blocks.index(purpose.block) + 1 :]:
        if block.kind == "heading" and block.level == 0:
            return None
        if block.kind in ("paragraph", "item", "quote") and not _is_labelled(block):
            return line_span(lines, block.line)
    return None


def near_miss(body: Body, lines: Lines) -> NearMiss | None:
    """Where there is no purpose: the first line that was probably meant to be one."""
    for block in body.blocks:
        if _is_labelled(block):
            return NearMiss(line_span(lines, block.line), "has no words behind it; what stands below is not part of it")
    for section in _sections(body):
        return NearMiss(line_span(lines, section.heading.line), "heads a section that is empty")
    for line in range(body.line, lines.count + 1):
        text = lines.line_text(line)
        if found := _ALIKE.match(text):
            unseen = told(text[: found.end() + 1])
            return NearMiss(line_span(lines, line), f"holds {unseen}" if unseen else _why_not_read(line, body))
    return _misspelt(body, lines)


def _misspelt(body: Body, lines: Lines) -> NearMiss | None:
    for line in range(body.line, lines.count + 1):
        found = _LABELLED.match(lines.line_text(line))
        if found and found[1].lower() == PURPOSE.lower():
            return NearMiss(line_span(lines, line), "is no paragraph that begins `Purpose:`")
        if found and nearest(found[1], [PURPOSE], 0.8):
            return NearMiss(line_span(lines, line), f"begins with {quoted(found[1])}, which is not the word Purpose")
    return None


def _sections(body: Body) -> list[Section]:
    return [section for section in body.sections if section.name == PURPOSE]


def _is_labelled(block: Block) -> bool:
    return block.kind == "paragraph" and block.level == 0 and _LABEL.match(block.text) is not None


def _of_paragraph(block: Block, lines: Lines) -> Stated:
    """Its lines joined by blanks. Emphasis around the whole paragraph is no part of it."""
    label = _LABEL.match(block.text)
    assert label is not None
    text = block.text[label.end() :]
    opened = label[1]
    if opened and opened not in (label[2], label[3]):
        text = text.removesuffix(opened[::-1])
    start = line_span(lines, block.line).start + label.end()
    joined = " ".join(part.strip() for part in text.split("\n")).strip()
    return Stated(joined, Span(start, max(start, line_span(lines, block.end - 1).end)), block)


def _of_section(section: Section, lines: Lines) -> Stated:
    """The source of everything below the heading, but for comments."""
    blocks = [block for block in section.blocks if block.level == 0]
    if not blocks:
        return Stated("", line_span(lines, section.heading.line), None)
    comments = {line for block in blocks if _is_comment(block) for line in range(block.line, block.end)}
    first, end = section.heading.end, max(block.end for block in blocks)
    kept = [lines.line_text(line) for line in range(first, end) if line not in comments]
    worded = [block for block in blocks if not _is_comment(block)]
    if not worded:
        return Stated("", line_span(lines, section.heading.line), None)
    span = Span(line_span(lines, worded[0].line).start, line_span(lines, worded[-1].end - 1).end)
    return Stated("\n".join(kept).strip(), span, None)


def _is_comment(block: Block) -> bool:
    return block.kind == "html" and block.text.lstrip().startswith("<!--")


def _why_not_read(line: int, body: Body) -> str:
    for block in reversed(body.blocks):
        if block.line <= line < block.end and block.kind != "paragraph":
            return _WHY.get(block.kind, "is no paragraph that begins `Purpose:`")
    return "is no paragraph that begins `Purpose:`"


_WHY = {
    "item": "stands in a list and is not read",
    "quote": "stands in a quote and is not read",
    "fence": "stands in a code fence and is not read",
    "code": "is indented by 4 or more, which makes it code",
    "html": "stands in an HTML block or comment and is not read",
    "heading": "is a heading with more in it than the word Purpose",
}
