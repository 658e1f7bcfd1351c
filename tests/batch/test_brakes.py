"""What holds a batch back or stops it, and what it says then."""

import json
import threading
import time
from collections import Counter

import pytest

from tests.conftest import wait_for
from workermd.batch.brakes import BatchLimits, Brakes, rate_of
from workermd.contract.model import Constraints
from workermd.protocol.errors import Interrupted, UsageError


@pytest.fixture
def batch(contract, tmp_path):
    """The arguments of a batch over run ids."""

    def arguments(program, *ids, extra=(), **parts):
        spec = contract(**parts)
        (tmp_path / "in.jsonl").write_text("".join(json.dumps({"run_id": each}) + "\n" for each in ids))
        return ["batch", "-q", spec, "in.jsonl", *extra, *program]

    return arguments


def statuses(out):
    return [json.loads(line)["status"] for line in out.splitlines()]


def constraints(**bounds):
    return Constraints()._replace(**bounds)


def test_a_ceiling_holds_what_runs_at_once_and_the_rest_comes_back():
    brakes = Brakes(BatchLimits(max_tokens=100), constraints(max_tokens=40))
    entered, leave = [], threading.Event()

    def line():
        try:
            brakes.before_start(lambda: False)
        except Interrupted:
            brakes.after_line({}, ok=True)
            return
        entered.append(1)
        leave.wait(60)
        brakes.after_line({"usage": {"input_tokens": 5, "output_tokens": 5}}, ok=True)

    threads = [threading.Thread(target=line) for _ in range(9)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(entered) == 2)
    time.sleep(0.2)
    assert len(entered) == 2, "a third one could take it to 120"
    leave.set()
    for thread in threads:
        thread.join()
    assert len(entered) == 7, "after 7 of 10 tokens each, one of 40 does not fit"
    assert "--batch-max-tokens (100) leaves no room for a further run: 70 is used, and one may use 40" in brakes.stopped


def test_a_ceiling_needs_a_bound_of_the_contract_and_room_for_one_run():
    with pytest.raises(UsageError, match="needs the contract's max_cost_usd"):
        Brakes(BatchLimits(max_cost_usd=1.0), constraints())
    with pytest.raises(UsageError, match="none could begin"):
        Brakes(BatchLimits(max_cost_usd=0.1), constraints(max_cost_usd=0.2))


def test_a_rate_spaces_the_starts():
    assert (rate_of("5/s"), rate_of("300/min"), rate_of("3600/h")) == (5, 5, 1)
    for wrong in ("5", "0/s", "-1/s", "x/s", "5/day", "inf/s"):
        with pytest.raises(UsageError, match="--rate"):
            rate_of(wrong)
    brakes, began = Brakes(BatchLimits(rate=20), constraints()), time.monotonic()
    for _ in range(5):
        brakes.before_start(lambda: False)
    assert time.monotonic() - began >= 0.19
    with pytest.raises(Interrupted):
        brakes.before_start(lambda: True)


FAILS = (
    "evidence(task['run_id'])\nreply({'status': 'invalid_output' if task['run_id'][0] == 'x' else 'ok', 'result': {}})"
)


@pytest.mark.rule("S5.1")
def test_too_many_failures_stop_the_batch_and_the_same_command_goes_on(cli, batch, program, evidence, tmp_path):
    command, names = program(FAILS), ["a", "x1", "b", "x2", *"cdefgh"]
    arguments = batch(command, *names, extra=["--jobs", 1, "--max-failures", 2, "--errors", "bad.jsonl"])
    done = cli(*arguments)
    assert done.code == 8
    assert statuses(done.out) == ["ok", "ok"]
    bad = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [(each["line"], each["run_id"], each["status"]) for each in bad] == [
        (2, "x1", "invalid_output"), (4, "x2", "invalid_output"),
    ]  # fmt: skip
    done = cli(*batch(command, *names, extra=["--jobs", 1]))
    assert (done.code, len(statuses(done.out))) == (1, 10)
    assert Counter(evidence())["a"] == 1
    quick = cli(*batch(command, *names, extra=["--jobs", 1, "--fail-fast"]))
    assert (quick.code, statuses(quick.out)) == (8, ["ok", "invalid_output"])


def test_failed_runs_are_retried_once_by_name_and_never_without(cli, batch, program, evidence, tmp_path):
    body = FAILS.replace("task['run_id'][0] == 'x'", "not os.path.exists(sys.argv[0] + '.go')")
    arguments = batch(program(body), "a", "b", "a", constraints={"max_attempts": 1})
    assert cli(*arguments).code == 1
    (tmp_path / "task.py.go").touch()
    assert cli(*arguments).code == 1
    assert sorted(evidence()) == ["a", "b"]
    refused = cli(*arguments[:4], "--retry-failed", *arguments[4:])
    assert (refused.code, "--by NAME" in refused.err) == (2, True)
    again = cli(*arguments[:4], "--retry-failed", "--by", "Ada", *arguments[4:])
    assert (again.code, statuses(again.out)) == (0, ["ok"] * 3)
    assert sorted(evidence()) == ["a", "a", "b", "b"]
    shown = json.loads(cli("runs", "show", "a", "--format", "json").out)
    assert [each["who"] for each in shown["reopenings"]] == ["Ada"]


def test_answers_may_come_as_they_are_ready(cli, batch, program, tmp_path):
    hold = "while task['run_id'] == 'a' and not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)\n"
    body = hold + "open(sys.argv[0] + '.go', 'w').close() if task['run_id'] == 'c' else 0\nreply({'result': {}})"
    done = cli(*batch(program(body), "a", "b", "c", extra=["--jobs", 2, "--unordered"]))
    assert done.code == 0
    found = [json.loads(line)["run_id"] for line in done.out.splitlines()]
    assert (found[0], sorted(found)) == ("b", ["a", "b", "c"])
