"""The structure of a contract file: its front matter's bounds, and its blocks and sections by markdown-it.

Only the block rules run: headings, fences, lists and quotes are told apart as CommonMark does, while
inline text stays as written. Positions are line numbers of the file, from 1; `end` lines are excluded.
"""

import gc
import re
from functools import cache
from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems
from workermd.system.text import quoted

MARKER = "---"
INPUT_SCHEMA = "Input schema"
OUTPUT_SCHEMA = "Output schema"
CONSTRAINTS = "Constraints"
WORKER_SPEC = "Worker spec"
PURPOSE = "Purpose"
SECTIONS = (INPUT_SCHEMA, OUTPUT_SCHEMA, CONSTRAINTS, WORKER_SPEC, PURPOSE)

_KNOWN = {name.lower(): name for name in SECTIONS}
_MARKER = re.compile(r"^---\r?$", re.MULTILINE)
_BLANKS = re.compile("[ \t]+")
_PURPOSE = re.compile(r"[*_]{0,3}purpose[*_]{0,3}[ \t]*:?[*_]{0,3}", re.IGNORECASE)
_RELEVANT = re.compile(
    r"```|~~~|<|purpose|input[ \t]+schema|output[ \t]+schema|constraints|worker[ \t]+spec", re.IGNORECASE
)
_TOP_HEADING = re.compile(r"#{1,6}(?:[ \t\r\n]|\Z)")
_ALMOST_MARKER = re.compile(r"[ \t\ufeff\u00a0\ufffd]*-{3,}[ \t\u00a0\ufffd]*")  # U+FFFD: a control character
_SECTION_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t#]*")
_CLOSING_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*")
_HTML_ENDS = (
    (re.compile(r"<!--"), re.compile("-->"), "-->"),
    (
        re.compile(r"<(script|pre|style|textarea)(?=\s|>|$)", re.IGNORECASE),
        re.compile("</(script|pre|style|textarea)>", re.IGNORECASE),
        "its end tag",
    ),
    (re.compile(r"<\?"), re.compile(r"\?>"), "?>"),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>"), "]]>"),
    (re.compile(r"<![A-Za-z]"), re.compile(">"), ">"),
)

Kind = Literal["heading", "paragraph", "fence", "code", "html", "item", "quote"]


class Block(NamedTuple):
    """A block of the body. `level` is 0 outside lists and quotes.

    `text` is a heading's or paragraph's raw text, a fence's info string, the text of an HTML block;
    `mark` is the fence itself, a list item's marker character, or the rank of a heading as `h1` to `h6`.
    """

    kind: Kind
    level: int
    line: int
    end: int
    text: str
    mark: str


class Section(NamedTuple):
    """A known heading and the blocks below it."""

    name: str
    heading: Block
    blocks: tuple[Block, ...]


class Body(NamedTuple):
    """`line` is the first line of the body. `sections` holds repeated ones too, in the order of the file.

    `whole` is False when blocks at the start were left out.
    """

    line: int
    whole: bool
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section | None:
        return next((section for section in self.sections if section.name == name), None)


class FrontMatterBounds(NamedTuple):
    """Where the front matter's YAML stands, and the first line of the body. `yaml` None: there is none."""

    yaml: Span | None
    body_line: int


def line_span(lines: Lines, line: int) -> Span:
    """A line from its first character that is no blank to its last."""
    text = lines.line_text(line)
    start = lines.start(line)
    return Span(start + len(text) - len(text.lstrip(" \t")), start + len(text.rstrip(" \t")))


def bounds(lines: Lines, problems: Problems) -> FrontMatterBounds | None:
    """Find the front matter. None: it never ends, which has been reported.

    A first line that is almost `---` is reported and then taken for what was meant.
    """
    first = _opening(lines, problems)
    if first is None:
        return FrontMatterBounds(None, 1)
    last = line_of_marker(lines, first + 1)
    if last is None:
        _add_no_end(lines, first, problems)
        return None
    return FrontMatterBounds(Span(lines.start(first + 1), lines.start(last)), last + 1)


def line_of_marker(lines: Lines, line: int) -> int | None:
    """The first line from `line` on that is exactly `---`."""
    found = _MARKER.search(lines.text, lines.start(line)) if line <= lines.count else None
    return lines.position(found.start()).line if found else None


def _opening(lines: Lines, problems: Problems) -> int | None:
    """The line that opens the front matter."""
    if lines.line_text(1) == MARKER:
        return 1
    blank = 1
    while blank < lines.count and not lines.line_text(blank).strip():
        blank += 1
    text = lines.line_text(blank)
    if not _ALMOST_MARKER.fullmatch(text):
        return None
    found = quoted(text) if text != MARKER else f"{quoted(text)} on line {blank}"
    hint = "Make line 1 `---` alone, with nothing before it."
    problems.add("WM108", line_span(lines, blank), f"found {found}; line 1 must be exactly `---`", hint)
    return blank


def _add_no_end(lines: Lines, first: int, problems: Problems) -> None:
    almost = (
        line
        for line in range(first + 1, lines.count + 1)
        if lines.line_text(line).strip() == "..." or _ALMOST_MARKER.fullmatch(lines.line_text(line))
    )
    line = next(almost, None)
    found = f"; line {line} is {quoted(lines.line_text(line))}" if line else ""
    message = f"the front matter never ends: no later line is exactly `---`{found}"
    hint = f"Make line {line} `---` alone." if line else "Add a line `---` after the last key."
    problems.add("WM109", Span(lines.start(first), lines.start(first) + 3), message, hint)


def read_body(lines: Lines, line: int, *, whole: bool = False) -> Body:
    """The blocks and sections from `line` on. Nothing is reported yet.

    Blocks before the first heading that can matter are left out unless `whole`: they cost two thirds of
    the time in a registry file and hold nothing that is read.
    """
    start = lines.start(line) if line <= lines.count else len(lines.text)
    relevant = start if whole else _relevant_start(lines.text, start)
    first = lines.position(relevant).line
    blocks = _parsed(lines.text[relevant:], first)
    return Body(line, relevant == start, blocks, tuple(_sections(blocks)))


def _parsed(text: str, first: int) -> tuple[Block, ...]:
    """The blocks of a text. Looking for garbage among hundreds of thousands of tokens, of which there is none before
    the end, would take as long as the parsing: a file of list items took 2.1 s and takes 1.1."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return tuple(_blocks(_parser().parse(text), first))
    finally:
        if collecting:
            gc.enable()


def _relevant_start(text: str, start: int) -> int:
    """The last `#` heading at the start of a line before which nothing matters.

    Such a line ends every paragraph, list and quote; only a fence or an HTML block could hold it, and
    before the first match of `_RELEVANT` there is none.
    """
    relevant = _RELEVANT.search(text, start)
    if relevant is None:
        return len(text)
    at = relevant.start()
    while (at := text.rfind("\n#", start, at)) >= 0:
        if _TOP_HEADING.match(text, at + 1):
            return at + 1
    return start


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


_KINDS: dict[str, Kind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "fence": "fence",
    "code_block": "code",
    "html_block": "html",
    "list_item_open": "item",
    "blockquote_open": "quote",
}


def _blocks(tokens: list[Token], first_line: int) -> list[Block]:
    blocks = []
    for index, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind is None or token.map is None:
            continue
        text, mark = token.content, token.markup
        if kind in ("heading", "paragraph"):
            text, mark = tokens[index + 1].content, token.tag
        elif kind == "fence":
            text = token.info
        blocks.append(Block(kind, token.level, token.map[0] + first_line, token.map[1] + first_line, text, mark))
    return blocks


def section_name(heading: str) -> str | None:
    """The known section that a heading's raw text names. Emphasis and a colon are taken off the purpose's alone:
    people write it like a label."""
    if not heading.isascii():  # lower() would fold the Kelvin sign to k
        return None
    plain = _BLANKS.sub(" ", heading.strip(" \t"))
    return PURPOSE if _PURPOSE.fullmatch(plain) else _KNOWN.get(plain.lower())


def _sections(blocks: tuple[Block, ...]) -> list[Section]:
    """A section ends at the next heading of its rank or a higher one, or with a known name."""
    headings = [
        (at, block, section_name(block.text))
        for at, block in enumerate(blocks)
        if block.kind == "heading" and block.level == 0
    ]
    sections = []
    for index, (at, heading, name) in enumerate(headings):
        if name is None:
            continue
        later = (headings[other] for other in range(index + 1, len(headings)))
        ends = (end for end, other, known in later if known is not None or other.mark <= heading.mark)
        sections.append(Section(name, heading, blocks[at + 1 : next(ends, len(blocks))]))
    return sections


def check_structure(body: Body, lines: Lines, problems: Problems) -> None:
    """Report what makes readers of the file disagree about its structure."""
    seen: dict[str, int] = {}
    again = [
        section
        for at, section in enumerate(body.sections)
        if section.name in {each.name for each in body.sections[:at]}
    ]
    if len({section.name for section in again}) > 1:
        names = " and ".join(dict.fromkeys(section.name for section in again))
        message = f"a second contract begins here: found the sections {names} again"
        problems.add("WM302", line_span(lines, again[0].heading.line), message, "Split the file: one contract each.")
    for section in body.sections if len({section.name for section in again}) < 2 else ():
        line = section.heading.line
        if section.name in seen:
            message = f"found the section {section.name} again; it begins on line {seen[section.name]} already"
            problems.add("WM302", line_span(lines, line), message, "Keep one of the two.")
        seen.setdefault(section.name, line)
    for block in body.blocks:
        if block.level == 0:
            if block.kind == "fence" and (swallowed := swallowed_heading(block, lines)) is not None:
                message = f"the code fence {quoted(block.mark)} is not closed before the heading on line {swallowed[0]}"
                problems.add("WM304", line_span(lines, block.line), message, f"Close it with a line {block.mark}.")
            elif block.kind == "fence" and not fence_is_closed(block, lines):
                message = f"the code fence {quoted(block.mark)} never closes and swallows the rest of the file"
                problems.add("WM304", line_span(lines, block.line), message, f"Close it with a line {block.mark}.")
            elif block.kind == "html":
                _check_html(block, lines, problems)
        elif block.kind == "heading" and (name := section_name(block.text)) not in (None, PURPOSE):
            message = f"the heading {name} stands in a list or quote and begins no section"
            problems.add("WM303", line_span(lines, block.line), message, "Move it out, to the start of a line.")


def swallowed_heading(fence: Block, lines: Lines) -> tuple[int, str] | None:
    """The heading of a section inside a fence of JSON or YAML, which has none: its line and its name."""
    if _BLANKS.split(fence.text.strip(" \t"), maxsplit=1)[0].lower() not in ("json", "yaml"):
        return None
    for line in range(fence.line + 1, fence.end):
        found = _SECTION_HEADING.fullmatch(lines.line_text(line))
        if found is not None and (name := section_name(found[1])) is not None:
            return line, name
    return None


def fence_is_closed(fence: Block, lines: Lines) -> bool:
    closing = _CLOSING_FENCE.fullmatch(lines.line_text(fence.end - 1)) if fence.end - 1 > fence.line else None
    return closing is not None and closing[1][0] == fence.mark[0] and len(closing[1]) >= len(fence.mark)


def _check_html(block: Block, lines: Lines, problems: Problems) -> None:
    text = block.text.lstrip(" ")
    for opens, closes, name in _HTML_ENDS:
        if opens.match(text):
            if not closes.search(text):
                message = (
                    f"the HTML block {quoted(text.splitlines()[0])} never closes and swallows the rest of the file"
                )
                problems.add("WM305", line_span(lines, block.line), message, f"Close it with {name}.")
            return


def fence_content(fence: Block, lines: Lines) -> Span:
    """The raw text between the fence's lines; to the end of the file when it never closes."""
    end_line = fence.end - 1 if fence_is_closed(fence, lines) else fence.end
    start = lines.start(fence.line + 1) if fence.line < lines.count else len(lines.text)
    return Span(start, max(start, lines.start(end_line) if end_line <= lines.count else len(lines.text)))
