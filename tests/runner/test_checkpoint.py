"""A task saves how far it has come, and the next attempt goes on there (S3.11)."""

import json
import os
import signal

import pytest

from tests.conftest import patience
from workermd.task.task import CHECKPOINT, MAX_CHECKPOINT_BYTES, Task

pytestmark = pytest.mark.rule("S3.11")

STEPS = """
import os, signal
from workermd import Retryable, Task

def run(task: Task):
    done = list((task.checkpoint or {}).get("done", []))
    with open("steps.txt", "a") as file:
        while len(done) < 3:
            file.write(f"step {len(done)} {done}\\n"); file.flush()
            done.append(os.environ["SECRET"])
            task.save_checkpoint({"done": done})
            HOW
    return {"status": "ok", "result": {"done": done}}
"""

ENDINGS = {
    "retryable": 'raise Retryable("later", after=0)',
    "crashed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.fixture
def steps(cli, contract, given, tmp_path):
    """Runs a worker of three steps that is ended after each; the steps that were carried out, and what the run came to."""

    def run(how):
        (tmp_path / "steps.py").write_text(STEPS.replace("HOW", how))
        (tmp_path / "workermd.toml").write_text(
            '[workers.echo]\nbackend = "function"\nfunction = "steps:run"\nsecret_env = ["SECRET"]\n'
        )
        done = cli(
            "run",
            contract(constraints={"max_attempts": 4, "timeout_seconds": 40}),
            given("a"),
            "--envelope",
            env={"SECRET": "s3cr3t-value"},
        )
        return (tmp_path / "steps.txt").read_text().splitlines(), done

    return run


@pytest.mark.parametrize("how", ENDINGS)
def test_the_next_attempt_goes_on_where_the_last_one_saved(steps, tmp_path, how):
    carried_out, done = steps(ENDINGS[how])
    assert carried_out == ["step 0 []", "step 1 ['***']", "step 2 ['***', '***']"], "masked as a log is"
    assert done.document["status"] == "ok"
    assert list(tmp_path.rglob("*checkpoint*")) == [], "a settled run keeps none"


def test_a_program_writes_the_file_that_it_is_told(cli, contract, given, tmp_path):
    script = (
        'read task; echo "$task" >> tasks.txt; '
        """printf '{"status": "ok", "result": {}}' > out; echo '{"n": 1}' > "$WORKERMD_CHECKPOINT"; """
        """case "$task" in *'"checkpoint": {"n": 1}'*) cat out;; *) exit 75;; esac"""
    )
    spec = contract(constraints={"max_attempts": 2, "timeout_seconds": 20})
    done = cli("run", spec, given("a"), "--backend", "command", "--", "sh", "-c", script)
    assert done.code == 0, done.err
    first, second = map(json.loads, (tmp_path / "tasks.txt").read_text().splitlines())
    assert (first["checkpoint"], second["checkpoint"]) == (None, {"n": 1})


def test_what_a_killed_call_had_saved_is_there_for_the_next_call(cli, contract, given, tmp_path):
    script = (
        """[ -e saved ] || { echo '{"n": 7}' > "$WORKERMD_CHECKPOINT"; touch saved; sleep 60; }; """
        """read task; case "$task" in *'{"n": 7}'*) echo '{"status": "ok", "result": {}}';; *) exit 1;; esac"""
    )
    spec = contract(constraints={"max_attempts": 2, "timeout_seconds": 30, "attempt_timeout_seconds": 4})
    command = ("run", spec, given("a"), "--envelope", "--backend", "command", "--", "sh", "-c", script)
    process = cli.start(*command)
    while not (tmp_path / "saved").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=patience(20))
    done = cli(*command)
    assert [each["outcome"] for each in done.document["attempts"]] == ["crashed", "ok"], done.err


@pytest.mark.parametrize(
    "bad",
    [
        "echo '[1]'  > \"$WORKERMD_CHECKPOINT\"",
        'echo \'{"n": \' > "$WORKERMD_CHECKPOINT"',
        'ln -s /etc/hostname "$WORKERMD_CHECKPOINT"',
        'mkfifo "$WORKERMD_CHECKPOINT"',
        f'head -c {MAX_CHECKPOINT_BYTES} /dev/zero | tr "\\0" " " > "$WORKERMD_CHECKPOINT"; echo "{{}}" >> "$WORKERMD_CHECKPOINT"',
    ],
    ids=["no object", "cut", "link", "pipe", "too large"],
)
def test_what_is_no_checkpoint_is_passed_over(cli, contract, given, tmp_path, bad):
    good = """echo '{"good": 1}' > "$WORKERMD_CHECKPOINT" """
    script = f"""read task; echo "$task" >> tasks.txt; if [ ! -e first ]; then touch first; {good}; else {bad}; fi; exit 75"""
    spec = contract(constraints={"max_attempts": 3, "timeout_seconds": 30})
    cli("run", spec, given("a"), "--backend", "command", "--", "sh", "-c", script)
    told = [json.loads(line)["checkpoint"] for line in (tmp_path / "tasks.txt").read_text().splitlines()]
    assert told == [None, {"good": 1}, {"good": 1}]


def a_task(folder):
    fields = dict.fromkeys(Task._fields) | {"artifacts_dir": str(folder)}
    return Task(**fields)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([1], TypeError),
        ({"a": {1}}, TypeError),
        ({"a": float("nan")}, ValueError),
        ({"a": "x" * (1 << 20)}, ValueError),
    ],
)
def test_what_cannot_be_saved_is_refused_where_it_is_said(tmp_path, document, error):
    task = a_task(tmp_path)
    task.save_checkpoint({"before": 1})
    with pytest.raises(error):
        task.save_checkpoint(document)
    assert json.loads((tmp_path / CHECKPOINT).read_text()) == {"before": 1}
    assert os.listdir(tmp_path) == [CHECKPOINT]
