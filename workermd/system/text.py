"""Text of others made fit to be shown: printable, of one line, of bounded length (S6.5)."""

import re
from functools import cache

QUOTED_LENGTH = 40

INVISIBLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""As part of an expression: format and control characters, separators that end lines, fillers that show as nothing,
private use and surrogates."""

_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn"}


def printable(text: str, instead: str = "\ufffd", keep: str = "") -> str:
    """The text with what is not printable replaced, but for the characters of `keep`."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in keep else instead for c in text)


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters; the last one tells where some are missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def folded(text: str) -> str:
    """One line: every run of blanks and line ends as one blank."""
    return " ".join(text.split())


def shown(name: str, limit: int = QUOTED_LENGTH) -> str:
    """A name as `repr`, at most `limit` characters: safe for a terminal, and never a whole document."""
    text = repr(name[: limit + 1])
    return text if len(text) <= limit else f"{text[: limit - 2]}…{text[0]}"


def quoted(value: object) -> str:
    """A value for a message: its repr, of at most 40 characters of it, on one line."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) > QUOTED_LENGTH:
        text = text[: QUOTED_LENGTH - 3] + "..."
    return repr(text) if isinstance(value, str) else text


def whole(text: str) -> str:
    """The text without half surrogate pairs, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def is_visible(text: str) -> bool:
    """True where every character can be seen for what it is: no control, no bidi mark, no half of a pair."""
    if text.isascii():
        return text.isprintable()
    import unicodedata  # a run that goes well needs it nowhere

    return not any(unicodedata.category(character) in _CATEGORIES for character in text)


def cleaned(text: object, limit: int) -> str:
    """A text on one line, invisible characters left out, at most `limit` characters; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    words = folded(text[: 8 * limit])
    if not is_visible(words):
        words = "".join(character for character in words if is_visible(character))
    return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"


def marked(text: str, limit: int) -> str:
    """One line: blanks folded, what cannot be seen or turns text around written as `[U+202E]`."""
    head = text[: limit * 4]  # a gigantic line is not folded as a whole
    words = re.sub(r"\s+", " ", _invisible().sub(_named, re.sub("[\r\n\t]", " ", head))).strip()
    if len(words) <= limit and len(head) == len(text):
        return words
    return f"{words[:limit].rstrip()} […cut from {len(text)} characters]"


@cache
def _invisible() -> re.Pattern[str]:
    return re.compile(f"[{INVISIBLE}]")


def _named(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"


def shell_word(text: str) -> str:
    """The text as a shell takes it, for commands that can be pasted."""
    from shlex import quote  # most runs end without a hint

    return quote(text)
