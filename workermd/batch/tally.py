"""What a batch came to so far, counted as it goes: the same few numbers for ten lines and for ten million."""

import heapq
import math
import threading
import time
from collections import Counter
from typing import NamedTuple

from workermd.protocol.envelope import EXIT_INTERRUPTED, Document
from workermd.runner.answers import Answered

_STEP = 1.05
"""Durations are kept in classes; the ends of one are so far apart: a percentile is right to 2.5 %."""

MOST_BARS = 60
SLOWEST = 5


class SlowRun(NamedTuple):
    seconds: float
    line: int
    run_id: str


class Numbers(NamedTuple):
    """A tally at one moment. Durations are those of the runs that were carried out, replays are not among them."""

    answers: int
    not_ok: int
    replayed: int
    statuses: tuple[tuple[str, int], ...]
    codes: tuple[tuple[str, int], ...]
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float
    percentiles: tuple[tuple[int, float], ...]
    slowest: tuple[SlowRun, ...]
    bars: tuple[int, ...]
    bar_seconds: float
    classes: tuple[tuple[float, int], ...]


class BatchTally:
    """Threads may share it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._began = time.monotonic()
        self._not_ok = self._replayed = 0
        self._statuses: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._used: Counter[str] = Counter()
        self._cost = 0.0
        self._durations: Counter[int] = Counter()
        self._slowest: list[SlowRun] = []
        self._bars = [0] * MOST_BARS
        self._bar_seconds = 1.0

    def count(self, number: int, answered: Answered) -> None:
        """The answer of the line of a number from 0."""
        envelope = answered.envelope
        with self._turn:
            status = "interrupted" if answered.exit_code == EXIT_INTERRUPTED else envelope["status"]
            self._statuses[status] += 1
            self._not_ok += answered.exit_code != 0
            if "error" in envelope:
                self._codes[envelope["error"]["code"]] += 1
            if envelope["replayed"]:
                self._replayed += 1
                return
            self._bar()
            self._use(envelope.get("usage") or {})
            if envelope["attempts"]:
                self._last(number, envelope)

    def _use(self, usage: Document) -> None:
        self._used["in"] += usage.get("input_tokens") or 0
        self._used["out"] += usage.get("output_tokens") or 0
        self._cost += usage.get("cost_usd") or 0

    def _last(self, number: int, envelope: Document) -> None:
        seconds = max(envelope["observability"]["duration_ms"] / 1000, 1e-6)
        self._durations[round(math.log(seconds, _STEP))] += 1
        slow = SlowRun(seconds, number + 1, str(envelope["run_id"]))
        (heapq.heappush if len(self._slowest) < SLOWEST else heapq.heappushpop)(self._slowest, slow)

    def _bar(self) -> None:
        """Answers that were no replays over time, in at most so many bars: they become twice as long when there is no room."""
        at = int((time.monotonic() - self._began) / self._bar_seconds)
        while at >= MOST_BARS:
            pairs = zip(self._bars[::2], self._bars[1::2], strict=True)
            self._bars = [a + b for a, b in pairs] + [0] * (MOST_BARS // 2)
            self._bar_seconds *= 2
            at //= 2
        self._bars[at] += 1

    def numbers(self) -> Numbers:
        with self._turn:
            seconds = max(time.monotonic() - self._began, 0.001)
            return Numbers(
                self._statuses.total(),
                self._not_ok,
                self._replayed,
                tuple(self._statuses.most_common()),
                tuple(self._codes.most_common()),
                self._used["in"],
                self._used["out"],
                self._cost,
                seconds,
                tuple((each, self._percentile(each)) for each in (50, 90, 95, 99)) if self._durations else (),
                tuple(sorted(self._slowest, reverse=True)),
                tuple(self._bars[: int(seconds / self._bar_seconds) + 1]),
                self._bar_seconds,
                tuple((_STEP**each, count) for each, count in sorted(self._durations.items())),
            )

    def _percentile(self, percent: int) -> float:
        wanted = math.ceil(self._durations.total() * percent / 100)
        for each, count in sorted(self._durations.items()):
            wanted -= count
            if wanted <= 0:
                return _STEP**each
        return 0.0
