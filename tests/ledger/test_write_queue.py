"""Many writers, slow writers, stopped writers: everybody waits in line, and nobody for ever."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, PROGRAM, WORKER, call, damage, key, soon
from workermd.ledger import results
from workermd.ledger.sqlite import opening
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.write_queue import WriteQueue
from workermd.protocol.errors import LedgerUnavailable


@contextmanager
def holder(deed: str, path: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a write lock until its stdin is closed."""
    process = subprocess.Popen(
        [*PROGRAM, deed, path], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait(timeout=patience(20))
        process.stdout.close()


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def claim(ledger: Ledger, run_id: str, give_up_at: float) -> None:
    with ledger.transaction(give_up_at) as t1:
        t1.start_attempt(t1.admit(key(run_id)), results.new_token(), "a test")


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize("deed", ["hold", "begin"])
def test_lock_held_for_a_second(path: str, deed: str) -> None:
    call(path)
    with Ledger.open(path) as ledger, holder(deed, path) as process:
        started = time.monotonic()
        timer = threading.Timer(1.0, let_go, [process])
        timer.start()
        claim(ledger, "second", soon())
        assert time.monotonic() - started > 0.9
        timer.join()
        assert ledger.look(WORKER, "second") is not None


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize("deed", ["hold", "begin"])
def test_lock_held_beyond_the_limit(path: str, deed: str) -> None:
    call(path)
    with Ledger.open(path) as ledger, holder(deed, path) as process:
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable) as refused:
            claim(ledger, "second", soon(0.3))
        assert 0.25 < time.monotonic() - started < patience(5)
        assert refused.value.hint
        assert ledger.look(WORKER, "second") is None  # Readers never wait, and nothing was written.
        assert ledger.look(WORKER, "r") is not None
        ledger.reject(WORKER, "r", "code", None)  # Never raises.
        let_go(process)
        process.wait(timeout=patience(20))
        claim(ledger, "second", soon())
        assert ledger._connection.execute("PRAGMA busy_timeout").fetchone()[0] == opening.BUSY_SECONDS * 1000


@pytest.mark.rule("S4.8")
def test_stopped_holder(path: str) -> None:
    call(path)
    with Ledger.open(path) as ledger, holder("hold", path) as process:
        process.send_signal(signal.SIGSTOP)
        for refused in (
            lambda: claim(ledger, "second", soon(0.3)),
            lambda: Ledger.open(path, give_up_at=soon(0.3)),
        ):
            started = time.monotonic()
            with pytest.raises(LedgerUnavailable, match="another process has been writing"):
                refused()
            assert 0.25 < time.monotonic() - started < patience(5)
        started = time.monotonic()
        other = Ledger.open_read_only(path)  # Reading asks nobody.
        assert other is not None
        with other:
            assert other.look(WORKER, "r") is not None
        process.send_signal(signal.SIGCONT)
        let_go(process)
        claim(ledger, "second", soon())
        assert process.wait(timeout=patience(20)) == 0


def test_closing_is_bounded(path: str) -> None:
    ledger = Ledger.open(path)
    with holder("hold", path) as process:
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        ledger.close()
        assert time.monotonic() - started < patience(10)


def test_abandoned_wait_does_not_keep_the_lock(tmp_path) -> None:
    path = str(tmp_path / "queue")
    first, second, third = (WriteQueue(path) for _ in range(3))
    assert first.enter(soon())
    assert not second.enter(soon(0.1))
    assert not second.enter(soon(-1))
    first.leave()
    assert third.enter(soon())  # The waits that were given up come to their end and let go.
    third.leave()
    assert second.enter(soon())
    for queue in (first, second, third):
        queue.close()


def test_interrupted_wait_does_not_keep_the_lock(tmp_path) -> None:
    path = str(tmp_path / "queue")
    first, second = WriteQueue(path), WriteQueue(path)
    assert first.enter(soon())
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        second.enter(soon())
    timer.join()
    first.leave()
    third = WriteQueue(path)
    assert third.enter(soon())
    for queue in (first, second, third):
        queue.close()


def test_waiting_leaves_no_open_files(tmp_path) -> None:
    path = str(tmp_path / "queue")
    before = len(os.listdir("/proc/self/fd"))
    first, second = WriteQueue(path), WriteQueue(path)
    for _ in range(5):
        assert first.enter(soon())
        timer = threading.Timer(0.02, first.leave)
        timer.start()
        assert second.enter(soon())
        timer.join()
        second.leave()
    first.close()
    second.close()
    # Waits that earlier tests gave up may end in between.
    assert len(os.listdir("/proc/self/fd")) <= before


def test_two_ledgers_of_one_process(path: str) -> None:
    with Ledger.open(path) as first, Ledger.open(path) as second:
        with first.transaction(soon()), pytest.raises(LedgerUnavailable):
            claim(second, "r", soon(0.1))
        claim(second, "r", soon())
        assert first.look(WORKER, "r") == second.look(WORKER, "r")


@pytest.mark.rule("S4.2", "S4.4")
def test_eight_processes(path: str) -> None:
    until = time.monotonic() + 4
    unmeasured = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("COV")}
    processes = [
        subprocess.Popen(
            [*PROGRAM, "hammer", path, f"p{number}", str(until)], env=unmeasured, stdout=subprocess.PIPE, text=True
        )
        for number in range(8)
    ]
    counts = [int(process.communicate(timeout=patience(60))[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    with Ledger.open(path) as ledger:
        runs = ledger.runs()
        assert len(runs) == sum(counts)
        assert {(run.state, run.attempts) for run in runs} == {("done", 1)}
        for number, count in enumerate(counts):
            assert sum(run.run_id.startswith(f"p{number}-") for run in runs) == count
        assert ledger._connection.execute("SELECT count(*), count(DISTINCT token) FROM attempts").fetchone() == (
            sum(counts),
            sum(counts),
        )
    assert min(counts) > 0, counts  # Nobody starves; how evenly they get their turns is a matter for the benchmark.
    assert damage(path) == []
