"""The lines of a batch that are under way, and their answers in the order of the lines.

The window bounds what a batch holds: lines that wait or run, and answers that wait for the answer of an earlier line.
"""

import threading
from collections.abc import Callable

MOST_LINES = 1000
MOST_BYTES = 64 << 20
"""Of lines and answers held; a single line may be larger."""

Write = Callable[[bytes], None]


class Window:
    """Threads may share it. `write` is called by one thread at a time, in the order of the lines."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._next = 0
        self._entered = 0
        self._held = 0
        self._waiting: dict[int, bytes] = {}

    def wait_for_room(self, seconds: float) -> bool:
        """Whether a further line may enter now, or within so many seconds."""
        with self._changed:
            return self._changed.wait_for(self._has_room, seconds)

    def _has_room(self) -> bool:
        under_way = self._entered - self._next
        return not under_way or (under_way < MOST_LINES and self._held < MOST_BYTES)

    def enter(self, size: int) -> int:
        """A line of so many bytes comes in. Its number."""
        with self._changed:
            self._held += size
            self._entered += 1
            return self._entered - 1

    def leave(self, number: int, size: int, answer: bytes) -> None:
        """The line's answer: written once those of all earlier lines are. Raises what `write` raises."""
        with self._changed:
            self._held += len(answer) - size
            self._waiting[number] = answer
            while (ready := self._waiting.pop(self._next, None)) is not None:
                self._next += 1
                self._held -= len(ready)
                self._write(ready)
            self._changed.notify_all()
