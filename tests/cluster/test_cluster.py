"""Runs on two nodes over a real PostgreSQL: handed over, carried out, taken over from a machine that died."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.demo import submit_all, wait_for_half
from tests.cluster.machines import TOKEN, Machines, Verdict, shorten_leases, wait_until_done
from tests.conftest import patience, wait_for
from tests.postgres_server import WHY_NOT, Server, binaries


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
def machines(server: Server, tmp_path: Path) -> Iterator[Machines]:
    address = server.fresh()
    shorten_leases(server, address, 6, 2, 1)
    made = Machines(tmp_path, address, jobs=3)
    yield made
    made.close()


@pytest.mark.rule("S4.2", "S4.3", "S4.4")
def test_every_run_has_one_answer_although_a_machine_dies(server: Server, machines: Machines) -> None:
    machines.start("first")
    machines.start("second")
    submit_all(machines, 30)
    wait_for_half(server, machines.address, 20)
    machines.kill("second", machine=True)
    assert wait_until_done(server, machines.address, patience(30))
    machines.close()
    assert Verdict(server, machines, 30).faults(repeats=True) == []


@pytest.mark.rule("S2.2", "S2.3", "S4.1")
def test_what_is_handed_over_is_checked_and_answered_as_a_run_is(machines: Machines) -> None:
    def submit(document: object, *words: str) -> tuple[int, dict[str, object], str]:
        (machines.folder / "in.json").write_text(json.dumps(document))
        done = machines.call("submit", "count.worker.md", "in.json", *words)
        return done.returncode, json.loads(done.stdout), done.stderr.decode()

    code, accepted, _ = submit({"run_id": "a", "seconds": 0})
    assert (code, accepted["accepted"], accepted["run_id"]) == (0, True, "a")
    assert submit({"run_id": "b"})[:1] == (3,)
    code, refused, _ = submit({"run_id": "a", "seconds": 1})
    assert (code, refused["result"]["error"]["code"]) == (3, "idempotency_conflict")
    machines.start("first", "--labels", "zone=a")
    code, answer, _ = submit({"run_id": "a", "seconds": 0}, "--wait")
    assert (code, answer) == (0, {"run_id": "a", "status": "ok", "result": {"attempt": 1}})
    assert submit({"run_id": "a", "seconds": 0})[:2] == (0, answer), "a replay needs no node"
    (machines.folder / "in.jsonl").write_text('{"run_id": "a", "seconds": 0}\n{"run_id": "c", "seconds": 0}\n{}\n')
    done = machines.call("batch", "count.worker.md", "in.jsonl", "--cluster")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["run_id"], line["status"]) for line in lines] == [("a", "ok"), ("c", "ok"), ("", "invalid_request")]
    listed = json.loads(machines.call("node", "list", "--format", "json").stdout)
    (node,) = listed["nodes"]
    assert (json.loads(node["labels"]), node["dead"], node["running"]) == ({"zone": "a"}, False, 0)


def test_a_ledger_in_a_file_is_no_place_for_nodes(machines: Machines) -> None:
    (machines.folder / "in.json").write_text('{"run_id": "a", "seconds": 0}')
    for words in (("submit", "count.worker.md", "in.json"), ("node", "run"), ("node", "list")):
        done = machines.call(*words, "--ledger", "here.db")
        assert done.returncode == 2
        assert b"nodes share a ledger in PostgreSQL" in done.stderr


@pytest.mark.rule("S4.3")
def test_what_a_killed_node_had_begun_is_adopted_by_the_next_on_its_machine(server: Server, machines: Machines) -> None:
    shorten_leases(server, machines.address, 60, 2, 1)
    machines.start("first")
    submit_all(machines, 1, 1.0)
    wait_for(lambda: "start r0 1" in machines.evidence.read_text())
    machines.kill("first", machine=False)
    results = machines.folder / "first" / "ledger.results"
    wait_for(lambda: any(TOKEN.fullmatch(each.name) for each in results.iterdir()))
    machines.start("first")
    assert wait_until_done(server, machines.address, patience(30))
    machines.close()
    verdict = Verdict(server, machines, 1)
    assert (verdict.faults(), verdict.attempts) == ([], 1)
