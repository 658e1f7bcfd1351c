"""`workermd doctor`: what is there, where it came from, and whether it would work; never a key."""

import json

import pytest

from tests.report.test_live import Terminal
from workermd.testing import Server, Text

CONFIG = """
ledger = "runs.db"

[models.local]
model = "scripted-1"
base_url = "{url}"
api_key_env = "MY_KEY"

[tools.add]
function = "sums:add"

[workers.adder]
backend = "chat"
model = "local"
tools = ["add"]

[workers.shell]
command = ["{program}"]
"""


@pytest.fixture
def configured(tmp_path):
    with Server([Text("{}")], key="sk-secret-4711") as server:

        def write(url=server.url, program="cat"):
            (tmp_path / "workermd.toml").write_text(CONFIG.format(url=url, program=program))
            (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a\n")

        write()
        yield write


def test_all_is_well(cli, configured, tmp_path):
    done = cli("doctor", "--json", env={"MY_KEY": "sk-secret-4711"})
    assert done.code == 0, done.out.decode()
    found = done.document
    assert found["problems"] == []
    assert found["configuration"] == str(tmp_path / "workermd.toml")
    assert found["models"]["local"]["endpoint"] == "answers"
    assert found["variables"]["MY_KEY"] is True
    assert {binding["worker"]: binding["backend"] for binding in found["bindings"]} == {
        "adder": "chat",
        "shell": "command",
    }
    assert found["extras"]["agentchat"]["autogen-agentchat"] == "0.7.5"
    assert b"sk-secret" not in done.out


def test_what_would_not_work_is_said_and_is_a_finding(cli, configured):
    configured(url="http://127.0.0.1:9/v1", program="no-such-program")
    done = cli("doctor")
    text = done.out.decode()
    assert done.code == 1
    assert "problem: model local: the variable MY_KEY is not set" in text
    assert "problem: model local: the endpoint does not answer" in text
    assert "problem: [workers.shell]: program no-such-program: " in text
    assert "problem: [workers.adder]: " in text


def test_a_wrong_key_is_told_apart(cli, configured):
    done = cli("doctor", "--json", env={"MY_KEY": "sk-wrong-4711"})
    assert done.document["models"]["local"]["endpoint"] == "the endpoint does not accept the key of MY_KEY"
    assert "sk-wrong" not in done.out.decode() + done.err


def test_offline_asks_nobody(cli, configured):
    configured(url="http://127.0.0.1:9/v1")
    done = cli("doctor", "--json", "--offline", env={"MY_KEY": "sk-secret-4711"})
    assert (done.code, done.document["models"]["local"]["endpoint"]) == (0, None)


def test_nothing_configured_is_no_problem(cli):
    done = cli("doctor", "--no-config")
    assert done.code == 0
    assert "no problem found" in done.out.decode()


def test_the_lines_stay_readable(cli, configured):
    done = cli("doctor", env={"MY_KEY": "sk-secret-4711"})
    assert "worker           adder: chat with scripted-1, tools add (works)" in done.out.decode()
    assert json.loads(cli("doctor", "--json", env={"MY_KEY": "sk-secret-4711"}).out)["ledger"]["from"].endswith(
        "LEDGER"
    )


def test_on_a_terminal_the_lines_fold_below_what_they_tell(cli, configured):
    screen = Terminal(80)
    configured(program="no-such-program-" + "of-a-long-name-" * 2)
    process = cli.start("doctor", stdout=screen.theirs, env={"TERM": "xterm"})
    screen.wait(process)
    process.communicate()
    screen.close()
    lines = screen.text.replace("\r\n", "\n").splitlines()
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 1] == [], "a path alone stays whole"
    assert "agent-framework  agent-framework-core" in screen.text
    assert any(line.startswith(" " * 17 + "agent-framework-") for line in lines), "a long row goes on below itself"
    assert any(line.startswith("problem: [workers.shell]") for line in lines)
    piped = cli("doctor").out.decode().splitlines()
    assert len(piped) < len(lines), "a program reads one finding on a line"
