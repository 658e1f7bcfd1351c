"""Hosts forked from a loaded process: nothing leaks from one to the next, and each ends on its own."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.attempt_process import a_task, marked, run_attempt
from tests.conftest import ROOT, patience, wait_for
from workermd.attempt.order import Order
from workermd.attempt.pool import HostPool
from workermd.attempt.spawn import Host
from workermd.ledger import results
from workermd.ledger.run_lock import RunLock
from workermd.system import processes
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result


def binding(function: str, **fields: object) -> Binding:
    return Binding(kind="function", origin="the test", function=function, env=("PYTHONPATH", "WORD"))._replace(**fields)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def pool() -> Iterator[HostPool]:
    made = HostPool()
    yield made
    made.close()


def replied(folder, token):
    data = results.read(folder, token)
    assert data is not None
    return json.loads(Result.from_json(data.decode()).output or "null")


def zygotes() -> list[int]:
    return [pid for pid in processes.descendants(os.getpid()) if _loads_only(pid)]


def _loads_only(pid: int) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"workermd.attempt.zygote" in file.read()


def test_what_one_attempt_does_to_its_process_the_next_one_does_not_see(tmp_path, pool):
    ends = []
    for number in range(2):
        folder = tmp_path / str(number) / "work"
        folder.mkdir(parents=True)
        done = run_attempt(folder, a_task(folder), binding("tests.attempt.leaking:leave"), start=pool.start)
        assert done.result is not None
        assert done.result.output is not None, done
        ends.append(json.loads(done.result.output))
    first, second = ends
    unchanged = [kind for kind, value in first["before"].items() if value == first["after"][kind]]
    assert unchanged == [], first
    assert second["before"] == first["before"]
    assert second["chance"] != first["chance"]
    assert pool.unused == []


def test_every_attempt_has_the_environment_and_the_folder_of_its_caller(tmp_path, pool, monkeypatch):
    program = "import json, os; print(json.dumps({'word': os.environ.get('WORD'), 'cwd': os.getcwd()}))"
    bound = binding("", kind="command", command=("python3", "-S", "-c", program))
    for word in ("one", "two"):
        folder = tmp_path / word
        folder.mkdir()
        monkeypatch.setenv("WORD", word)
        done = run_attempt(folder, a_task(folder), bound, start=pool.start)
        assert done.result is not None
        assert json.loads(done.result.output) == {"word": word, "cwd": str(folder)}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "2 threads"),
        ("import socket; open_here = socket.socketpair()", "2 open sockets"),
        ("import os; os._exit(3)", "ended while it loaded"),
    ],
)
def test_what_cannot_be_forked_is_started(tmp_path, pool, monkeypatch, line, reason):
    """A fork would not have the thread, and would share the socket. The word of the zygote is kept for a note."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nif '-c' in sys.orig_argv and 'zygote' in ' '.join(sys.orig_argv): {line}\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with RunLock.open(str(tmp_path / "ledger.db")) as lock:
        host = pool.start(binding("x:y"), lock.fd, str(tmp_path))
        assert type(host) is Host
        host.discard()
        host.close_log()
    (unused,) = pool.unused
    assert reason in unused.reason


def test_attempts_outlive_the_process_that_they_were_forked_from(tmp_path, pool):
    """Their results count. How they ended nobody can know then, and the next attempt has a new zygote."""
    known = zygotes()  # the suite's own
    ledger = str(tmp_path / "ledger.db")
    folder = results.prepare(ledger)
    bound = binding("", kind="command", command=("sh", "-c", "sleep 0.5; echo '{\"a\": 1}'"))
    with RunLock.open(ledger) as lock:
        host = pool.start(bound, lock.fd, folder)
        host.wait_ready(time.monotonic() + patience(30), lambda: None)
        deadline = time.monotonic() + 20
        token = results.new_token()
        host.send(Order(a_task(tmp_path), Limits(deadline, 1 << 20), {}, folder, token), deadline, lambda: None)
        first = next(
            pid for pid in zygotes() if pid not in known
        )  # parents come first: then the keeper that was forked, then its host
        os.kill(first, signal.SIGKILL)
        ending = host.finish(deadline, lambda: None)
        assert (ending.by_deadline, ending.exit_code, ending.signal) == (False, None, None)
        assert replied(folder, token) == {"a": 1}
        host.close_log()
        other = pool.start(bound, lock.fd, folder)
        other.wait_ready(time.monotonic() + patience(30), lambda: None)
        assert first not in zygotes()
        other.discard()
        other.close_log()


@pytest.mark.parametrize("ready", [False, True])
def test_a_fork_ends_with_its_supervisor_until_it_is_ready(tmp_path, pool, ready):
    """An import of the user's may hang. From `ready` on an attempt is meant to outlive its supervisor."""
    (tmp_path / "hangs.py").write_text("import time; time.sleep(60)")
    with RunLock.open(str(tmp_path / "ledger.db")) as lock:
        start = pool.start(binding("x:y"), lock.fd, str(tmp_path))  # the zygote is there
        start.discard()
        start.close_log()
        pid = os.fork()
        if pid == 0:
            function = "tests.attempt.unruly:blocking_sleep" if ready else "hangs:run"
            os.chdir(tmp_path)
            host = pool.start(binding(function), lock.fd, str(tmp_path))
            (tmp_path / "marker").write_text(host.marker)
            if ready:
                host.wait_ready(time.monotonic() + patience(30), lambda: None)
                deadline = time.monotonic() + 1.5
                limits = Limits(deadline, 1 << 20)
                token = results.new_token()
                host.send(Order(a_task(tmp_path), limits, {}, str(tmp_path), token), deadline, lambda: None)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        marker = (tmp_path / "marker").read_text()
        if ready:
            assert len(marked(marker)) == 2  # the keeper and its host
        wait_for(lambda: marked(marker) == [])
