"""Statistics of runs as one page that needs nothing else, and as one picture."""

from collections.abc import Sequence
from html import escape

from workermd.ledger.statistics import PERCENTILES, Part, RunStatistics
from workermd.report.page_parts import HEIGHT, WIDTH, durations, section, share_bar, table, tiles, whole
from workermd.report.stats import money, seconds

FORMATS = ("text", "html", "svg")

_MOST_ROWS = 50
_MOST_DAYS = 90
_FOOT, _HEAD = 34, 30

_SVG_STYLE = """
svg{background:#fbfbfa;font:15px system-ui,sans-serif}text{fill:#5d636b}.title{fill:#1d1f22;font-weight:600}
rect{fill:#2463b4}rect.not{fill:#a92b1f}line{stroke:#dcdfe3}
@media(prefers-color-scheme:dark){svg{background:#141618}text{fill:#a0a7b0}.title{fill:#e8eaec}rect{fill:#7db2f5}
rect.not{fill:#ff9b8f}line{stroke:#343a40}}
"""


def page(found: RunStatistics, about: str, zone: str) -> bytes:
    """`about` says which runs they are."""
    title = "Runs"
    body = [
        f'<header><h1>{title}</h1><p class="dim">{escape(about)}; days in {escape(zone)}</p>{_tiles(found)}</header>',
        _statuses(found),
        '<div class="pair">',
        section("Runs by day, those not ok in red", _days(found.days)),
        section("From admission to answer, logarithmic", durations("Durations of runs", found.classes)),
        "</div>",
        _took(found),
        section("Workers", _parts("worker", found.workers)),
        section("Models, by their attempts", _parts("model", found.models)),
        section("Days", _parts("day", found.days[::-1])),
    ]
    return whole(f"{title}: statistics", "".join(body))


def picture(found: RunStatistics, about: str) -> bytes:
    """Runs by day, and below how long they took."""
    parts = [
        part
        for title, part in (
            ("Runs by day, those not ok in red", _days(found.days)),
            ("From admission to answer, logarithmic", durations("Durations of runs", found.classes)),
        )
        if part
        for part in (f'<text class="title" x="0" y="16">{title}</text>', part)
    ]
    placed, y = [], 12
    for part in parts:
        is_plot = part.startswith("<svg")
        inner = (
            part.replace("<svg ", f'<svg y="{y}" x="12" width="{WIDTH}" height="{HEIGHT}" ', 1)
            if is_plot
            else (f'<g transform="translate(12 {y})">{part}</g>')
        )
        placed.append(inner)
        y += HEIGHT + 20 if is_plot else 26
    label = escape(f"Statistics of {about}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 24} {y}" role="img" aria-label="{label}">'
        f"<title>{label}</title><style>{_SVG_STYLE}</style>{''.join(placed)}</svg>\n"
    ).encode("utf-8", "replace")


def _tiles(found: RunStatistics) -> str:
    all_runs = found.whole
    tokens = all_runs.input_tokens + all_runs.output_tokens
    told = [
        ("runs", f"{all_runs.runs:,}"),
        ("ok", f"{all_runs.ok / max(all_runs.ok + all_runs.not_ok, 1):.1%}"),
        ("attempts", f"{all_runs.attempts:,}"),
        ("half took at most", seconds(all_runs.seconds[0])),
        ("95 % took at most", seconds(all_runs.seconds[2])),
    ]
    told += [("tokens", f"{tokens:,}")] if tokens else []
    told += [("cost", money(all_runs.cost_usd))] if all_runs.cost_usd else []
    return tiles(told)


def _statuses(found: RunStatistics) -> str:
    if not found.statuses:
        return ""
    body = share_bar(found.statuses) + table(("status", "runs", "share"), _shares(found.statuses), numbers=2)
    causes = table(("error code", "runs", "share"), _shares(found.causes[:_MOST_ROWS]), numbers=2)
    return (
        f'<div class="pair">{section("Statuses", body)}'
        f"{section('What runs were not ok for', causes if found.causes else '')}</div>"
    )


def _shares(counts: Sequence[tuple[str, int]]) -> list[tuple[str, str, str]]:
    total = sum(count for _, count in counts)
    return [(name, f"{count:,}", f"{count / total:.1%}") for name, count in counts]


def _took(found: RunStatistics) -> str:
    rows = [("runs, to their answer", *map(seconds, found.whole.seconds))]
    rows += [("attempts", *map(seconds, found.attempts_took))] if found.attempts_took[0] is not None else []
    head = ("took at most", *(f"{each} %" for each in PERCENTILES))
    return section("Percentiles", table(head, rows, numbers=len(PERCENTILES)) if found.whole.runs else "")


def _parts(what: str, parts: Sequence[Part]) -> str:
    head = (what, "runs", "not ok", "tokens", "cost", "50 %", "95 %")
    rows = [
        (
            part.name,
            f"{part.runs:,}",
            f"{part.not_ok:,}",
            f"{part.input_tokens + part.output_tokens:,}",
            money(part.cost_usd),
            seconds(part.seconds[0]),
            seconds(part.seconds[2]),
        )
        for part in parts[:_MOST_ROWS]
    ]
    left = len(parts) - len(rows)
    note = f'<p class="dim">and {left} more: <code>--format csv</code> has all</p>' if left > 0 else ""
    return table(head, rows, numbers=6, wide=(3, 5)) + note if rows else ""


def _days(days: Sequence[Part]) -> str:
    """A bar a day; what was not ok stands on top."""
    shown = days[-_MOST_DAYS:]
    if not shown:
        return ""
    most, width = max(day.runs for day in shown), min(WIDTH / len(shown), 80)
    foot, room = HEIGHT - _FOOT, HEIGHT - _FOOT - _HEAD
    label = "Runs by day"
    drawn = []
    for at, day in enumerate(shown):
        x, y = at * width + 0.5, float(foot)
        for kind, count in (("", day.runs - day.not_ok), ("not", day.not_ok)):
            height = count / most * room
            y -= height
            if count:
                drawn.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width - 2, 1):.1f}" height="{height:.1f}">'
                    f"<title>{day.name}: {day.runs:,} runs, {day.not_ok:,} not ok</title></rect>"
                )
    marks = [(0.0, "start", shown[0].name)]
    marks += [(len(shown) * width, "end", shown[-1].name)] if len(shown) * width > WIDTH / 2 else []
    texts = "".join(
        f'<text x="{x:.0f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{name}</text>' for x, anchor, name in marks
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"><title>{label}</title>'
        f'<text x="0" y="20">most: {most:,}</text><line x1="0" y1="{foot}" x2="{WIDTH}" y2="{foot}"/>'
        f"{''.join(drawn)}{texts}</svg>"
    )
