"""`python -m workermd.testing` as a process: its URL, its lines, its end."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT, patience
from tests.testing.client import CHAT, ask, raw, request_bytes

TURNS = [{"json": {"a": 1}}, {"slow": 0.01, "turn": {"problem": 429, "message": "Wait.", "retry_after": 1}}]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(json.dumps(TURNS))
    return path


@pytest.fixture
def start(tmp_path, script):
    """Starts the command and waits for its URL."""
    started = []

    def begin(*options, script=script, env=None):
        command = [sys.executable, "-m", "workermd.testing", str(script), *map(str, options)]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)} | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        url = process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/v1\n", url)
        assert found, (url, process.stderr.read())
        return process, SimpleNamespace(port=int(found[1]))

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def ended(process, number=signal.SIGTERM):
    process.send_signal(number)
    out, err = process.communicate(timeout=patience(30))
    return process.returncode, out, err.splitlines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_plays_until_it_is_ended(start, number):
    process, server = start()
    statuses = [ask(server).status, ask(server, stream=True).status, ask(server).status]
    assert statuses == [200, 429, 410]
    ask(server, "/v1/models", method="GET")
    hanging = raw(server, b"POST")
    code, out, lines = ended(process, number)
    hanging.close()
    assert (code, out) == (0, "")
    told = [re.sub(r"^ +\d+\.\d{3} ", "", line) for line in lines]
    assert told == [
        "POST /v1/chat/completions m: Text",
        "POST /v1/chat/completions m streaming: Slow 0.01 s, Problem 429 Wait.",
        "POST /v1/chat/completions m: Problem 410 the script is over: 2 turns were played",
        "GET /v1/models: the models",
        "workermd: 4 requests, 2 turns played, 1 after the script's end",
    ]


def test_it_ends_while_a_turn_hangs(start, script):
    script.write_text('[{"hang": true}]')
    process, server = start()
    sock = raw(server, request_bytes())
    assert "Hang" in process.stderr.readline()
    code, _, lines = ended(process)
    sock.close()
    assert (code, lines) == (0, ["workermd: 1 requests, 1 turns played"])


def test_a_script_may_start_again(start):
    process, server = start("--loop")
    assert [ask(server).status for _ in range(5)] == [200, 429, 200, 429, 200]
    assert ended(process)[2][-1] == "workermd: 5 requests, 5 turns played"


def test_requests_are_kept_without_keys(start, tmp_path):
    process, server = start("--requests", "seen.jsonl")
    ask(server, CHAT + "?x=1", headers={"Authorization": "Bearer sesame", "api-key": "sesame"}, temperature=0.5)
    ask(server, body=b"{")
    ended(process)
    text = (tmp_path / "seen.jsonl").read_text()
    assert "sesame" not in text
    first, second = map(json.loads, text.splitlines())
    assert first.keys() == {"at", "method", "path", "query", "headers", "body"}
    assert 0 <= first["at"] <= second["at"] < 60
    assert (first["method"], first["path"], first["query"]) == ("POST", CHAT, "x=1")
    assert first["headers"]["authorization"] == first["headers"]["api-key"] == "***"
    assert first["body"]["temperature"] == 0.5
    assert second["body"] is None


def test_what_the_server_can_do_is_chosen(start):
    process, server = start("--without", "tools", "--without", "stream", "--strict-schemas", "--key-env", "MY_KEY",
                            env={"MY_KEY": "sesame"})  # fmt: skip
    headers = {"Authorization": "Bearer sesame"}
    assert ask(server).status == 401
    assert ask(server, headers=headers, stream=True).status == 400
    assert ask(server, headers=headers, tools=[{"type": "function", "function": {"name": "a"}}]).status == 400
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {"type": "object"}}}
    assert ask(server, headers=headers, response_format=wanted).status == 400
    assert ask(server, headers=headers).status == 200
    assert "sesame" not in "".join(ended(process)[2])


def test_a_port_that_is_taken_is_told(start, script):
    _, server = start()
    command = [sys.executable, "-m", "workermd.testing", str(script), "--port", str(server.port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"workermd: --port: port {server.port} cannot be used (Address already in use); "
        "choose another, or leave it out for any that is free\n"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--port", "70000"], "--port: found 70000; allowed: 0 to 65535"),
        (["--requests", "nowhere/seen.jsonl"], "--requests: nowhere/seen.jsonl cannot be written (No such file"),
        (["--key-env", "NOT_SET_HERE"], "--key-env: the variable NOT_SET_HERE is empty or not set"),
        (["--without", "vision"], "invalid choice: 'vision'"),
    ],
)
def test_a_call_that_cannot_be_carried_out(script, options, told):
    command = [sys.executable, "-m", "workermd.testing", str(script), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_told_at_the_end(start):
    process, server = start("--requests", "/dev/full")
    assert ask(server).status == 410
    code, _, lines = ended(process)
    assert code == 2
    assert lines[-1].startswith("workermd: --requests: /dev/full cannot be written (No space left on device)")
