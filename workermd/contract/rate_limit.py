"""How often a contract may be called: `N/s`, `N/min`, `N/h` or `N/d`, optionally `per /pointer` into the input (S3.9)."""

import re
from typing import NamedTuple

_UNITS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
_SHORT = {1: "s", 60: "min", 3600: "h", 86400: "d"}
_RATE = re.compile(
    r"(?<![\w./])([1-9][0-9]{0,6})[ ]?/[ ]?(s|sec|second|min|minute|h|hour|d|day)(?![\w/])", re.IGNORECASE
)
_WHOLE = re.compile(r"([1-9][0-9]{0,6})/(s|min|h|d)(?:[ \t]+per[ \t]+(/\S*))?")


class RateLimit(NamedTuple):
    """At most `calls` calls in any `seconds`; of each value at `pointer` of the input, or of the worker as a whole.

    `is_exact` is False where it was picked out of free text.
    """

    calls: int
    seconds: int
    pointer: str = ""
    is_exact: bool = True

    def __str__(self) -> str:
        per = f" per {self.pointer}" if self.pointer else ""
        return f"{self.calls}/{_SHORT[self.seconds]}{per}"


def rate_of(text: str) -> RateLimit | None:
    """The rate that a text states: in the grammar, or as the one `N/unit` in it. None where it states none, or several."""
    whole = _WHOLE.fullmatch(text.strip())
    if whole is not None:
        return RateLimit(int(whole[1]), _UNITS[whole[2]], whole[3] or "")
    found = _RATE.findall(text)
    if len(found) != 1:
        return None
    count, unit = found[0]
    return RateLimit(int(count), _UNITS[unit.lower()], is_exact=False)
