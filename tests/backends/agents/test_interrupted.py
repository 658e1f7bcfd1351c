"""A run with a model that is interrupted, killed, or cannot write down what it sees: nothing is left, nothing is lost."""

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.conftest import patience
from tests.late import needs
from workermd.testing import Call, Hang, Server, Text, ToolCalls

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")


@pytest.fixture
def asking(cli, contract, tmp_path, given) -> Iterator[Any]:
    """Starts a run against a script, and returns with the second request under way."""
    servers: list[Server] = []

    def start(script: Any, *flags: object) -> Any:
        servers.append(server := Server(script))
        (tmp_path / "workermd.toml").write_text(
            f'[workers.echo]\nbackend = "chat"\nmodel = "m"\nbase_url = "{server.url}"\n'
        )
        command = (
            "run",
            contract(constraints={"max_attempts": 3, "timeout_seconds": 8}),
            given("a"),
            "--envelope",
            *flags,
        )
        process = cli.start(*command)
        assert server.wait(lambda server: len(server.requests) == 2, 30)
        return process, server, command

    yield start
    for server in servers:
        server.close()


def test_an_interrupt_in_a_call_of_a_model_leaves_nothing(asking):
    process, server, _ = asking([Text("no"), Hang()])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patience(20))
    assert process.returncode == 130
    envelope = json.loads(out)
    assert envelope["error"]["code"] == "cancelled"
    assert envelope["usage"] == {"turns": 2, "input_tokens": 12, "output_tokens": 6}
    assert server.wait(lambda server: server.open_connections == 0)
    assert b"Traceback" not in err


@pytest.mark.rule("S3.2", "S3.6", "S4.3")
def test_a_killed_run_goes_on_with_what_its_attempts_have_used(asking, cli):
    process, server, command = asking([Text("no"), Hang(), Text(ANSWER)])
    process.kill()
    process.communicate(timeout=patience(20))
    done = cli(*command)
    assert (done.code, len(server.requests)) == (0, 3)
    envelope = done.document
    assert [attempt["outcome"] for attempt in envelope["attempts"]] == ["invalid_output", "crashed", "ok"]
    assert envelope["usage"] == {"turns": 3, "input_tokens": 24, "output_tokens": 12}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_events_that_cannot_be_written_end_no_run(chat):
    ran = chat([Text(ANSWER)], "--events", "/dev/full")
    assert ran.envelope["status"] == "ok"


@pytest.mark.rule("S3.1")
def test_a_reader_of_events_that_reads_nothing_holds_up_no_run(chat, tmp_path):
    pipe = tmp_path / "events"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "long.py").write_text("def text() -> str:\n    return 'x' * 16000\n")
    config = '[tools.text]\nfunction = "long:text"\n'
    try:
        calls = ToolCalls(tuple(Call("text", {}) for _ in range(20)))
        began = time.monotonic()
        ran = chat([calls, Text(ANSWER)], "--events", pipe, config=config, worker={"tools": ["text"]})
        assert ran.envelope["status"] == "ok"
        assert time.monotonic() - began < 20
        lines = os.read(reader, 1 << 20).splitlines()
    finally:
        os.close(reader)
    assert json.loads(lines[0])["event"] == "attempt"


@pytest.mark.rule("S3.4")
def test_a_tool_says_how_long_to_wait(chat, tmp_path):
    (tmp_path / "later.py").write_text(
        "from workermd import Retryable\ndef go() -> str:\n    raise Retryable('not now', after=3)\n"
    )
    given = {"config": '[tools.go]\nfunction = "later:go"\n', "worker": {"tools": ["go"]}}
    ran = chat([ToolCalls((Call("go", {}),)), Text(ANSWER)], constraints={"timeout_seconds": 30}, **given)
    assert [attempt["outcome"] for attempt in ran.envelope["attempts"]] == ["retryable_error", "ok"]
    first, second = (request.at for request in ran.server.requests)
    assert second - first >= 3
    ran = chat([ToolCalls((Call("go", {}),)), Text(ANSWER)], "--timeout", 3, **given)
    assert ran.envelope["error"]["code"] == "backend_unavailable"
    assert len(ran.server.requests) == 1
