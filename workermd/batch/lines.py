"""Inputs from JSON Lines: one document a line, read as it comes, at most one byte above the cap of any (S6.4)."""

from collections.abc import Iterator
from typing import BinaryIO

from workermd.protocol.errors import UsageError

_SKIPPED_AT_ONCE = 1 << 16

MOST_SKIPPED = 1 << 30
"""Bytes of one line that are passed over: a line of more than these has no end, as that of a device has none."""


def lines(file: BinaryIO, cap: int) -> Iterator[bytes]:
    """Every line that is not blank, without its end. Of a line longer than `cap`, its first `cap` + 1 bytes."""
    while line := file.readline(cap + 2):
        if len(line) == cap + 2 and not line.endswith(b"\n"):
            _skip_the_rest(file)
        line = line.rstrip(b"\r\n")[: cap + 1]
        if line.strip():
            yield line


def _skip_the_rest(file: BinaryIO) -> None:
    """Raises UsageError for a line without an end: nothing behind it could ever be read."""
    skipped = 0
    while (rest := file.readline(_SKIPPED_AT_ONCE)) and not rest.endswith(b"\n"):
        skipped += len(rest)
        if skipped > MOST_SKIPPED:
            message = f"a line of the inputs has no end after {MOST_SKIPPED >> 20} MiB"
            raise UsageError(message, "give JSON Lines: one document a line")


def on_one_line(document: bytes) -> bytes:
    """A document as `encoded` lays it out, on one line with its end: every number and text as it stands.

    No text of JSON holds the end of a line, so the ends between the lines are layout, and a comma before one parts items.
    """
    parts = [line.lstrip(b" ") for line in document.split(b"\n")]
    return b"".join(part + b" " if part.endswith(b",") else part for part in parts) + b"\n"
