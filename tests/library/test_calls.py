"""workermd from Python programs: runs, sessions, cancellation, and what a call leaves of its caller alone."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import workermd
from tests.conftest import ROOT, patience, wait_for
from workermd.runner.events import AttemptEnded, AttemptStarted, Logged, RunFinished


@pytest.fixture
def means(tmp_path):
    """Where a session keeps its runs and looks for things, and what its tasks may see."""
    (tmp_path / "home").mkdir(exist_ok=True)
    given = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "COV_", "PATH"))}
    env = {**given, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "WORKERMD_ENV": ",".join(given)}
    return {"ledger": "state/ledger.db", "config": False, "folder": tmp_path, "env": env}


@pytest.fixture
def bound(program):
    """A binding whose program has this body."""
    return lambda body: {"command": program(body)[3:]}


HOLD = (
    "evidence(task['run_id'])\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)\nreply({'result': {}})"
)


def test_a_run_is_answered_and_the_same_call_replays(contract, bound, means, evidence):
    spec, binding = contract(), bound("evidence('x'); reply({'result': {'said': task['input']['task']}})")
    first = workermd.run(spec, {"run_id": "a", "task": "ü"}, binding=binding, **means)
    assert (first.status, first.ok, first.exit_code, first.replayed, first.run_id) == ("ok", True, 0, False, "a")
    assert first.output == {"run_id": "a", "status": "ok", "result": {"said": "ü"}}
    assert json.loads(first.printed) == first.output
    assert first.raise_for_status() is first
    again = workermd.run(spec, b'{"run_id": "a", "task": "\\u00fc"}', binding=binding, **means)
    assert (again.printed, again.replayed, evidence()) == (first.printed, True, ["x"])


def test_what_concerns_the_run_is_an_outcome_and_what_concerns_the_call_is_raised(contract, bound, means):
    spec, binding = contract(), bound("reply({'status': 'retryable_error', 'error': {'code': 'x', 'message': 'm'}})")
    outcome = workermd.run(spec, {"task": 1, "run_id": "a"}, binding=binding, **means)
    assert (outcome.status, outcome.exit_code) == ("invalid_request", 3)
    with pytest.raises(workermd.OutcomeError, match="'a' ended with invalid_request") as raised:
        outcome.raise_for_status()
    assert (raised.value.outcome, raised.value.code, raised.value.retryable) == (
        outcome,
        "input_schema_mismatch",
        False,
    )
    for wrong, said in (
        ({"binding": {"function": "x:y", "colour": 1}}, r"binding: .*'colour'"),
        ({"binding": binding, "timeout": 1000}, "timeout"),
        ({"binding": binding, "sandbox": "soft"}, "soft"),
        ({"binding": binding, "run_id": "b"}, "has a 'run_id' of its own"),
    ):
        with pytest.raises(workermd.WorkermdError, match=said):
            workermd.run(spec, {"run_id": "c"}, **(means | wrong))
    with pytest.raises(workermd.WorkermdError, match=r"nowhere\.worker\.md: no such file"):
        workermd.run("nowhere.worker.md", {}, **means)


def test_a_session_keeps_its_host_loaded_and_is_shared_by_threads(contract, bound, means, tmp_path):
    (tmp_path / "parity.py").write_text(
        "import os\ndef run(task): return {'result': {'parent': os.getppid(), 'folder': os.getcwd()}}\n"
    )
    spec, outcomes = contract(), []
    with workermd.Session(**means) as session:

        def call(name):
            outcomes.append(session.run(spec, {"run_id": name}, binding={"function": "parity:run"}, sandbox="off"))

        threads = [threading.Thread(target=call, args=(f"r{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [outcome.status for outcome in outcomes] == ["ok"] * 6
        assert {outcome.output["result"]["folder"] for outcome in outcomes} == {str(tmp_path)}
        assert len({outcome.output["run_id"] for outcome in outcomes}) == 6
    with pytest.raises(workermd.WorkermdError, match="was closed"):
        session.run(spec, {"run_id": "r0"}, binding={"function": "parity:run"})


def test_two_sessions_have_surroundings_of_their_own(contract, bound, means, tmp_path):
    body = "reply({'result': {'key': os.environ.get('KEY'), 'at': os.getcwd()}})"
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        env = means["env"] | {"KEY": f"{name}-secret", "WORKERMD_ENV": "KEY," + means["env"]["WORKERMD_ENV"]}
        with workermd.Session(**(means | {"folder": tmp_path / name, "env": env})) as session:
            outcome = session.run(contract(), {"run_id": "a"}, binding=bound(body), sandbox="off")
            found.append(outcome.output["result"])
            assert (tmp_path / name / "state" / "ledger.db").exists()
    assert [each["key"] for each in found] == ["one-secret", "two-secret"]
    assert "KEY" not in os.environ


@pytest.mark.rule("S3.2")
def test_a_cancelled_task_ends_its_attempt_settles_and_stays_resumable(contract, bound, means, evidence, tmp_path):
    spec, binding = contract(), bound(HOLD)

    async def cancelled():
        task = asyncio.create_task(workermd.arun(spec, {"run_id": "a"}, binding=binding, **means))
        await asyncio.to_thread(wait_for, lambda: evidence() == ["a"])
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(cancelled()) < patience(2)
    (tmp_path / "task.py.go").touch()
    outcome = workermd.run(spec, {"run_id": "a"}, binding=binding, **means)
    assert [each["outcome"] for each in outcome.envelope["attempts"]] == ["cancelled", "ok"]


def test_runs_of_one_loop_go_on_side_by_side(contract, bound, means, evidence, tmp_path):
    spec, binding = contract(), bound(HOLD)

    async def both():
        with workermd.Session(**means) as session:
            tasks = [asyncio.create_task(session.arun(spec, {"run_id": name}, binding=binding)) for name in "ab"]
            await asyncio.to_thread(wait_for, lambda: sorted(evidence()) == ["a", "b"])
            (tmp_path / "task.py.go").touch()
            return await asyncio.gather(*tasks)

    assert [outcome.status for outcome in asyncio.run(both())] == ["ok", "ok"]


def test_events_come_with_their_run_and_end_with_the_outcome(contract, bound, means):
    spec, binding = contract(), bound("print('word', file=sys.stderr); reply({'result': {}})")
    with workermd.Session(**means) as session:
        events = session.events(spec, {"run_id": "a"}, binding=binding)
        told = list(events)
        assert {each.run_id for each in told} == {"a"}
        kinds = [type(each.event) for each in told]
        assert kinds == [AttemptStarted, Logged, AttemptEnded, RunFinished]
        assert told[1].event.data == b"word\n"
        assert events.outcome.status == "ok"

        async def taken():
            return [type(each.event) async for each in session.events(spec, {"run_id": "a"}, binding=binding)]

        assert asyncio.run(taken()) == [RunFinished]
        with pytest.raises(workermd.WorkermdError, match="no such file"):
            list(session.events("nowhere.worker.md", {}))


def test_who_leaves_the_events_early_ends_the_attempt(contract, bound, means, evidence):
    with workermd.Session(**means) as session:
        with session.events(contract(), {"run_id": "a"}, binding=bound(HOLD)) as events:
            for each in events:
                assert isinstance(each.event, AttemptStarted)
                wait_for(lambda: evidence() == ["a"])
                break
        assert session.events
        with pytest.raises(RuntimeError, match="told once"):
            list(events)


@pytest.mark.rule("S9.2", "S9.4")
def test_a_program_decides_what_a_run_asks(contract, bound, means):
    statuses = ["ok", "needs_human", "invalid_request", "retryable_error", "invalid_output"]
    spec = contract(statuses=statuses)
    body = "reply({'result': {}} if task['decisions'] else {'status': 'needs_human', 'result': {}})"
    binding = bound(body)
    asked = workermd.run(spec, {"run_id": "a"}, binding=binding, **means)
    assert asked.status == "needs_human"
    assert [each.id for each in workermd.pending(**means)] == [asked.question["id"]]
    with pytest.raises(workermd.WorkermdError, match="none of the request's options"):
        workermd.decide("a", "perhaps", by="Ada", **means)
    with pytest.raises(workermd.WorkermdError, match="no run 'b'"):
        workermd.decide("b", "approve", by="Ada", **means)
    decided = workermd.decide("a", "approve", by="Ada", reason="seen", **means)
    assert (decided.open, decided.decision.who) == (False, "Ada")
    assert workermd.pending(**means) == ()
    assert workermd.run(spec, {"run_id": "a"}, binding=binding, **means).status == "ok"


def test_a_contract_is_loaded_with_its_findings(contract, means, tmp_path):
    assert workermd.load("autogen", **means).contract.id
    reading = workermd.load(contract(), **means)
    assert (reading.contract.id, [each for each in reading.findings if each.severity == "error"]) == ("echo", [])
    (tmp_path / "bad.worker.md").write_text("# nothing\n")
    broken = workermd.load("bad.worker.md", **means)
    assert broken.contract is None
    assert broken.findings


def test_a_forked_child_is_refused_and_holds_no_lock(contract, bound, means, tmp_path):
    spec, binding = contract(), bound(HOLD)
    with workermd.Session(**means) as session:
        thread = threading.Thread(target=session.run, args=(spec, {"run_id": "a"}), kwargs={"binding": binding})
        thread.start()
        wait_for((tmp_path / "evidence").exists)
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                session.run(spec, {"run_id": "b"}, binding=binding)
            except workermd.WorkermdError as error:
                os.write(tell, error.message.encode())
            time.sleep(patience(60))
            os._exit(0)
        try:
            assert b"was opened by process" in os.read(told, 1000)
            (tmp_path / "task.py.go").touch()
            thread.join()
            # The child has a copy of every descriptor that was open when it was forked.
            again = workermd.run(spec, {"run_id": "a"}, binding=binding, wait=False, **means)
            assert (again.status, again.replayed) == ("ok", True)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(told)
            os.close(tell)


FOREIGN = """
import os, signal, sys, threading, workermd
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
else:
    def reap(*_):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
    signal.signal(signal.SIGCHLD, reap)
before = {number: signal.getsignal(number) for number in range(1, 32)}
with workermd.Session(ledger="l.db", config=False) as session:
    for name in "abc":
        outcome = session.run(sys.argv[2], {"run_id": name}, binding={"command": sys.argv[3:]})
        print(outcome.status, flush=True)
outcome = workermd.run(sys.argv[2], {"run_id": "d"}, binding={"command": sys.argv[3:]}, ledger="l.db", config=False)
print(outcome.status)
assert before == {number: signal.getsignal(number) for number in range(1, 32)}
assert threading.active_count() == 1
"""


@pytest.mark.cold
@pytest.mark.parametrize("how", ["ignored", "reaped"])
def test_a_program_that_reaps_every_child_does_no_harm_and_hears_nothing(contract, bound, tmp_path, means, how):
    command = bound("print('word', file=sys.stderr); reply({'result': {}})")["command"]
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN, how, str(contract()), *command],
        cwd=tmp_path, env=means["env"], capture_output=True, text=True, check=False, timeout=patience(60),
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr, done.returncode) == (["ok"] * 4, "", 0)
