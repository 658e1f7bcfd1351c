"""A batch as one page that needs nothing else: no script, no font, no host. Light and dark, from 390 pixels on."""

from collections.abc import Sequence
from html import escape

from workermd.batch.tally import Numbers
from workermd.report.progress import clock

FORMATS = ("text", "html")

_STYLE = """
:root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--ink:#1d1f22;--dim:#5d636b;--line:#dcdfe3;--accent:#2463b4;
--good:#1a7443;--bad:#a92b1f;--mid:#8a5a00}
@media(prefers-color-scheme:dark){:root{--page:#141618;--card:#1c1f22;--ink:#e8eaec;--dim:#a0a7b0;--line:#343a40;
--accent:#7db2f5;--good:#7fd6a2;--bad:#ff9b8f;--mid:#f0c36a}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.6rem;line-height:1.2;margin:0 0 4px}
h2{font-size:1.1rem;margin:32px 0 8px}p{margin:6px 0}.dim{color:var(--dim)}.stopped{color:var(--bad);font-weight:600}
code{font-size:.9em;overflow-wrap:anywhere}.card{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:12px 16px;overflow-x:auto}.tiles{display:grid;gap:12px;margin-top:20px;
grid-template-columns:repeat(auto-fit,minmax(140px,1fr))}.tile b{display:block;font-size:1.35rem;line-height:1.3}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:0 16px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line)}td:last-child,th:last-child{padding-right:0}th{font-weight:600;color:var(--dim);font-size:.85rem}tr:last-child>td{border-bottom:0}
td.n,th.n{text-align:right}.bar{display:flex;height:14px;border-radius:7px;overflow:hidden;margin:10px 0;
background:var(--line)}.ok{background:var(--good)}.not{background:var(--bad)}.mid{background:var(--mid)}
svg{display:block;width:100%;height:auto}svg text{font:20px system-ui,sans-serif;fill:var(--dim)}
svg rect{fill:var(--accent)}svg line{stroke:var(--line)}
@media(max-width:600px){svg text{font-size:24px}main{padding-top:16px}}
@media print{.card{break-inside:avoid}}
"""

_WIDTH, _HEIGHT, _FOOT, _HEAD = 640, 240, 34, 30


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
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><main>{''.join(parts)}</main></body></html>\n"
    ).encode("utf-8", "replace")


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
    tiles = "".join(
        f'<div class="card tile"><b>{value}</b><span class="dim">{name}</span></div>' for name, value in kept
    )
    return f'<div class="tiles">{tiles}</div>'


def _section(name: str, body: str) -> str:
    return f'<section><h2>{name}</h2><div class="card">{body}</div></section>' if body else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: int = 1) -> str:
    """Cells are text; the last `numbers` columns are set as numbers."""

    def cells(name: str, row: tuple[str, ...]) -> str:
        first = len(row) - numbers
        return "".join(
            f"<{name}{' class=n' if at >= first else ''}>{escape(cell)}</{name}>" for at, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def _share(count: int, numbers: Numbers) -> str:
    return f"{count / max(numbers.answers, 1):.1%}"


def _statuses(numbers: Numbers) -> str:
    if not numbers.statuses:
        return ""
    kinds = {"ok": "ok", "needs_human": "mid", "interrupted": "mid"}
    bars = "".join(
        f'<span class="{kinds.get(status, "not")}" style="width:{count / numbers.answers:.4%}"></span>'
        for status, count in numbers.statuses
    )
    rows = [(status, f"{count:,}", _share(count, numbers)) for status, count in numbers.statuses]
    body = f'<div class="bar" aria-hidden="true">{bars}</div>' + _table(("status", "answers", "share"), rows, numbers=2)
    codes = [(code, f"{count:,}", _share(count, numbers)) for code, count in numbers.codes]
    return _section("Statuses", body) + _section(
        "Error codes", _table(("code", "answers", "share"), codes, numbers=2) if codes else ""
    )


def _bars(label: str, heights: list[int], marks: list[tuple[float, str]]) -> str:
    """`marks` are texts below, each at a share of the width."""
    most, width = max(heights), _WIDTH / len(heights)
    foot, room = _HEIGHT - _FOOT, _HEIGHT - _FOOT - _HEAD
    rects = "".join(
        f'<rect x="{at * width + 0.5:.1f}" y="{foot - count / most * room:.1f}" width="{max(width - 1, 1):.1f}" '
        f'height="{count / most * room:.1f}"/>'
        for at, count in enumerate(heights)
        if count
    )
    texts = "".join(
        f'<text x="{share * _WIDTH:.0f}" y="{_HEIGHT - 8}" text-anchor="{"start" if share < 0.1 else "end" if share > 0.9 else "middle"}">'
        f"{escape(text)}</text>"
        for share, text in marks
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>'
        f'<text x="0" y="20">most: {most:,}</text><line x1="0" y1="{foot}" x2="{_WIDTH}" y2="{foot}"/>{rects}{texts}</svg>'
    )


def _over_time(numbers: Numbers) -> str:
    if len(numbers.bars) < 2 or not any(numbers.bars):
        return ""
    whole = numbers.bar_seconds * len(numbers.bars)
    each = f"{numbers.bar_seconds:g} s" if numbers.bar_seconds < 60 else clock(numbers.bar_seconds)
    plot = _bars(
        "Answers over time, replays left out",
        list(numbers.bars),
        [(0, "0 s"), (0.5, clock(whole / 2)), (1, clock(whole))],
    )
    return _section(f"Answers over time without replays, {each} a bar", plot)


def _durations(numbers: Numbers) -> str:
    """Classes that stand for the same share of a duration each, joined to at most 30 bars."""
    if len(numbers.classes) < 2:
        return ""
    import math

    first, last = numbers.classes[0][0], numbers.classes[-1][0]
    count = min(30, max(len(numbers.classes), 5))
    heights = [0] * count
    for seconds, many in numbers.classes:
        heights[min(int(math.log(seconds / first) / math.log(last / first) * count), count - 1)] += many
    middle = math.sqrt(first * last)
    marks = [(0.0, _short(first)), (0.5, _short(middle)), (1.0, _short(last))]
    return _section("Durations of runs, logarithmic", _bars("Durations of runs", heights, marks))


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else clock(seconds)


def _percentiles(numbers: Numbers) -> str:
    rows = [(f"{each} %", _short(seconds)) for each, seconds in numbers.percentiles]
    return _section("Runs took at most", _table(("of the runs", "time"), rows) if rows else "")


def _slowest(numbers: Numbers) -> str:
    rows = [(f"{each.line:,}", each.run_id[:40], _short(each.seconds)) for each in numbers.slowest]
    return _section("Slowest runs", _table(("line", "run", "time"), rows) if rows else "")
