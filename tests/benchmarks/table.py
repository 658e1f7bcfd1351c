"""Rows of results, as aligned text and as Markdown."""

import os
import platform
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.measure import Series

HEAD = ("what", "median ms", "min", "max", "baseline", "its median ms", "ratio", "goal", "met")


class Row(NamedTuple):
    """One line. `most_ratio` is a goal for the ratio of the medians, `most_ms` one for the largest sample,
    `most_median_ms` one for the median; with none of them the line is for information."""

    series: Series
    baseline: Series | None = None
    most_ratio: float | None = None
    most_ms: float | None = None
    most_median_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.baseline is None else self.series.median / self.baseline.median

    @property
    def met(self) -> bool | None:
        if self.most_ms is not None:
            return max(self.series.samples) <= self.most_ms
        if self.most_median_ms is not None:
            return self.series.median <= self.most_median_ms
        if self.most_ratio is not None and self.ratio is not None:
            return self.ratio <= self.most_ratio
        return None

    @property
    def goal(self) -> str:
        if self.most_ms is not None:
            return f"max <= {digits(self.most_ms)} ms"
        if self.most_median_ms is not None:
            return f"median <= {digits(self.most_median_ms)} ms"
        return "" if self.most_ratio is None else f"<= {digits(self.most_ratio)}"

    def cells(self) -> tuple[str, ...]:
        samples = self.series.samples
        unit = "" if self.series.unit == "ms" else f" {self.series.unit}"
        return (
            self.series.name,
            digits(self.series.median) + unit,
            digits(min(samples)) + unit,
            digits(max(samples)) + unit,
            "" if self.baseline is None else self.baseline.name,
            "" if self.baseline is None else digits(self.baseline.median) + unit,
            "" if self.ratio is None else digits(self.ratio),
            self.goal,
            {None: "", True: "met", False: "missed"}[self.met],
        )


def digits(number: float) -> str:
    """Three significant digits, never with an exponent."""
    if number == 0:
        return "0"
    places = 0
    while abs(number) * 10**places < 100 and places < 8:
        places += 1
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def text(rows: Iterable[Row]) -> str:
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if name in _WORDS else cell.rjust(width)
        for name, cell, width in zip(HEAD, line, widths, strict=True)
    ]


_WORDS = ("what", "baseline", "goal", "met")


def markdown(rows: Iterable[Row]) -> str:
    rule = ["---" if name in _WORDS else "---:" for name in HEAD]
    lines = [HEAD, rule, *(_escaped(row.cells()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(cells: tuple[str, ...]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def machine() -> str:
    """Where the figures come from, in one line."""
    load = ", ".join(f"{number:.2f}" for number in os.getloadavg())
    folder = tempfile.gettempdir()
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, load average {load}, "
        f"temporary files on {file_system(folder)}"
    )


def file_system(folder: str) -> str:
    """The kind of file system that a folder is on."""
    path = os.path.realpath(folder)
    best, kind = "", "an unknown file system"
    for line in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
        _, place, found = line.split(" ")[:3]
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, found
    return kind
