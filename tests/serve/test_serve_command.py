"""`workermd serve` as a process: what it says, what it takes, and how it ends."""

import json
import re
import signal

import httpx
import pytest

from tests.conftest import patience, wait_for
from tests.serve.serving import JSON


@pytest.fixture
def serve(cli):
    """Starts a server on a free port; its process, its address and the token that it shows."""

    def start(*arguments, skip=""):
        process = cli.start("serve", *arguments, "--port", 0)
        assert skip in (process.stderr.readline().decode() if skip else "")
        said = [process.stderr.readline().decode()]
        said += [process.stderr.readline().decode()] if "--tokens" not in arguments else []
        address = re.search(r"http://\S+", said[0])
        assert address, (said, process.stderr.read())
        return process, address[0], said[-1].split()[-1]

    return start


def configured(tmp_path, program):
    words = program(
        "wait_for = task['input'].get('task')\nwhile wait_for and not os.path.exists(wait_for): time.sleep(0.01)\n"
        "evidence(task['run_id']); reply({'result': {'seen': sorted(os.environ)}})"
    )
    (tmp_path / "workermd.toml").write_text(f"[workers.echo]\nbackend = 'command'\ncommand = {json.dumps(words[3:])}\n")


def test_a_server_shows_its_token_once_and_drains_when_it_is_told_to_end(cli, serve, contract, program, tmp_path):
    configured(tmp_path, program)
    process, address, token = serve(contract())
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"} | JSON) as client:
        done = client.post("/workers/echo/runs", content='{"run_id": "a"}')
        assert done.status_code == 200
        assert token not in str(done.json())
        go = str(tmp_path / "go")
        body = json.dumps({"run_id": "b", "task": go})
        assert client.post("/workers/echo/runs", content=body, headers={"Prefer": "respond-async"}).status_code == 202
        process.send_signal(signal.SIGTERM)
        until_draining(client)
        refused = client.post("/workers/echo/runs", content='{"run_id": "c"}')
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        (tmp_path / "go").touch()
    rest = process.communicate(timeout=patience(20))[1].decode()
    assert process.returncode == 0, rest
    assert token not in rest
    assert json.loads(cli("runs", "show", "b", "--format", "json").out)["status"] == "ok"


@pytest.mark.rule("S4.14")
def test_what_a_killed_server_had_accepted_is_carried_out_by_the_next(
    cli, serve, contract, program, tmp_path, evidence
):
    configured(tmp_path, program)
    spec, go = contract(), str(tmp_path / "go")
    process, address, token = serve(spec, "--jobs", 2)
    headers = {"Authorization": f"Bearer {token}"} | JSON | {"Prefer": "respond-async"}
    names = [f"r{number}" for number in range(8)]
    with httpx.Client(base_url=address, headers=headers) as client:
        for name in names:
            told = client.post("/workers/echo/runs", content=json.dumps({"run_id": name, "task": go}))
            assert told.status_code == 202
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    process, address, token = serve(spec, "--jobs", 2, skip="going on with 8 runs")
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as client:
        for name in names:
            wait_for(lambda name=name: client.get(f"/workers/echo/runs/{name}").status_code == 200)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=patience(20))
    assert sorted({*evidence()}) == names


def until_draining(client):
    for _ in range(1000):
        if client.get("/readyz").status_code == 503:
            return
    raise AssertionError("it does not drain")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tokens", "missing"], "missing: the tokens cannot be read"),
        (["--public", "runs.example.org"], "--public runs.example.org: no address of a server"),
        (["--jobs", "0"], "--jobs takes a number from 1"),
        (["other.worker.md"], "its id 'echo' is also that of"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_listens(
    cli, contract, program, tmp_path, arguments, expected
):
    configured(tmp_path, program)
    contract("other.worker.md")
    done = cli("serve", contract(), *arguments, "--port", 0)
    assert (done.code, done.out) == (2, b"")
    assert expected in done.err
