"""What a backend noted while it worked, read by the supervisor: shown as it comes, counted when nothing else is left.

The backend writes whole lines of JSON, each in one call; the file outlives the attempt's process, so that the
usage of an attempt that was killed is known as far as it got.
"""

import json
import os
from collections.abc import Iterator

from workermd.protocol.envelope import Document

_CHUNK = 1 << 16
_MAX_LINE = 1 << 20
"""Bytes. Longer lines were not written by us; they are passed over."""


class JournalReader:
    """The journal of one attempt. The file is there once the backend has something to note."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = 0
        self._partial = b""
        self.usage: Document = {}
        """What had been used by the last event that was read."""

    def events(self) -> Iterator[Document]:
        """The events since the last call, in their order. Damaged lines are passed over."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            while chunk := os.pread(descriptor, _CHUNK, self._at):
                self._at += len(chunk)
                *lines, self._partial = (self._partial + chunk).split(b"\n")
                if len(self._partial) > _MAX_LINE:
                    self._partial = b""
                yield from self._read(lines)
        finally:
            os.close(descriptor)

    def _read(self, lines: list[bytes]) -> Iterator[Document]:
        for line in lines:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                if isinstance(event.get("usage"), dict):
                    self.usage = event["usage"]
                yield event
