"""A run that is killed, stopped or lied to by the clock, at every named place: what the next call makes of it."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import ROOT, patience, wait_for
from tests.storm import cases
from tests.storm.expected import CALLED, DECIDING, HOST, POINTS, Expected
from tests.storm.faults import FAULTS, seeded
from tests.storm.oracle import violations
from tests.storm.trial import KILLED, Trial

pytestmark = pytest.mark.uncovered  # most of these processes are killed, and write nothing

OK = ["ok"]
RETRY = ["retryable_error", "ok"]
ASK = ["needs_human", "ok"]


@pytest.fixture
def trial(tmp_path, request):
    return Trial(tmp_path / "trial", cold=request.node.get_closest_marker("cold") is not None)


def outcomes(trial, run_id="r"):
    with closing(sqlite3.connect(f"file:{trial.ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT a.outcome FROM attempts a JOIN runs r ON r.id = a.run WHERE r.run_id = ? ORDER BY a.n", (run_id,)
        )
        return [outcome for (outcome,) in rows]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def started(trial, n=1, run_id="r"):
    """The evidence of attempt n's start, once it is there."""
    wait_for(lambda: n in trial.starts(run_id))
    return next(line for line in trial.evidence(run_id) if (line.word, line.n) == ("start", n))


# --- killed at a named point ----------------------------------------------------------------------------


@pytest.mark.rule("S3.2", "S4.3", "S9.1")
@pytest.mark.parametrize("replies", [OK, RETRY, ASK], ids=["ok", "retry-first", "ask-first"])
@pytest.mark.parametrize("at", POINTS)
def test_a_kill_at_every_point(trial, at, replies):
    """The call dies there; the next one does what the table of crash points says, and no more.

    With `retry-first` a result file is found that is no final answer: it must not become one. With `ask-first` the
    answer comes with a request to a person, or not at all.
    """
    model = Expected(replies)
    for point in (at, ""):
        code = model.call(point)
        done = trial.call("r", replies, at=point)
        assert done.code == code, (point, done.out, done.err)
    assert (outcomes(trial), trial.starts("r")) == (model.outcomes, model.starts)
    assert violations(trial) == []


@pytest.mark.cold
@pytest.mark.rule("S4.3", "S4.7")
@pytest.mark.parametrize("at", HOST)
def test_only_the_attempts_process_dies(trial, at):
    """A result that has its name counts; without one every start is used up, and a person is asked."""
    model = Expected(OK)
    code = model.call(at)
    done = trial.call("r", OK, at=at)
    assert (done.code, outcomes(trial), trial.starts("r")) == (code, model.outcomes, model.starts), done.err
    assert violations(trial) == []


@pytest.mark.rule("S4.3", "S9.2")
@pytest.mark.parametrize("flags", [(), ("--deny",), ("--deny", "--final")], ids=["approve", "deny", "final"])
@pytest.mark.parametrize("at", DECIDING)
def test_a_kill_while_a_person_decides(trial, at, flags):
    """The decision and its one start are there, or neither; the next attempt is told all of them."""
    assert cases.decided(at, *flags)(trial) == []


@pytest.mark.rule("S9.2", "S9.4")
@pytest.mark.parametrize("at", POINTS)
def test_a_kill_in_the_attempt_that_a_decision_granted(trial, at):
    """One decision stands for one start, however often it is asked for; what was decided is not lost."""
    model = Expected(ASK, max_attempts=1)
    trial = Trial(trial.folder / "one", max_attempts=1, cold=False)
    codes = [(trial.call("r", ASK).code, model.call()), (trial.approve("r").code, model.approve())]
    codes += [(trial.call("r", ASK, at=point).code, model.call(point)) for point in (at, "", "")]
    assert [code for code, _ in codes] == [code for _, code in codes]
    assert trial.starts("r") == model.starts
    assert len(outcomes(trial)) == 2
    assert violations(trial) == []


@pytest.mark.rule("S4.3")
@pytest.mark.parametrize("at", ["migration_open", "migration_committed"])
def test_a_kill_while_the_ledger_is_made(trial, at):
    """It is there or it is not."""
    assert trial.call("r", OK, at=at).code == KILLED
    assert trial.call("r", OK).code == 0
    assert violations(trial) == []


def test_every_point_is_passed_and_described():
    """A point that is in no list here would be tested by nobody."""
    import re

    import workermd.system.crash

    described = set(re.findall(r"^    (\w+)  ", workermd.system.crash.__doc__, re.MULTILINE))
    sources = [path.read_text() for path in (ROOT / "workermd").rglob("*.py")]
    passed = {name for text in sources for name in re.findall(r'point\("(\w+)"\)', text)}
    passed |= {f"{kind}_{state}" for kind in ("t1", "t2", "decision") for state in ("open", "committed")}
    assert described == passed == {*CALLED, *DECIDING, *HOST, "host_started", "migration_open", "migration_committed"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_seeded_faults_still_fit_the_source(tmp_path, fault):
    """`make storm` puts them back, one by one; a fault whose place is gone would be seen by nobody."""
    seeded(fault, tmp_path)


@pytest.mark.rule("S3.2", "S4.7")
def test_attempts_used_up_by_crashes_are_not_given_back(trial):
    """Two claims, two crashes: the third call starts nothing and asks a person."""
    assert [trial.call("r", OK, at="t1_committed").code for _ in range(2)] == [KILLED, KILLED]
    done = trial.call("r", OK)
    assert (done.code, done.document["result"]["error"]["code"]) == (6, "attempts_exhausted")
    assert trial.starts("r") == []
    assert violations(trial) == []


# --- killed by somebody else ----------------------------------------------------------------------------


@pytest.mark.rule("S4.3")
def test_the_called_process_is_killed_in_the_task(trial):
    """The attempt goes on, keeps the lock, and is adopted by the next call, which waits for it."""
    process = trial.start("r", OK, seconds=(1,))
    host = started(trial).host
    process.kill()
    assert trial.end(process, "r").code == KILLED
    assert alive(host)
    hurried = trial.call("r", OK, "--no-wait", seconds=(1,))
    assert (hurried.code, hurried.document["result"]["error"]["code"]) == (5, "run_in_progress")
    assert trial.call("r", OK, seconds=(1,)).code == 0
    assert (outcomes(trial), trial.starts("r")) == (["ok"], [1])
    assert violations(trial) == []


@pytest.mark.rule("S4.3", "S8.5")
def test_the_attempts_process_is_killed_in_the_task(trial):
    """The same call goes on with the next attempt; the program of the first one is ended before."""
    process = trial.start("r", OK, seconds=(30, 0))
    line = started(trial)
    os.kill(line.host, signal.SIGKILL)
    assert trial.end(process, "r").code == 0
    assert not alive(line.pid)
    assert (outcomes(trial), trial.starts("r")) == (["crashed", "ok"], [1, 2])
    assert violations(trial) == []


@pytest.mark.rule("S4.3", "S4.4")
def test_both_are_killed_in_the_task(trial):
    """What the task started dies with them, so nobody is told that a dead run is in progress."""
    process = trial.start("r", OK, seconds=(1.5, 0))
    line = started(trial)
    process.kill()
    os.kill(line.host, signal.SIGKILL)
    trial.end(process, "r")
    wait_for(lambda: not alive(line.pid))
    assert trial.call("r", OK, "--no-wait", seconds=(1.5, 0)).code == 0
    assert outcomes(trial) == ["crashed", "ok"]
    assert violations(trial) == []


@pytest.mark.rule("S2.3")
def test_no_wait_finds_a_dead_owner(trial):
    """Nobody executes the run any more, so there is nothing to refuse."""
    trial.call("r", OK, at="before_order")
    wait_for(lambda: trial.call("r", OK, "--no-wait").code == 0)
    assert violations(trial) == []


@pytest.fixture
def function(cli, contract, given, tmp_path):
    """Writes `tasks.py`; the call that runs it, and the environment in which it finds it."""

    def write(body):
        (tmp_path / "tasks.py").write_text(body)
        call = ["run", contract(), given(), "--envelope", "--function", "tasks:run", "--env", "PYTHONPATH"]
        return [*call, "--env", "WORKERMD_CRASH_AT"], {"PYTHONPATH": f"{tmp_path}:{ROOT}"}

    return write


@pytest.mark.rule("S3.3", "S4.4")
def test_orphans_without_the_lock_end_before_the_next_attempt(cli, function, tmp_path):
    """All three are dead, the keeper too, and what the task had started let go of the lock."""
    call, env = function(
        "import os, subprocess, sys, time\n"
        "def run(task):\n"
        "    if task.attempt == 2: return {'result': {'orphan': os.path.exists('/proc/' + open('pids').read().split()[1])}}\n"
        "    child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "    open('pids.tmp', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "    os.rename('pids.tmp', 'pids')\n"
        "    time.sleep(60)\n"
    )
    process = cli.start(*call, env=env)
    wait_for((tmp_path / "pids").exists)
    host, orphan = map(int, (tmp_path / "pids").read_text().split())
    keeper = int(Path(f"/proc/{host}/stat").read_text().rpartition(")")[2].split()[1])
    assert keeper != process.pid
    for each in (process.pid, keeper, host):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.communicate()
    assert alive(orphan)
    done = cli(*call, env=env)
    assert [each["outcome"] for each in done.document["attempts"]] == ["crashed", "ok"], done.err
    assert not alive(orphan)


@pytest.mark.rule("S3.3", "S4.3")
def test_a_result_with_its_name_counts_and_its_orphans_end(cli, function, tmp_path):
    """The attempt's process dies before it has ended what its task left behind; so does the caller."""
    call, env = function(
        "import os, subprocess, sys, time\n"
        "def run(task):\n"
        "    child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "    open('pids.tmp', 'w').write(str(child.pid))\n"
        "    os.rename('pids.tmp', 'pids')\n"
        "    time.sleep(0.5)\n"
        "    return {'result': {}}\n"
    )
    done = cli(*call, env=env | {"WORKERMD_CRASH_AT": "result_renamed"})
    assert (done.code, [each["outcome"] for each in done.document["attempts"]]) == (0, ["ok"]), done.err
    assert not alive(int((tmp_path / "pids").read_text()))
    (tmp_path / "pids").unlink()
    call[2].write_text('{"run_id": "another"}')
    process = cli.start(*call, env=env | {"WORKERMD_CRASH_AT": "result_renamed"})
    wait_for((tmp_path / "pids").exists)
    process.kill()
    process.communicate()
    adopted = cli(*call, env=env)
    assert (adopted.code, [each["outcome"] for each in adopted.document["attempts"]]) == (0, ["ok"]), adopted.err
    assert not alive(int((tmp_path / "pids").read_text()))


@pytest.mark.rule("S4.2")
def test_a_caller_that_dies_while_the_backend_loads_leaves_no_process(cli, function, tmp_path):
    """A library that hangs at its import must not keep the run locked for ever."""
    call, env = function("def run(task): return {'result': {}}")
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    process = cli.start(*call, env=env)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    process.kill()
    process.communicate()
    host = int((tmp_path / "pid").read_text())
    wait_for(lambda: not alive(host))
    shutil.rmtree(tmp_path / "autogen_core")
    assert cli(*call, env=env).code == 0


def test_an_interrupt_while_the_backend_loads_uses_no_attempt_up(cli, function, tmp_path):
    """The run was never claimed, and its lock is free again."""
    call, env = function("def run(task): return {'result': {}}")
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text(
        f"import time\nopen({str(tmp_path / 'loading')!r}, 'w')\ntime.sleep(60)\n"
    )
    process = cli.start(*call, env=env)
    wait_for((tmp_path / "loading").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patience(20))
    assert (process.returncode, json.loads(out)["error"]["code"]) == (130, "cancelled"), err
    assert "no attempt under way" in err.decode()
    shutil.rmtree(tmp_path / "autogen_core")
    done = cli(*call, env=env)
    assert (done.code, len(done.document["attempts"])) == (0, 1), done.err


@pytest.mark.rule("S4.3")
def test_a_finished_attempt_is_adopted_though_the_backend_cannot_be_loaded_any_more(cli, function, tmp_path):
    """Nothing has to be started for it."""
    call, env = function("def run(task): return {'result': {}}")
    assert cli(*call, env=env | {"WORKERMD_CRASH_AT": "attempt_ended"}).code == KILLED
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text("raise ModuleNotFoundError(name='autogen_core')")
    done = cli(*call, env=env)
    assert (done.code, [each["outcome"] for each in done.document.get("attempts", [])]) == (0, ["ok"]), done.err


# --- stopped, late --------------------------------------------------------------------------------------


@pytest.mark.rule("S2.3", "S4.2")
def test_a_stopped_owner_is_waited_for_and_loses_nothing(trial):
    """Nobody takes its run away, however long it stands; continued, it answers as if nothing had been."""
    process = trial.start("r", OK, seconds=(0.3,))
    started(trial)
    process.send_signal(signal.SIGSTOP)
    try:
        other = trial.call("r", OK, "--timeout", "1", seconds=(0.3,))
        assert (other.code, other.document["result"]["error"]["code"]) == (5, "run_in_progress")
    finally:
        process.send_signal(signal.SIGCONT)
    assert trial.end(process, "r").code == 0
    assert trial.starts("r") == [1]
    assert violations(trial) == []


@pytest.mark.rule("S3.3")
def test_a_result_that_gets_its_name_too_late_is_a_timeout(trial, tmp_path):
    """The task ends in time, its result is synced after the deadline, and the caller stands still meanwhile."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "from workermd.system.environment import MARKER\n"
        "sync = os.fsync\n"
        "def slow(descriptor):\n"
        "    sync(descriptor)\n"
        "    if MARKER in os.environ: time.sleep(2.2)\n"  # only the attempt's processes have it
        "os.fsync = slow\n"
    )
    trial.cli.environment |= {"PYTHONPATH": f"{tmp_path}:{ROOT}", "WORKERMD_ENV": "PYTHONPATH"}
    process = trial.start("r", OK, "--timeout", "2", seconds=(0.2, 0))
    line = started(trial)
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: not alive(line.host))
    process.send_signal(signal.SIGCONT)
    done = trial.end(process, "r")
    assert (done.code, done.document["result"]["error"]["code"]) == (5, "timeout")
    assert outcomes(trial) == ["timeout"]
    assert [line.word for line in trial.evidence("r")] == ["start", "end"]
    trial.cli.environment["PYTHONPATH"] = str(ROOT)
    assert trial.call("r", OK, seconds=(0.2, 0)).code == 0
    assert violations(trial) == []


@pytest.mark.rule("S3.3", "S4.3")
@pytest.mark.parametrize("name", ["blocking_sleep", "busy_in_c"])
def test_an_attempt_without_its_caller_is_ended_by_its_own_timer(cli, contract, given, tmp_path, name):
    """Asleep or spinning in C; then the next call goes on."""
    (tmp_path / "tasks.py").write_text(
        "import os\nfrom tests.attempt import unruly\n"
        "def run(task):\n"
        "    if task.attempt == 2: return {'result': {}}\n"
        "    open('evidence', 'w').write(str(os.getpid()))\n"
        f"    unruly.{name}(task)\n"
    )
    spec = contract(constraints={"timeout_seconds": 10})
    call = ["run", spec, given(), "--function", "tasks:run", "--env", "PYTHONPATH"]
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    process = cli.start(*call, "--timeout", "3", env=env)
    wait_for(lambda: (tmp_path / "evidence").exists() and (tmp_path / "evidence").read_text())
    host = int((tmp_path / "evidence").read_text())
    process.kill()
    process.communicate()
    assert alive(host)
    done = cli(*call, "--envelope", env=env)
    assert (done.code, [each["outcome"] for each in done.document["attempts"]]) == (0, ["crashed", "ok"]), done.err
    assert not alive(host)


# --- clocks ---------------------------------------------------------------------------------------------


@pytest.mark.rule("S4.2")
def test_a_wall_clock_that_jumps_moves_nothing_but_labels(cli, contract, given, program, evidence, tmp_path):
    """Years forward and back between and within the calls; claims, waits, deadlines and adoption do not care."""
    plant = tmp_path / "plant"
    plant.mkdir()
    (plant / "sitecustomize.py").write_text(
        "import os, time\n"
        "shift, real, real_ns = float(os.environ.get('CLOCK_SHIFT', '0')), time.time, time.time_ns\n"
        "calls = [0]\n"
        "def shifted():\n"
        "    calls[0] += 1\n"  # it jumps at every look, and back again
        "    return shift if calls[0] % 2 else -shift / 2\n"
        "time.time = lambda: real() + shifted()\n"
        "time.time_ns = lambda: real_ns() + int(shifted() * 1e9)\n"
    )
    spec, document = contract(), given()
    backend = [
        "--env",
        "PYTHONPATH",
        "--env",
        "CLOCK_SHIFT",
        *program(f"evidence('start'); time.sleep(1); {ok_reply()}"),
    ]
    years = 10 * 365 * 86400

    def env(shift, at=""):
        return {"PYTHONPATH": f"{plant}:{ROOT}", "CLOCK_SHIFT": str(shift), "WORKERMD_CRASH_AT": at}

    assert cli("run", spec, document, *backend, env=env(years, "attempt_ended")).code == KILLED
    waiting = [cli.start("run", spec, document, *backend, env=env(shift)) for shift in (-years, years, 2 * years)]
    answers = {process.communicate(timeout=patience(60))[0] for process in waiting}
    assert len(answers) == 1
    assert cli("run", spec, document, *backend, env=env(-years)).out in answers
    assert evidence() == ["start"]
    late = cli("run", spec, given("late"), "--timeout", "0.5", *backend, env=env(years))
    assert late.document["result"]["error"]["code"] == "timeout"
    attempt = cli("runs", "show", "r1", "--format", "json").document["attempts_made"][0]
    labels = [
        attempt["started_at"],
        attempt["ended_at"],
        cli("runs", "show", "r1", "--format", "json").document["settled_at"],
    ]
    assert all(label[:4] != time.strftime("%Y") for label in labels)


def ok_reply():
    return "reply({'status': 'ok', 'result': {}})"


# --- disks ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, and where its path is told to a task."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine does not let us mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


FILL = """
with open(os.path.join({disk!r}, 'ballast'), 'wb', buffering=0) as file:
    try:
        while file.write(b'x' * 4096): pass
    except OSError: pass
"""


@pytest.mark.rule("S4.3", "S4.8")
def test_an_answer_that_cannot_be_settled_is_kept_and_adopted(
    cli, contract, given, program, evidence, small_disk, tmp_path
):
    """The ledger's disk is full after the attempt; the result lies on another one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (small_disk / "l.db.results").symlink_to(elsewhere)
    body = f"evidence('start'){FILL.format(disk=str(small_disk))}{ok_reply()}"
    call = ["run", contract(), given(), "--sandbox", "off", "--ledger", small_disk / "l.db", *program(body)]
    full = cli(*call)
    assert (full.code, full.document["error"]["code"]) == (2, "ledger_unavailable"), full.err
    assert "adopts it" in full.err
    assert "Traceback" not in full.err
    (small_disk / "ballast").unlink()
    assert cli(*call).code == 0
    assert evidence() == ["start"]


@pytest.mark.rule("S4.8")
def test_a_result_that_finds_no_space_is_no_half_result(cli, contract, given, program, small_disk):
    """The attempt is used up, nothing half-written stays."""
    ledger = cli.ledger
    ledger.parent.mkdir()
    (ledger.parent / "ledger.db.results").symlink_to(small_disk)
    body = f"{FILL.format(disk=str(small_disk))}{ok_reply()}"
    done = cli("run", contract(constraints={"max_attempts": 1}), given(), "--sandbox", "off", *program(body))
    assert (done.code, done.document["result"]["error"]["code"]) == (5, "attempts_exhausted")
    assert {path.name for path in small_disk.iterdir()} <= {"ballast", ".swept"}


@pytest.mark.rule("S4.8")
def test_a_result_that_cannot_be_written_is_said_in_one_line(cli, contract, given, program):
    """The folder went away during the task."""
    body = f"import shutil; shutil.rmtree({str(cli.ledger) + '.results'!r}); {ok_reply()}"
    done = cli("run", contract(constraints={"max_attempts": 1}), given(), "--sandbox", "off", *program(body))
    assert (done.code, done.document["result"]["error"]["code"]) == (5, "attempts_exhausted")
    assert "the result cannot be written (No such file or directory)" in done.err
    assert "Traceback" not in done.err


@pytest.mark.rule("S4.8")
def test_no_attempt_is_used_up_where_none_can_be_prepared(cli, contract, given, program, evidence):
    """Found out before the task starts, and before the claim is committed."""
    call = ["run", contract(constraints={"max_attempts": 1}), given(), *program(f"evidence('start'); {ok_reply()}")]
    blocked = cli.ledger.parent / "ledger.db.artifacts"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    done = cli(*call)
    assert (done.code, done.document["error"]["code"]) == (2, "ledger_unavailable"), done.err
    blocked.unlink()
    assert cli(*call).code == 0
    assert evidence() == ["start"]


def left_open(trial):
    """A run whose attempt was claimed and never began: the path of the result that it would have left."""
    assert trial.call("r", OK, at="before_order").code == KILLED
    with closing(sqlite3.connect(trial.ledger)) as connection:
        ((token,),) = connection.execute("SELECT token FROM attempts WHERE outcome IS NULL").fetchall()
    return trial.results / token


@pytest.mark.rule("S4.7", "S4.8")
def test_a_damaged_result_is_none(trial):
    """What the attempt did is unknown; the run is not stuck for it."""
    left_open(trial).write_bytes(b'{"output": "half')
    done = trial.call("r", OK, "--envelope")
    assert (done.code, [each["outcome"] for each in done.document["attempts"]]) == (0, ["crashed", "ok"]), done.err


@pytest.mark.rule("S4.8")
def test_a_result_that_cannot_be_read_changes_nothing(trial):
    """A clear error; with the cause removed, the run goes on."""
    path = left_open(trial)
    path.mkdir()
    done = trial.call("r", OK)
    assert (done.code, done.document["error"]["code"]) == (2, "ledger_unavailable"), done.err
    path.rmdir()
    assert trial.call("r", OK).code == 0
    assert outcomes(trial) == ["crashed", "ok"]


# --- interrupts -----------------------------------------------------------------------------------------


def test_ctrl_c_in_a_terminal_reaches_the_caller_alone(cli, contract, given, program, evidence):
    """The attempt has a session of its own: the caller ends it in good order, and keeps what had finished."""
    import pty

    body = "import signal\nsignal.signal(signal.SIGINT, lambda *_: evidence('interrupted'))\n"
    body += "evidence('start'); time.sleep(30)"
    command = [sys.executable, "-m", "workermd", "run", *map(str, (contract(), given(), "--envelope", *program(body)))]
    controlling = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", controlling, *command],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=cli.environment,
        cwd=cli.folder,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        wait_for(evidence)
        os.write(ours, b"\x03")
        out, _ = process.communicate(timeout=patience(20))
    finally:
        process.kill()
        with contextlib.suppress(OSError):
            os.close(ours)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "cancelled"
    assert evidence() == ["start"]
    shown = cli("runs", "show", "r1", "--format", "json").document
    assert [each["outcome"] for each in shown["attempts_made"]] == ["cancelled"]
