"""A bench on a terminal: a line a subject, what can be said of their difference, the gate."""

from workermd.protocol.envelope import Document
from workermd.report.bench import words
from workermd.report.table import table
from workermd.system.text import printable

MOST_FAILS = 12


def of_results(document: Document) -> bytes:
    return printed(document).encode("utf-8", "replace")


def printed(document: Document) -> str:
    head = ("subject", "passed", "share", "95 %", "errors", "cost", "tokens", "median", "p90")
    rows = [_row(each) for each in document["subjects"]]
    lines = [table(head, rows, frozenset())]
    lines += [f"{line}\n" for each in document["subjects"] for line in _tries(each)]
    lines += [f"{words.compared(each)}\n" for each in document["comparisons"]]
    lines += [f"since the baseline: {words.compared(each)}\n" for each in document["since_baseline"]]
    fails = words.fails_of(document)
    lines += [
        printable(f"{run['word']}: {run['case']} / {run['subject']} / {run['n']}: {words.why(run)}") + "\n"
        for run in fails[:MOST_FAILS]
    ]
    if len(fails) > MOST_FAILS:
        lines.append(f"and {len(fails) - MOST_FAILS} more; all of them stand in --report json=FILE\n")
    gate = document["gate"]
    lines += [f"gate {each['subject']} {each['bound']}: {each['verdict']}: {each['told']}\n" for each in gate["checks"]]
    if gate["checks"]:
        lines.append(f"gate: {gate['verdict']}\n")
    return "".join(lines)


def _row(subject: Document) -> tuple[str, ...]:
    judges = f" (judges {words.money(subject['judge_cost_usd'])})" if subject["judge_cost_usd"] is not None else ""
    tokens = f"{subject['tokens']}" + (f" (judges {subject['judge_tokens']})" if subject["judge_tokens"] else "")
    return (
        subject["name"],
        f"{subject['passed']}/{subject['tried']}",
        words.share(subject["share"]),
        words.interval(subject["interval"]),
        str(subject["error"]),
        words.money(subject["cost_usd"]) + judges,
        tokens,
        words.seconds(subject["seconds"]["median"]),
        words.seconds(subject["seconds"]["p90"]),
    )


def _tries(subject: Document) -> list[str]:
    """pass@k and pass^k where there are repeats."""
    parts = [
        f"pass@{k} {words.share(subject['pass_at'][k])}, pass^{k} {words.share(subject['pass_all'][k])}"
        for k in subject["pass_at"]
        if k != "1"
    ]
    return [f"{subject['name']}: {'; '.join(parts)}"] if parts else []
