"""Plots of a bench as SVG with text: they print, they scale, and a reader of screens hears them."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.report.bench import words

WIDTH = 640
_LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 130, 24, 34, 10, 30
"""Room for names, for the last number of the axis, for a row, above and below."""
_LONGEST = 18
"""Characters of a name that stand beside a row."""


class Axis(NamedTuple):
    """Values from `low` to `high` on the way from `start` to `end`, in the picture's units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        width = (self.high - self.low) or 1.0
        return self.start + (self.end - self.start) * (value - self.low) / width


def name(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def ticks(high: float, count: int = 5) -> list[float]:
    """Round numbers from 0 to at least `high`."""
    if high <= 0:
        return [0.0, 1.0]
    raw = high / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    return [step * number for number in range(math.ceil(high / step) + 1)]


def _svg(label: str, height: float, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>'
        f"{body}</svg>"
    )


def _grid(axis: Axis, marks: Sequence[float], height: float, told: Callable[[float], str]) -> str:
    parts = []
    for number, mark in enumerate(marks):
        x = axis.at(mark)
        anchor = "start" if number == 0 else "end" if number == len(marks) - 1 else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _BOTTOM}"/>'
            f'<text class="tick" x="{x:.1f}" y="{height - 10}" text-anchor="{anchor}">{escape(told(mark))}</text>'
        )
    return "".join(parts)


def shares(subjects: list[Document]) -> str:
    """A dot for each subject's share, with its interval."""
    height = _TOP + _BOTTOM + _ROW * len(subjects)
    axis = Axis(0, 1, _LEFT, WIDTH - _RIGHT)
    body = _grid(axis, (0, 0.25, 0.5, 0.75, 1), height, lambda mark: f"{mark:.0%}")
    for number, each in enumerate(subjects):
        y = _TOP + _ROW * (number + 0.5)
        body += f'<text class="name" x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{name(each["name"])}</text>'
        if each["share"] is None:
            continue
        low, high = map(axis.at, each["interval"])
        said = f"{each['name']}: {words.share(each['share'])}, {words.interval(each['interval'])}"
        body += (
            f'<g><title>{escape(said)}</title><line class="interval" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>'
            f'<circle class="dot" cx="{axis.at(each["share"]):.1f}" cy="{y}" r="6"/></g>'
        )
    return _svg("Share that passes, with 95 % intervals", height, body)


def times(document: Document) -> str:
    """A dot for each run's seconds, a line at the median."""
    subjects = document["subjects"]
    by_name = {
        each["name"]: [
            run["seconds"] for run in document["runs"] if run["subject"] == each["name"] and "seconds" in run
        ]
        for each in subjects
    }
    marks = ticks(max((most for found in by_name.values() for most in found), default=0.0))
    height = _TOP + _BOTTOM + _ROW * len(subjects)
    axis = Axis(0, marks[-1], _LEFT, WIDTH - _RIGHT)
    body = _grid(axis, marks, height, lambda mark: f"{mark:g} s")
    for number, each in enumerate(subjects):
        y = _TOP + _ROW * (number + 0.5)
        body += f'<text class="name" x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{name(each["name"])}</text>'
        dots = by_name[each["name"]][:500]
        body += "".join(
            f'<circle class="run" cx="{axis.at(value):.1f}" cy="{y + (place * 7 % 13) - 6:.1f}" r="3"/>'
            for place, value in enumerate(dots)
        )
        middle = each["seconds"]["median"]
        if middle is not None:
            said = f"{each['name']}: median {words.seconds(middle)}"
            x = axis.at(middle)
            body += f'<g><title>{escape(said)}</title><line class="median" x1="{x:.1f}" y1="{y - 12}" x2="{x:.1f}" y2="{y + 12}"/></g>'
    return _svg("Seconds of each run, with medians", height, body)


def cost_and_share(subjects: list[Document]) -> str:
    """What a subject costs against what it passes; by tokens where no price is known. Empty where neither is."""
    priced = [each for each in subjects if each["cost_usd"] is not None]
    by_price = len(priced) == len(subjects)
    known = priced if by_price else [each for each in subjects if each["tokens"]]
    known = [each for each in known if each["share"] is not None]
    if not known:
        return ""

    def spent(each: Document) -> float:
        return float(each["cost_usd"] if by_price else each["tokens"])

    marks = ticks(max(map(spent, known)))
    height = 260
    across = Axis(0, marks[-1], 60, WIDTH - _RIGHT - 90)
    up = Axis(0, 1, height - _BOTTOM, _TOP + 8)
    body = _grid(across, marks, height, lambda mark: f"${mark:g}" if by_price else f"{mark:g}")
    for mark in (0, 0.5, 1):
        y = up.at(mark)
        body += f'<line class="grid" x1="60" y1="{y:.1f}" x2="{across.end:.1f}" y2="{y:.1f}"/>'
        body += f'<text class="tick" x="52" y="{y + 4:.1f}" text-anchor="end">{mark:.0%}</text>'
    for each in known:
        x, y = across.at(spent(each)), up.at(each["share"])
        low, high = map(up.at, each["interval"])
        paid = words.money(each["cost_usd"]) if by_price else f"{each['tokens']} tokens"
        said = f"{each['name']}: {words.share(each['share'])} for {paid}"
        body += (
            f'<g><title>{escape(said)}</title><line class="interval" x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>'
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
            f'<text class="name" x="{x + 11:.1f}" y="{y + 4:.1f}">{name(each["name"])}</text></g>'
        )
    label = "Cost in US dollars against the share that passes" if by_price else "Tokens against the share that passes"
    return _svg(label, height, body)
