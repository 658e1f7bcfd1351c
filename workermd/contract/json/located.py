"""Strict JSON with the place of everything: the reader of schemas, and of whatever the quick one doubts.

Its expressions take 10 ms to compile, which a run that goes well never has to pay.
"""

import re
from typing import Any, NamedTuple, NoReturn

from workermd.contract.json.strict import (
    MAX_DEPTH,
    MAX_NUMBER,
    MORE_TEXT,
    JsonError,
    Suspicious,
    decimal,
    escape,
    integer,
)
from workermd.contract.model import Span
from workermd.system.text import shown


class JsonPlace(NamedTuple):
    """Where a value stands, and the key before it (quotes included); None for items and the root."""

    key: Span | None
    value: Span


class JsonDocument(NamedTuple):
    """A value and the places of all its parts by JSON Pointer; "" is the root."""

    value: Any
    places: dict[str, JsonPlace]


def read(text: str, start: int = 0, end: int | None = None) -> JsonDocument:
    """The value in `text[start:end]` with its places. Raises JsonError, and nothing else, on any text."""
    reader = _Reader(text, len(text) if end is None else min(end, len(text)))
    return JsonDocument(reader.document(start), reader.places)


_BLANK = r"[ \t\n\r]*+"
_PLAIN = r'"([^"\\\x00-\x1f\ud800-\udfff]*+)"'
_INTEGER = r"-?(?:0|[1-9][0-9]*+)"
_BEFORE_NUMBER_ENDS = r"(?![0-9A-Za-z_.+\-])"
_skip = re.compile(_BLANK).match
_scalar = re.compile(
    f"{_PLAIN}"
    f"|({_INTEGER}){_BEFORE_NUMBER_ENDS}"
    rf"|({_INTEGER}(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+){_BEFORE_NUMBER_ENDS}"
    r"|(true|false|null)(?![0-9A-Za-z_])"
).match
_key = re.compile(f"{_PLAIN}{_BLANK}:{_BLANK}").match
_next = re.compile(rf"{_BLANK}([,\]}}]){_BLANK}").match
_chunk = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]*+').match
_hex4 = re.compile(r"[0-9A-Fa-f]{4}").match
_word = re.compile(r"[^\s,:{}\[\]\"]++").match

# Half the time of Span(...), and a reading makes three records for every member.
_record = tuple.__new__

_WRONG_QUOTES = "'`\u2018\u2019\u201c\u201d"
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _Reader:
    """One pass from left to right. Recursion ends at MAX_DEPTH, so it is bounded on any text."""

    __slots__ = ("begin", "end", "places", "text")

    def __init__(self, text: str, end: int) -> None:
        self.text = text
        self.end = end
        self.places: dict[str, JsonPlace] = {}

    def document(self, start: int) -> Any:
        if self.text.startswith("\ufeff", start, self.end):
            raise JsonError(
                "a byte order mark (U+FEFF) stands before the JSON value",
                "Save the text as UTF-8 without a byte order mark.",
                start,
                start + 1,
            )
        self.begin = self.blank(start)
        value, after = self.value(self.begin, "", None, 1)
        after = self.blank(after)
        if after < self.end:
            self.refuse_what_follows(after)
        return value

    def blank(self, at: int) -> int:
        match = _skip(self.text, at, self.end)
        return match.end() if match else at

    def value(self, at: int, place: str, key: Span | None, depth: int) -> tuple[Any, int]:
        """The value that begins at `at`, and the offset after it."""
        value: Any
        match = _scalar(self.text, at, self.end)
        if match is not None:
            after = match.end()
            kind = match.lastindex
            if kind == 1:
                value = match[1]
            elif kind == 4:
                value = _WORDS[match[4]]
            else:
                value = self.number(match[0], at)
        else:
            found = self.text[at] if at < self.end else ""
            if found == "{":
                value, after = self.members(at, place, depth)
            elif found == "[":
                value, after = self.items(at, place, depth)
            elif found == '"':
                value, after = self.string(at)
            else:
                self.refuse_value(at)
        self.places[place] = _record(JsonPlace, (key, _record(Span, (at, after))))
        return value, after

    def members(self, opened: int, place: str, depth: int) -> tuple[dict[str, Any], int]:
        at = self.enter(opened, depth)
        result: dict[str, Any] = {}
        if self.text.startswith("}", at, self.end):
            return result, at + 1
        while True:
            match = _key(self.text, at, self.end)
            if match is not None:
                name = match[1]
                key = _record(Span, (at, match.end(1) + 1))
                at = match.end()
            else:
                name, key, at = self.key(at, opened)
            below = f"{place}/{escape(name)}" if "/" in name or "~" in name else f"{place}/{name}"
            if name in result:
                self.refuse_repeated(name, key, below)
            result[name], after = self.value(at, below, key, depth + 1)
            match = _next(self.text, after, self.end)
            if match is None or match[1] == "]":
                self.refuse_separator(after, opened)
            if match[1] == "}":
                return result, match.end(1)
            at = match.end()

    def items(self, opened: int, place: str, depth: int) -> tuple[list[Any], int]:
        at = self.enter(opened, depth)
        result: list[Any] = []
        if self.text.startswith("]", at, self.end):
            return result, at + 1
        while True:
            if at >= self.end:
                self.refuse_open(opened)
            if self.text.startswith("]", at, self.end):
                self.refuse_last_comma(at)
            value, after = self.value(at, f"{place}/{len(result)}", None, depth + 1)
            result.append(value)
            match = _next(self.text, after, self.end)
            if match is None or match[1] == "}":
                self.refuse_separator(after, opened)
            if match[1] == "]":
                return result, match.end(1)
            at = match.end()

    def enter(self, opened: int, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise JsonError(
                f"arrays and objects are nested {depth} levels deep; at most {MAX_DEPTH} are allowed",
                "Flatten the value.",
                opened,
                opened + 1,
            )
        return self.blank(opened + 1)

    def key(self, at: int, opened: int) -> tuple[str, Span, int]:
        """A key that `_key` did not take: escapes in it, or something wrong."""
        found = self.text[at] if at < self.end else ""
        if found != '"':
            self.refuse_key(at, opened)
        name, after = self.string(at)
        colon = self.blank(after)
        if not self.text.startswith(":", colon, self.end):
            if colon >= self.end:
                self.refuse_open(opened)
            self.refuse_comment(colon)
            raise JsonError("a key without a colon after it", 'Write "key": value.', colon, colon + 1)
        return name, Span(at, after), self.blank(colon + 1)

    def number(self, digits: str, at: int) -> int | float:
        """A number from its text, as `load` reads it."""
        try:
            return integer(digits) if digits.lstrip("-").isdecimal() else decimal(digits)
        except Suspicious:
            pass
        after = at + len(digits)
        if len(digits) > MAX_NUMBER:
            message = f"a number of {len(digits)} characters; at most {MAX_NUMBER} are allowed"
            raise JsonError(message, "Shorten it, or write it as a string.", at, after)
        message = "a number too large for a 64-bit float, which would be read as infinity"
        raise JsonError(message, "Use a smaller exponent, an integer, or a string.", at, after)

    def string(self, at: int) -> tuple[str, int]:
        """A string with escapes, or with something wrong in it."""
        text, end = self.text, self.end
        parts: list[str] = []
        here = at + 1
        while True:
            match = _chunk(text, here, end)
            if match is not None:
                parts.append(match[0])
                here = match.end()
            if here >= end:
                message = "a string that is not closed"
                raise JsonError(message, 'End it with "; a quote inside a string is written \\".', at, here)
            found = text[here]
            if found == '"':
                return "".join(parts), here + 1
            if found != "\\":
                self.refuse_character(here)
            if text.startswith("u", here + 1, end):
                part, here = self.unicode_escape(here)
            else:
                part = _ESCAPES.get(text[here + 1], "") if here + 1 < end else ""
                if not part:
                    hint = 'JSON knows \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with 4 hex digits; a backslash is written \\\\.'
                    raise JsonError("a backslash that begins no JSON escape", hint, here, min(here + 2, end))
                here += 2
            parts.append(part)

    def unicode_escape(self, at: int) -> tuple[str, int]:
        r"""The character of `\uXXXX`, or of two of them that form a surrogate pair."""
        match = _hex4(self.text, at + 2, self.end)
        if match is None:
            raise JsonError(
                "\\u without 4 hex digits after it", "Write \\u00e9, for example.", at, min(at + 6, self.end)
            )
        code = int(match[0], 16)
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code), at + 6
        low = _hex4(self.text, at + 8, self.end) if self.text.startswith("\\u", at + 6, self.end) else None
        if code <= 0xDBFF and low is not None and 0xDC00 <= int(low[0], 16) <= 0xDFFF:
            return chr(0x10000 + ((code - 0xD800) << 10) + int(low[0], 16) - 0xDC00), at + 12
        message = "half of a surrogate pair, which is no character"
        raise JsonError(message, "Write both halves (\\ud83d\\ude00) or the character itself.", at, at + 6)

    # --- what is wrong, and the likely fix ---

    def refuse_repeated(self, name: str, key: Span, below: str) -> NoReturn:
        first = self.places[below].key
        message = f"the key {shown(name)} stands twice in one object"
        raise JsonError(message, "Keep one of the two.", key.start, key.end, first.start if first else None)

    def refuse_last_comma(self, at: int) -> NoReturn:
        comma = self.text.rindex(",", 0, at)
        message = f"a comma before the closing {self.text[at]}"
        raise JsonError(message, "Remove the comma after the last one.", comma, comma + 1)

    def refuse_open(self, opened: int) -> NoReturn:
        what, closing = ("object", "}") if self.text[opened] == "{" else ("array", "]")
        message = f"an {what} that is not closed"
        raise JsonError(message, f"Add the missing {closing}.", opened, opened + 1)

    def refuse_comment(self, at: int) -> None:
        if self.text.startswith(("//", "/*", "#"), at, self.end):
            raise JsonError("a comment", "JSON has no comments: remove it.", at, at + 1)

    def refuse_character(self, at: int) -> NoReturn:
        found = self.text[at]
        if found < " ":
            written = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found, f"\\u{ord(found):04x}")
            message = f"a raw control character (U+{ord(found):04X}) in a string"
            hint = f"Write it as {written}"
            if found in "\n\r":
                hint += ", or close the string before the end of the line"
            raise JsonError(message, f"{hint}.", at, at + 1)
        message = "half of a surrogate pair, which is no character"
        raise JsonError(message, "Use the character itself; the text must be Unicode.", at, at + 1)

    def refuse_key(self, at: int, opened: int) -> NoReturn:
        if at >= self.end:
            self.refuse_open(opened)
        self.refuse_comment(at)
        found = self.text[at]
        if found == "}":
            self.refuse_last_comma(at)
        if found in _WRONG_QUOTES:
            raise JsonError("a key in quotes that JSON does not have", 'Use double quotes: "key".', at, at + 1)
        if found == ",":
            raise JsonError("a comma without a member before it", "Remove the comma.", at, at + 1)
        word = _word(self.text, at, self.end)
        if word is not None and (found.isalnum() or found in "_$-"):
            raise JsonError("a key without quotes", 'Put the key in double quotes: "key".', at, word.end())
        raise JsonError(f"{_named(found)} where a key is needed", 'A member is "key": value.', at, at + 1)

    def refuse_separator(self, after: int, opened: int) -> NoReturn:
        at = self.blank(after)
        if at >= self.end:
            self.refuse_open(opened)
        self.refuse_comment(at)
        what, closing = ("object", "}") if self.text[opened] == "{" else ("array", "]")
        found = self.text[at]
        if found in "]}":
            message = f"{found} where the {what} needs {closing}"
            raise JsonError(message, f"Close what was opened last: {closing}.", at, at + 1)
        if found in '"{[-' or found.isalnum():
            message = f"no comma between two parts of an {what}"
            raise JsonError(message, "Put a comma between them.", at, at + 1)
        message = f"{_named(found)} where a comma or {closing} is needed"
        raise JsonError(message, f"Go on with a comma, or close the {what} with {closing}.", at, at + 1)

    def refuse_what_follows(self, at: int) -> NoReturn:
        self.refuse_comment(at)
        found = self.text[at]
        if found in "]}":
            raise JsonError(f"one {found} too many", f"Remove the {found}.", at, at + 1)
        if found == ",":
            raise JsonError("a comma after the value", "Remove the comma.", at, at + 1)
        raise JsonError(MORE_TEXT, "Keep one value; several belong into one array.", at, self.end)

    def refuse_value(self, at: int) -> NoReturn:
        if at >= self.end:
            message = "no JSON value" if at == self.begin else "the text ends where a value is needed"
            raise JsonError(message, 'Write a value, such as {"key": "text"}.', at, at)
        self.refuse_comment(at)
        found = self.text[at]
        if found in _WRONG_QUOTES:
            raise JsonError("a string in quotes that JSON does not have", 'Use double quotes: "text".', at, at + 1)
        if found in ",]}:":
            message = f"{found} where a value is needed"
            raise JsonError(message, "Write the missing value, or remove the comma before it.", at, at + 1)
        word = _word(self.text, at, self.end)
        after = word.end() if word is not None else at + 1
        message, hint = _odd_word(self.text[at:after])
        raise JsonError(message, hint, at, after)


def _odd_word(word: str) -> tuple[str, str]:
    """What a bare word was probably meant to be. The word itself is not quoted: it may be a secret."""
    plain = word.lstrip("+-").lower()
    answer = (
        f"{_named(word[0])} where a value is needed",
        'A value is "text", a number, true, false, null, [...] or {...}.',
    )
    if plain in {"nan", "inf", "infinity"}:
        answer = "NaN or Infinity, which JSON does not have", "Use null, a number, or a string."
    elif word.lower() in {"true", "false", "none", "null", "undefined", "nil"}:
        answer = "a word that JSON does not have", "The words of JSON are true, false and null, in lower case."
    elif word[0] == "+":
        answer = "a plus sign before a number", "Remove the plus sign."
    elif re.match(r"-?0[0-9]", word):
        answer = "a number that begins with 0", "Remove the leading zeros, or write it as a string."
    elif plain[:1].isdecimal() or word[0] in "-.":
        hint = "Write it like 12, -0.5 or 1e6: decimal, with a digit on each side of the point."
        answer = "a number that JSON does not have", hint
    elif word[0].isalpha() or word[0] in "_$":
        answer = "text without quotes", 'Put it in double quotes: "text".'
    return answer


def _named(character: str) -> str:
    """A character as itself where it is printable ASCII punctuation, else by its number."""
    if "!" <= character <= "~" and not character.isalnum():
        return character
    return f"the character U+{ord(character):04X}"
