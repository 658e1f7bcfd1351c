"""A bench from end to end: what is run, what is run again, what a score says, what a gate decides."""

import json

import pytest

from tests.bench.conftest import CODE

CASES = [{"id": name, "input": {"task": name}, "expect": name} for name in ("a", "bb", "ccc")]
ECHO = {"echo": {"function": "tasks:echo"}}


def words(result):
    return {(run["case"], run["subject"], run["n"]): run["word"] for run in result["runs"]}


def test_every_repetition_is_a_run_that_is_paid_once(bench, starts):
    suite = {
        "cases": CASES,
        "repeats": 2,
        "subjects": ECHO,
        "score": [{"path": "/result/said", "equals": "$case.expect"}],
    }
    done, result = bench(suite, code=CODE)
    assert done.code == 0, done.err
    assert (starts(), {*words(result).values()}) == (6, {"passed"})
    assert len({run["run_id"] for run in result["runs"]}) == 6
    assert "6 started, 0 replayed" in done.err
    again, _ = bench(suite)
    assert (again.code, starts()) == (0, 6)
    assert "0 started, 6 replayed" in again.err
    more, _ = bench(suite | {"cases": [*CASES, {"id": "d", "input": {"task": "d"}}]})
    assert (more.code, starts()) == (0, 8), "a new case runs nothing else again"
    anew, _ = bench(suite, "--series", "two")
    assert (anew.code, starts()) == (0, 14)


def test_a_changed_binding_or_module_never_replays_old_answers(bench, starts):
    suite = {"cases": CASES[:1], "subjects": ECHO}
    bench(suite, code=CODE)
    bench(suite, code=CODE + "\n# changed\n")
    assert starts() == 2
    bench({**suite, "subjects": {"echo": {"function": "tasks:echo", "settings": {"tone": "dry"}}}})
    assert starts() == 3


def test_new_scores_cost_nothing_and_what_never_ran_is_missing(bench, starts):
    bench({"cases": CASES, "subjects": ECHO}, code=CODE)
    scores = [
        {"path": "/result/length", "at-least": 2},
        {"path": "$.result[?search(@, 'b+')]", "count": 1, "weight": 0},
        {"schema": {"required": ["nothing"]}, "weight": 0, "name": "none has it"},
    ]
    more = [*CASES, {"id": "new", "input": {"task": "new"}}]
    suite = {"cases": more, "subjects": ECHO, "score": scores, "gate": {"min_pass": 0.1}}
    done, result = bench(suite, verb=("bench", "score"))
    assert starts() == 3
    assert words(result) == {
        ("a", "echo", 1): "failed",
        ("bb", "echo", 1): "passed",
        ("ccc", "echo", 1): "passed",
        ("new", "echo", 1): "missing",
    }
    means = {each["name"]: each["value"] for each in result["subjects"][0]["scores"]}
    assert means["none has it"] == 0
    assert means["$.result[?search(@, 'b+')] count"] == pytest.approx(1 / 3)
    assert (done.code, result["gate"]["verdict"]) == (1, "undecided"), "a run that is missing decides nothing"


def test_what_breaks_is_told_apart_from_what_is_wrong(bench):
    code = """
import time
from workermd.task.task import Refused, Retryable
def act(task):
    what = task.input["task"]
    if what == "down": raise Retryable("no route")
    if what == "wrong": return {"result": {}, "other": 1}
    if what == "refused": raise Refused("no")
    if what == "slow": time.sleep(60)
    return {"status": "ok", "result": {}}
"""
    cases = [{"id": each, "input": {"task": each}} for each in ("fine", "down", "wrong", "refused", "slow")]
    subject = {"function": "tasks:act", "timeout": 1.5, "max_attempts": 1}
    suite = {"cases": cases, "subjects": {"act": subject}, "gate": {"errors": "ignore"}}
    _, result = bench(suite, code=code)
    found = {case: word for (case, _, _), word in words(result).items()}
    assert found == {"fine": "passed", "down": "error", "slow": "error", "wrong": "failed", "refused": "failed"}
    (subject,) = result["subjects"]
    assert (subject["passed"], subject["tried"], subject["error"]) == (1, 3, 2)
    _, counted = bench({**suite, "gate": {}})
    assert counted["subjects"][0]["tried"] == 5


def test_a_judge_is_a_contract_asked_once_and_its_cost_is_shown_apart(bench, contract, starts):
    contract("judge.worker.md", id="judge")
    code = (
        CODE
        + """
from workermd.task.task import Reply
def paid(task):
    return Reply(echo(task), usage={"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.01})
def judge(task):
    with open("evidence", "a") as file: file.write("judge\\n")
    good = len(task.input["context"]["answer"]["said"]) > 1
    return Reply({"status": "ok", "result": {"grade": 5 if good else 1}}, usage={"input_tokens": 100, "cost_usd": 0.5})
"""
    )
    judge = {
        "contract": "judge.worker.md",
        "subject": {"function": "tasks:judge"},
        "input": {"task": "grade", "context": {"answer": "$output.result", "wanted": "$case.expect"}},
        "pass": {"path": "/result/grade", "at-least": 4},
    }
    suite = {"cases": CASES[:2], "repeats": 2, "subjects": {"s": {"function": "tasks:paid"}}, "score": [judge]}
    done, result = bench(suite, code=code)
    assert done.code == 0, done.err
    assert starts() == 4 + 2, "two repeats with the same answer are one question to the judge"
    (subject,) = result["subjects"]
    assert (subject["passed"], subject["failed"]) == (2, 2)
    assert subject["cost_usd"] == pytest.approx(4 * 0.01 + 4 * 0.5)
    assert subject["judge_cost_usd"] == pytest.approx(4 * 0.5)
    assert (subject["tokens"], subject["judge_tokens"]) == (4 * 15 + 4 * 100, 4 * 100)
    scored, _ = bench(suite, verb=("bench", "score"))
    assert (scored.code, starts()) == (0, 6)


def test_an_operators_function_scores_and_its_faults_are_no_wrong_answers(bench):
    code = (
        CODE
        + """
def grade(case, output):
    if case["id"] == "a": raise KeyError("x")
    if case["id"] == "bb": return "yes"
    return {"value": 0.5, "told": "half"}
"""
    )
    suite = {"cases": CASES, "subjects": ECHO, "score": [{"function": "tasks:grade", "name": "grade"}]}
    done, result = bench(suite, code=code)
    assert done.code == 0, done.err
    assert {case: word for (case, _, _), word in words(result).items()} == {
        "a": "error",
        "bb": "error",
        "ccc": "failed",
    }
    told = {run["case"]: run["scores"][1]["told"] for run in result["runs"]}
    assert told["a"] == "the score raised KeyError"
    assert told["ccc"] == "half"
    missing, _ = bench({**suite, "score": [{"function": "tasks:nope"}]})
    assert missing.code == 2
    assert "nope" in missing.err


@pytest.mark.parametrize(
    ("count", "gate", "code", "verdict"),
    [
        (4, {"min_pass": 0.9}, 1, "undecided"),
        (4, {"min_pass": 0.9, "confidence": "point"}, 0, "passed"),
        (4, {"min_pass": 0.5}, 0, "passed"),
        (4, {"max_seconds": 0.000001}, 1, "failed"),
        (4, {"max_cost_usd": 1}, 1, "undecided"),
        (0, {"min_pass": 0.9}, 1, "failed"),
    ],
)
def test_a_gate_passes_fails_or_is_undecided(count, gate, code, verdict, bench):
    """`count` of four cases are answered as they are to be."""
    cases = [{"id": str(n), "input": {"task": "x"}, "expect": "x" if n < count else "y"} for n in range(4)]
    suite = {
        "cases": cases,
        "subjects": ECHO,
        "score": [{"path": "/result/said", "equals": "$case.expect"}],
        "gate": gate,
    }
    done, result = bench(suite, code=CODE)
    assert (done.code, result["gate"]["verdict"]) == (code, verdict), done.out
    if verdict == "undecided" and "min_pass" in gate:
        assert "35 cases that all pass" in done.out.decode() or "it needs about 35 cases" in done.out.decode()


def test_a_baseline_tells_a_change_from_chance(bench, tmp_path):
    cases = [{"id": str(n), "input": {"task": str(n)}} for n in range(8)]
    score = [{"path": "/result/said", "not-equals": "never"}]
    suite = {"cases": cases, "subjects": ECHO, "score": score}
    bench(suite, code=CODE)
    (tmp_path / "out.json").rename(tmp_path / "before.json")
    same, result = bench(suite, "--baseline", "before.json")
    assert (same.code, result["since_baseline"][0]["better"]) == (0, "undecided")
    worse, result = bench({**suite, "score": [{"path": "/result/said", "equals": "7"}]}, "--baseline", "before.json")
    assert worse.code == 1
    assert result["since_baseline"][0]["better"] == "baseline echo"
    assert result["since_baseline"][0]["p_holm"] == pytest.approx(2 / 2**7)
    (tmp_path / "no.json").write_text("[]")
    refused, _ = bench(suite, "--baseline", "no.json")
    assert (refused.code, "no result of a bench" in refused.err) == (2, True)


def test_a_key_fits_a_contract_that_bounds_its_form(bench, contract, starts):
    contract(
        input_schema={
            "type": "object",
            "required": ["run_id"],
            "properties": {"run_id": {"type": "string", "format": "uuid"}, "task": {"type": "string"}},
        }
    )
    done, result = bench({"cases": CASES[:1], "subjects": ECHO}, code=CODE)
    assert (done.code, starts()) == (0, 1), done.err
    assert len(result["runs"][0]["run_id"]) == 36


def test_an_interrupted_bench_goes_on(cli, bench, tmp_path, starts):
    import signal

    from tests.conftest import wait_for

    code = (
        CODE
        + """
import time
def hold(task):
    answer = echo(task)
    while not os.path.exists("go"): time.sleep(0.01)
    return answer
"""
    )
    suite = {"cases": CASES, "repeats": 2, "subjects": {"s": {"function": "tasks:hold"}}}
    (tmp_path / "tasks.py").write_text(code)
    (tmp_path / "x.bench.yaml").write_text(json.dumps({"suite": 1, "contract": "echo.worker.md", **suite}))
    process = cli.start("bench", "x.bench.yaml", "--jobs", 2)
    wait_for(lambda: starts() == 2)
    process.send_signal(signal.SIGINT)
    (tmp_path / "go").touch()
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"the same command goes on" in err
    assert starts() == 2
    done, _ = bench(suite)
    assert (done.code, starts()) == (0, 6)
    assert "4 started, 2 replayed" in done.err
