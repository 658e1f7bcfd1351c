"""The time of a run as one bar: waiting, attempts, and what lies between them, as shapes of an SVG."""

from typing import NamedTuple

from workermd.ledger.records import Attempt, Question, Run
from workermd.studio import wording

WIDTH = 1000
_LEAST = 4


class BarSegment(NamedTuple):
    """`kind` is loading, attempt, backoff, person, waiting or settling; `tone` that of an attempt's outcome."""

    kind: str
    tone: str
    x: int
    width: int
    words: str


class TimeBar(NamedTuple):
    pieces: tuple[BarSegment, ...]
    words: str


def bar(run: Run, attempts: tuple[Attempt, ...], questions: tuple[Question, ...], now: int) -> TimeBar:
    """What a run's time went to, from its admission to its answer, or until now."""
    asked = {each.n for each in questions}
    spans: list[tuple[str, str, int, int, str]] = []
    at = run.created_at
    for attempt in attempts:
        if attempt.started_at > at:
            spans.append(_between(at, attempt, asked))
        end = attempt.ended_at or max(now, attempt.started_at)
        tone = wording.state(attempt.outcome or "running").tone
        spans.append(("attempt", tone, attempt.started_at, end, f"attempt {attempt.n}"))
        at = max(at, end)
    last = run.settled_at or max(now, at)
    if run.state == "waiting" and last > at:
        spans.append(("waiting", "busy", at, last, "waiting for an attempt"))
    return _drawn(spans)


def _between(at: int, attempt: Attempt, asked: set[int]) -> tuple[str, str, int, int, str]:
    if attempt.n == 1:
        return "loading", "plain", at, attempt.started_at, "waiting and loading"
    if attempt.n - 1 in asked:
        return "person", "wait", at, attempt.started_at, "waiting for a person"
    return "backoff", "plain", at, attempt.started_at, "back-off and loading"


def _drawn(spans: list[tuple[str, str, int, int, str]]) -> TimeBar:
    total = sum(end - start for _, _, start, end, _ in spans)
    if total <= 0:
        return TimeBar((), "")
    room = WIDTH - _LEAST * len(spans)
    pieces, x = [], 0
    for kind, tone, start, end, words in spans:
        width = _LEAST + round(room * (end - start) / total)
        pieces.append(BarSegment(kind, tone, x, width, f"{words}: {wording.span((end - start) / 1000)}"))
        x += width
    return TimeBar(tuple(pieces), "; ".join(piece.words for piece in pieces))
