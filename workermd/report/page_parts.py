"""What pages of numbers are made of: they need no script, no font and no host. Light and dark, from 390 pixels on."""

import math
from collections.abc import Sequence
from html import escape

from workermd.report.progress import clock

STYLE = """
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
td.n,th.n{text-align:right;white-space:nowrap}.bar{display:flex;height:14px;border-radius:7px;overflow:hidden;margin:10px 0;
background:var(--line)}.ok{background:var(--good)}.not{background:var(--bad)}.mid{background:var(--mid)}
svg{display:block;width:100%;height:auto}svg text{font:20px system-ui,sans-serif;fill:var(--dim)}
svg rect{fill:var(--accent)}svg rect.not{fill:var(--bad)}svg line{stroke:var(--line)}
@media(max-width:600px){svg text{font-size:24px}main{padding-top:16px}.wide{display:none}th,td{padding-right:8px;font-size:.9rem}
.card{padding:8px 12px}}
@media print{.card{break-inside:avoid}}
"""

WIDTH, HEIGHT = 640, 240
_FOOT, _HEAD = 34, 30


def whole(title: str, body: str) -> bytes:
    """The page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    ).encode("utf-8", "replace")


def tiles(told: Sequence[tuple[str, str]]) -> str:
    """Numbers with their names."""
    each = "".join(
        f'<div class="card tile"><b>{escape(value)}</b><span class="dim">{escape(name)}</span></div>'
        for name, value in told
    )
    return f'<div class="tiles">{each}</div>'


def section(name: str, body: str) -> str:
    return f'<section><h2>{name}</h2><div class="card">{body}</div></section>' if body else ""


def table(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: int = 1, wide: tuple[int, ...] = ()
) -> str:
    """Cells are text; the last `numbers` columns are set as numbers, those in `wide` left out on a narrow screen."""

    def kind(at: int) -> str:
        words = ["n"] * (at >= len(head) - numbers) + ["wide"] * (at in wide)
        return f' class="{" ".join(words)}"' if words else ""

    def cells(name: str, row: tuple[str, ...]) -> str:
        return "".join(f"<{name}{kind(at)}>{escape(cell)}</{name}>" for at, cell in enumerate(row))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def share_bar(counts: Sequence[tuple[str, int]]) -> str:
    """One bar of statuses, each as wide as its share."""
    kinds, total = {"ok": "ok", "needs_human": "mid", "interrupted": "mid"}, sum(count for _, count in counts)
    parts = "".join(
        f'<span class="{kinds.get(status, "not")}" style="width:{count / total:.4%}"></span>'
        for status, count in counts
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div>'


def durations(label: str, classes: Sequence[tuple[float, int]]) -> str:
    """A plot of classes that stand for the same share of a duration each, joined to at most 30 bars; empty without two."""
    if len(classes) < 2:
        return ""
    heights = joined(classes, 30)
    first, last = classes[0][0], classes[-1][0]
    marks = [(0.0, short(first)), (0.5, short(math.sqrt(first * last))), (1.0, short(last))]
    return bars(label, heights, marks)


def joined(classes: Sequence[tuple[float, int]], most: int) -> list[int]:
    """How many there are in each of at most so many steps, equal by ratio."""
    first, last = classes[0][0], classes[-1][0]
    count = min(most, max(len(classes), 5))
    heights = [0] * count
    for seconds, many in classes:
        share = math.log(seconds / first) / math.log(last / first) if last > first else 0
        heights[min(int(share * count), count - 1)] += many
    return heights


def bars(label: str, heights: list[int], marks: list[tuple[float, str]]) -> str:
    """`marks` are texts below, each at a share of the width."""
    most, width = max(heights), WIDTH / len(heights)
    foot, room = HEIGHT - _FOOT, HEIGHT - _FOOT - _HEAD
    rects = "".join(
        f'<rect x="{at * width + 0.5:.1f}" y="{foot - count / most * room:.1f}" width="{max(width - 1, 1):.1f}" '
        f'height="{count / most * room:.1f}"/>'
        for at, count in enumerate(heights)
        if count
    )
    texts = "".join(
        f'<text x="{share * WIDTH:.0f}" y="{HEIGHT - 8}" text-anchor="{"start" if share < 0.1 else "end" if share > 0.9 else "middle"}">'
        f"{escape(text)}</text>"
        for share, text in marks
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>'
        f'<text x="0" y="20">most: {most:,}</text><line x1="0" y1="{foot}" x2="{WIDTH}" y2="{foot}"/>{rects}{texts}</svg>'
    )


def short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else clock(seconds)
