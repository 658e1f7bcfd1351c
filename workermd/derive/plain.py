"""Text of others as data: visible, of one line, of bounded length, and unable to end what it is quoted in."""

import re
import unicodedata

from workermd.system.text import INVISIBLE, marked

QUOTE_LENGTH = 240
"""Characters of a quote that are kept."""

_ADDRESS = re.compile(r"https?://[^\s/?#@<>()\[\]`\"'\\|*{}^]+(?:[/?#][^\s<>()\[\]`\"'\\|*{}^]*)?", re.IGNORECASE)
_TICKS = re.compile("`+")
_IN_JSON = re.compile(f"[{INVISIBLE}\x85\ufffe\uffff]")


def cut(text: str, limit: int = QUOTE_LENGTH) -> str:
    """At most `limit` characters, and a mark that tells how many are missing."""
    return text if len(text) <= limit else f"{text[:limit]} […{len(text) - limit} more characters]"


def as_code(text: str, limit: int = QUOTE_LENGTH) -> str:
    """An inline code span that nothing inside can end: nothing of it is markup, a link or HTML."""
    shown = marked(text, limit) or "(empty)"
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
