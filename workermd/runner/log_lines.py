"""A task's log on its way to whoever watches: in whole lines, with secrets masked, and never more than can be held."""

from workermd.task.masking import Mask

MOST_UNSAID = 1 << 16
"""Bytes of a line that are waited for; of a longer one the beginning is handed on."""


class LogLines:
    """Takes the log in pieces and gives it back in lines. Each byte is looked at a fixed number of times."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> bytes:
        """What can be said after these bytes."""
        head, newline, rest = data.rpartition(b"\n")
        said = b""
        if newline:
            said = self._masked(b"".join((*self._parts, head, newline)))
            self._parts, self._size = [], 0
        self._parts.append(rest)
        self._size += len(rest)
        return said + self._beginning() if self._size > MOST_UNSAID else said

    def rest(self) -> bytes:
        """What is left when there is no more to come."""
        said = self._masked(b"".join(self._parts))
        self._parts, self._size = [], 0
        return said

    def _beginning(self) -> bytes:
        """Of a line without an end. What could be the first half of a secret is kept back."""
        masked = self._masked(b"".join(self._parts))
        kept = 4 * self._mask.longest
        said, back = (masked[:-kept], masked[-kept:]) if kept else (masked, b"")
        self._parts, self._size = [back], len(back)
        return said

    def _masked(self, data: bytes) -> bytes:
        if not self._mask:
            return data
        return self._mask.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
