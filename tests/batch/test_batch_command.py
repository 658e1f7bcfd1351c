"""A contract and many inputs: every line one answer in its place, and no run twice, whatever ends the batch."""

import json
import signal
import time
from collections import Counter

import pytest

from tests.conftest import wait_for
from workermd.batch.window import MOST_BYTES, MOST_LINES, Window


@pytest.fixture
def batch(cli, contract, tmp_path):
    """The arguments of a batch over run ids; each line of another name is put in as it stands."""
    spec = contract()

    def arguments(program, *ids, name="in.jsonl", extra=()):
        rows = [each if each.startswith(("{", "not")) else json.dumps({"run_id": each, "task": each}) for each in ids]
        (tmp_path / name).write_text("".join(row + "\n" for row in rows))
        return ["batch", spec, name, *extra, *program]

    return arguments


ECHO = 'evidence(task["run_id"]); reply({"result": {"said": task["input"]["task"]}})'


def ids(out):
    return [json.loads(line)["run_id"] for line in out.splitlines()]


@pytest.mark.rule("S2.2", "S4.4", "S5.1")
def test_every_line_has_its_answer_in_its_place_and_equal_lines_share_a_run(cli, batch, program, evidence):
    lines = ["a", "b", "not json", "a", '{"task": "no id"}', "c", "a"]
    done = cli(*batch(program(ECHO), *lines, extra=["--jobs", 3]))
    assert done.code == 1
    assert ids(done.out) == ["a", "b", "", "a", "", "c", "a"]
    statuses = [json.loads(line)["status"] for line in done.out.splitlines()]
    assert [at for at, status in enumerate(statuses) if status != "ok"] == [2, 4]
    assert {*statuses} == {"ok", "invalid_request"}
    assert sorted(evidence()) == ["a", "b", "c"]
    assert "7 answers" in done.err
    assert "5 ok, 2 invalid_request; 2 replayed" in done.err


@pytest.mark.rule("S2.3", "S5.1")
def test_the_same_command_replays_and_says_the_bytes_that_a_run_says(cli, batch, program, evidence, given, tmp_path):
    arguments = batch(program('reply({"result": {"n": 1.50, "t": "a,\\n ü", "e": {}}})'), "a", "b")
    first = cli(*arguments)
    assert first.code == 0
    again = cli(*arguments[:3], "-o", "out.jsonl", *arguments[3:])
    assert (again.code, again.out) == (0, b"")
    assert (tmp_path / "out.jsonl").read_bytes() == first.out
    assert "2 replayed" in again.err
    alone = cli("run", arguments[1], given("a", task="a"), *arguments[3:])
    assert first.out.splitlines()[0].decode() == json.dumps(alone.document, ensure_ascii=False)
    envelopes = cli(*arguments[:3], "--envelope", "-q", *arguments[3:])
    assert [json.loads(line)["replayed"] for line in envelopes.out.splitlines()] == [True, True]
    assert envelopes.err == ""
    assert ids(cli(*arguments[:3], "--limit", 1, *arguments[3:]).out) == ["a"]


def test_the_key_may_come_from_a_place_in_each_line(cli, contract, tmp_path, program, evidence):
    spec = contract(
        input_schema={"type": "object", "properties": {"ticket": {"type": "integer"}}},
        output_schema={"type": "object", "properties": {"n": {"type": "integer"}}},
        constraints={"idempotency_key": None, "status_enum": None},
    )
    (tmp_path / "in.jsonl").write_text('{"ticket": 7}\n{"ticket": 8}\n')
    command = program('evidence(task["run_id"]); reply({"n": task["input"]["ticket"]})')
    refused = cli("batch", spec, "in.jsonl", *command)
    assert (refused.code, refused.out) == (2, b"")
    assert "--run-id-from" in refused.err
    assert cli("batch", spec, "in.jsonl", "--run-id-from", "/ticket", *command).out == b'{"n": 7}\n{"n": 8}\n'
    assert sorted(evidence()) == ["7", "8"]


@pytest.mark.rule("S4.4")
def test_eight_batches_over_overlapping_halves_execute_each_run_once_and_fairly(cli, batch, program, evidence):
    command = program("evidence(task['run_id']); time.sleep(0.02); reply({'result': {'by': os.environ['BATCH']}})")
    halves = [[f"r{n % 64:02}" for n in range(8 * each, 8 * each + 32)] for each in range(8)]
    started = [
        cli.start(
            *batch(command, *names, name=f"{each}.jsonl", extra=["--jobs", 2, "-q", "--env", "BATCH"]),
            env={"BATCH": str(each)},
        )
        for each, names in enumerate(halves)
    ]
    by: Counter[str] = Counter()
    for process, names in zip(started, halves, strict=True):
        out, err = process.communicate()
        assert (process.returncode, ids(out), err) == (0, names, b"")
    assert sorted(evidence()) == [f"r{n:02}" for n in range(64)], "each run was executed once"
    again = cli(*batch(command, *(f"r{n:02}" for n in range(64)), extra=["-q"]))
    by.update(json.loads(line)["result"]["by"] for line in again.out.splitlines())
    assert len(by) == 8, "no batch starved"


@pytest.mark.rule("S4.3")
def test_after_a_kill_the_same_command_adopts_what_had_finished_and_runs_the_rest(
    cli, batch, program, evidence, tmp_path
):
    names = [f"r{n}" for n in range(8)]
    hold = "\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)\n"
    command = program(f"evidence(task['run_id']){hold}" + 'reply({"result": {}})')
    arguments = batch(command, *names, extra=["--jobs", 2, "-o", "out.jsonl"])
    process = cli.start(*arguments)
    wait_for(lambda: len(evidence()) >= 2)
    process.kill()
    process.communicate()
    (tmp_path / "task.py.go").touch()
    assert not (tmp_path / "out.jsonl").exists()
    done = cli(*arguments)
    assert done.code == 0
    assert ids((tmp_path / "out.jsonl").read_bytes()) == names
    assert sorted(evidence()) == names


@pytest.mark.parametrize("signals", [1, 2])
def test_an_interrupt_drains_a_second_one_kills_and_the_same_command_goes_on(
    cli, batch, program, evidence, tmp_path, signals
):
    names = [f"r{n}" for n in range(6)]
    hold = "\nwhile not os.path.exists(sys.argv[0] + '.go'): time.sleep(0.01)\n"
    command = program(f"evidence(task['run_id']){hold}" + 'reply({"result": {}})')
    arguments = batch(command, *names, extra=["--jobs", 2, "-o", "out.jsonl"])
    process = cli.start(*arguments)
    wait_for(lambda: len(evidence()) == 2)
    process.send_signal(signal.SIGINT)
    if signals == 1:
        (tmp_path / "task.py.go").touch()
    while signals == 2 and process.poll() is None:  # two that come at once may be one
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"the same command goes on" in err
    assert sorted(evidence()) == ["r0", "r1"]
    if signals == 1:
        assert ids((tmp_path / "out.jsonl").read_bytes()) == ["r0", "r1"]
    else:
        assert not (tmp_path / "out.jsonl").exists()
        (tmp_path / "task.py.go").touch()
    done = cli(*arguments)
    assert done.code == 0
    assert ids((tmp_path / "out.jsonl").read_bytes()) == names
    assert Counter(evidence()) == Counter(names + (["r0", "r1"] if signals == 2 else []))
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_an_interrupt_is_heard_while_nobody_writes_to_the_pipe(cli, batch, program):
    arguments = batch(program(ECHO))
    process = cli.start("batch", arguments[1], "-", *arguments[3:], stdin=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"run_id": "a", "task": "a"}\n')
    process.stdin.flush()
    assert ids(process.stdout.readline()) == ["a"], "an answer does not wait for the next line"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


@pytest.mark.rule("S6.4")
def test_a_line_without_an_end_is_cut_at_the_cap_and_the_next_one_is_whole(cli, batch, program, tmp_path):
    (tmp_path / "workermd.toml").write_text("max_input_bytes = 60\n")
    exact = json.dumps({"run_id": "a", "task": "x" * 33})
    assert len(exact) == 60
    done = cli(*batch(program(ECHO), exact, '{"run_id": "b", "task": "' + "x" * 200_000 + '"}', "c"))
    codes = [json.loads(line)["result"].get("error", {}).get("code") for line in done.out.splitlines()]
    assert codes == [None, "input_too_large", None]


def test_what_stops_the_whole_batch_is_said_once_and_is_exit_2(cli, batch, program, tmp_path):
    arguments = batch(["--function", "no_such_module:run"], "a", "b")
    done = cli(*arguments, "-o", "out.jsonl")
    assert (done.code, done.out) == (2, b"")
    assert done.err.count("no_such_module") >= 1
    assert not (tmp_path / "out.jsonl").exists()
    same = cli(*batch(program(ECHO), "a", extra=["-o", "in.jsonl"]))
    assert same.code == 2
    assert "would replace the inputs" in same.err


def test_a_batch_holds_a_bounded_number_of_lines_and_bytes_whatever_waits():
    written = []
    window = Window(written.append)
    numbers = [window.enter(10) for _ in range(MOST_LINES)]
    assert not window.wait_for_room(0)
    for number in reversed(numbers[1:]):
        window.leave(number, 10, b"%d" % number, 1)
    assert written == []
    assert not window.wait_for_room(0), "answers that wait for an earlier line are held too"
    window.leave(0, 10, b"0", 1)
    assert written == [b"%d" % number for number in numbers]
    assert window.wait_for_room(0)
    window.enter(MOST_BYTES)
    assert not window.wait_for_room(0)
    window.leave(MOST_LINES, MOST_BYTES, b"", 0)
    assert window.wait_for_room(0)
