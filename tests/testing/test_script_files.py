"""Script files: what they may hold, and what they are told when they hold something else."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, patience
from tests.testing.client import ask
from workermd.protocol.errors import ConfigurationError
from workermd.testing import (
    Call,
    ContentFilter,
    Drop,
    Empty,
    Garbage,
    Hang,
    Problem,
    Refusal,
    Server,
    Slow,
    Text,
    ToolCalls,
    Truncated,
    Usage,
    load,
)

FORMS = [
    ({"text": "x"}, Text("x")),
    ({"text": "x", "usage": None, "finish_reason": "length", "model": "m"}, Text("x", None, "length", "m")),
    ({"text": "x", "usage": {"prompt_tokens": 5}}, Text("x", Usage(5, 6))),
    ({"json": {"a": [1, "é"]}}, Text('{"a": [1, "é"]}')),
    ({"json": None, "model": "m"}, Text("null", model="m")),
    ({"tool_calls": [{"name": "look"}]}, ToolCalls((Call("look"),))),
    (
        {
            "tool_calls": [{"name": "a", "arguments": {"b": 1}, "id": "c"}, {"name": "d", "arguments": "{"}],
            "content": "x",
        },
        ToolCalls((Call("a", {"b": 1}, "c"), Call("d", "{")), "x"),
    ),
    ({"refusal": "No."}, Refusal("No.")),
    ({"truncated": "x", "usage": None}, Truncated("x", None)),
    ({"empty": True}, Empty()),
    ({"content_filter": ""}, ContentFilter()),
    ({"problem": 429, "retry_after": 1}, Problem(429, retry_after=1.0)),
    (
        {"problem": 400, "message": "m", "code": "c", "param": "p", "retry_after": "date", "retry_after_ms": 0.5},
        Problem(400, "m", "c", "date", 0.5, "p"),
    ),
    ({"slow": 0.5, "turn": {"text": "x"}, "between": 1}, Slow(0.5, Text("x"), 1.0)),
    ({"slow": 1, "turn": {"slow": 1, "turn": {"hang": True}}}, Slow(1.0, Slow(1.0, Hang()))),
    ({"hang": True}, Hang()),
    ({"drop": 0}, Drop()),
    ({"drop": 5, "turn": {"text": "x"}}, Drop(5, Text("x"))),
    ({"garbage": "é"}, Garbage("é".encode())),
    ({"garbage": "x", "content_type": "text/html"}, Garbage(b"x", "text/html")),
]


@pytest.fixture
def script(tmp_path):
    def write(content) -> str:
        path = tmp_path / "script.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=2).encode())
        return str(path)

    return write


def test_every_form_becomes_its_turn(script):
    path = script([form for form, _ in FORMS])
    assert load(path) == tuple(turn for _, turn in FORMS)


def test_a_file_is_played(script):
    with Server.from_file(script([{"json": {"a": 1}}, {"problem": 429}]), key="k", loop=True) as server:
        answers = [ask(server, headers={"api-key": "k"}) for _ in range(3)]
        assert ask(server).status == 401
    assert [answer.status for answer in answers] == [200, 429, 200]


BAD = [
    (b'{"text": "x"}', "1:1: found an object; allowed: an array of turns"),
    (b"[\n  1]", "2:3: found a number; allowed: an object with one of text, json, tool_calls"),
    (b"[{}]", "1:2: found a turn without a kind; allowed: an object with one of text"),
    (b'[{"usage": null}]', "1:2: found a turn without a kind; allowed: an object with one of text"),
    (b'[{"text": "x", "hang": true}]', "1:2: found a turn with text and hang; allowed: an object with one of"),
    (
        b'[{"text": "x"},\n {"problem": 429, "retry_afer": 1}]',
        "2:19: found the key 'retry_afer'; allowed: problem, mess",
    ),
    (b'[{"text": 1}]', "1:11: found a number; allowed: a text"),
    (
        b'[{"text": "x", "usage": 5}]',
        "found a number; allowed: null or an object with prompt_tokens, completion_tokens",
    ),
    (b'[{"text": "x", "usage": {"prompt_tokens": -1}}]', "1:43: found a number; allowed: a whole number from 0"),
    (b'[{"text": "x", "usage": {"tokens": 1}}]', "1:26: found the key 'tokens'; allowed: prompt_tokens"),
    (b'[{"tool_calls": []}]', "1:17: found an empty array; allowed: an array of calls"),
    (b'[{"tool_calls": {}}]', "1:17: found an object; allowed: an array of calls"),
    (
        b'[{"tool_calls": [{"id": "x"}]}]',
        "1:18: found no name; allowed: an object with name; its keys: name, arguments, id",
    ),
    (b'[{"tool_calls": ["x"]}]', "1:18: found a text; allowed: an object with name"),
    (b'[{"tool_calls": [{"name": "x", "arguments": 1}]}]', "1:45: found a number; allowed: an object, or a text"),
    (b'[{"tool_calls": [{"name": "x", "args": 1}]}]', "1:32: found the key 'args'; allowed: name, arguments, id"),
    (b'[{"problem": 200}]', "1:14: found a number; allowed: a status from 400 to 599"),
    (b'[{"problem": true}]', "1:14: found true; allowed: a status from 400 to 599"),
    (b'[{"problem": 429, "retry_after": null}]', "1:34: found null; allowed: a number from 0"),
    (b'[{"slow": -1, "turn": {"text": "x"}}]', "1:11: found a number; allowed: a number from 0"),
    (b'[{"slow": 1}]', "1:2: found no turn; allowed: an object with turn; its keys: slow, turn, between"),
    (b'[{"slow": 1, "turn": {"texts": "x"}}]', "1:22: found a turn without a kind"),
    (b'[{"hang": false}]', "1:11: found false; allowed: true"),
    (b'[{"drop": 1.5}]', "1:11: found a number; allowed: a whole number from 0"),
    (b'[{"drop": true}]', "1:11: found true; allowed: a whole number from 0"),
    (b'[{"text": "x"},]', "1:15: "),
    (b'[{"text": "x", "text": "y"}]', "1:16: "),
    (b"", "1:1: "),
    (b'[{"text": "\xff"}]', "script.json: byte 12 is not UTF-8; save the file as UTF-8"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_what_is_wrong_is_named_with_its_place(script, content, message):
    with pytest.raises(ConfigurationError) as raised:
        load(script(content))
    told = f"{raised.value.message}; {raised.value.hint}"
    assert message in told
    assert raised.value.hint
    assert "\n" not in told


def test_no_file():
    with pytest.raises(ConfigurationError, match=r"nowhere\.json: the script cannot be read \(No such file"):
        Server.from_file("nowhere.json")


@pytest.mark.parametrize("content", [content for content, _ in BAD])
def test_no_value_of_the_file_is_repeated(script, content):
    with pytest.raises(ConfigurationError) as raised:
        load(script(content.replace(b'"x"', b'"sesame"')))
    assert "sesame" not in str(raised.value)


def test_a_wrong_file_ends_the_command_with_2(script):
    path = script(b'[{"problem": 429,\n "retry_afer": 1}]')
    command = [sys.executable, "-m", "workermd.testing", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"workermd: \S+script\.json:2:2: found the key 'retry_afer'; allowed: problem, .*; docs/testing.md has the format\n",
        done.stderr,
    )
