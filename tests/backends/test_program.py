"""The kind `program`: real programs, called by the words of a contract's `x-call`."""

import json
import time

import pytest

from tests.attempt_process import a_task
from workermd.backends import program
from workermd.protocol.call import Unwritable, WrongCall, parse, words_of
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result

pytestmark = pytest.mark.rule("S8.8")

SHOW = 'for word in "$@"; do printf "<%s>" "$word"; done'


def line(*parts) -> tuple[str, ...]:
    return ("program", *(part if isinstance(part, str) else json.dumps(part) for part in parts))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def ran(script, call, given, *, seconds=20.0, max_bytes=1 << 16, **own) -> Result:
        binding = Binding("program", "workermd.toml", command=("/bin/sh", "-c", script, "sh"), arrangement=own)
        task = a_task(tmp_path, input={"run_id": "r", **given})._replace(
            call=call, run_id="r", output_schema={"properties": {"status": {}}}
        )
        return program.perform(task, binding, Limits(time.monotonic() + seconds, max_bytes))

    return ran


ALL = line(
    {"flag": "--loud", "off": "--quiet", "from": "loud"},
    "sort",
    {"option": "--by", "from": "by"},
    {"option": "--tag", "each": True, "from": "tag"},
    {"option": "--pair", "list": True, "each": True, "from": "pair"},
    {"count": "-v", "from": "verbose"},
    {"choice": {"upper": "--upper", "lower": "--lower"}, "from": "case"},
    {"position": True, "from": "path"},
    {"position": True, "list": True, "from": "more"},
)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"path": "a b"}, ["sort", "a b"]),
        ({"path": "$(id); `id` 'x'"}, ["sort", "$(id); `id` 'x'"]),
        ({"loud": True, "by": "size", "path": "p"}, ["--loud", "sort", "--by", "size", "p"]),
        ({"loud": False, "verbose": 2, "path": "p"}, ["--quiet", "sort", "-v", "-v", "p"]),
        (
            {"tag": ["a", "b"], "pair": [["x", 1]], "path": "p"},
            ["sort", "--tag", "a", "--tag", "b", "--pair", "x", "1", "--", "p"],
        ),
        ({"case": "lower", "path": "p", "more": ["q", "r"]}, ["sort", "--lower", "p", "q", "r"]),
        ({"path": "-rf"}, ["sort", "--", "-rf"]),
        ({"path": "p", "more": ["--help"]}, ["sort", "p", "--", "--help"]),
        ({"by": "--exec=x", "path": "p"}, ["sort", "--by=--exec=x", "p"]),
        ({"path": None, "by": None}, ["sort"]),
    ],
)
def test_words_are_those_of_x_call_and_no_shell_sees_them(run, given, words):
    result = run(SHOW, ALL, given)
    assert result.output is not None
    assert json.loads(result.output)["result"]["stdout"] == "".join(f"<{word}>" for word in words)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"other": 1}, "'other' is not among the arguments"),
        ({"loud": "yes"}, "'loud' is true or false"),
        ({"verbose": 10**9}, "'verbose' says how often"),
        ({"case": "middle"}, "'case' is none of upper, lower"),
        ({"by": {"a": 1}}, "'by' is an object"),
        ({"by": "a\0b"}, "NUL"),
        ({"pair": [["-x", "y"]]}, "would be taken for an option"),
    ],
)
def test_an_input_that_no_command_line_can_say_is_rejected(run, given, said):
    result = run(SHOW, ALL, {"path": "p", **given})
    assert result.failure is not None
    assert (result.failure["kind"], result.failure["code"]) == ("invalid_request", "input_rejected")
    assert said in result.failure["message"]


def test_a_value_before_a_subcommand_cannot_become_an_option():
    call = parse(line({"position": True, "from": "first"}, "sort"))
    with pytest.raises(Unwritable, match="it would be taken for an option"):
        words_of(call, {"first": "-x"})


def test_exit_codes_stderr_and_json(run):
    good = json.loads(run("echo '{\"n\": 1}'; echo warned >&2", line(), {}).output)["result"]
    assert good == {"exit_code": 0, "stdout": '{"n": 1}\n', "stderr": "warned\n", "json": {"n": 1}}
    bad = run("echo first; echo 'no such table' >&2; exit 3", line(), {})
    assert bad.failure is not None
    assert (bad.failure["kind"], bad.failure["code"]) == ("refused", "backend_failed")
    assert bad.failure["message"].endswith("ended with exit code 3: no such table")
    listed = run("exit 3", line(), {}, ok_exit_codes=[3])
    assert json.loads(listed.output)["result"]["exit_code"] == 3
    killed = run("kill -9 $$", line(), {})
    assert killed.failure is not None
    assert killed.failure["code"] == "attempt_crashed"


def test_it_is_bounded_like_any_task(run):
    late = run("sleep 60", line(), {}, seconds=0.3)
    assert late.failure is not None
    assert late.failure["kind"] == "timeout"
    large = run("yes", line(), {}, max_bytes=1000)
    assert large.failure is not None
    assert large.failure["code"] == "output_too_large"
    noisy = run("head -c 3000000 /dev/zero >&2; echo done", line(), {})
    assert json.loads(noisy.output)["result"]["stdout"] == "done\n"


@pytest.mark.parametrize(
    "call", [(), ("shell", "x"), line({"run": "x", "from": "y"}), line({"option": 1, "from": "y"}), line("{")]
)
def test_a_call_that_says_nothing_runs_nothing(run, call, tmp_path):
    with pytest.raises(WrongCall):
        parse(call)
    result = run("touch ran", call, {})
    assert result.failure is not None
    assert result.failure["code"] == "backend_failed"
    assert not (tmp_path / "ran").exists()
