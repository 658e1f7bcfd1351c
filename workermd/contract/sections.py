"""What a section must hold: its one code fence, its one-line list items."""

import re
from typing import NamedTuple

from workermd.contract.document import Block, Body, Section, line_span, section_name
from workermd.contract.invisible import told
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems, nearest
from workermd.system.text import quoted

_NEAR_WORDS = {"json": {"json", "jsonc", "json5", "jsonschema"}, "yaml": {"yaml", "yml"}}
_CONVERTIBLE = ("yaml", "yml", "toml")
_ITEM = re.compile(r" {0,3}[-*+][ \t]+(.*?)[ \t]*")
_ALSO = {
    "Input schema": (
        "input",
        "inputs",
        "inputjsonschema",
        "inputschemas",
        "inputformat",
        "schemainput",
        "request",
        "parameters",
    ),
    "Output schema": (
        "output",
        "outputs",
        "outputjsonschema",
        "outputschemas",
        "outputformat",
        "schemaoutput",
        "response",
    ),
    "Constraints": ("constraint", "limits", "bounds", "limitations"),
}
"""What other people head these sections with, in small letters."""

_NO_LETTER = re.compile("[^a-z]")
_TAG = re.compile("<[^<>]*>")
_SPACE = re.compile("[ \t]+")


class PlacedText(NamedTuple):
    """A piece of text and where it stands."""

    text: str
    span: Span


def info_word(fence: Block) -> str:
    return _SPACE.split(fence.text.strip(" \t"), maxsplit=1)[0]


def only_fence(section: Section, word: str, lines: Lines, problems: Problems, *, required: bool = True) -> Block | None:
    """The one top-level code fence whose language is `word`."""
    fences = [block for block in section.blocks if block.level == 0 and block.kind in ("fence", "code")]
    found = [block for block in fences if block.kind == "fence" and info_word(block).lower() == word]
    for second in found[1:]:
        message = f"found a second {word} code fence; the first is on line {found[0].line}"
        problems.add("WM307", line_span(lines, second.line), message, "Keep one of the two.")
    settled = {block.line for block in found}  # by line: a hostile section has thousands of fences
    unclear = [block for block in fences if block.line not in settled and _is_unclear(block, word)]
    if found:  # beside the one that counts, a fence of another language is an example
        unclear = [block for block in unclear if info_word(block).lower() not in _CONVERTIBLE]
    for block in unclear:
        what = "indented code" if block.kind == "code" else f"a code fence of language {quoted(info_word(block))}"
        message = f"found {what}; the section {section.name} is read from a code fence of language {word}"
        hint = f"Begin it with ```{word}, or move it elsewhere."
        if info_word(block).lower() in _CONVERTIBLE and word == "json":
            hint = "Convert it to JSON, in a fence that begins with ```json."
        problems.add("WM308", line_span(lines, block.line), message, hint)
    settled.update(block.line for block in unclear)
    for block in fences:
        if block.line not in settled:
            message = f"a code fence of language {quoted(info_word(block))} is not read in the section {section.name}"
            problems.add("WM310", line_span(lines, block.line), message, "Move it to another section.")
    if found:
        return found[0]
    if required and not unclear:
        _add_no_fence(section, word, lines, problems)
    return None


def _is_unclear(block: Block, word: str) -> bool:
    name = info_word(block).lower()
    if word == "json" and name in _CONVERTIBLE:
        return True
    return block.kind == "code" or not name or re.sub("[^a-z0-9]", "", name) in _NEAR_WORDS[word]


def _add_no_fence(section: Section, word: str, lines: Lines, problems: Problems) -> None:
    for block in section.blocks:
        if block.kind == "fence" and block.level > 0:
            message = f"the code fence of the section {section.name} stands in a list or quote and is not read"
            problems.add("WM309", line_span(lines, block.line), message, "Move it out, to the start of a line.")
            return
    hidden = next((block for block in section.blocks if block.kind == "html" and "```" in block.text), None)
    where = f"; the one on line {hidden.line} stands in an HTML block or comment" if hidden else ""
    message = f"the section {section.name} has no {word} code fence{where}"
    hint = f"Add one that begins with ```{word}."
    problems.add("WM306", line_span(lines, section.heading.line), message, hint)


def add_missing(name: str, body: Body, lines: Lines, problems: Problems) -> None:
    """Report that a section is missing, at what looks like it, else at the end."""
    if any(block.kind == "heading" and section_name(block.text) == name for block in body.blocks):
        return  # in a list or quote, which has been reported
    hint = f"Write `### {name}` alone on a line, with a blank line before it."
    line = _line_like(name, body, lines)
    if line is not None:
        message = f"the section {name} is missing; this line {_why_no_heading(line, body, lines)}"
        problems.add("WM301", line_span(lines, line), message, hint)
        return
    last = lines.count - 1 if lines.count > 1 and not lines.line_text(lines.count) else lines.count
    problems.add("WM301", line_span(lines, last), f"the section {name} is missing", hint)


def _line_like(name: str, body: Body, lines: Lines) -> int | None:
    wanted = _NO_LETTER.sub("", name.lower())
    key = name.lower().split()[-1]
    for line in range(body.line, lines.count + 1):
        text = lines.line_text(line).lower()
        if key in text and wanted in (_NO_LETTER.sub("", text), _NO_LETTER.sub("", _TAG.sub("", text))):
            return line
    for block in body.blocks:
        if block.kind == "heading" and not section_name(block.text):
            plain = _NO_LETTER.sub("", block.text.lower())
            if plain in _ALSO.get(name, ()) or nearest(block.text, [name], 0.82):
                return block.line
    return None


def _why_no_heading(line: int, body: Body, lines: Lines) -> str:
    for block in body.blocks:
        if block.line <= line < block.end:
            if block.kind == "fence":
                return f"stands in the code fence that begins on line {block.line}"
            if block.kind == "html":
                return f"stands in the HTML block or comment that begins on line {block.line}"
            if block.kind == "code":
                return "is indented by 4 or more, which makes it code"
    return f"holds {unseen}" if (unseen := told(lines.line_text(line))) else "is no heading of that name"


def items(section: Section, lines: Lines, problems: Problems) -> list[PlacedText]:
    """The one-line bullets of the section, each without its marker. Other items are reported."""
    found = []
    for at, block in enumerate(section.blocks):
        if block.kind != "item" or block.level != 1:
            continue
        if block.mark in (".", ")"):
            message = "found a numbered item; constraints are bullets"
            problems.add("WM603", line_span(lines, block.line), message, "Write `- key: value`.")
            continue
        trouble = _trouble(section.blocks, at)
        text = _ITEM.fullmatch(lines.line_text(block.line))
        if trouble or text is None:
            message = f"found {trouble or 'an item of another form'}; a constraint is one line `- key: value`"
            problems.add("WM602", line_span(lines, block.line), message, "Write each constraint as one line.")
            continue
        start = lines.start(block.line)
        found.append(PlacedText(text[1], Span(start + text.start(1), start + text.end(1))))
    return found


def _trouble(blocks: tuple[Block, ...], at: int) -> str | None:
    """Why the item `blocks[at]` is not one line of text."""
    item = blocks[at]
    children = blocks[at + 1 : at + 3]
    if not children or children[0].level <= item.level:
        return "an empty item"
    first = children[0]
    if first.kind != "paragraph":
        return "a nested item" if first.kind == "item" else f"an item that holds a {first.kind}"
    if first.line != item.line or first.end > first.line + 1:
        return "an item of more than one line"
    if len(children) > 1 and children[1].level > item.level:
        return "an item with more below it"
    return None


def loose_paragraphs(section: Section) -> list[Block]:
    """The paragraphs that are not a top-level list item's own."""
    found = []
    for at, block in enumerate(section.blocks):
        in_item = at > 0 and section.blocks[at - 1].kind == "item" and section.blocks[at - 1].level == 1
        if block.kind == "paragraph" and not in_item:
            found.append(block)
    return found
