"""Moments as people read and write them: local, with the offset; stored ones are microseconds of UTC."""

import re
import time
from datetime import UTC, datetime, tzinfo

from workermd.protocol.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def local(microseconds: int, zone: tzinfo | None = None) -> str:
    """To the millisecond, with the offset: in the zone of this machine, or in another."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).astimezone(zone).isoformat(timespec="milliseconds")


def seconds_of(text: str, option: str) -> float:
    """An age or a span: 30m, 2h, 7d. Raises UsageError."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option} {text[:40]!r} is no span of time", "write a number and s, m, h, d or w: 30d")
    return float(found[1]) * _UNITS[found[2]]


def moment(text: str, option: str) -> int:
    """A moment in Unix microseconds: an age such as 2h, or a date and time, local where no offset is given.

    Raises UsageError.
    """
    if _AGE.fullmatch(text.strip()):
        return time.time_ns() // 1000 - int(seconds_of(text, option) * 1_000_000)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} {text[:40]!r} is no moment", "write an age such as 2h, or 2026-11-01T10:00+01:00"
        ) from None
    return int(found.astimezone(UTC).timestamp() * 1_000_000)


def zone_of(name: str) -> tzinfo:
    """A zone by its name. Raises UsageError."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--tz {name[:40]!r} is no time zone", "name one as Europe/Berlin or UTC") from None
