"""Strict JSON: one language for schemas, inputs and outputs, and its canonical bytes.

RFC 8259 without the freedoms in which readers differ: no key twice, no NaN or Infinity (also not as
1e400), no lone surrogate, at most `MAX_DEPTH` levels and `MAX_NUMBER` characters a number; integers
are exact. Two readers hold to it: `quick`, which keeps no places, and `located`, several times slower, which keeps them all.
"""

from collections.abc import Iterable
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from workermd.system.digest import sha256

MAX_DEPTH = 64
"""Levels of arrays and objects; the value itself stands on level 1."""

MAX_NUMBER = 400
"""Characters of one number."""

MORE_TEXT = "more text after the JSON value"
"""The message about a second value: of lines of JSON each is one."""


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


# --- exact decimals -------------------------------------------------------------------------------------


class ExactDecimal:
    """A decimal that no float holds, as it was written: `100000000000000000.01`, `1e-400`. A task gets the nearest
    float; a hash is made of this."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def exact(text: str) -> "float | ExactDecimal":
    """What a decimal is in a document read in full: a float where one holds it."""
    value = float(text)
    return value if _digits(text) == _digits(float.__repr__(value)) else ExactDecimal(text)


def _digits(text: str) -> tuple[str, str, int]:
    """Sign, digits without zeros around them, and the place of the point before the first of them."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return ("-" if text.startswith("-") else "", digits, point) if digits else ("", "", 0)


# --- canonical bytes ---------------------------------------------------------------------------------


HASH_VERSION = 2
"""How hashes are made now. Version 1 rounded every decimal to a float; rows of then are compared as then."""


def input_hash(exact: Any, version: int = HASH_VERSION) -> bytes:
    """The SHA-256 that an input is known by. `exact` is that of `load_exact`; `version` is how the hash that it is to be
    compared with was made. Raises ValueError as `canonical` does."""
    return sha256(canonical(exact, version))


def canonical(value: Any, version: int = HASH_VERSION) -> bytes:
    """The bytes that stand for a JSON value in every hash: RFC 8785, UTF-8.

    One deviation: a number is written with all its digits beyond 2^53 too, where RFC 8785 rounds it, because two
    inputs that differ must never share a hash. Version 1 did so for integers alone. What a float holds is written as
    RFC 8785 says, so 1.0 and 1 share their bytes, as do -0.0 and 0, and any float with the integer of the same digits.

    Raises ValueError, without quoting anything, where `value` is no JSON: another type, a key that is not
    text, NaN, Infinity, a lone surrogate, endless nesting.
    """
    try:
        return _written(_rounded(value) if version == 1 else value).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair, which is no character") from None
    except RecursionError:
        raise ValueError("nested too deep, or a value that contains itself") from None


def _rounded(value: Any) -> Any:
    """A value as version 1 saw it."""
    if isinstance(value, ExactDecimal):
        return float(value.text)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


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
    if isinstance(value, ExactDecimal):
        return _in_full(value)
    raise ValueError(f"a value of type {type(value).__name__}, which JSON does not have")


def _in_full(value: ExactDecimal) -> str:
    """All digits. As an integer where it is one that `load` would take: those two are the same number."""
    sign, digits, point = _digits(value.text)
    if not digits:
        return "0"
    if len(digits) <= point <= MAX_NUMBER:
        return sign + digits.ljust(point, "0")
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


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
