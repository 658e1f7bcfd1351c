"""Text of others as data: visible, of one line, of bounded length, and unable to end what it is quoted in."""

import re
import unicodedata

QUOTE_LENGTH = 240
"""Characters of a quote that are kept."""

# Format and control characters, separators that end lines, fillers that show as nothing, private use and surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_ADDRESS = re.compile(r"https?://[^\s/?#@<>()\[\]`\"'\\|*{}^]+(?:[/?#][^\s<>()\[\]`\"'\\|*{}^]*)?", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_TICKS = re.compile("`+")
_IN_JSON = re.compile(_INVISIBLE.pattern[:-1] + "\x85\ufffe\uffff]")


def cut(text: str, limit: int = QUOTE_LENGTH) -> str:
    """At most `limit` characters, and a mark that tells how many are missing."""
    return text if len(text) <= limit else f"{text[:limit]} […{len(text) - limit} more characters]"


def visible(text: str, limit: int = QUOTE_LENGTH) -> str:
    """One line: blanks folded, what cannot be seen or turns text around written as `[U+202E]`."""
    head = text[: limit * 4]  # a gigantic line is not folded as a whole
    folded = _BLANKS.sub(" ", _INVISIBLE.sub(_named, _line_ends_as_blanks(head))).strip()
    if len(folded) <= limit and len(head) == len(text):
        return folded
    return f"{folded[:limit].rstrip()} […cut from {len(text)} characters]"


def _line_ends_as_blanks(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ").replace("\r", " ")


def _named(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"


def as_code(text: str, limit: int = QUOTE_LENGTH) -> str:
    """An inline code span that nothing inside can end: nothing of it is markup, a link or HTML."""
    shown = visible(text, limit) or "(empty)"
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    if not longest:
        return f"`{shown}`"
    ticks = "`" * (longest + 1)
    return f"{ticks} {shown} {ticks}"


def json_shown(text: str) -> str:
    """JSON text with what cannot be seen as `\\u` escapes: the same value, and a reader sees it."""
    return _IN_JSON.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def whole(text: str) -> str:
    """`text` without half surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text


def slug(text: str, limit: int = 60) -> str:
    """Lower-case ASCII letters, digits and `-`; empty where nothing of the kind is in `text`."""
    ascii_text = unicodedata.normalize("NFKD", text[: limit * 4]).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", ascii_text).strip("-")[:limit].rstrip("-")


def address(url: str) -> str | None:
    """An http(s) URL that can stand anywhere in Markdown, else None: no blanks, brackets, quotes or user part."""
    url = url.strip()
    if len(url) > 500 or not _ADDRESS.fullmatch(url):
        return None
    return url if url.isascii() and url.isprintable() else None
