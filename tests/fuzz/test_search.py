"""The draws, the kept inputs and the report; the same seed draws the same inputs; whole runs find what a process finds."""

import json
from contextlib import closing

import hypothesis
import pytest
from hypothesis import HealthCheck, settings

from tests.conftest import ROOT, contract_text
from workermd.contract.reader import read
from workermd.contract.schema import checker
from workermd.fuzz.branches import Branches
from workermd.fuzz.draws import Draws
from workermd.fuzz.observed import Observed, differing, faults_of
from workermd.fuzz.values import CANARY, SECRET
from workermd.fuzz.whole_runs import WholeRuns
from workermd.runner.worker import Worker
from workermd.task.binding import Binding

CODE = """
def echo(task):
    return {"status": "ok", "result": {}}

def fragile(task):
    if len(task.input.get("task", "")) > 3:
        raise ValueError("long")
    return {"status": "ok", "result": {}}

def forgetful(task):
    return {"status": "ok", "result": {"n": task.attempt, "at": __import__("time").time()}}
"""


@pytest.fixture
def fuzz(cli, contract, tmp_path):
    def run(*arguments, **parts):
        (tmp_path / "tasks.py").write_text(CODE)
        contract(**parts)
        return cli("fuzz", "echo.worker.md", "--format", "json", *arguments)

    return run


def test_the_same_seed_draws_the_same_inputs(fuzz):
    call = ["--function", "tasks:echo", "--in-process", "--draws", 40, "--show-inputs", "--skip", "killed"]
    first, again, other = (fuzz(*call, "--seed", seed) for seed in (11, 11, 12))
    assert first.code == 0, first.err
    assert len(first.document["inputs"]) >= 20
    assert first.document["inputs"] == again.document["inputs"]
    assert first.document["inputs"] != other.document["inputs"]


def test_a_fault_is_made_small_kept_as_a_case_and_told_in_every_format(fuzz, cli, tmp_path):
    done = fuzz(
        "--function", "tasks:fragile", "--in-process", "--seed", 1, "--until-found", "--report", "junit=out.xml"
    )
    assert done.code == 1, done.err
    (found,) = done.document["found"]
    assert found["check"] == "crash"
    assert "ValueError at tasks.py:7" in found["told"]
    assert len(found["input"]["task"]) == 4, "the smallest that fails"
    assert "context" not in found["input"]
    assert 'failures="1"' in (tmp_path / "out.xml").read_text()
    assert "1 input kept in echo.fuzz.jsonl" in done.err
    (case,) = [json.loads(line) for line in (tmp_path / "echo.fuzz.jsonl").read_text().splitlines()]
    assert case["tags"] == ["fuzz", "crash"]
    suite = {
        "suite": 1,
        "contract": "echo.worker.md",
        "cases": "echo.fuzz.jsonl",
        "subjects": {"s": {"function": "tasks:echo"}},
    }
    (tmp_path / "x.bench.yaml").write_text(json.dumps(suite))
    assert cli("bench", "x.bench.yaml").code == 0, "kept inputs are cases of a bench"


def test_whole_runs_find_a_crash_and_an_answer_that_differs(fuzz):
    crash = fuzz("--function", "tasks:fragile", "--seed", 2, "--until-found", "--seconds", 60)
    assert {each["check"] for each in crash.document["found"]} == {"crash"}, crash.err
    differs = fuzz("--function", "tasks:forgetful", "--seed", 2, "--until-found", "--seconds", 60)
    (found,) = differs.document["found"]
    assert (found["check"], found["told"]) == ("differs", "the answers differ at /result/at")
    assert (crash.document["way"], crash.code) == ("runs", 1)


def test_whole_runs_of_a_sound_worker_are_silent_kills_included(fuzz):
    done = fuzz("--function", "tasks:echo", "--seed", 3, "--draws", 30, "--seconds", 60)
    assert (done.code, done.document["found"]) == (0, []), done.out


def test_a_kill_while_the_backend_loads_is_no_fault_of_the_worker():
    loaded = read(contract_text().encode(), "echo.worker.md").contract
    command = ("sh", "-c", 'printf \'{"status": "ok", "result": {}}\'')
    with closing(WholeRuns(Worker(loaded, Binding("command", "a test", command=command)))) as runs:
        assert [runs.observe({"run_id": "a"}, "a", kill_after=after).status for after in (0.0, 0.001, 0.004)] == [
            "ok"
        ] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--skip", "nothing", "--function", "tasks:echo"], "allowed: crash, output, hang"),
        (["--example", "none.json", "--function", "tasks:echo"], "none.json: no such file"),
        ([], "no backend is bound"),
    ],
)
def test_what_cannot_be_fuzzed_is_refused(arguments, said, fuzz):
    done = fuzz(*arguments)
    assert (done.code, said in done.err) == (2, True), done.err


CONTRACT = read((ROOT / "contracts" / "aggregate.worker.md").read_bytes(), "aggregate.worker.md").contract


@pytest.mark.parametrize(
    ("observed", "checks"),
    [
        (Observed("ok", document={"run_id": "r", "status": "ok", "result": {}}), []),
        (
            Observed("invalid_output", "backend_failed", "ValueError at x.py:1; the traceback is in the attempt's log"),
            ["crash"],
        ),
        (Observed("invalid_output", "backend_failed", "the operator has not set a folder"), []),
        (Observed("", "crash", "signal 11"), ["crash"]),
        (Observed("", "hang"), ["hang"]),
        (Observed("invalid_output", "output_schema_mismatch", "at /result"), ["output"]),
        (Observed("invalid_output", "run_id_mismatch"), ["key"]),
        (Observed("ok", document={"run_id": "other", "status": "ok", "result": {}}), ["key"]),
        (Observed("invalid_request", "input_rejected", f"bad {CANARY}"), ["leak"]),
        (Observed("ok", document={"run_id": "r", "status": "ok", "result": {"said": CANARY}}), []),
        (Observed("ok", document={"run_id": "r", "result": {"said": SECRET}}), ["secret"]),
        (Observed("ok", log=SECRET), ["secret"]),
    ],
)
def test_what_an_answer_shows_by_itself(observed, checks):
    assert [fault.check for fault in faults_of(observed, {"run_id": "r"}, CONTRACT)] == checks


def test_two_answers_differ_at_a_place():
    one, other = (Observed("ok", document={"result": {"a": [1, each]}}) for each in (2, 3))
    assert differing(one, other) == "the answers differ at /result/a/1"
    assert differing(one, one) == ""
    assert differing(one, Observed("invalid_output", "hang")) == "ok and then invalid_output hang"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "contracts").glob("*.worker.md")))
def test_draws_fit_the_schema_often_enough_and_reach_its_branches(name):
    contract = read((ROOT / "contracts" / name).read_bytes(), name).contract
    judge, branches = (
        checker(contract.input_schema, contract.input_draft),
        Branches(contract.input_schema, contract.input_draft),
    )
    fits = [0, 0]

    @hypothesis.seed(4)
    @settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(Draws(contract.input_schema).whole())
    def drawn(value):
        fits[0] += 1
        if judge.accepts(value):
            fits[1] += 1
            branches.note(value)

    drawn()
    assert fits[1] > 0.3 * fits[0]
    assert branches.taken <= branches.all
    assert len(branches.taken) >= 0.6 * len(branches.all), branches.missed
