"""TOML that others wrote. Python's parser raises three kinds of exceptions for what is none; here it is one."""

import tomllib
from typing import Any

_BITS = 63
"""Integers of TOML have 64 bits, with their sign: https://toml.io/en/v1.0.0#integer. One of thousands of digits cannot even be printed."""
_TOO_LONG = "a number is too long; an integer has at most 64 bits"


def parsed(text: str) -> dict[str, Any]:
    """The document of a text. Raises ValueError, which says in a line what is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("arrays or tables are nested too deep") from None
    except ValueError:  # of Python's own bound for digits
        raise ValueError(_TOO_LONG) from None
    if _has_longer(document):
        raise ValueError(_TOO_LONG)
    return document


def _has_longer(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_longer, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and value.bit_length() > _BITS
