"""How a batch is told on standard error: a bar with what runs now on a terminal, a line every few seconds on a pipe, and
at the end a table of what it came to."""

import os
import shutil
import sys
import threading
import time
from typing import Self, TextIO

from workermd.batch.tally import BatchTally, Numbers
from workermd.report import say
from workermd.runner.answers import Answered
from workermd.runner.events import AttemptStarted, Event, Waiting
from workermd.system.text import printable, shortened

EVERY_SECONDS = 5.0
_REFRESH = 0.2
_MOST_RUNNING = 6
_ROW = "\r\x1b[K"


class Progress:
    """Counts answers, from any thread. As a context it shows how far the batch is, unless `quiet`.

    `expected` is how many answers there will be, where that is known. What is written through `write` and `flush` goes
    to standard error between two drawings.
    """

    def __init__(self, *, quiet: bool, expected: int | None = None, stream: TextIO | None = None) -> None:
        self.tally = BatchTally()
        self._quiet = quiet
        self._expected = expected
        self._stream = stream or sys.stderr
        self._drawn = not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._rows = 0
        self._running: dict[int, tuple[str, float]] = {}
        self._turn = threading.RLock()
        self._ended = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)

    def count(self, number: int, answered: Answered) -> None:
        """The answer of the line of a number from 0."""
        self.tally.count(number, answered)
        with self._turn:
            self._running.pop(number, None)

    def hear(self, number: int, event: Event) -> None:
        """What happens in a line."""
        what = ""
        if isinstance(event, AttemptStarted):
            what = f"attempt {event.n}/{event.most}"
        elif isinstance(event, Waiting):
            what = f"waits for {event.what}"
        if what:
            with self._turn:
                began = self._running.get(number, ("", time.monotonic()))[1]
                self._running[number] = what, began

    def __enter__(self) -> Self:
        if not self._quiet:
            self._teller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if not self._quiet:
            self._teller.join()
        self._erase()

    def write(self, text: str) -> int:
        with self._turn:
            self._erase()
            return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def _tell(self) -> None:
        while not self._ended.wait(_REFRESH if self._drawn else EVERY_SECONDS):
            if self._drawn:
                self._draw()
            else:
                say.note(line(self.tally.numbers(), self._expected))

    def _draw(self) -> None:
        with self._turn:
            numbers = self.tally.numbers()
            columns = max(shutil.get_terminal_size((80, 24)).columns - 1, 20)
            rows = [bar(numbers, self._expected, columns), *_details(numbers, columns), *self._now(columns)]
            self._erase()
            self._stream.write("\n".join(row[:columns] for row in rows) + "\n")
            self._stream.flush()
            self._rows = len(rows)

    def _now(self, columns: int) -> list[str]:
        now = time.monotonic()
        oldest = sorted(self._running.items(), key=lambda each: each[1][1])
        rows = [
            printable(f"  line {number + 1}: {what}, {clock(now - began)}")[:columns]
            for number, (what, began) in oldest[:_MOST_RUNNING]
        ]
        more = len(oldest) - _MOST_RUNNING
        return [*rows, f"  and {more} more"] if more > 0 else rows

    def _erase(self) -> None:
        if self._rows:
            self._stream.write(f"\x1b[{self._rows}F\x1b[J")
            self._rows = 0
            self._stream.flush()


def bar(numbers: Numbers, expected: int | None, columns: int) -> str:
    """`████░░░░  40 % · 400 of 1,000 · 20.0/s · 30 s left`, as wide as there is room."""
    told = f"{numbers.answers:,} answers" if expected is None else f"{numbers.answers:,} of {expected:,}"
    parts = [told, f"{numbers.answers / numbers.seconds:.1f}/s"]
    if expected and numbers.answers:
        parts.append(f"{clock(max(expected - numbers.answers, 0) / pace(numbers))} left")
    text = " · ".join([*parts, clock(numbers.seconds)] if expected is None else parts)
    if not expected:
        return text
    share = min(numbers.answers / expected, 1.0)
    width = min(max(columns - len(text) - 10, 8), 40)
    full = int(share * width)
    return f"{'█' * full}{'░' * (width - full)} {share:4.0%} · {text}"


def pace(numbers: Numbers) -> float:
    """Answers a second, lately: what is replayed at the beginning says nothing of the rest."""
    lately = numbers.bars[-11:-1]
    return sum(lately) / (len(lately) * numbers.bar_seconds) if any(lately) else numbers.answers / numbers.seconds


def _details(numbers: Numbers, columns: int) -> list[str]:
    parts = [f"{count:,} {status}" for status, count in numbers.statuses]
    parts += [f"{numbers.replayed:,} replayed"] if numbers.replayed else []
    parts += spending(numbers)
    return [shortened("  " + " · ".join(parts), columns)] if parts else []


def spending(numbers: Numbers) -> list[str]:
    tokens = numbers.input_tokens + numbers.output_tokens
    return [*([f"{tokens:,} tokens"] if tokens else []), *([f"${numbers.cost_usd:.4f}"] if numbers.cost_usd else [])]


def clock(seconds: float) -> str:
    """`3.2 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def line(numbers: Numbers, expected: int | None = None) -> str:
    """`120 answers in 6.0 s (20.0/s): 118 ok, 2 invalid_request; 40 replayed; input_schema_mismatch 2`."""
    total = numbers.answers
    parts = [", ".join(f"{count} {status}" for status, count in numbers.statuses)]
    parts += [f"{numbers.replayed} replayed"] if numbers.replayed else []
    parts += [", ".join(f"{code} {count}" for code, count in numbers.codes)]
    parts += [", ".join(spending(numbers))]
    told = "; ".join(filter(None, parts))
    of_all = f" of {expected}" if expected is not None else ""
    head = f"{total}{of_all} answer{'s' * (total != 1 or bool(of_all))} in {numbers.seconds:.1f} s ({total / numbers.seconds:.1f}/s)"
    return head + (f": {told}" if told else "")


def table(numbers: Numbers) -> list[str]:
    """What a batch came to, for people, beyond its one line."""
    rows: list[tuple[str, str]] = []
    if numbers.percentiles:
        rows.append(("duration", "  ".join(f"p{each} {clock(seconds)}" for each, seconds in numbers.percentiles)))
        slowest = ", ".join(f"line {each.line} {clock(each.seconds)}" for each in numbers.slowest[:3])
        rows.append(("slowest", slowest))
    if numbers.input_tokens or numbers.output_tokens:
        rows.append(("tokens", f"{numbers.input_tokens:,} read, {numbers.output_tokens:,} written"))
    if numbers.cost_usd:
        rows.append(("cost", f"${numbers.cost_usd:.4f}"))
    return [f"  {name:<9} {told}" for name, told in rows]
