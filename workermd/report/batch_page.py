"""A batch as one page that needs nothing else: no script, no font, no host. Light and dark, from 390 pixels on."""

from html import escape

from workermd.batch.tally import Numbers
from workermd.report.page_parts import bars, durations, section, share_bar, short, table, tiles, whole
from workermd.report.progress import clock

FORMATS = ("text", "html")


def page(title: str, inputs: str, why: str, numbers: Numbers) -> bytes:
    """The report of a batch. `why` says what stopped it, empty where it came to its end."""
    parts = [
        f'<header><h1>{escape(title)}</h1><p class="dim">Inputs: <code>{escape(inputs)}</code></p>',
        f'<p class="stopped">Stopped before its end: {escape(why)}</p>' if why else "",
        f"{_tiles(numbers)}</header>",
        _statuses(numbers),
        f'<div class="pair">{_over_time(numbers)}{_durations(numbers)}</div>',
        f'<div class="pair">{_percentiles(numbers)}{_slowest(numbers)}</div>',
    ]
    return whole(title, "".join(parts))


def _tiles(numbers: Numbers) -> str:
    told = [
        ("answers", f"{numbers.answers:,}"),
        ("not ok", f"{numbers.not_ok:,}"),
        ("replayed", f"{numbers.replayed:,}"),
        ("took", clock(numbers.seconds)),
        ("a second", f"{numbers.answers / numbers.seconds:,.1f}"),
        ("tokens", f"{numbers.input_tokens + numbers.output_tokens:,}"),
        ("cost", f"${numbers.cost_usd:,.4f}"),
    ]
    kept = [(name, value) for name, value in told if name not in ("tokens", "cost") or value not in ("0", "$0.0000")]
    return tiles(kept)


def _share(count: int, numbers: Numbers) -> str:
    return f"{count / max(numbers.answers, 1):.1%}"


def _statuses(numbers: Numbers) -> str:
    if not numbers.statuses:
        return ""
    rows = [(status, f"{count:,}", _share(count, numbers)) for status, count in numbers.statuses]
    body = share_bar(numbers.statuses) + table(("status", "answers", "share"), rows, numbers=2)
    codes = [(code, f"{count:,}", _share(count, numbers)) for code, count in numbers.codes]
    return section("Statuses", body) + section(
        "Error codes", table(("code", "answers", "share"), codes, numbers=2) if codes else ""
    )


def _over_time(numbers: Numbers) -> str:
    if len(numbers.bars) < 2 or not any(numbers.bars):
        return ""
    whole = numbers.bar_seconds * len(numbers.bars)
    each = f"{numbers.bar_seconds:g} s" if numbers.bar_seconds < 60 else clock(numbers.bar_seconds)
    plot = bars(
        "Answers over time, replays left out",
        list(numbers.bars),
        [(0, "0 s"), (0.5, clock(whole / 2)), (1, clock(whole))],
    )
    return section(f"Answers over time without replays, {each} a bar", plot)


def _durations(numbers: Numbers) -> str:
    return section("Durations of runs, logarithmic", durations("Durations of runs", numbers.classes))


def _percentiles(numbers: Numbers) -> str:
    rows = [(f"{each} %", short(seconds)) for each, seconds in numbers.percentiles]
    return section("Runs took at most", table(("of the runs", "time"), rows) if rows else "")


def _slowest(numbers: Numbers) -> str:
    rows = [(f"{each.line:,}", each.run_id[:40], short(each.seconds)) for each in numbers.slowest]
    return section("Slowest runs", table(("line", "run", "time"), rows) if rows else "")
