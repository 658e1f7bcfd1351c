"""Bounds against volume and tricks: a log without lines, processes that slip away, whoever kills whom."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.attempt_process import alive
from tests.conftest import patience, wait_for
from workermd.runner import verdict
from workermd.runner.log_lines import MOST_UNSAID, LogLines
from workermd.task.binding import Binding
from workermd.task.masking import Mask
from workermd.task.task import Result

OK = "reply({'status': 'ok', 'result': {}})"


@pytest.mark.rule("S3.3")
def test_a_log_without_lines_holds_nothing_up(cli, contract, given, program):
    """Eight megabytes in one line: what a terminal is shown of them is bounded, and the answer is there in time."""
    spec, document = contract(constraints={"timeout_seconds": 30, "max_attempts": 1}), given()
    backend = program(f"import os\nfor _ in range(128): os.write(2, b'x' * 65536)\n{OK}")
    done = cli("run", spec, document, *backend)
    assert done.code == 0
    assert done.err.count("x") >= 1 << 20
    assert "further log lines are not shown" in done.err


def test_a_line_that_does_not_end_is_handed_on_without_the_half_of_a_secret(monkeypatch):
    monkeypatch.setenv("KEY", "hunter2-secret")
    lines = LogLines(Mask(Binding(kind="command", origin="", secret_env=("KEY",))))
    said = lines.add(b"x" * (MOST_UNSAID + 1) + b"hunter2-")
    said += lines.add(b"secret" + b"y" * MOST_UNSAID)
    assert said, "the beginning is not waited with"
    said += lines.rest()
    assert said.count(b"x") == MOST_UNSAID + 1
    assert said.count(b"y") == MOST_UNSAID
    assert b"***" in said
    assert b"hunter2" not in said


def test_a_long_line_costs_what_its_bytes_cost():
    """Twice the bytes, about twice the time: the line so far is not copied for every piece."""
    lines = LogLines(Mask(Binding(kind="command", origin="")))

    def seconds(megabytes):
        began = time.process_time()
        for _ in range(megabytes * 16):
            lines.add(b"x" * 65536)
        return time.process_time() - began

    seconds(4)
    assert seconds(64) < 40 * max(seconds(4), 0.001)


@pytest.mark.rule("S4.3", "S3.3", "S10.1")
def test_whoever_kills_both_leaves_nothing_and_the_next_call_goes_on(cli, contract, given, program, tmp_path):
    """Supervisor, keeper and host die at once, from outside: the program dies with them, the lock is free."""
    spec, document = contract(constraints={"timeout_seconds": 60, "max_attempts": 2}), given()
    body = (
        "import os, time\n"
        "if task['attempt'] == 1:\n"
        "    open('pids', 'w').write(f'{os.getpid()} {os.getppid()}')\n"
        "    time.sleep(60)\n" + OK
    )
    backend = program(body)
    process = cli.start("run", spec, document, *backend)
    pids = tmp_path / "pids"
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    mine, host = map(int, pids.read_text().split())
    for pid in (process.pid, parent_of(host), host):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not alive(mine))
    began = time.monotonic()
    done = cli("run", spec, document, *backend)
    assert (done.code, done.document["status"]) == (0, "ok")
    assert time.monotonic() - began < 30, "nobody waited for the dead run"


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class _Nothing:
    def check(self, _document):
        return ()


class _Never:
    def check(self, _document):
        return ("a mismatch",)


@pytest.mark.rule("S6.3", "S10.5")
@pytest.mark.parametrize(
    ("document", "checker"),
    [({"result": {"attempt": 48151623}}, _Nothing()), ({"4815": "a key"}, _Never()), ({"status": "x4815"}, _Never())],
)
def test_a_secret_that_masking_cannot_take_out_is_refused_by_its_name(monkeypatch, document, checker):
    """A number that holds its digits, a key or a word that the schema knows."""
    monkeypatch.setenv("PIN", "4815")
    mask = Mask(Binding(kind="command", origin="", secret_env=("PIN",)))
    judged = verdict.Verdict("ok", "ok", False, document=document, result=Result(output=json.dumps(document)))
    refused = verdict.masked(judged, mask, checker)
    assert (refused.outcome, refused.document) == ("invalid_output", None)
    assert refused.failure is not None
    assert refused.failure.code == "secret_in_output"
    assert "PIN" in refused.failure.message
    assert "4815" not in refused.failure.message


@pytest.mark.rule("S6.3", "S10.5")
def test_other_secrets_are_masked_and_the_document_stands(monkeypatch):
    monkeypatch.setenv("KEY", "hunter2")
    mask = Mask(Binding(kind="command", origin="", secret_env=("KEY",)))
    judged = verdict.Verdict("ok", "ok", False, document={"a": "is hunter2", "n": 7}, result=Result(output="{}"))
    assert verdict.masked(judged, mask, _Nothing()).document == {"a": "is ***", "n": 7}


@pytest.mark.rule("S4.9")
@pytest.mark.parametrize("runs", [40, pytest.param(128, marks=pytest.mark.deep)])
def test_many_runs_at_once_on_one_ledger(cli, contract, given, program, runs):
    """Each waits for its turn within its own deadline, and none gives up."""
    spec = contract(constraints={"timeout_seconds": 300, "max_attempts": 1})
    backend = program(OK)
    started = [
        cli.start("run", spec, given(f"r{n}", f"{n}.json"), "-q", *backend, stdin=subprocess.DEVNULL)
        for n in range(runs)
    ]
    ended = [(process.communicate(timeout=patience(120)), process.returncode) for process in started]
    assert [(code, out) for (out, _), code in ended if code != 0] == []
    assert {json.loads(out)["run_id"] for (out, _), _ in ended} == {f"r{n}" for n in range(runs)}


@pytest.fixture
def unshared():
    """Words that make a command run in mount namespaces of its own; a machine without them is named."""
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    tried = shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    if tried != 0:
        pytest.skip("mounting in a namespace of its own is not allowed here")
    return words


@pytest.mark.cold
@pytest.mark.rule("S4.8")
def test_without_proc_nothing_starts(cli, contract, given, program, unshared, evidence):
    """A run watches its processes there: a chroot without it is told so, before anything starts."""
    call = shlex.join(
        [sys.executable, "-m", "workermd", "run", str(contract()), str(given()), *program("evidence('start')")]
    )
    done = subprocess.run(
        [*unshared, "sh", "-c", f"mount -t tmpfs none /proc && {call}"],
        capture_output=True, env=cli.environment, cwd=cli.folder, timeout=patience(60), check=False,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "configuration"), done.stderr
    assert b"mount /proc, then run the same command again" in done.stderr
    assert evidence() == []


@pytest.mark.cold
@pytest.mark.rule("S4.8")
@pytest.mark.parametrize(
    ("attempts", "next_call"), [(1, b"says that none is left"), (2, b"goes on with the next attempt")]
)
def test_a_disk_that_fills_up_while_the_task_runs_keeps_no_answer_and_says_so(
    cli, contract, given, unshared, tmp_path, attempts, next_call
):
    """The hint is true: no result could be written, so the next call does not adopt one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    spec = str(contract(constraints={"max_attempts": attempts}))
    fills = "head -c 1m /dev/zero > disk/ballast; echo '{\"result\": {}}'"
    call = shlex.join([
        sys.executable, "-m", "workermd", "run", "--ledger", "disk/ledger.db", spec, str(given()),
        "--backend", "command", "--", "sh", "-c",
    ])  # fmt: skip
    script = (
        f"mount -t tmpfs -o size=500k none disk && {call} {shlex.quote(fills)}; rm disk/ballast; {call} 'echo \"{{}}\"'"
    )
    done = subprocess.run(
        [*unshared, "sh", "-c", script],
        capture_output=True, env=cli.environment, cwd=cli.folder, timeout=patience(60), check=False,
    )  # fmt: skip
    assert b"the disk is full" in done.stderr, done.stderr
    assert b"the attempt left no result: the same command " + next_call + b"; the run's id is r1" in done.stderr
    assert b"replayed" not in done.stderr
