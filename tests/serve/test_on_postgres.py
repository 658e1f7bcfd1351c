"""A server on a ledger that many machines share: runs carried out here, and runs that nodes carry out."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.machines import Machines, shorten_leases
from tests.conftest import patience
from tests.postgres_server import WHY_NOT, Server, binaries
from tests.serve.serving import offered, serving
from tests.studio.opened import folder_with, opened, plain

TOKEN = "d" * 40
ASKS = """
if not task["decisions"]:
    reply({"error": {"message": "May I?", "options": ["approve", "deny"]}})
    sys.exit(77)
reply({"result": {"mood": "good"}})
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not binaries():
        pytest.skip(WHY_NOT)
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_a_run_is_answered_and_replayed_over_a_database(server, tmp_path, evidence, monkeypatch):
    monkeypatch.setenv("WORKERMD_SPOOL", str(tmp_path / "spool"))
    body = 'evidence(task["run_id"]); reply({"result": {"said": task["input"].get("task")}})'

    async def scenario():
        async with serving(tmp_path, offered(tmp_path, body), ledger=server.fresh()) as served:
            first = await served.run({"run_id": "a", "task": "x"})
            again = await served.run({"run_id": "a", "task": "x"})
            told = await served.run({"run_id": "b"}, Prefer="respond-async")
            listed = await served.client.get("/workers/echo/runs")
            events = await served.client.get("/workers/echo/runs/a/events")
            return first, again, told, listed, events

    first, again, told, listed, events = asyncio.run(scenario())
    assert (first.status_code, again.content, again.headers["idempotent-replayed"]) == (200, first.content, "true")
    assert told.status_code == 202
    assert {each["run_id"] for each in listed.json()["runs"]} >= {"a"}
    assert '"event": "run"' in events.text
    assert evidence().count("a") == 1


def test_the_pages_show_a_database_and_a_decision_in_them_goes_on(server, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKERMD_SPOOL", str(tmp_path / "spool"))

    async def scenario():
        folder = folder_with(tmp_path, ASKS)
        settings = folder / "workermd.toml"
        settings.write_text(settings.read_text().replace('"ledger.db"', f'"{server.fresh()}"'))
        async with opened(folder) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "q", "task": "x"}')
            await studio.settled("echo", "q")
            pages = [await studio.page(name) for name in ("", "pending", "contracts", "contract?worker=echo")]
            await studio.send("decide", worker="echo", run="q", answer="approve")
            await studio.settled("echo", "q")
            return pages, await studio.page("run?worker=echo&run=q")

    pages, run = asyncio.run(scenario())
    assert "May I?" in plain(pages[1])
    assert "answered “approve”" in plain(run)


def test_a_server_hands_runs_to_nodes_and_answers_what_they_found(server: Server, tmp_path: Path) -> None:
    address = server.fresh()
    shorten_leases(server, address, 6, 2, 1)
    machines = Machines(tmp_path, address)
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"ada:{TOKEN}\n")
    words = ("serve", "count.worker.md", "--cluster", "--tokens", "tokens", "--port", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "workermd", *words],
        cwd=tmp_path, env=machines.environment("server"), stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline().decode())
        assert found is not None
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        with httpx.Client(base_url=found[0], headers=headers, timeout=patience(30)) as client:

            def run(run_id: str, **more: str) -> httpx.Response:
                body = json.dumps({"run_id": run_id, "seconds": 0})
                return client.post("/workers/count/runs", content=body, headers=more)

            waiting = run("a", Prefer="respond-async")
            before = machines.evidence.read_text()
            machines.start("node")
            answered, again = run("a"), run("a")
    finally:
        process.terminate()
        process.communicate(timeout=30)
        machines.close()
    assert (waiting.status_code, before) == (202, ""), "nothing is carried out where the server is"
    assert (answered.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == answered.content
    assert [line.split()[:2] for line in machines.evidence.read_text().splitlines()] == [["start", "a"], ["end", "a"]]
