"""Tools from every source as agents get them: Python functions and code; what cannot be had is said before an attempt."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.conftest import FOUR, loaded_by, patience
from tests.late import LATE
from workermd.system import processes
from workermd.task.binding import Binding, ServerBinding, ToolBinding
from workermd.task.task import Refused
from workermd.testing import Call, Text, ToolCalls

if LATE:
    from workermd.backends.agents import bounded, functions, tools

SOURCE = '''
import dataclasses, datetime, time
from pydantic import BaseModel
from workermd import Retryable


class Point(BaseModel):
    x: int
    y: int = 0


@dataclasses.dataclass
class Note:
    text: str


def sync(a: int, b: "list[str]" = []) -> str:
    """Says what it was given."""
    return f"{a} {b}"

async def other(point: Point) -> Point:
    return Point(x=point.y, y=point.x)

def untyped(x): return x

def awkward(schema: str, model_config: int = 1, _hidden: str = "h", class_: str = "c") -> dict:
    return {"schema": schema, "model_config": model_config, "_hidden": _hidden, "class_": class_}

def returns(what: str):
    return {"none": None, "dict": {"a": datetime.date(2026, 1, 2)}, "note": Note("ä"), "odd": object, "nan": float("nan")}[what]

def lazily(x: int):
    async def later(): return x + 1
    return later()

class Callable:
    async def __call__(self, x: int) -> int: return x * 2

obj = Callable()

def leaves(): raise SystemExit(3)
async def cancels():
    import asyncio
    raise asyncio.CancelledError
def later(): raise Retryable("not now", after=0.1)
def rest(*args): return args
def strange(x: time.struct_time.__class__("NoJson", (), {})): return x
def unknown(x: "Nowhere"): return x
nothing = 5
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "some_tools.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_tools", raising=False)


def runner(name: str) -> tools.Runner:
    return functions.runner(ToolBinding("t", function=f"some_tools:{name}"), "here", "")


def called(name: str, **arguments: Any) -> str:
    return asyncio.run(runner(name).call(arguments))  # type: ignore[arg-type]


@pytest.mark.usefixtures("module")
class TestFunctions:
    def test_a_signature_is_the_schema(self):
        found = runner("sync")
        assert found.description == "Says what it was given."
        assert found.schema["properties"]["a"]["type"] == "integer"
        assert found.schema["properties"]["b"]["items"] == {"type": "string"}
        assert found.schema["required"] == ["a"]
        assert found.schema["additionalProperties"] is False

    @pytest.mark.parametrize(
        ("name", "arguments", "text"),
        [
            ("sync", {"a": 1, "b": ["x"]}, "1 ['x']"),
            ("sync", {"a": "1"}, "1 []"),
            ("other", {"point": {"x": 1, "y": 2}}, '{"x":2,"y":1}'),
            ("untyped", {"x": {"deep": [1]}}, '{"deep":[1]}'),
            ("lazily", {"x": 1}, "2"),
            ("obj", {"x": 2}, "4"),
            ("returns", {"what": "none"}, "null"),
            ("returns", {"what": "dict"}, '{"a":"2026-01-02"}'),
            ("returns", {"what": "note"}, '{"text":"ä"}'),
            ("returns", {"what": "odd"}, "\"<class 'object'>\""),
            ("returns", {"what": "nan"}, "null"),
        ],
    )
    def test_what_a_function_answers(self, name, arguments, text):
        assert called(name, **arguments) == text

    def test_parameters_may_have_any_name(self):
        found = runner("awkward")
        assert list(found.schema["properties"]) == ["schema", "model_config", "_hidden", "class_"]
        assert json.loads(called("awkward", schema="s", _hidden="x")) == {
            "schema": "s", "model_config": 1, "_hidden": "x", "class_": "c"
        }  # fmt: skip

    @pytest.mark.parametrize("arguments", [{}, {"a": "x"}, {"a": 1, "c": 2}, {"parameter_0": 1}])
    def test_arguments_that_do_not_fit_are_told(self, arguments):
        assert called("sync", **arguments).startswith("error: the arguments do not fit: ")

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("rest", "parameter args cannot be given by name"),
            ("strange", "an annotation of its parameters has no JSON"),
            ("unknown", "its signature cannot be read (NameError)"),
            ("nothing", "not a callable"),
            ("gone", "has no gone"),
        ],
    )
    def test_what_is_no_tool(self, name, said):
        with pytest.raises(Refused) as raised:
            runner(name)
        assert said in str(raised.value)
        assert "tool t (here)" in str(raised.value)


def test_a_function_that_leaves_is_told_to_the_model(bound, tmp_path):
    (tmp_path / "some_tools.py").write_text(SOURCE)
    config = '[tools.leaves]\nfunction = "some_tools:leaves"\n[tools.cancels]\nfunction = "some_tools:cancels"\n'
    script = [ToolCalls((Call("leaves", {}), Call("cancels", {}))), Text(ANSWER)]
    ran = bound(script, config=config, worker={"tools": ["leaves", "cancels"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    told = [message["content"] for message in ran.server.requests[1].body["messages"] if message["role"] == "tool"]
    assert told == ["error: the tool failed with SystemExit", "error: the tool failed with CancelledError"]
    assert "Traceback" in ran.done.err  # the log has what the model is not told


@pytest.mark.every_kind
@pytest.mark.rule("S8.3")
def test_a_task_error_of_a_tool_ends_the_attempt(bound, tmp_path):
    (tmp_path / "some_tools.py").write_text(SOURCE)
    config = '[tools.later]\nfunction = "some_tools:later"\n'
    ran = bound([ToolCalls((Call("later", {}),)), Text(ANSWER)], config=config, worker={"tools": ["later"]})
    assert [attempt["outcome"] for attempt in ran.envelope["attempts"]] == ["retryable_error", "ok"]
    assert ran.envelope["attempts"][0]["error"]["message"] == "not now"


@pytest.mark.rule("S3.3")
def test_a_tool_that_blocks_is_left_at_the_deadline(bound, tmp_path):
    (tmp_path / "slow.py").write_text("import time\ndef wait() -> str:\n    time.sleep(600)\n    return ''\n")
    config = '[tools.wait]\nfunction = "slow:wait"\n'
    began = time.monotonic()
    ran = bound([ToolCalls((Call("wait", {}),))] * 2, "--timeout", "4", config=config, worker={"tools": ["wait"]})
    assert time.monotonic() - began < 15
    assert ran.envelope["error"]["code"] == "timeout"


def test_an_approval_holds_for_the_same_tool_with_the_same_arguments(bound, cli, tmp_path):
    (tmp_path / "sums.py").write_text(
        "def add(a: int, b: dict = {}) -> int:\n    open('called.txt', 'a').write(f'{a} ')\n    return a\n"
        "def sub(a: int, b: dict = {}) -> int:\n    return add(-a)\n"
    )
    tables = "".join(f'[tools.{name}]\nfunction = "sums:{name}"\napprove = true\n' for name in ("add", "sub"))
    five = [*FOUR, "needs_human"]

    def attempt(tool: str, arguments: dict[str, Any]) -> Any:
        """It begins anew: a request that differs from the one before is not given the same answer."""
        script = [ToolCalls((Call(tool, arguments),)), Text(ANSWER)]
        worker = {"tools": ["add", "sub"], "instructions": f"Think of {tool} and {arguments}."}
        return bound(script, config=tables, worker=worker, statuses=five, run_id="a").envelope

    assert attempt("add", {"a": 1, "b": {"x": 1, "y": 2}})["error"]["code"] == "approval_required"
    assert cli("approve", "a", "--by", "ann").code == 0
    assert attempt("add", {"a": 2, "b": {"x": 1, "y": 2}})["error"]["code"] == "approval_required"
    assert cli("approve", "a", "--deny", "--by", "ann").code == 0
    assert attempt("sub", {"a": 1, "b": {"x": 1, "y": 2}})["error"]["code"] == "approval_required"
    assert not (tmp_path / "called.txt").exists()
    assert cli("approve", "a", "--deny", "--by", "ann").code == 0
    assert attempt("add", {"b": {"y": 2, "x": 1}, "a": 1})["status"] == "ok"
    assert (tmp_path / "called.txt").read_text() == "1 "


# --- found before an attempt --------------------------------------------------------------------------------------

CODE: dict[str, Any] = {"executor": "local", "languages": ["python"], "timeout": 20, "python": "", "image": "i"}


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (ToolBinding("t", function="no_such_module:f"), "there is no module no_such_module"),
        (ToolBinding("t", function="no_such_entry_point"), "no installed package has an entry point of that name"),
        (ToolBinding("t", function="os.path"), "no installed package has an entry point"),
        (ToolBinding("a b", function="os:getcwd"), "models call tools by names"),
        (ToolBinding("t", server="gone"), "program /no/such/server: it was not found"),
        (ToolBinding("t", server="keyed"), "the variable WORKERMD_TEST_UNSET is not set"),
        (ToolBinding("t", code={**CODE, "languages": ["python"], "python": "/no/such/python"}), "it was not found"),
        (ToolBinding("t", code={**CODE, "executor": "docker"}), "docker"),
    ],
)
def test_what_cannot_be_had_is_known_before(tool, said):
    pytest.importorskip("mcp", reason="mcp is not installed")
    pytest.importorskip("autogen_ext", reason="autogen_ext is not installed")
    servers = {
        "gone": ServerBinding("gone", ("/no/such/server",)),
        "keyed": ServerBinding("keyed", url="http://127.0.0.1:1", header_env={"X": "WORKERMD_TEST_UNSET"}),
    }
    reason = tools.unusable(Binding("chat", "here", tools=(tool,), servers=servers))
    assert reason.startswith("tool ")
    assert "here" in reason
    assert said in reason


def test_an_extra_that_is_not_installed_is_named(tmp_path):
    """A real interpreter in which the library cannot be imported."""
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from workermd.backends.agents import tools; from workermd.task.binding import *\n"
        "print(tools.missing(Binding('chat', 'here', tools=(ToolBinding('t', server='s'),), servers={'s': ServerBinding('s')})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("which is not installed: pip install 'workermd[mcp]'")


def test_a_source_is_imported_where_it_is_bound_only():
    loaded = loaded_by("import workermd.backends.agents.tools, workermd.backends.agents.conversation")
    assert not {"mcp", "autogen_ext", "workermd.backends.agents.mcp_client", "workermd.backends.agents.code"} & loaded


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("code = {}", "executor is none of local, docker"),
        ('code = { executor = "local", languages = ["perl"] }', "known: python, sh, bash"),
        ('code = { executor = "local", timeout = 0 }', "timeout is not a count"),
        ('code = { executor = "local", network = false }', "unknown key 'network'"),
        ('function = "a:b"\nallow = ["t(a"]', "which is no pattern"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(cli, contract, given, tmp_path, table, said):
    (tmp_path / "workermd.toml").write_text(f"[tools.t]\n{table}\n")
    done = cli("run", contract(), given("a"))
    assert done.code == 2
    assert said in done.err


# --- code ---------------------------------------------------------------------------------------------------------

RUN_CODE = '[tools.run_code]\ncode = { executor = "local", languages = ["python", "sh"], timeout = 3 }\n'


def code_of(bound: Any, *blocks: tuple[str, str], **more: Any) -> tuple[Any, list[str]]:
    calls = tuple(Call("run_code", {"language": language, "code": text}) for language, text in blocks)
    ran = bound(
        [*(ToolCalls((call,)) for call in calls), Text(ANSWER)], config=RUN_CODE, worker={"tools": ["run_code"]}, **more
    )
    messages = ran.server.requests[-1].body["messages"]
    return ran, [message["content"] for message in messages if message["role"] == "tool"]


def test_code_runs_and_its_files_are_in_the_artifacts_folder(bound, tmp_path):
    ran, told = code_of(
        bound,
        ("python", "open('made.txt', 'w').write('x'); print(6 * 7)"),
        ("sh", "cat made.txt; pwd >&2; exit 3"),
        ("perl", "1"),
    )
    assert ran.envelope["status"] == "ok", ran.done.err
    assert told[0] == "exit code 0\n42\n"
    assert told[1].startswith("exit code 3\n")
    assert told[1].endswith("x")
    assert told[2].startswith("error: give code as text")
    (made,) = (tmp_path / "state").glob("ledger.db.artifacts/*/made.txt")
    assert str(made.parent) in told[1]
    assert [file.name for file in made.parent.iterdir()] == ["made.txt"]


@pytest.mark.rule("S3.3")
def test_code_that_does_not_end_is_ended_with_all_that_it_started(bound):
    text = (
        "import subprocess, sys\n"
        "for group in (False, True):\n"
        "    subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'], start_new_session=group)\n"
        "print('begun', flush=True)\nwhile True: pass"
    )
    run_id = uuid.uuid4().hex  # no other run of this machine has it
    ran, told = code_of(bound, ("python", text), run_id=run_id)
    assert told == ["exit code 124 (it was ended after 3 seconds)\nbegun\n"], ran.done.err
    assert processes.marked(f"WORKERMD_RUN_ID={run_id}".encode()) == []


@pytest.mark.rule("S6.3")
def test_code_sees_no_keys(bound):
    ran, told = code_of(
        bound,
        ("python", "import os; print(sorted(name for name in os.environ))"),
        model={"api_key_env": "MY_KEY"}, env={"MY_KEY": "sk-secret-4711"}, serve={"key": "sk-secret-4711"},
    )  # fmt: skip
    assert "MY_KEY" not in told[0]
    assert "WORKERMD_RUN_ID" in told[0]
    assert ran.envelope["status"] == "ok"


def test_what_code_prints_is_bounded(bound):
    _, told = code_of(bound, ("python", "while True: print('x' * 10000)"))
    assert told[0].startswith("exit code 124")
    assert len(told[0]) < 300_000


def test_code_needs_approval_where_the_operator_says_so(bound):
    five = [*FOUR, "needs_human"]
    script = [ToolCalls((Call("run_code", {"language": "sh", "code": "rm -r x"}),))]
    ran = bound(script, config=RUN_CODE + "approve = true\n", worker={"tools": ["run_code"]}, statuses=five)
    assert ran.envelope["error"]["code"] == "approval_required"


def test_a_container_needs_an_engine(bound):
    config = '[tools.run_code]\ncode = { executor = "docker" }\n'
    ran = bound([Text(ANSWER)], config=config, worker={"tools": ["run_code"]})
    assert ran.done.code == 2
    assert "docker" in ran.envelope["error"]["message"]
    assert not ran.server.requests


def test_a_container_ends_by_itself():
    code = pytest.importorskip("workermd.backends.agents.code", reason="autogen_ext is not installed")
    began = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", f"{code.lifetime(0.5)};exec /bin/sh"], stdin=subprocess.DEVNULL, timeout=patience(20), check=False
    )
    assert 0.9 < time.monotonic() - began < 10
    assert done.returncode == 0
    process = subprocess.Popen(["sh", "-c", f"{code.lifetime(600)};exec /bin/sh"], start_new_session=True)
    time.sleep(0.3)
    process.terminate()
    assert process.wait(patience(10)) == 0
    os.killpg(process.pid, 9)  # its sleep; in a container it ends with the first process


def bounded_run(seconds: float, most: int, *command: str) -> Any:
    script = [sys.executable, "-I", "-S", str(Path(bounded.__file__)), str(seconds), str(most), *command]
    return subprocess.run(script, capture_output=True, timeout=patience(60), check=False)


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        (("sh", "-c", "echo out; echo err >&2; exit 5"), 5, b"out\n", b"err\n"),
        (("sh", "-c", "kill -9 $$"), 137, b"", b""),
        (("sh", "-c", "sleep 600 & echo begun"), 0, b"begun\n", b""),
        (("sh", "-c", "exec >&- 2>&-; sleep 0.2"), 0, b"", b""),
        (("/no/such/program",), 127, b"", b"/no/such/program: No such file or directory\n"),
        (("sh", "-c", "printf %0200d 0"), 0, b"0" * 100 + b"\n[what follows was dropped: too much was printed]\n", b""),
    ],
)
def test_a_program_is_run_bounded(command, code, out, err):
    done = bounded_run(10, 100, *command)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_a_program_that_ignores_signals_is_ended():
    began = time.monotonic()
    assert (
        bounded_run(0.5, 100, "sh", "-c", "trap '' TERM INT HUP; while :; do :; done").returncode == bounded.TIME_OVER
    )
    assert time.monotonic() - began < 10


def test_what_a_program_started_ends_with_it():
    command = (
        "import subprocess, sys\n"
        "for group in (False, True):\n"
        "    subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'], start_new_session=group)\n"
    )
    script = [sys.executable, "-I", "-S", str(Path(bounded.__file__)), "30", "100", sys.executable, "-c", command]
    subprocess.run(script, env={"WORKERMD_TEST_BOUNDED": "1"}, timeout=patience(60), check=True)
    assert processes.marked(b"WORKERMD_TEST_BOUNDED=1") == []
