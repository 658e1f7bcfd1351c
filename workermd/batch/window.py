"""The lines of a batch that are under way, and their answers in the order of the lines.

The window bounds what a batch holds: lines that wait or run, and answers that wait for the answer of an earlier line.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

MOST_LINES = 1000
MOST_BYTES = 64 << 20
"""Of lines and answers held; a single line may be larger."""

Item = TypeVar("Item")


class Window(Generic[Item]):
    """Threads may share it. `write` is called by one thread at a time, in the order of the lines, or as they end."""

    def __init__(self, write: Callable[[Item], None], *, ordered: bool = True) -> None:
        self._ordered = ordered
        self._write = write
        self._changed = threading.Condition()
        self._next = 0
        self._entered = 0
        self._held = 0
        self._waiting: dict[int, tuple[Item, int]] = {}

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

    def leave(self, number: int, size: int, answer: Item, held: int) -> None:
        """The line's answer, of `held` bytes: written once those of all earlier lines are. Raises what `write` raises."""
        with self._changed:
            self._held -= size
            if not self._ordered:
                self._next += 1
                self._write(answer)
                self._changed.notify_all()
                return
            self._held += held
            self._waiting[number] = answer, held
            while (ready := self._waiting.pop(self._next, None)) is not None:
                self._next += 1
                self._held -= ready[1]
                self._write(ready[0])
            self._changed.notify_all()
