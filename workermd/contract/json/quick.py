"""Strict JSON read by the interpreter's own reader: no places, and several times faster than `located`."""

import json
import re
from typing import Any, NamedTuple, NoReturn

from workermd.contract.json.strict import MAX_DEPTH, JsonError, Suspicious, decimal, exact, integer, too_deep


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Suspicious
    return result


def _constant(_name: str) -> NoReturn:
    raise Suspicious


_decode = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=integer, parse_float=decimal, parse_constant=_constant
).decode
_surrogate_escape = re.compile(r"\\u[dD][89a-fA-F]").search


def load(text: str) -> Any:
    """The value of a text, as `read` gives it, without places. Raises JsonError, and nothing else."""
    try:
        if not text.isascii():
            text.encode()  # a lone surrogate in the text itself
        if "\\u" in text and _surrogate_escape(text):
            return _doubted(text)
        value = _decode(text)
    except (ValueError, RecursionError):
        # Nested beyond what `json` can take, or wrong: `read` knows where, or that it is right after all.
        return _doubted(text)
    if text.count("[") + text.count("{") > MAX_DEPTH and too_deep(value):
        return _doubted(text)
    return value


def _doubted(text: str) -> Any:
    """What the slower reader makes of it: the value after all, or the error with its place."""
    # Its expressions take 10 ms to compile; text of our own never gets here.
    from workermd.contract.json.located import read

    return read(text).value


def load_bytes(data: bytes) -> Any:
    """`load` of UTF-8. Raises JsonError; offsets count code points up to the first bad byte."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        offset = len(data[: error.start].decode())
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        message = "text in UTF-16" if utf16 else f"a byte (0x{data[error.start]:02x}) that is not UTF-8"
        raise JsonError(message, "Save the text as UTF-8.", offset, offset + 1) from None
    return load(text)


class ExactJson(NamedTuple):
    """`value` is what a task is given. `exact` is the same with every decimal that no float holds as ExactDecimal."""

    value: Any
    exact: Any


_long_decimal = re.compile(r"[-+.0-9eE]{17}|[eE]-[0-9]{3}").search
"""Where it finds nothing every decimal is the only one of its float: 15 digits are, except below 1e-307."""


def load_exact(data: bytes) -> ExactJson:
    """`load_bytes`, and what tells two documents apart whose decimals meet in one float. Raises JsonError."""
    value = load_bytes(data)
    text = data.decode()
    if not _long_decimal(text):
        return ExactJson(value, value)
    decoder = json.JSONDecoder(parse_int=integer, parse_float=exact)
    try:
        return ExactJson(value, decoder.decode(text))
    except RecursionError:  # the slower reader took it; as deep a text has been refused before
        return ExactJson(value, value)
