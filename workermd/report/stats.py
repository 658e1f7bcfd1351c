"""Statistics of runs as text of 80 columns with plots, as JSON, and as CSV: one row a group."""

import textwrap
from collections.abc import Iterable, Sequence

from workermd.ledger.statistics import PERCENTILES, Part, RunStatistics
from workermd.protocol.envelope import Document
from workermd.report.page_parts import joined, short
from workermd.report.runs import csv_line
from workermd.system.text import printable

_WIDE = 80
_MOST_ROWS = 12
"""Of a table of text: the rest is told by its number, and stands in JSON and CSV."""
_MOST_DAYS = 31
_PLOT = 44
_NAME = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"
_RISING = " ▁▂▃▄▅▆▇█"


def text(found: RunStatistics, zone: str) -> str:
    """Nothing in it is wider than 80 columns."""
    whole = found.whole
    if not whole.runs:
        return "no runs match\n"
    statuses = ", ".join(f"{count:,} {status} ({count / whole.runs:.1%})" for status, count in found.statuses)
    lines = [
        *textwrap.wrap(f"{whole.runs:,} runs: {statuses}", _WIDE, subsequent_indent="  "),
        ", ".join((f"{whole.attempts:,} attempts", f"{whole.input_tokens:,} tokens in", f"{whole.output_tokens:,} out"))
        + f", {money(whole.cost_usd)}",
        *_took(found),
        *_causes(found),
        *_days(found.days, zone),
        *_parts("worker", found.workers),
        *_parts("model", found.models),
    ]
    return "\n".join(line[:_WIDE].rstrip() for line in lines) + "\n"


def money(usd: float) -> str:
    return f"${usd:,.4f}"


def seconds(value: float | None) -> str:
    return "-" if value is None else short(value)


def _took(found: RunStatistics) -> list[str]:
    head = "".join(f"{f'{each} %':>11}" for each in PERCENTILES)
    rows = [("runs, to their answer", found.whole.seconds), ("attempts", found.attempts_took)]
    lines = ["", f"{'took at most':<{_NAME}}{head}"]
    lines += [
        f"{name:<{_NAME}}" + "".join(f"{seconds(each):>11}" for each in values)
        for name, values in rows
        if values[0] is not None
    ]
    if len(found.classes) > 1:
        heights = joined(found.classes, _PLOT)
        most = max(heights)
        drawn = "".join(_RISING[-(-height * 8 // most)] for height in heights)
        lines += ["", f"{'durations of runs':<{_NAME}}{drawn}"]
        first, last = short(found.classes[0][0]), short(found.classes[-1][0])
        lines.append(f"{'':<{_NAME}}{first}{last:>{max(len(heights) - len(first), len(last) + 1)}}")
    return lines


def _causes(found: RunStatistics) -> list[str]:
    if not found.causes:
        return []
    failed = sum(count for _, count in found.causes)
    lines = ["", "what runs were not ok for"]
    for code, count in found.causes[:_MOST_ROWS]:
        lines.append(f"  {_cut(code, 32):<32}{count:>9,}{count / failed:>8.1%}  {_bar(count, found.causes[0][1], 24)}")
    return lines + _more(len(found.causes))


def _days(days: Sequence[Part], zone: str) -> list[str]:
    if not days:
        return []
    shown = days[-_MOST_DAYS:]
    most = max(day.runs for day in shown)
    lines = ["", f"{f'days in {zone}':<{_NAME}}{'runs':>9}{'not ok':>9}{'cost':>13}"]
    for day in shown:
        bar = _bar(day.runs, most, 22)
        lines.append(f"  {day.name:<{_NAME - 2}}{day.runs:>9,}{day.not_ok:>9,}{money(day.cost_usd):>13}  {bar}")
    left = len(days) - len(shown)
    return lines + ([f"  and {left} earlier days: --format csv has all"] if left else [])


def _parts(what: str, parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    lines = ["", f"{what:<{_NAME}}{'runs':>8}{'not ok':>8}{'tokens':>12}{'cost':>13}{'50 %':>7}{'95 %':>8}"]
    for part in parts[:_MOST_ROWS]:
        tokens = part.input_tokens + part.output_tokens
        took = f"{seconds(part.seconds[0]):>7}{seconds(part.seconds[2]):>8}"
        name = _cut(part.name, _NAME - 1)
        lines.append(f"{name:<{_NAME}}{part.runs:>8,}{part.not_ok:>8,}{tokens:>12,}{money(part.cost_usd):>13}{took}")
    return lines + _more(len(parts))


def _more(count: int) -> list[str]:
    return [f"  and {count - _MOST_ROWS} more: --format csv has all"] if count > _MOST_ROWS else []


def _cut(name: str, most: int) -> str:
    plain = printable(name)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _bar(value: float, most: float, width: int) -> str:
    eighths = round(value / most * width * 8) if most else 0
    full, rest = divmod(max(eighths, 1 if value else 0), 8)
    return "█" * full + _EIGHTHS[rest].strip()


def document(found: RunStatistics, zone: str) -> Document:
    return {
        "time_zone": zone,
        "unfinished": found.unfinished,
        "statuses": dict(found.statuses),
        "causes": dict(found.causes),
        "outcomes_of_attempts": dict(found.outcomes),
        "attempts_took_seconds": _percentiles(found.attempts_took),
        "all": _part(found.whole),
        "workers": [_part(each) for each in found.workers],
        "models": [_part(each) for each in found.models],
        "days": [_part(each) for each in found.days],
    }


def _part(part: Part) -> Document:
    named = part._asdict()
    return {**named, "seconds": _percentiles(part.seconds)}


def _percentiles(values: Iterable[float | None]) -> Document:
    return {
        f"p{each}": None if value is None else round(value, 6) for each, value in zip(PERCENTILES, values, strict=True)
    }


_COLUMNS = ("runs", "ok", "not_ok", "attempts", "input_tokens", "output_tokens", "cost_usd")


def csv(found: RunStatistics) -> str:
    """`group` says what a row is about: all, worker, model, day, status, cause."""
    lines = [csv_line(("group", "name", *_COLUMNS, *(f"p{each}_seconds" for each in PERCENTILES)))]
    groups = (("all", (found.whole,)), ("worker", found.workers), ("model", found.models), ("day", found.days))
    for group, parts in groups:
        for part in parts:
            counts = (getattr(part, column) for column in _COLUMNS)
            lines.append(csv_line((group, part.name, *counts, *_percentiles(part.seconds).values())))
    for group, counted in (("status", found.statuses), ("cause", found.causes)):
        lines += [csv_line((group, name, count, *[None] * (len(_COLUMNS) + 3))) for name, count in counted]
    return "".join(lines)
