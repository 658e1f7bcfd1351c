"""The forms that values take: one function per form, from a value as it stands to what it means.

A form raises `WrongForm` with a phrase that says what is allowed. `textual` tells whether the value comes
from text (front matter, bullets), where `30` is text, or from JSON, where `"30"` is not a number.
"""

import re
from collections.abc import Callable

from workermd.protocol import reach, tool_pattern

MOST_SECONDS = 1e9
MOST_COUNT = 2**53 - 1
"""Numbers beyond these do not survive a clock, a database or another JSON reader."""

Form = Callable[[object, bool], object]

_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_INTEGER = re.compile(r"0|[1-9][0-9]*")
_ID = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z.-]+)?")
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_OPTIONAL = re.compile(r"[ \t]*\(optional\)$")
_WORD = re.compile(r"""[^\s,\[\]{}"'\\]+""")


class WrongForm(Exception):
    """What is allowed, as a phrase."""


def text(value: object, _textual: bool) -> str:
    if not isinstance(value, str):
        raise WrongForm("text")
    return value


def identifier(value: object, _textual: bool) -> str:
    return _matching(_ID, value, "letters, digits, `.`, `_` and `-`, at least one of them a letter or digit")


def version(value: object, _textual: bool) -> str:
    return _matching(_VERSION, value, "a version such as 1.0 or 1.0.0, with an optional -suffix")


def url(value: object, _textual: bool) -> str:
    return _matching(_URL, value, "a URL that begins with http:// or https://")


def date(value: object, _textual: bool) -> str:
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found:
        year, month, day = map(int, found.groups())
        if year and 1 <= month <= 12 and 1 <= day <= _days(year, month):
            return found[0]
    raise WrongForm("a real date as YYYY-MM-DD")


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def confidence(value: object, textual: bool) -> str:
    number = _number(value, textual)
    if number is None or number > 1:
        raise WrongForm("a decimal from 0 to 1")
    return str(value)


def texts(value: object, _textual: bool) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise WrongForm("a list of text")
    return list(value)


def seconds(value: object, textual: bool) -> float:
    number = _number(value, textual)
    if number is None or not 0 < number <= MOST_SECONDS:
        raise WrongForm(
            "seconds as a plain decimal above 0 and up to 1000000000 such as 30 or 0.5, without unit, quotes or comment"
        )
    return float(number)


def cost(value: object, textual: bool) -> float:
    number = _number(value, textual)
    if number is None or number > MOST_SECONDS:
        raise WrongForm("US dollars as a plain decimal from 0 such as 0.25")
    return float(number)


def count(value: object, textual: bool) -> int:
    return _count(value, textual, 0)


def count_from_1(value: object, textual: bool) -> int:
    return _count(value, textual, 1)


def backoff(value: object, _textual: bool) -> str:
    if value != "exponential":
        raise WrongForm("exponential")
    return "exponential"


def words(value: object, textual: bool) -> tuple[str, ...]:
    """`[a, b]` as text, or a list; each word once."""
    if textual and isinstance(value, str):
        inner = value[1:-1].strip(" \t") if value.startswith("[") and value.endswith("]") else None
        value = None if inner is None else [word.strip(" \t") for word in inner.split(",")] if inner else []
    if isinstance(value, list) and all(isinstance(word, str) and _WORD.fullmatch(word) for word in value):
        if len(set(value)) == len(value):
            return tuple(value)
        raise WrongForm("each word once")
    raise WrongForm("words in brackets such as [a, b], without quotes, blanks inside a word or escapes")


def tools(value: object, textual: bool) -> tuple[str, ...]:
    """Like `words`; a word may have patterns of arguments behind it: `[search, read(path=docs/*, mode=r)]`.

    `name (optional)`, as the format's own examples write it, reads as the name: a tool of an allow-list may be used, and
    none has to be.
    """
    if textual and isinstance(value, str):
        brackets = value.startswith("[") and value.endswith("]") and len(value) > 1
        value = tool_pattern.split(value[1:-1]) if brackets else None
    if isinstance(value, list) and all(isinstance(word, str) and _is_tool(_OPTIONAL.sub("", word)) for word in value):
        plain = [_OPTIONAL.sub("", word) for word in value]
        if len(set(plain)) == len(plain):
            return tuple(plain)
        raise WrongForm("each tool once")
    raise WrongForm("tools in brackets such as [search, read(path=docs/*)], without quotes or blanks inside a name")


def network(value: object, textual: bool) -> reach.Network:
    """`none`, `loopback`, or `[host:port, …]`, in small letters."""
    if value in (reach.NONE, reach.LOOPBACK):
        return str(value)
    found = [reach.host_of(word) for word in _bracketed(value, textual)]
    if found and None not in found and len(set(found)) == len(found):
        return tuple(filter(None, found))
    raise WrongForm(
        "none, loopback, or hosts with their ports in brackets such as [api.example.com:443], each once, without patterns"
    )


def files(value: object, textual: bool) -> reach.Files:
    """`none`, or `[read(name), write(name), …]`."""
    if value == reach.NONE:
        return reach.NONE
    words = _bracketed(value, textual)
    found = [reach.need_of(word) for word in words]
    if found and None not in found and len({need.name for need in found if need}) == len(found):
        return tuple(words)
    raise WrongForm("none, or needs in brackets such as [read(rulebook), write(cache)], each name once, never a path")


def _bracketed(value: object, textual: bool) -> list[str]:
    """The words of `[a, b]` as text, or of a list; none for what is neither."""
    if textual and isinstance(value, str):
        brackets = len(value) > 1 and value.startswith("[") and value.endswith("]")
        return [word.strip(" \t") for word in value[1:-1].split(",")] if brackets else []
    return list(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else []


def _is_tool(word: str) -> bool:
    """A word that is no pattern is taken too, and names no tool."""
    if _WORD.fullmatch(word):
        return True
    try:
        tool_pattern.read(word)
    except tool_pattern.MalformedPattern:
        return False
    return word.isprintable()


def some_words(value: object, textual: bool) -> tuple[str, ...]:
    found = words(value, textual)
    if not found:
        raise WrongForm("at least one word in the brackets")
    return found


def _matching(pattern: re.Pattern[str], value: object, allowed: str) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise WrongForm(allowed)


def _number(value: object, textual: bool) -> float | None:
    """A finite number from 0."""
    if textual:
        value = float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= MOST_COUNT else None


def _count(value: object, textual: bool, least: int) -> int:
    if textual:
        value = int(value) if isinstance(value, str) and len(value) < 20 and _INTEGER.fullmatch(value) else None
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_COUNT:
        return value
    raise WrongForm(f"a whole number from {least} such as {least + 2}, without unit, quotes or comment")
