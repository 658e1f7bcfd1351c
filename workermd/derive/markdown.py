"""A Markdown file as passages: headings, paragraphs, fences, each with its lines, plain text, links and images.

Structure comes from markdown-it's tokens. Inline markup is read per passage and only up to a length: what is
longer counts as its raw text, so that no text can make reading slow.
"""

from functools import cache
from html.parser import HTMLParser
from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_BYTES = 256 * 1024
"""Bytes of a file that are read; block rules cost seconds beyond."""

MAX_INLINE = 8 * 1024
"""Characters of one passage whose inline markup is read."""

MAX_PASSAGES = 5000

Kind = Literal["heading", "paragraph", "fence", "code", "html", "cell"]


class Link(NamedTuple):
    """`text` is what is shown; a link around images alone has no text."""

    text: str
    target: str


class Passage(NamedTuple):
    """A piece of the file that carries text. Lines count from 1, both included.

    `text` is plain, blanks folded; of a fence the raw content. `outside` is the text outside links. `rank` is
    a heading's (else 0), `info` a fence's language word.
    """

    kind: Kind
    first_line: int
    last_line: int
    text: str
    outside: str = ""
    links: tuple[Link, ...] = ()
    images: int = 0
    rank: int = 0
    info: str = ""
    quoted: bool = False
    listed: bool = False
    codes: tuple[str, ...] = ()
    """What stands in the text as code."""


class GatheredText:
    """Text, links and images of one passage, filled by inline tokens or by HTML."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.outside: list[str] = []
        self.links: list[Link] = []
        self.images = 0
        self.codes: list[str] = []
        self._target: str | None = None
        self._shown: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)
        (self.outside if self._target is None else self._shown).append(text)

    def open_link(self, target: str) -> None:
        self.close_link()
        self._target, self._shown = target, []

    def close_link(self) -> None:
        if self._target is not None:
            self.links.append(Link(joined(self._shown), self._target))
        self._target = None

    def passage(self, kind: Kind, first: int, last: int, place: "Nesting", rank: int = 0) -> Passage:
        self.close_link()
        return Passage(
            kind,
            first,
            last,
            joined(self.texts),
            joined(self.outside),
            tuple(self.links),
            self.images,
            rank,
            quoted=place.quotes > 0,
            listed=place.lists > 0,
            codes=tuple(self.codes[:20]),
        )


class Nesting:
    """How deep in quotes and lists the reader is."""

    def __init__(self) -> None:
        self.quotes = 0
        self.lists = 0

    def move(self, token: Token) -> None:
        if token.type.startswith("blockquote"):
            self.quotes += token.nesting
        elif token.type.startswith("list_item"):
            self.lists += token.nesting


class _Html(HTMLParser):
    """The text, links and images of an HTML block; scripts, styles and comments say nothing."""

    SILENT = ("script", "style", "template", "svg", "head")

    def __init__(self, gathered: GatheredText) -> None:
        super().__init__(convert_charrefs=True)
        self.gathered = gathered
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.SILENT:
            self._silent.append(tag)
        elif tag == "a" and given.get("href"):
            self.gathered.open_link(given["href"] or "")
        elif tag == "img":
            self.gathered.images += 1
        elif tag in ("br", "p", "div", "td", "li", "h1", "h2", "h3"):
            self.gathered.say(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.gathered.close_link()
        elif self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.gathered.say(data)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def passages(text: str) -> tuple[Passage, ...]:
    """The passages of a text whose lines end with LF or CRLF, in order, at most `MAX_PASSAGES`."""
    plain = text.replace("\r\n", "\n").replace("\r", " ").removeprefix("\ufeff")
    environment: dict[str, object] = {}
    tokens = _parser().parse(_without_front_matter(plain), environment)
    found: list[Passage] = []
    place = Nesting()
    for index, token in enumerate(tokens):
        if len(found) == MAX_PASSAGES:
            break
        place.move(token)
        passage = _passage(tokens, index, place, environment)
        if passage is not None:
            found.append(passage)
    return tuple(found)


def _without_front_matter(text: str) -> str:
    """Front matter is no prose: its lines become blank, so that the others keep their numbers."""
    if not text.startswith("---\n"):
        return text
    end = text.find("\n---\n", 3)
    return text if end < 0 else "\n" * text.count("\n", 0, end + 5) + text[end + 5 :]


def _passage(tokens: list[Token], index: int, place: Nesting, environment: dict[str, object]) -> Passage | None:
    token = tokens[index]
    if token.type in ("fence", "code_block") and token.map:
        kind: Kind = "fence" if token.type == "fence" else "code"
        info = token.info.split(maxsplit=1)[0].lower() if token.info.strip() else ""
        # The map of a closed fence counts its closing line; evidence quotes the fence as a whole.
        return Passage(
            kind,
            token.map[0] + 1,
            token.map[1],
            token.content,
            info=info,
            quoted=place.quotes > 0,
            listed=place.lists > 0,
        )
    if token.type == "html_block" and token.map:
        gathered = GatheredText()
        html = _Html(gathered)
        html.feed(token.content[:MAX_INLINE])
        html.close()
        return gathered.passage("html", token.map[0] + 1, token.map[1], place)
    if token.type == "inline" and token.map:
        opening = tokens[index - 1]
        kinds: dict[str, Kind] = {"heading_open": "heading", "th_open": "cell", "td_open": "cell"}
        kind = kinds.get(opening.type, "paragraph")
        rank = int(opening.tag[1]) if kind == "heading" else 0
        return _inline(token, environment).passage(kind, token.map[0] + 1, token.map[1], place, rank)
    return None


def _inline(token: Token, environment: dict[str, object]) -> GatheredText:
    gathered = GatheredText()
    if len(token.content) > MAX_INLINE:
        gathered.say(token.content)
        return gathered
    children: list[Token] = []
    _parser().inline.parse(token.content, _parser(), environment, children)
    html = _Html(gathered)
    for child in children:
        if child.type == "link_open":
            gathered.open_link(str(child.attrs.get("href", "")))
        elif child.type == "link_close":
            gathered.close_link()
        elif child.type == "image":
            gathered.images += 1
        elif child.type in ("softbreak", "hardbreak"):
            gathered.say(" ")
        elif child.type == "html_inline":
            html.feed(child.content)
        elif child.content:
            if child.type == "code_inline":
                gathered.codes.append(child.content)
            html.handle_data(child.content)
    return gathered


def joined(texts: list[str]) -> str:
    return " ".join("".join(texts).split())
