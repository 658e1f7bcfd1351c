"""Times, numbers and states as people read them."""

import time
from typing import NamedTuple

from workermd.protocol.envelope import Document, timestamp

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
NOTHING = "\u2013"
"""Stands where there is nothing to tell."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(microseconds: int) -> str:
    """`28 Nov 2026, 20:22:05 UTC`. The page's script shows it in the reader's own time."""
    at = time.gmtime(microseconds // 1_000_000)
    return f"{at.tm_mday} {_MONTHS[at.tm_mon - 1]} {at.tm_year}, {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} UTC"


def exact(microseconds: int) -> str:
    """The same for machines, RFC 3339."""
    return timestamp(microseconds)


def span(milliseconds: float | None) -> str:
    """`883 ms`, `6.7 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`."""
    if milliseconds is None:
        return NOTHING
    seconds = max(0.0, milliseconds / 1000)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, name: str, small: int, other: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large} {name}" + (f" {rest} {other}" if rest else "")


def count(number: float) -> str:
    """`12,345`."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,g}"


def money(usd: float) -> str:
    """`$0.0123`: two digits after the point, or as many as it takes to show two of its own."""
    if usd == 0 or usd >= 0.1:
        return f"${usd:,.2f}"
    shown = f"{usd:.6f}".rstrip("0")
    return f"${shown}" if float(shown) else "< $0.000001"


def tokens(usage: Document) -> int:
    return int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0))


class StateWords(NamedTuple):
    """A state in words, never by colour alone. `tone` is one of good, bad, wait, busy, plain; `sign` is for the eye."""

    words: str
    tone: str
    sign: str


_STATES = {
    "ok": StateWords("ok", "good", "✓"),
    "accepted": StateWords("accepted", "busy", "…"),
    "waiting": StateWords("waiting for an attempt", "busy", "…"),
    "running": StateWords("running", "busy", "▸"),
    "needs_human": StateWords("needs a person", "wait", "?"),
    "invalid_output": StateWords("invalid output", "bad", "✕"),
    "invalid_request": StateWords("invalid request", "bad", "✕"),
    "retryable_error": StateWords("failed, may be retried", "bad", "↻"),
    "timeout": StateWords("timed out", "bad", "✕"),
    "crashed": StateWords("crashed", "bad", "✕"),
    "cancelled": StateWords("cancelled", "bad", "-"),
}


def state(word: str) -> StateWords:
    """A status, an outcome or a state. One of a contract's own is shown as it stands."""
    return _STATES.get(word) or StateWords(word, "plain", "•")
