"""A reStructuredText file as passages, by docutils. Nothing is included, nothing is run, no configuration is read."""

import importlib.util
from functools import cache
from typing import Any

from workermd.derive.markdown import MAX_PASSAGES, GatheredText, Kind, Nesting, Passage

MAX_TEXT = 128 * 1024
"""Characters that are read: docutils takes a second for some hundred kilobytes."""

_SETTINGS: dict[str, Any] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "syntax_highlight": "none",
    "embed_images": False,
    "smart_quotes": False,
    "sectsubtitle_xform": False,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "input_encoding": "unicode",
    "traceback": False,
    "line_length_limit": 20_000,
}


@cache
def is_there() -> bool:
    """Whether docutils is installed."""
    return importlib.util.find_spec("docutils") is not None


def passages(text: str) -> tuple[Passage, ...]:
    """The passages of a text, in order; () where docutils cannot read it at all."""
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    plain = text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", " ").removeprefix("\ufeff")
    try:
        document = publish_doctree(plain, settings_overrides=_SETTINGS)
    except (SystemMessage, RecursionError, ValueError, AttributeError, IndexError, TypeError, AssertionError):
        return ()
    reader = _Reader(plain.split("\n"))
    reader.walk(document, 0, Nesting())
    return tuple(reader.found)


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.cursor = 0
        self.found: list[Passage] = []

    def walk(self, node: Any, rank: int, place: Nesting) -> None:
        """The blocks of a node. Structure is never as deep as the text is long: docutils bounds it by indentation."""
        from docutils import nodes

        for child in node.children:
            if len(self.found) >= MAX_PASSAGES or rank > 40:
                return
            if isinstance(child, nodes.section):
                self.walk(child, rank + 1, place)
            elif isinstance(child, nodes.title):
                self.add(child, "heading", place, max(rank, 1))
            elif isinstance(child, nodes.literal_block | nodes.doctest_block):
                self.block(child, place)
            elif isinstance(child, nodes.paragraph | nodes.term):
                self.add(child, "paragraph", place)
            elif isinstance(child, nodes.system_message | nodes.comment | nodes.substitution_definition | nodes.target):
                continue
            elif isinstance(child, nodes.Element):
                below = Nesting()
                quoted = isinstance(child, nodes.block_quote | nodes.Admonition)
                listed = isinstance(child, nodes.list_item | nodes.field_body)
                below.quotes, below.lists = place.quotes + quoted, place.lists + listed
                self.walk(child, rank + 1 if rank > 6 else rank, below)

    def add(self, node: Any, kind: Kind, place: Nesting, rank: int = 0) -> None:
        gathered = GatheredText()
        _inline(node, gathered, 0)
        first, last = self.lines_of(node.rawsource or node.astext())
        passage = gathered.passage(kind, first, last, place, rank)
        if passage.text or passage.images:
            self.found.append(passage)

    def block(self, node: Any, place: Nesting) -> None:
        text = node.astext()
        classes = [name for name in node.get("classes", ()) if name not in ("code", "literal-block")]
        first, last = self.lines_of(text)
        # Of a fence the first line is the mark above the code: here the code stands alone.
        self.found.append(
            Passage(
                "code",
                first,
                last,
                text,
                info=classes[0] if classes else "",
                quoted=place.quotes > 0,
                listed=place.lists > 0,
            )
        )

    def lines_of(self, raw: str) -> tuple[int, int]:
        """The lines that a text stands on, looked for from where the last one ended."""
        wanted = [line.strip() for line in raw.split("\n")]
        head = next((line for line in wanted if line), "")
        for number in range(self.cursor, len(self.lines)):
            if head and head[:200] in self.lines[number]:
                last = min(number + max(len(wanted), 1), len(self.lines))
                self.cursor = number
                return number + 1, max(number + 1, last)
        return self.cursor + 1, self.cursor + 1


def _inline(node: Any, gathered: GatheredText, depth: int) -> None:
    from docutils import nodes

    for child in node.children:
        if isinstance(child, nodes.Text):
            gathered.say(str(child).replace("\n", " "))
        elif isinstance(child, nodes.reference):
            gathered.open_link(str(child.get("refuri", "")))
            _inline(child, gathered, depth + 1)
            gathered.close_link()
        elif isinstance(child, nodes.image):
            gathered.images += 1
        elif isinstance(child, nodes.literal):
            gathered.codes.append(child.astext())
            gathered.say(child.astext())
        elif isinstance(child, nodes.problematic | nodes.system_message | nodes.target):
            continue
        elif depth < 20:
            _inline(child, gathered, depth + 1)
