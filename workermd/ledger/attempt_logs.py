"""The log of an attempt: what its task wrote to standard output and error, kept beside its artifacts.

It is masked before it comes here. Of a long log the head and the tail are kept. A note beside the result: that it cannot
be written ends no run.
"""

import contextlib
import os
from collections import deque

MOST_BYTES = 1 << 20
_HALF = MOST_BYTES // 2
_SUFFIX = ".log"


def path_of(artifacts_folder: str, token: str) -> str:
    return os.path.join(artifacts_folder, token + _SUFFIX)


class AttemptLog:
    """Takes what an attempt says, piece by piece, and holds no more than is kept."""

    def __init__(self) -> None:
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self._head_size = self._tail_size = self._left_out = 0

    def add(self, data: bytes) -> None:
        room = _HALF - self._head_size
        if room > 0:
            self._head.append(data[:room])
            self._head_size += len(self._head[-1])
            data = data[room:]
        if data:
            self._tail.append(data)
            self._tail_size += len(data)
            while self._tail_size - len(self._tail[0]) >= _HALF:
                gone = self._tail.popleft()
                self._tail_size -= len(gone)
                self._left_out += len(gone)

    def whole(self) -> bytes:
        """What is kept. A line says how much is missing in the middle."""
        tail = b"".join(self._tail)
        left_out = self._left_out + max(0, len(tail) - _HALF)
        if not left_out:
            return b"".join(self._head) + tail
        return b"%s\n[... %d bytes are left out here ...]\n%s" % (b"".join(self._head), left_out, tail[-_HALF:])

    def keep(self, artifacts_folder: str, token: str) -> None:
        """Write it beside the attempt's artifacts, where there is any. Never raises."""
        if not self._head:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(
                path_of(artifacts_folder, token), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.whole())


def read(artifacts_folder: str, token: str) -> bytes:
    """The log that was kept; empty where there is none that can be read."""
    with contextlib.suppress(OSError), open(path_of(artifacts_folder, token), "rb") as file:
        return file.read(2 * MOST_BYTES)
    return b""


def remove(artifacts_folder: str, token: str) -> None:
    """Never raises."""
    with contextlib.suppress(OSError):
        os.unlink(path_of(artifacts_folder, token))
