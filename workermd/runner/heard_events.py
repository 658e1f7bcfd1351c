"""What an attempt's agents did, as it is kept beside the attempt: masked, in order, and never more than can be held."""

import json
from collections import deque

from workermd.ledger.records import AttemptEvents
from workermd.protocol.envelope import Document

MOST_EVENTS = 1000
MOST_BYTES = 1 << 20
"""Of one attempt. Of more, the first and the last halves are kept."""


class HeardEvents:
    """The events of the attempt that runs, or that a crash left open."""

    def __init__(self) -> None:
        self._first: list[Document] = []
        self._last: deque[tuple[int, Document]] = deque()
        self._first_bytes = self._last_bytes = self._dropped = 0

    def add(self, event: Document) -> None:
        size = len(json.dumps(event))
        if not self._last and len(self._first) < MOST_EVENTS // 2 and self._first_bytes + size <= MOST_BYTES // 2:
            self._first.append(event)
            self._first_bytes += size
            return
        self._last.append((size, event))
        self._last_bytes += size
        while len(self._last) > MOST_EVENTS // 2 or self._last_bytes > MOST_BYTES // 2:
            self._last_bytes -= self._last.popleft()[0]
            self._dropped += 1

    def of_attempt(self, n: int) -> AttemptEvents | None:
        """What is to be kept; None where nothing was heard. One event tells how many are left out where they were."""
        left_out = [{"event": "left_out", "count": self._dropped}] if self._dropped else []
        told = (*self._first, *left_out, *(event for _, event in self._last))
        return AttemptEvents(n, self._dropped, told) if told else None
