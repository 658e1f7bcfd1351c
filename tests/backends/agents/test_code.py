"""Code that agents write, on the executor of this machine: what it prints, what it leaves behind, and its end."""

import os
import time

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.late import needs
from workermd.system import processes
from workermd.task.binding import ToolBinding
from workermd.testing import Call, Text, ToolCalls

needs("autogen_ext", "workermd[agentchat] is not installed")

CODE = {"executor": "local", "languages": ["python", "sh"], "timeout": 2, "python": "", "image": ""}


@pytest.fixture
def ran(attempt, tmp_path):
    """Has blocks of code run, and gives what the model was told of each, beside the attempt."""
    folder = tmp_path / "artifacts"
    folder.mkdir()

    def run(*blocks):
        calls = [ToolCalls([Call("run_code", {"language": "python", "code": text})]) for text in blocks]
        tried = attempt(
            [*calls, Text(ANSWER)], tools=(ToolBinding("run_code", code=CODE),), task={"artifacts_dir": str(folder)}
        )
        assert tried.ending == ("", ""), tried.message
        return tried, [
            message["content"] for message in tried.server.requests[-1].body["messages"] if message["role"] == "tool"
        ]

    return run


def test_bytes_that_are_no_text_lose_nothing_else(ran):
    _, told = ran("import sys; sys.stdout.buffer.write(b'a\\xff\\xfeb \\xc3'); sys.stdout.flush(); print('\u00e4')")
    assert told == ["exit code 0\na\ufffd\ufffdb \ufffd\u00e4\n"]


def test_files_in_folders_are_artifacts(ran, tmp_path):
    tried, told = ran(
        "# filename: sub/x.py\nprint(1)",
        "open('sub/out.csv', 'w').write('a')",
        "import os; os.symlink('/etc/passwd', 'p')",
    )
    assert told[0] == "exit code 0\n1\n"
    assert [(each["name"], each["bytes"], each["media_type"]) for each in tried.result.artifacts] == [
        ("sub/out.csv", 1, "text/csv"),
    ]


def test_code_that_stops_its_watcher_is_ended_all_the_same(ran):
    began = time.monotonic()
    _, told = ran(
        "import os, signal, time\nprint('on', flush=True)\nos.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(60)",
        "print(2)",
    )
    assert time.monotonic() - began < 30
    assert told[0].startswith("exit code 124 (it was ended after 2 seconds)")
    assert told[1] == "exit code 0\n2\n"
    assert not [pid for pid in processes.descendants(os.getpid()) if b"time.sleep(60)" in _command(pid)]


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
