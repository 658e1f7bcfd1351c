"""Fifteen seconds of the storm, and a machine that stands still. `make storm-cluster` has an hour of it."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cluster import namespaces, storm
from tests.cluster.ablations import ABLATIONS, changed
from tests.cluster.machines import Machines, Verdict, shorten_leases, wait_until_done
from tests.conftest import patience, wait_for
from tests.postgres_server import WHY_NOT, Server, binaries

pytestmark = pytest.mark.skipif(not binaries(), reason=WHY_NOT)


@pytest.mark.deep
@pytest.mark.rule("S3.2", "S4.2", "S4.3", "S4.4")
def test_nothing_is_lost_doubled_or_begun_beyond_its_bound() -> None:
    """In network namespaces, with cuts of the network and a standby that takes over."""
    if reason := namespaces.why_not():
        pytest.skip(reason)
    document = storm.entered(["--seed", os.environ.get("SEED", "10"), "--seconds", "15", "--runs", "30"])
    assert document is not None, "the storm itself failed"
    assert document["faults"] == [], document
    assert sum(document["deeds"].values()) >= 5, document


@pytest.mark.parametrize("name", ABLATIONS)
def test_what_an_ablation_takes_away_is_there_to_be_taken(name: str) -> None:
    """`python -m tests.cluster.storm --ablate all` sees each of them noticed."""
    for file, text in changed(ABLATIONS[name]).items():
        compile(text, file, "exec")


@pytest.mark.rule("S4.2", "S4.3")
def test_a_frozen_node_loses_its_attempt_to_another_before_that_one_begins(tmp_path: Path) -> None:
    """The attempt's keeper watches the lease: it ends the attempt although the node's own process stands still."""
    server = Server()
    machines = None
    try:
        server.start()
        address = server.fresh()
        shorten_leases(server, address, 4, 1, 0.5)
        machines = Machines(tmp_path, address, jobs=2)
        machines.start("first")
        (tmp_path / "in.json").write_text('{"run_id": "long", "seconds": 25}')
        assert machines.call("submit", "count.worker.md", "in.json").returncode == 0
        wait_for(lambda: "start long 1" in machines.evidence.read_text())
        machines.nodes["first"].send_signal(signal.SIGSTOP)
        machines.start("second")
        wait_for(lambda: "start long 2" in machines.evidence.read_text(), seconds=patience(20))
        time.sleep(0.5)
        machines.nodes["first"].send_signal(signal.SIGCONT)
        assert wait_until_done(server, address, patience(60))
        machines.close()
        assert "end long 1" not in machines.evidence.read_text(), "the first attempt was ended with the lease"
        assert Verdict(server, machines, 1).faults() == []
    finally:
        if machines is not None:
            machines.close()
        server.close()
