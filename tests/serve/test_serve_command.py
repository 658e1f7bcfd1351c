"""`workermd serve` as a process: what it says, what it takes, and how it ends."""

import json
import re
import signal
import ssl

import httpx
import pytest
import trustme

from tests.conftest import patience, wait_for
from tests.serve.serving import JSON

TOKEN = "never-in-a-task-" + "t" * 20


@pytest.fixture
def serve(cli):
    """Starts a server on a free port; its process, its address and the token that it shows."""

    def start(*arguments, skip=""):
        process = cli.start("serve", *arguments, "--port", 0)
        assert skip in (process.stderr.readline().decode() if skip else "")
        said = [process.stderr.readline().decode()]
        said += [process.stderr.readline().decode()] if "--tokens" not in arguments else []
        address = re.search(r"https?://\S+", said[0])
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


@pytest.mark.rule("S6.3", "S10.2")
def test_a_task_finds_the_token_nowhere(cli, serve, contract, program, tmp_path, evidence):
    """It looks into its environment, the file of tokens, and the memory and environment of the server."""
    words = program(
        "found = json.dumps(dict(os.environ))\n"
        "for path in [task['input']['task'], f'/proc/{os.getppid()}/environ', *task['input']['context']['paths']]:\n"
        "    try: found += open(path, errors='replace').read(100_000)\n"
        "    except OSError as error: evidence(type(error).__name__)\n"
        "reply({'result': {'found': task['input']['context']['secret'][::-1] in found}})"
    )
    (tmp_path / "workermd.toml").write_text(f"[workers.echo]\nbackend = 'command'\ncommand = {json.dumps(words[3:])}\n")
    tokens = tmp_path / "tokens"
    tokens.write_text(f"ada:{TOKEN}\n")
    tokens.chmod(0o600)
    process, address, _ = serve(contract(), "--tokens", "tokens")
    asked = {"secret": TOKEN[::-1], "paths": [f"/proc/{process.pid}/environ", f"/proc/{process.pid}/cmdline"]}
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"} | JSON) as client:
        body = json.dumps({"run_id": "a", "task": str(tokens), "context": asked})
        done = client.post("/workers/echo/runs", content=body).json()
    process.terminate()
    process.communicate(timeout=patience(20))
    held = json.loads(cli("runs", "show", "a", "--format", "json").out)["envelope"]["attempts"][0]["sandbox"]["held"]
    assert done["result"]["found"] is ("files" not in held)
    assert "files" not in held or evidence()


def test_https_is_served_with_the_files_of_a_certificate(serve, contract, program, tmp_path):
    configured(tmp_path, program)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(tmp_path / "cert.pem", append=number > 0)
    process, address, token = serve(contract(), "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    trusted = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, verify=trusted) as client:
        assert address.startswith("https://")
        assert client.get("/workers").status_code == 200
        assert client.get("/workers", headers={"Origin": address}).status_code == 200
    process.terminate()
    process.communicate(timeout=patience(20))


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
        (["--tls-cert", "missing.pem"], "HTTPS needs a certificate and its key"),
        (["--tls-cert", "echo.worker.md", "--tls-key", "echo.worker.md"], "no certificate with its key"),
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
