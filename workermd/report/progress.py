"""How a batch is told on standard error: a line every few seconds, and a summary at its end."""

import threading
import time
from collections import Counter
from typing import Self

from workermd.report import say
from workermd.runner.answers import Answered

EVERY_SECONDS = 5.0


class Progress:
    """Counts answers, from any thread. As a context it says how far the batch is, unless `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.not_ok = 0
        self._quiet = quiet
        self._statuses: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._replayed = 0
        self._began = time.monotonic()
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)

    def count(self, answered: Answered) -> None:
        """An answer that was given."""
        envelope = answered.envelope
        with self._turn:
            self._statuses[envelope["status"]] += 1
            self._replayed += bool(envelope.get("replayed"))
            self.not_ok += answered.exit_code != 0
            if "error" in envelope:
                self._codes[envelope["error"]["code"]] += 1

    def __enter__(self) -> Self:
        if not self._quiet:
            self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if not self._quiet:
            self._teller.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            say.note(self.line())

    def line(self) -> str:
        """`120 answers in 6.0 s (20.0/s): 118 ok, 2 invalid_request; 40 replayed; input_schema_mismatch 2`."""
        with self._turn:
            total = self._statuses.total()
            seconds = max(time.monotonic() - self._began, 0.001)
            parts = [", ".join(f"{count} {status}" for status, count in self._statuses.most_common())]
            parts += [f"{self._replayed} replayed"] if self._replayed else []
            parts += [", ".join(f"{code} {count}" for code, count in self._codes.most_common())]
        told = "; ".join(filter(None, parts))
        return f"{total} answer{'s' * (total != 1)} in {seconds:.1f} s ({total / seconds:.1f}/s)" + (
            f": {told}" if told else ""
        )
