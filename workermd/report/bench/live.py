"""A bench while it runs: a live table on a terminal, a line every few seconds elsewhere."""

import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from workermd.bench.repetition import ScoredRun
from workermd.report import say
from workermd.system.text import printable

if TYPE_CHECKING:
    from rich.live import Live as Drawn

EVERY_SECONDS = 5.0


class BenchLive:
    """Counts outcomes, from any thread. As a context it shows how far the bench is, unless `quiet`."""

    def __init__(self, name: str, subjects: list[str], total: int, *, quiet: bool) -> None:
        self._name = name
        self._total = total
        self._quiet = quiet
        self._words = {subject: Counter[str]() for subject in subjects}
        self._started = 0
        self._replayed = 0
        self._began = time.monotonic()
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="bench-live", daemon=True)
        self._drawn: Drawn | None = None

    def count(self, outcome: ScoredRun) -> None:
        with self._turn:
            self._words[outcome.repetition.subject.name][outcome.word] += 1
            if outcome.envelope:
                self._replayed += bool(outcome.envelope["replayed"])
                self._started += not outcome.envelope["replayed"]
        if self._drawn is not None:
            self._drawn.update(self._table())

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live as Drawn

            self._drawn = Drawn(self._table(), console=Console(stderr=True), transient=True, refresh_per_second=8)
            self._drawn.start()
        elif not self._quiet:
            self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._drawn is not None:
            self._drawn.stop()
        elif not self._quiet:
            self._teller.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            say.note(self.line())

    def _table(self) -> Any:
        from rich.table import Table

        drawn = Table(title=printable(self.line()), box=None, title_justify="left")
        for title in ("subject", "passed", "failed", "errors", "missing"):
            drawn.add_column(title, justify="left" if title == "subject" else "right")
        with self._turn:
            for subject, words in self._words.items():
                counts = (str(words[word]) for word in ("passed", "failed", "error", "missing"))
                drawn.add_row(printable(subject), *counts)
        return drawn

    def line(self) -> str:
        """`notes: 12 of 250 runs in 6.0 s; 10 started, 2 replayed`."""
        with self._turn:
            done = sum(words.total() for words in self._words.values())
            seconds = time.monotonic() - self._began
            missing = sum(words["missing"] for words in self._words.values())
            return (
                f"{self._name}: {done} of {self._total} runs in {seconds:.1f} s; "
                f"{self._started} started, {self._replayed} replayed" + (f", {missing} never run" if missing else "")
            )
