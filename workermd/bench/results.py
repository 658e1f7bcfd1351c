"""The result of a bench as one document: what every report is made of, and what a later bench takes as its baseline."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from workermd.bench import statistics as st
from workermd.bench.comparison import Side, compared, sides_of
from workermd.bench.gate import gated
from workermd.bench.repetition import ERROR, FAILED, MISSING, PASSED, ScoredRun
from workermd.bench.subjects import BenchSubject
from workermd.bench.suite import Suite
from workermd.protocol.envelope import Document, summed, versioned

BEFORE = "baseline"
"""Put before the name of a subject of the baseline."""


def results(
    suite: Suite, subjects: Sequence[BenchSubject], outcomes: Iterable[ScoredRun], baseline: Document | None = None
) -> Document:
    """Everything that a bench found. `baseline` is such a document of an earlier one."""
    runs = [_run(each) for each in outcomes]
    count_errors = suite.gate.errors == "count"
    sides = sides_of({"runs": runs}, count_errors=count_errors)
    told = [_subject(each, runs, sides.get(each.name), suite.repeats) for each in subjects]
    present = [sides[each.name] for each in subjects if each.name in sides]
    document: Document = {
        "suite": suite.name,
        "description": suite.description,
        "contract": [
            {"id": contract.id, "version": contract.version, "sha256": contract.meaning_sha256}
            for contract in dict.fromkeys(_Hashed(each) for each in subjects)
        ],
        "repeats": suite.repeats,
        "subjects": told,
        "cases": _cases(runs, [each.name for each in subjects]),
        "comparisons": compared(list(itertools.combinations(present, 2))),
        "since_baseline": _since(present, baseline, count_errors=count_errors),
        "runs": runs,
    }
    document["gate"] = gated(suite.gate, document)
    return versioned(document)


class _Hashed:
    """A contract of a subject, told once however many subjects have it."""

    def __init__(self, subject: BenchSubject) -> None:
        contract = subject.worker.contract
        self.id, self.version, self.meaning_sha256 = contract.id, contract.version, contract.meaning_sha256

    def __hash__(self) -> int:
        return hash(self.meaning_sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.meaning_sha256 == self.meaning_sha256


def _since(present: list[Side], baseline: Document | None, *, count_errors: bool) -> list[Document]:
    """Each subject against the one of its name in the baseline."""
    if baseline is None:
        return []
    before = sides_of(baseline, count_errors=count_errors)
    pairs = [
        (side, before[side.name]._replace(name=f"{BEFORE} {side.name}")) for side in present if side.name in before
    ]
    return compared(pairs)


def _run(outcome: ScoredRun) -> Document:
    """One repetition. Cost is that of the subject and its judges together."""
    repetition, envelope = outcome.repetition, outcome.envelope
    judges = summed(each.usage for each in outcome.judged)
    costs = [usage["cost_usd"] for usage in (outcome.usage, judges) if "cost_usd" in usage]
    document: Document = {
        "case": repetition.case.id,
        "tags": list(repetition.case.tags),
        "subject": repetition.subject.name,
        "n": repetition.n,
        "worker_id": repetition.subject.worker.contract.id,
        "run_id": repetition.run_id,
        "word": outcome.word,
        "value": outcome.value,
        "scores": [
            {
                "name": each.name,
                "weight": each.weight,
                "value": each.value,
                "told": each.told,
                **({"run_id": each.run_id} if each.run_id else {}),
            }
            for each in outcome.judged
        ],
    }
    if not envelope:
        return document
    document |= {
        "status": envelope["status"],
        "error": envelope.get("error", {}).get("code"),
        "told": envelope.get("error", {}).get("message", ""),
        "replayed": envelope["replayed"],
        "seconds": envelope["observability"]["duration_ms"] / 1000,
        "usage": outcome.usage,
        "judge_usage": judges,
        "cost_usd": sum(costs) if costs else None,
        "input": repetition.case.input,
        "expect": repetition.case.document.get("expect"),
        "output": envelope["outputs"],
    }
    return document


def _subject(subject: BenchSubject, runs: list[Document], side: Side | None, repeats: int) -> Document:
    own = [run for run in runs if run["subject"] == subject.name]
    words = {word: sum(run["word"] == word for run in own) for word in (PASSED, FAILED, ERROR, MISSING)}
    rows = [(tally.passed, tally.tried) for tally in side.cases.values()] if side else []
    passed, tried = sum(row[0] for row in rows), sum(row[1] for row in rows)
    worth = st.effective_tries(rows)
    share = passed / tried if tried else None
    interval = st.wilson((share or 0.0) * worth, worth)
    judged = [run for run in own if run["word"] in (PASSED, FAILED)]
    values = [run["value"] for run in judged]
    model = subject.worker.binding.model
    return {
        "name": subject.name,
        "backend": subject.worker.binding.kind,
        "model": model.name if model else "",
        "digest": subject.digest,
        **words,
        "tried": tried,
        "cases": len(rows),
        "share": share,
        "interval": list(interval),
        "worth": round(worth, 1),
        "value": sum(values) / len(values) if values else None,
        **_tries(rows, repeats),
        "scores": _scores(judged),
        **_spent(own),
        "seconds": _seconds(judged),
        "started": sum(run.get("replayed") is False for run in own),
        "replayed": sum(run.get("replayed") is True for run in own),
    }


def _tries(rows: list[tuple[int, int]], repeats: int) -> Document:
    """pass@k and pass^k, means over the cases, for the k that the repeats allow."""
    found: Document = {"pass_at": {}, "pass_all": {}}
    for k in sorted({1, 2, 3, 5, 10, repeats}):
        having = [(passed, tried) for passed, tried in rows if tried >= k]
        if k > repeats or not having or len(having) < len(rows):
            continue
        found["pass_at"][str(k)] = sum(st.pass_at(k, *row) for row in having) / len(having)
        found["pass_all"][str(k)] = sum(st.pass_all(k, *row) for row in having) / len(having)
    return found


def _scores(runs: list[Document]) -> list[Document]:
    """Each score with its mean over the runs that it could judge."""
    by_name: dict[str, list[float]] = {}
    for run in runs:
        for each in run["scores"]:
            by_name.setdefault(each["name"], []).extend([each["value"]] if each["value"] is not None else [])
    return [
        {"name": name, "value": sum(found) / len(found) if found else None, "judged": len(found)}
        for name, found in by_name.items()
    ]


def _spent(runs: list[Document]) -> Document:
    """What was paid, errors included. A judge's part is told apart and stands in the whole."""
    own = summed(run.get("usage") for run in runs)
    judges = summed(run.get("judge_usage") for run in runs)
    known = [usage["cost_usd"] for usage in (own, judges) if "cost_usd" in usage]
    return {
        "usage": own,
        "judge_usage": judges,
        "cost_usd": sum(known) if known else None,
        "judge_cost_usd": judges.get("cost_usd"),
        "tokens": sum(_tokens(usage) for usage in (own, judges)),
        "judge_tokens": _tokens(judges),
    }


def _tokens(usage: Document) -> Any:
    return usage.get("input_tokens", 0) + usage.get("output_tokens", 0)


def _seconds(runs: list[Document]) -> Document:
    found = [run["seconds"] for run in runs]
    return {"median": st.median(found), "p90": st.quantile(found, 0.9), "most": max(found, default=None)}


def _cases(runs: list[Document], names: list[str]) -> list[Document]:
    """Every case with how often each subject passed it."""
    found: dict[str, Document] = {}
    for run in runs:
        entry = found.setdefault(run["case"], {"id": run["case"], "tags": run["tags"], "subjects": {}})
        tally = entry["subjects"].setdefault(run["subject"], dict.fromkeys((PASSED, FAILED, ERROR, MISSING), 0))
        tally[run["word"]] += 1
    for entry in found.values():
        entry["subjects"] = {name: entry["subjects"][name] for name in names if name in entry["subjects"]}
    return list(found.values())
