"""Scores: what an answer is held against. A judge is a contract of its own; its run is kept and paid once, too."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.bench import paths
from workermd.bench.cases import Case
from workermd.bench.repetition import Judged, parts_of
from workermd.bench.subjects import BenchSubject
from workermd.bench.suite import Score
from workermd.contract.json.strict import canonical
from workermd.contract.schema import Checker, checker, draft_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.system.digest import sha256
from workermd.task import callables
from workermd.task.task import Refused

ENTRY_POINTS = "workermd.scores"
"""The group in which an installed package names its scores."""

Ask = Callable[[BenchSubject, str, bytes], Document | None]
"""Runs a judge with a key and an input; its envelope, or None where it may not be run and was not before."""


class Scorer(NamedTuple):
    """A score, ready to judge. `judge` is the subject behind a score of kind contract."""

    score: Score
    checker: Checker | None = None
    function: Callable[[Document, Any], Any] | None = None
    judge: BenchSubject | None = None


def scorer(score: Score, judge: BenchSubject | None) -> Scorer:
    """Raises UsageError for a function that there is not."""
    if score.kind == "schema":
        schema = score.of["schema"]
        schema = schema if isinstance(schema, dict) else {} if schema else {"not": {}}
        return Scorer(score, checker=checker(schema, draft_of(schema)))
    if score.kind == "function":
        try:
            function, _ = callables.resolved("score", score.of["function"], ENTRY_POINTS, f"score {score.name}")
        except Refused as error:
            raise UsageError(str(error), "name a function that can be imported here, as module:callable") from None
        return Scorer(score, function=function)
    return Scorer(score, judge=judge)


def judged(each: Scorer, case: Case, envelope: Document, ask: Ask) -> Judged:
    """What one score says of an answer."""
    score = each.score
    if _is_not_asked(score, parts_of(case, envelope)):
        return Judged(score.name, 0.0, None, "not asked of this case")
    match score.kind:
        case "status":
            value, told = _status(paths.filled(score.of["status"], parts_of(case, envelope)), envelope)
        case "schema":
            assert each.checker is not None
            found = each.checker.check(envelope.get("outputs"))
            value, told = float(not found), (f"{found[0].pointer or '/'} {found[0].message}" if found else "")
        case "path":
            value, told = _path(score.of, parts_of(case, envelope))
        case "function":
            assert each.function is not None
            return _function(each, case, envelope)
        case _:
            return _judge(each, case, envelope, ask)
    return Judged(score.name, score.weight, value, told)


def _is_not_asked(score: Score, parts: dict[str, Any]) -> bool:
    """A score that compares with something that the case does not have, such as $case.expect, asks nothing of it."""
    if score.kind not in ("status", "path"):
        return False
    test = "status" if score.kind == "status" else next(test for test in paths.TESTS if test in score.of)
    found = paths.referred(score.of[test], {"case": parts["case"]})
    return found is not None and not found.found


def _status(wanted: str | list[str], envelope: Document) -> tuple[float, str]:
    status = envelope["status"]
    if wanted == "":
        passed = envelope["exit_code"] == 0
    else:
        passed = status == wanted or status in (wanted if isinstance(wanted, list) else ())
    error = envelope.get("error")
    return float(passed), "" if passed else status + (f": {error['code']}" if error else "")


def _path(of: Document, parts: dict[str, Any]) -> tuple[float, str]:
    test = next(test for test in paths.TESTS if test in of)
    selected = paths.select(of["path"], parts["output"])
    if paths.passes(test, selected, paths.filled(of[test], parts)):
        return 1.0, ""
    missing = selected.single and not selected.found
    return 0.0, f"nothing stands at {of['path']}" if missing else ""


def _function(each: Scorer, case: Case, envelope: Document) -> Judged:
    """The operator's own code: what it raises is an error of the score, and says nothing of the answer."""
    assert each.function is not None
    name, weight = each.score.name, each.score.weight
    try:
        answer: Any = each.function(case.document, envelope.get("outputs"))
    except Exception as error:  # noqa: BLE001 - a score of the operator's may raise anything
        return Judged(name, weight, None, f"the score raised {type(error).__name__}")
    told = ""
    if isinstance(answer, dict):
        answer, told = answer.get("value"), str(answer.get("told", ""))[:500]
    if isinstance(answer, bool | int | float) and 0 <= answer <= 1:
        return Judged(name, weight, float(answer), told)
    return Judged(name, weight, None, "the score returned neither a truth value nor a number from 0 to 1")


def _judge(each: Scorer, case: Case, envelope: Document, ask: Ask) -> Judged:
    import json

    assert each.judge is not None
    score, contract = each.score, each.judge.worker.contract
    if envelope.get("outputs") is None:
        return Judged(score.name, score.weight, 0.0, "there is no output to judge")
    fields = paths.filled(score.of["input"], parts_of(case, envelope))
    decided = sha256(canonical([contract.meaning_sha256, fields])).hex()
    run_id = f"bench-judge/{decided[:32]}/{each.judge.digest[:16]}"
    answer = ask(each.judge, run_id, json.dumps(fields, ensure_ascii=False).encode())
    if answer is None:
        return Judged(score.name, score.weight, None, "the judge was not asked before", run_id=run_id)
    usage = answer.get("usage", {})
    if answer["exit_code"] != 0:
        told = f"the judge ended as {answer['status']}"
        return Judged(score.name, score.weight, None, told, usage, run_id)
    value, told = _path(score.of["pass"], {**parts_of(case, answer), "output": answer["outputs"]})
    return Judged(
        score.name, score.weight, value, "" if value else f"the judge says no{told and ': '}{told}", usage, run_id
    )
