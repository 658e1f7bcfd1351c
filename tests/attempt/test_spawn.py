"""An attempt's process: ended with everything it started, told its order, refused when it cannot load."""

import json
import os
import signal
import time

import pytest

from tests.attempt import unruly
from tests.attempt_process import a_task, alive, marked, run_attempt
from tests.conftest import ROOT, patience, wait_for
from tests.loaded import start_host
from workermd.attempt.host import MAX_FILE_BYTES, MAX_OPEN_FILES
from workermd.attempt.order import Order
from workermd.attempt.spawn import Host, task_environment
from workermd.ledger import results
from workermd.ledger.run_lock import RunLock
from workermd.protocol.errors import ConfigurationError
from workermd.system import processes
from workermd.system.environment import MARKER
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result


def binding(function="", command=(), kind="function"):
    return Binding(kind=kind, origin="the test", function=function, command=command, env=("PYTHONPATH",))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(params=["started", "forked"])
def start(request):
    """Whatever holds for a host that was started holds for one that was forked."""
    return Host.start if request.param == "started" else start_host


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("function", unruly.ENDLESS, ids=lambda each: each.__name__)
def test_the_deadline_ends_everything(tmp_path, function, start):
    """The bound itself is measured by the benchmark; here with slack."""
    trial = run_attempt(
        tmp_path, a_task(tmp_path), binding(f"tests.attempt.unruly:{function.__name__}"), 0.5, start=start
    )
    assert trial.killed or trial.result is None
    assert trial.result is None
    assert trial.over < 1
    assert trial.survivors == []


@pytest.mark.rule("S3.3")
def test_what_a_good_attempt_leaves_behind_is_ended(tmp_path, start):
    """Also after a normal end."""
    trial = run_attempt(tmp_path, a_task(tmp_path), binding("tests.attempt.unruly:leaves_a_child"), 20, start=start)
    assert trial.result is not None
    assert trial.result.output is not None
    assert trial.survivors == []


def test_a_task_is_limited_by_the_kernel_too(tmp_path, start):
    """No core file of a crash, no file that fills the disk, no more open files than a program needs."""
    bound = binding("tests.attempt.unruly:tells_its_limits")
    result = run_attempt(tmp_path, a_task(tmp_path), bound, 20, start=start).result
    assert json.loads(result.output) == {"CORE": 0, "FSIZE": MAX_FILE_BYTES, "NOFILE": MAX_OPEN_FILES}


@pytest.mark.rule("S3.3")
def test_orphans_come_to_the_keeper_whatever_a_function_does(tmp_path):
    """Without a fence too: it is the keeper that adopts them, and a task cannot take that back."""
    trial = run_attempt(tmp_path, a_task(tmp_path), binding("tests.attempt.unruly:disowns_its_orphans"), 20)
    assert trial.result is not None
    assert trial.result.output is not None
    pid = int((tmp_path / "artifacts" / "pid").read_text())
    wait_for(lambda: not alive(pid))


@pytest.mark.rule("S3.3")
def test_processes_that_fork_and_end_are_caught_without_a_fence(tmp_path):
    """Their group stays the same."""
    trial = run_attempt(tmp_path, a_task(tmp_path), binding("tests.attempt.unruly:forks_and_ends"), 0.5)
    assert trial.result is None
    assert trial.over < 5
    assert trial.survivors == []


@pytest.mark.rule("S3.3", "S8.5")
@pytest.mark.parametrize(
    ("function", "code", "number"),
    [("crashes_with_a_child", None, 6), ("crashes_with_a_fork", None, 6), ("exits_with_a_child", 3, None)],
)
def test_the_orphans_of_a_crash_are_ended(tmp_path, function, code, number, start):
    """They belong to init by then; their environment tells. It does not matter whether a signal ended the attempt."""
    bound = binding(f"tests.attempt.unruly:{function}")
    trial = run_attempt(tmp_path, a_task(tmp_path), bound, 20, start=start)
    assert (trial.ending.exit_code, trial.ending.signal, trial.result) == (code, number, None)
    wait_for(lambda: not trial.survivors or not any(os.path.exists(f"/proc/{pid}") for pid in trial.survivors))


@pytest.mark.rule("S3.3", "S4.3")
def test_a_host_without_a_supervisor_ends_itself_and_its_tree(tmp_path, start):
    """The supervisor is gone; the host's own watch and timer hold the deadline."""
    ledger = str(tmp_path / "ledger.db")
    folder = results.prepare(ledger)
    bound = binding("tests.attempt.unruly:setsid_grandchild")
    with RunLock.open(ledger) as lock:
        host = start(bound, lock.fd, folder)
        host.wait_ready(time.monotonic() + patience(30), lambda: None)
        deadline = time.monotonic() + 1
        order = Order(a_task(tmp_path), Limits(deadline, 1 << 20), {}, folder, results.new_token())
        host.send(order, deadline, lambda: None)
        wait_for(lambda: len(marked(host.marker)) == 3)
        wait_for(lambda: marked(host.marker) == [])
        assert time.monotonic() > deadline
        host.finish(time.monotonic() + 1, lambda: None)
        host.close_log()


@pytest.mark.rule("S3.3", "S8.5")
def test_what_an_attempt_started_ends_also_when_its_keeper_was_killed(tmp_path, start):
    """It cannot clean up behind itself then; the supervisor hunts by the marker."""
    ledger = str(tmp_path / "ledger.db")
    folder = results.prepare(ledger)
    bound = binding("tests.attempt.unruly:setsid_grandchild")
    with RunLock.open(ledger) as lock:
        host = start(bound, lock.fd, folder)
        host.wait_ready(time.monotonic() + patience(60), lambda: None)
        deadline = time.monotonic() + 60
        host.send(Order(a_task(tmp_path), Limits(deadline, 1 << 20), {}, folder, "a" * 32), deadline, lambda: None)
        wait_for(lambda: len(marked(host.marker)) >= 3)
        os.kill(host.pid, signal.SIGKILL)
        assert host.finish(deadline, lambda: None).by_deadline is False
        assert marked(host.marker) == []
        host.close_log()


def test_a_host_whose_supervisor_went_away_before_the_order_ends(tmp_path, start):
    ledger = str(tmp_path / "ledger.db")
    folder = results.prepare(ledger)
    with RunLock.open(ledger) as lock:
        host = start(binding(command=("true",), kind="command"), lock.fd, folder)
        host.wait_ready(time.monotonic() + patience(30), lambda: None)
        os.set_blocking(host._order_fd, False)
        os.write(host._order_fd, b"\0\0")  # half a length
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, host._order_fd)
        os.close(null)
        assert host.finish(time.monotonic() + 20, lambda: None).exit_code == 0
        host.close_log()


def test_a_large_order_reaches_a_host_that_is_still_loading(tmp_path, start):
    """The pipe holds 64 KiB; the rest is written while the host reads."""
    ledger = str(tmp_path / "ledger.db")
    folder = results.prepare(ledger)
    count = "import sys, json; t = json.load(sys.stdin); print(json.dumps({'n': len(t['input']['text'])}))"
    bound = binding(command=("python3", "-c", count), kind="command")
    with RunLock.open(ledger) as lock:
        host = start(bound, lock.fd, folder)
        token = results.new_token()
        deadline = time.monotonic() + patience(30)
        large = a_task(tmp_path, input={"text": "x" * 3_000_000})
        host.send(Order(large, Limits(deadline, 1 << 20), {}, folder, token), deadline, lambda: None)
        host.finish(deadline, lambda: None)
        host.close_log()
    data = results.read(folder, token)
    assert data is not None
    assert Result.from_json(data.decode()).output == '{"n": 3000000}\n'


def test_a_backend_that_is_not_installed_is_said_before_an_attempt(tmp_path, monkeypatch):
    """With the line that installs it."""
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text("raise ModuleNotFoundError(name='autogen_core')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    ledger = str(tmp_path / "ledger.db")
    with RunLock.open(ledger) as lock:
        host = Host.start(binding("x:y"), lock.fd, results.prepare(ledger))
        with pytest.raises(ConfigurationError, match=r"pip install 'workermd'"):
            host.wait_ready(time.monotonic() + patience(30), lambda: None)
        host.discard()
        host.close_log()


def test_a_process_that_has_no_order_yet_ends_as_soon_as_it_is_told(tmp_path, monkeypatch, start):
    """Nobody waits until it is killed: a call with a wrong binding would last that long."""
    monkeypatch.setattr("workermd.attempt.spawn._KEEPER_SECONDS", patience(20))
    killed, end = [], processes.end
    monkeypatch.setattr("workermd.system.processes.end", lambda pid: (killed.append(pid), end(pid)))
    ledger = str(tmp_path / "ledger.db")
    with RunLock.open(ledger) as lock:
        host = start(binding("no.such:function"), lock.fd, results.prepare(ledger))
        with pytest.raises(ConfigurationError, match=r"no\.such"):
            host.wait_ready(time.monotonic() + patience(30), lambda: None)
        began = time.monotonic()
        host.discard()
        assert time.monotonic() - began < patience(20)
        host.close_log()
    assert killed == []


@pytest.mark.parametrize(
    ("ends", "said"),
    [("os._exit(3)", "ended while it loaded"), ("os.abort()", "ended by SIGABRT while it loaded")],
)
def test_a_backend_whose_import_dies_is_said(tmp_path, monkeypatch, ends, said):
    (tmp_path / "autogen_core").mkdir()
    (tmp_path / "autogen_core" / "__init__.py").write_text(f"import os; {ends}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    ledger = str(tmp_path / "ledger.db")
    with RunLock.open(ledger) as lock:
        host = Host.start(binding("x:y"), lock.fd, results.prepare(ledger))
        with pytest.raises(ConfigurationError, match=said):
            host.wait_ready(time.monotonic() + patience(30), lambda: None)
        host.discard()
        host.close_log()


@pytest.mark.rule("S6.3")
def test_the_environment_is_built_from_nothing(monkeypatch):
    monkeypatch.setattr(os, "environ", {"PATH": "/bin", "LC_ALL": "C", "SECRET": "s", "A": "1", "B": "2"})
    bound = Binding(kind="command", origin="", env=("A", "MISSING"), secret_env=("B",))
    assert task_environment(bound, "m") == {"PATH": "/bin", "LC_ALL": "C", "A": "1", "B": "2", MARKER: "m"}
