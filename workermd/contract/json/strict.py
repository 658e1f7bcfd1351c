"""Strict JSON: one language for schemas, inputs and outputs, and its canonical bytes.

RFC 8259 without the freedoms in which readers differ: no key twice, no NaN or Infinity (also not as
1e400), no lone surrogate, at most `MAX_DEPTH` levels and `MAX_NUMBER` characters a number; integers
are exact. Two readers hold to it: `quick`, which keeps no places, and `located`, several times slower, which keeps them all.
"""

from collections.abc import Iterable
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

MAX_DEPTH = 64
"""Levels of arrays and objects; the value itself stands on level 1."""

MAX_NUMBER = 400
"""Characters of one number."""


class JsonError(ValueError):
    """Text that is not strict JSON.

    `offset` and `end` are code points into the text given (after `located.read`'s `start`, still of the whole
    text). `first` is the offset of the first key where the error is a repeated one, otherwise None.
    Neither `message` nor `hint` quotes a value; a repeated key's name is quoted, at most 40 characters.
    """

    def __init__(self, message: str, hint: str, offset: int, end: int, first: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset
        self.end = end
        self.first = first


def escape(part: str) -> str:
    """One reference token of a JSON Pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON Pointer that walks `parts` from the root; "" for none."""
    return "".join(f"/{part if isinstance(part, int) else escape(part)}" for part in parts)


def parent(place: str) -> str:
    """The pointer one step up. The root is its own parent."""
    return place.rpartition("/")[0]


class Suspicious(ValueError):
    """The quick reader met something that only the one with places may judge."""


def integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER:
        raise Suspicious
    return int(digits)


def decimal(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_NUMBER or not isfinite(value):
        raise Suspicious
    return value


def too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """True when arrays and objects in `value` are nested more than `limit` levels. Without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [node for node in level if isinstance(node, _CONTAINERS)]
        if not level:
            return False
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return True


_CONTAINERS = (dict, list, tuple)  # a union of them takes isinstance four times as long


# --- canonical bytes ---------------------------------------------------------------------------------


def canonical(value: Any) -> bytes:
    """The bytes that stand for a JSON value in every hash: RFC 8785, UTF-8.

    One deviation: an integer is written with all its digits beyond 2^53 too, where RFC 8785 rounds it,
    because two inputs that differ must never share a hash. Floats are written as RFC 8785 says, so 1.0
    and 1 share their bytes, as do -0.0 and 0, and any float with the integer of the same digits.

    Raises ValueError, without quoting anything, where `value` is no JSON: another type, a key that is not
    text, NaN, Infinity, a lone surrogate, endless nesting.
    """
    try:
        return _written(value).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair, which is no character") from None
    except RecursionError:
        raise ValueError("nested too deep, or a value that contains itself") from None


def _written(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key that is not text")
        members = sorted(value.items(), key=_utf16)
        return f"{{{','.join([f'{encode_basestring(name)}:{_written(item)}' for name, item in members])}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join([_written(item) for item in value])}]"
    return _written_scalar(value)


def _written_scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _es6(value)
    raise ValueError(f"a value of type {type(value).__name__}, which JSON does not have")


def _utf16(member: tuple[str, Any]) -> bytes:
    return member[0].encode("utf-16-be", "surrogatepass")


def _es6(value: float) -> str:
    """A float as ECMAScript writes it (Number::toString): the shortest digits that read back the same."""
    if not isfinite(value):
        raise ValueError("NaN or Infinity, which JSON does not have")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
