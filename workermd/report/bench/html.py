"""A bench as one page that needs nothing else: no script, no font, no host. Light and dark, from 390 pixels on."""

from html import escape
from typing import Any

from workermd.protocol.envelope import Document
from workermd.report.bench import plots, words
from workermd.system.text import shell_word

MOST_CASES = 500
"""Rows of the table of cases; the JSON report has all of them."""

_STYLE = """
:root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--ink:#1d1f22;--dim:#5d636b;--line:#dcdfe3;--accent:#2463b4;
--good:#1a7443;--good-page:#e2f3e8;--bad:#a92b1f;--bad-page:#fbe6e3;--mid:#8a5a00;--mid-page:#fbf0d6}
@media(prefers-color-scheme:dark){:root{--page:#141618;--card:#1c1f22;--ink:#e8eaec;--dim:#a0a7b0;--line:#343a40;
--accent:#7db2f5;--good:#7fd6a2;--good-page:#173524;--bad:#ff9b8f;--bad-page:#45211d;--mid:#f0c36a;--mid-page:#3d3013}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.6rem;line-height:1.2;margin:0 0 4px}
h2{font-size:1.1rem;margin:32px 0 8px}p{margin:6px 0}.dim{color:var(--dim)}code{font-size:.85em;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px;overflow-x:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}.pair h2{margin-top:16px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:6px 12px 6px 0;
border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--dim);font-size:.85rem}
tr:last-child>td{border-bottom:0}.tag{display:inline-block;border-radius:6px;padding:0 8px;font-weight:600}
.passed{color:var(--good);background:var(--good-page)}.failed{color:var(--bad);background:var(--bad-page)}
.error,.undecided,.missing,.some{color:var(--mid);background:var(--mid-page)}svg{display:block;width:100%;height:auto}
svg text{font:16px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--dim)}.grid{stroke:var(--line)}
.interval{stroke:var(--accent);stroke-width:3;stroke-linecap:round;opacity:.55}.dot{fill:var(--accent);stroke:var(--card);
stroke-width:2}.run{fill:var(--accent);opacity:.35}.median{stroke:var(--ink);stroke-width:2}
details{border-bottom:1px solid var(--line);padding:8px 0}details:last-child{border-bottom:0}summary{cursor:pointer}
a{color:var(--accent)}:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media(max-width:600px){svg text{font-size:22px}svg .tick{font-size:20px}.wide{display:none}main{padding-top:16px}
th,td{padding-right:8px;font-size:.9rem}.card{padding:8px 12px}}
@media print{.card{border:0;padding:0}details{break-inside:avoid}}
"""


def of_results(document: Document) -> bytes:
    title = escape(document["suite"])
    parts = [
        f"<header><h1>{title}</h1>{_about(document)}</header>",
        _verdict(document),
        _subjects(document),
        _plots(document),
        _comparisons(document),
        _cases(document),
        _scores(document),
        _fails(document),
    ]
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}: bench</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><main>{''.join(parts)}</main></body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _about(document: Document) -> str:
    contracts = ", ".join(f"{escape(each['id'])} {escape(each['version'])}" for each in document["contract"])
    cases, repeats = len(document["cases"]), document["repeats"]
    told = f"{cases} case{'s' * (cases != 1)}, {repeats} repeat{'s' * (repeats != 1)}, contract {contracts}"
    description = f"<p>{escape(document['description'])}</p>" if document["description"] else ""
    return f'{description}<p class="dim">{told}</p>'


def _tag(word: str, told: str = "") -> str:
    return f'<span class="tag {word}">{escape(told or word)}</span>'


def _section(title: str, body: str) -> str:
    return f'<section><h2>{title}</h2><div class="card">{body}</div></section>' if body else ""


def _table(head: tuple[str, ...], rows: list[list[str]], wide: tuple[int, ...] = ()) -> str:
    """Cells are HTML. Columns in `wide` are left out on a narrow screen."""

    def cells(name: str, row: Any) -> str:
        kinds = (' class="wide"' if number in wide else "" for number in range(len(row)))
        return "".join(f"<{name}{kind}>{cell}</{name}>" for kind, cell in zip(kinds, row, strict=True))

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"


def _verdict(document: Document) -> str:
    gate = document["gate"]
    if not gate["checks"]:
        return ""
    rows = [
        [_tag(each["verdict"]), escape(each["subject"]), escape(each["bound"]), escape(each["told"])]
        for each in gate["checks"]
    ]
    return _section(f"Gate: {_tag(gate['verdict'])}", _table(("Result", "Subject", "Bound", "Measured"), rows))


def _subjects(document: Document) -> str:
    rows = []
    for each in document["subjects"]:
        judged = f"<br><span class='dim'>judges {words.money(each['judge_cost_usd'])}</span>" * (
            each["judge_cost_usd"] is not None
        )
        rows.append(
            [
                f"<strong>{escape(each['name'])}</strong><br><span class='dim'>{escape(each['model'] or each['backend'])}</span>",
                f"{words.share(each['share'])}<br><span class='dim'>{each['passed']} of {each['tried']}</span>",
                words.interval(each["interval"]),
                str(each["error"]),
                words.money(each["cost_usd"]) + judged,
                str(each["tokens"]),
                words.seconds(each["seconds"]["median"]),
                words.seconds(each["seconds"]["p90"]),
                _chances(each),
            ]
        )
    head = ("Subject", "Passed", "95 % interval", "Errors", "Cost", "Tokens", "Median", "90 %", "pass@k, pass^k")
    return _section("Subjects", _table(head, rows, wide=(3, 5, 6, 7, 8)))


def _chances(subject: Document) -> str:
    return "<br>".join(
        f"k {k}: {words.share(subject['pass_at'][k])}, {words.share(subject['pass_all'][k])}"
        for k in subject["pass_at"]
    )


def _plots(document: Document) -> str:
    """Shares and seconds in one column, what was paid beside them."""
    subjects = document["subjects"]
    left = _section("Share that passes", plots.shares(subjects)) + _section("Seconds", plots.times(document))
    right = _section("Cost against quality", plots.cost_and_share(subjects))
    return f'<div class="pair"><div>{left}</div><div>{right}</div></div>'


def _comparisons(document: Document) -> str:
    rows = [
        [
            escape(f"{each['one']} against {each['other']}"),
            _tag("undecided" if each["better"] == "undecided" else "passed", each["better"]),
            escape(words.compared(each)),
            _points(each),
            words.ratio(each["cost_ratio"]),
            words.ratio(each["time_ratio"]),
        ]
        for each in (*document["comparisons"], *document["since_baseline"])
    ]
    if not rows:
        return ""
    head = ("Pair", "Better", "Why", "Difference", "Cost", "Time")
    return _section("Compared, case by case", _table(head, rows, wide=(3, 4, 5)))


def _points(compared: Document) -> str:
    if compared["difference"] is None:
        return "-"
    ends = compared["difference_interval"]
    return f"{compared['difference'] * 100:+.1f} points" + (
        f"<br><span class='dim'>{ends[0] * 100:+.1f} to {ends[1] * 100:+.1f}</span>" if ends else ""
    )


def _cases(document: Document) -> str:
    names = [each["name"] for each in document["subjects"]]
    rows = []
    for case in document["cases"][:MOST_CASES]:
        cells = [_cell(case["subjects"].get(name)) for name in names]
        tags = "".join(f" <span class='dim'>{escape(tag)}</span>" for tag in case["tags"])
        rows.append([f"{escape(case['id'])}{tags}", *cells])
    more = len(document["cases"]) - len(rows)
    note = f"<p class='dim'>and {more} more in the JSON report</p>" if more else ""
    return _section("Cases", _table(("Case", *map(escape, names)), rows) + note)


def _cell(tally: Document | None) -> str:
    if tally is None:
        return "-"
    tried = sum(tally.values()) - tally["missing"]
    if not tried:
        return _tag("missing", "not run")
    errors = f", {tally['error']} error{'s' * (tally['error'] != 1)}" if tally["error"] else ""
    word = "passed" if tally["passed"] == tried else "failed" if not tally["passed"] and not tally["error"] else "some"
    return _tag(word, f"{tally['passed']}/{tried}{errors}")


def _scores(document: Document) -> str:
    names = list(dict.fromkeys(score["name"] for each in document["subjects"] for score in each["scores"]))
    if not names:
        return ""
    rows = [
        [escape(name)]
        + [
            next((words.share(score["value"]) for score in each["scores"] if score["name"] == name), "-")
            for each in document["subjects"]
        ]
        for name in names
    ]
    return _section("Scores", _table(("Score", *(escape(each["name"]) for each in document["subjects"])), rows))


def _fails(document: Document) -> str:
    runs = words.fails_of(document)[:MOST_CASES]
    return _section("Runs that did not pass", "".join(map(_fail, runs)))


def _fail(run: Document) -> str:
    """What a run was asked and answered, and the command that shows all of it."""
    command = f"workermd runs show {shell_word(run['run_id'])} --worker {shell_word(run['worker_id'])}"
    rows = [[escape(each["name"]), words.share(each["value"]), escape(each["told"])] for each in run["scores"]]
    table = _table(("Score", "Value", "Said"), rows) if rows else ""
    head = (
        f"{_tag(run['word'])} {escape(run['case'])} <span class='dim'>{escape(run['subject'])}, run {run['n']}</span>"
    )
    return f"<details><summary>{head}: {escape(words.why(run))}</summary>{table}<p>The run: <code>{escape(command)}</code></p></details>"
