"""What an engine may do wrong, and what comes of it: nothing. One kit for every engine."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.demo import submit_all
from tests.cluster.machines import Machines, Verdict, shorten_leases, wait_until_done
from tests.cluster.memory_engine import NAME, Badness, Broker
from tests.conftest import patience
from tests.postgres_server import WHY_NOT, Server, binaries

RUNS = 40


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


def test_dbos_brings_every_run(server, machines):
    if importlib.util.find_spec("dbos") is None:
        pytest.skip("the extra dbos is not installed")
    verdict = carried_out(server, machines, "dbos")
    assert verdict.faults() == []
    assert verdict.attempts == RUNS
