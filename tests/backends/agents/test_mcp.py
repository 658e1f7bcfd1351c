"""The kind `mcp` and tools of MCP servers: real servers of the official SDK, and hostile ones written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.conftest import ANYTHING, FOUR, patience, wait_for
from tests.late import LATE, needs
from workermd.system import processes
from workermd.task.binding import Binding, ServerBinding, ToolBinding
from workermd.task.task import Refused, Retryable
from workermd.testing import Call, Text, ToolCalls

if LATE:
    from mcp import types

    from workermd.backends.agents import mcp_client, mcp_said, mcp_streams
    from workermd.backends.agents.mcp_client import CallError, connected, runners
    from workermd.backends.mcp import document_of

needs("mcp", "mcp is not installed, so no MCP server can be tried")

SERVERS = Path(__file__).parent / "servers"
FIVE = [*FOUR, "needs_human"]
GATEWAY: dict[str, Any] = {
    "type": "object",
    "required": ["run_id"],
    "properties": {"run_id": {"type": "string"}, "tool": {"type": "string"}, "arguments": ANYTHING},
}


PRELOADED: list[str] = []
"""The path of the loaded server of the SDK, while this module's tests run."""


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> Iterator[None]:
    program = [sys.executable, str(SERVERS / "preloaded.py")]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        with subprocess.Popen([*program, "serve", path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            PRELOADED.append(path)
            yield
            PRELOADED.clear()
            process.kill()


def honest() -> list[str]:
    """A server of the SDK on stdio."""
    return [sys.executable, "-S", str(SERVERS / "preloaded.py"), *PRELOADED]


def started(*arguments: object) -> list[str]:
    """The same with a start of its own."""
    return [sys.executable, str(SERVERS / "honest.py"), *map(str, arguments)]


def hostile(*words: object) -> tuple[str, ...]:
    return (sys.executable, "-S", str(SERVERS / "hostile.py"), *map(str, words))


@pytest.fixture
def gateway(cli, contract, given) -> Callable[..., Any]:
    """Calls a tool through the kind mcp: the server is the program of the flags, or what the configuration binds."""

    def run(
        tool: str | None,
        arguments: Any = None,
        *flags: object,
        server: Any = None,
        constraints: Any = None,
        run_id: str = "a",
        statuses: Any = None,
        config: str = "",
        env: Any = None,
        **schemas: Any,
    ) -> Any:
        if config:
            (cli.folder / "workermd.toml").write_text(config)
        fields = {key: value for key, value in (("tool", tool), ("arguments", arguments)) if value is not None}
        spec = contract(
            statuses=statuses or FIVE,
            constraints=constraints,
            input_schema=schemas.pop("input_schema", GATEWAY),
            mode="tool-gateway-worker",
            **schemas,
        )
        words = () if config else ("--backend", "mcp", "--", *(server or honest()))
        return cli("run", spec, given(run_id, **fields), "--envelope", *flags, *words, env=env)

    return run


def error(done: Any) -> tuple[str, str, bool]:
    told = done.document
    return told["status"], told["error"]["code"], told["error"]["retryable"]


@contextlib.contextmanager
def listening(*words: str) -> Iterator[str]:
    """A server of the SDK on loopback: where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(started(port, *words), stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def address() -> Iterator[str]:
    """A server of the SDK over streamable HTTP on loopback."""
    with listening() as origin:
        yield f"{origin}/mcp"


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


# --- the kind ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("S7.2")
def test_a_tool_is_called_and_its_result_is_the_output(gateway, cli):
    done = gateway("add", {"a": 1, "b": 2}, server=started())
    assert done.code == 0, done.err
    assert done.document["outputs"] == {"run_id": "a", "status": "ok", "result": {"result": 3}}
    assert done.document["usage"] == {"turns": 0, "tool_calls": 1}
    assert (cli.folder / "called.txt").read_text() == "1+2\n"
    assert "add was called" in done.err  # the server's stderr is the attempt's log


@pytest.mark.rule("S2.3")
def test_a_finished_call_is_not_made_again(gateway, cli):
    first, second = gateway("add", {"a": 1}), gateway("add", {"a": 1})
    assert second.document["replayed"] is True
    assert first.document["outputs"] == second.document["outputs"]
    assert (cli.folder / "called.txt").read_text() == "1+1\n"


def test_over_http(gateway, cli, contract, given, address):
    spec = contract(input_schema=GATEWAY)
    done = cli(
        "run",
        spec,
        given("a", tool="page", arguments={"title": "two words"}),
        "--backend",
        "mcp",
        "--base-url",
        address,
    )
    assert done.document["result"] == {"title": "two words", "words": 2}, done.err


@pytest.mark.rule("S6.3")
def test_headers_come_from_variables(gateway, cli, contract, given):
    """The server notes what it is sent, and answers that nobody may."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        (cli.folder / "workermd.toml").write_text(
            f'[servers.s]\nurl = "{url}"\nheader_env = {{ Authorization = "MY_TOKEN" }}\n'
            '[workers.echo]\nbackend = "mcp"\nserver = "s"\n'
        )
        spec = contract(statuses=FIVE, input_schema=GATEWAY)
        running = cli.start("run", spec, given("a", tool="x"), "--envelope", env={"MY_TOKEN": "Bearer sk-4711"})
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n")
        out, err = running.communicate(timeout=patience(60))
    assert b"authorization: Bearer sk-4711" in asked.replace(b"Authorization", b"authorization")
    told = json.loads(out)
    assert (told["error"]["code"], told["error"]["retryable"]) == ("backend_failed", False)
    assert "it was sent MY_TOKEN" in told["error"]["message"]
    assert b"sk-4711" not in out + err


@pytest.mark.rule("S3.6")
def test_a_tool_outside_the_contracts_list_is_not_called(gateway, cli):
    done = gateway("add", {"a": 1}, constraints={"tools_allowed": "[say, add(a=2)]"})
    assert error(done) == ("needs_human", "tool_denied", False)
    assert len(done.document["notes"]) == 1
    assert done.document["usage"] == {"turns": 0, "tool_calls": 1, "tool_calls_denied": 1}
    assert not (cli.folder / "called.txt").exists()
    assert gateway("add", {"a": 2}, constraints={"tools_allowed": "[say, add(a=2)]"}, run_id="b").code == 0


def config(worker: str, **server: Any) -> str:
    fields = "\n".join(f"{key} = {json.dumps(value)}" for key, value in ({"command": honest()} | server).items())
    return f'[servers.s]\n{fields}\n[workers.echo]\nbackend = "mcp"\n{worker}\n'


def test_a_tool_outside_the_operators_patterns_is_not_called(gateway, cli):
    bound = config('server = "s"\nallow = ["say", "add(a=1)"]')
    assert error(gateway("add", {"a": 7}, config=bound))[1] == "tool_denied"
    assert error(gateway("fail", {}, config=bound, run_id="b"))[1] == "tool_denied"
    assert gateway("say", {"text": "x"}, config=bound, run_id="c").document["outputs"]["result"] == {"text": "x"}
    assert not (cli.folder / "called.txt").exists()


@pytest.mark.rule("S7.2")
def test_the_binding_names_the_tool_where_the_input_does_not(gateway):
    schema = {
        "type": "object",
        "required": ["run_id"],
        "properties": {"run_id": {"type": "string"}, "arguments": ANYTHING},
    }
    done = gateway(None, {"title": "a b c"}, config=config('server = "s"\ntool = "page"'), input_schema=schema)
    assert done.document["outputs"]["result"] == {"title": "a b c", "words": 3}, done.err


def test_the_whole_input_may_be_the_arguments(gateway, cli, contract, given):
    schema = {
        "type": "object",
        "required": ["key", "title"],
        "properties": {"key": {"type": "string"}, "title": {"type": "string"}},
    }
    (cli.folder / "workermd.toml").write_text(config('server = "s"\ntool = "page"'))
    spec = contract(input_schema=schema, constraints={"idempotency_key": "key"})
    done = cli("run", spec, given(None, key="k", title="one"))
    assert done.document["result"] == {"title": "one", "words": 1}, done.err


def test_tools_have_names_of_the_operator(gateway):
    bound = '[tools."web/title"]\nserver = "s"\ntool = "page"\n' + config('tools = ["web/title"]')
    done = gateway("web/title", {"title": "x"}, config=bound)
    assert done.document["outputs"]["result"]["title"] == "x", done.err
    assert error(gateway("page", {"title": "x"}, config=bound, run_id="b"))[1] == "tool_denied"


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (None, {}, ("invalid_request", "input_rejected", False)),
        ("gone", {}, ("needs_human", "backend_failed", False)),
        ("fail", {}, ("needs_human", "backend_failed", False)),
        ("add", {"x": 1}, ("needs_human", "backend_failed", False)),
    ],
)
def test_a_call_that_fails(gateway, tool, arguments, expected):
    done = gateway(tool, arguments)
    assert error(done) == expected
    assert len(done.document["attempts"]) == 1


def test_an_error_is_asked_for_again_where_the_operator_says_so(gateway):
    done = gateway("fail", {}, config=config('server = "s"\nretry_errors = true'))
    assert error(done)[1] == "backend_unavailable"
    assert [attempt["outcome"] for attempt in done.document["attempts"]] == ["retryable_error"] * 2


def test_a_call_that_needs_approval(gateway, cli):
    done = gateway("add", {"a": 1}, config=config('server = "s"\napprove = true'))
    assert error(done)[:2] == ("needs_human", "approval_required")
    assert not (cli.folder / "called.txt").exists()
    refused = gateway("add", {"a": 1}, config=config('server = "s"\napprove = true'), statuses=FOUR, run_id="b")
    assert refused.code == 2


def test_an_approved_call_is_made_and_a_denied_one_is_not(gateway, cli):
    bound = config('server = "s"\napprove = true')
    gateway("add", {"a": 1}, config=bound)
    assert cli("approve", "a", "--by", "ann").code == 0
    done = gateway("add", {"a": 1}, config=bound)
    assert done.document["outputs"]["result"] == {"result": 2}, done.err
    gateway("add", {"a": 5}, config=bound, run_id="b")
    assert cli("approve", "b", "--deny", "--by", "ann").code == 0
    assert error(gateway("add", {"a": 5}, config=bound, run_id="b"))[:2] == ("needs_human", "approval_denied")
    assert (cli.folder / "called.txt").read_text() == "1+1\n"


def test_a_recorded_call_is_given_back_without_its_server(gateway, cli, tmp_path):
    first = gateway("add", {"a": 1}, "--record", tmp_path / "kept")
    ledger = {"WORKERMD_LEDGER": str(tmp_path / "other" / "ledger.db")}
    again = gateway("add", {"a": 1}, "--replay", tmp_path / "kept", server=["/no/such/server"], env=ledger)
    assert again.document["outputs"] == first.document["outputs"], again.err
    assert (cli.folder / "called.txt").read_text() == "1+1\n"


@pytest.mark.rule("S3.6")
def test_calls_are_bounded(gateway, cli):
    done = gateway("add", {"a": 1}, constraints={"max_tool_calls": 0})
    assert error(done)[1] == "budget_exceeded"
    assert not (cli.folder / "called.txt").exists()


def test_pictures_are_artifacts(gateway):
    done = gateway("picture", {})
    assert [(each["name"], each["bytes"], each["media_type"]) for each in done.document["artifacts"]] == [
        ("image-1.png", 6, "image/png")
    ], done.err
    assert done.document["outputs"]["result"] == {"text": "[image, image/png, about 6 bytes]"}


@pytest.mark.rule("S3.6")
def test_an_output_that_is_too_large_is_none(gateway):
    done = gateway("large", {"characters": 5000}, constraints={"max_output_bytes": 1000, "max_attempts": 1})
    assert error(done)[1] == "output_too_large"


@pytest.mark.rule("S6.3")
def test_a_server_gets_the_listed_variables_alone(gateway):
    bound = config('server = "s"\nenv = ["NOT_FOR_SERVERS"]', env=["FOR_IT"], secret_env=["SECRET_FOR_IT"])
    given = {"FOR_IT": "1", "SECRET_FOR_IT": "hunter2hunter2", "NOT_FOR_SERVERS": "3", "HIDDEN": "4"}
    done = gateway("variables", {}, config=bound, env=given)
    seen = done.document["outputs"]["result"]
    assert seen["FOR_IT"] == "1"
    assert seen["SECRET_FOR_IT"] == "***"
    assert seen["WORKERMD_RUN_ID"] == "a"
    assert not {"NOT_FOR_SERVERS", "HIDDEN", "WORKERMD_LEDGER"} & seen.keys()
    assert b"hunter2hunter2" not in done.out


def test_a_server_of_the_flags_gets_their_variables(gateway):
    done = gateway("variables", {}, "--env", "FOR_IT", server=started(), env={"FOR_IT": "1", "HIDDEN": "2"})
    seen = done.document["outputs"]["result"]
    assert (seen["FOR_IT"], "HIDDEN" in seen) == ("1", False)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "names no server"),
        (("--base-url", "http://127.0.0.1:1/mcp", "--", "x"), "names a program and an address"),
        (("--base-url", "ftp://x"), "base_url is no http address"),
        (("--", "/no/such/program"), "program /no/such/program: it was not found"),
        (("--model", "m", "--", "x"), "takes no model"),
        (("--base-url", "http://127.0.0.1:1/mcp", "--api-key-env", "KEY"), "describe a model"),
    ],
)
def test_what_is_wrong_with_a_binding_uses_no_attempt_up(cli, contract, given, flags, said):
    done = cli("run", contract(), given("a"), "--backend", "mcp", *flags)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ('server = "t"', "[servers.t] is not there"),
        ('server = "s"\ntools = ["f"]', "names a server and tools"),
        ('tools = ["f"]', "[tools.f] is no tool of a server"),
        ('server = "s"\nallow = ["a(b"]', "which is no pattern"),
        ('server = "s"\napprove = "yes"', "approve is not true or false"),
        ('server = "s"\nmodel = "m"', "takes no model"),
        ('server = "u"', "the variable UNSET is not set"),
    ],
)
def test_what_is_wrong_with_a_configuration(gateway, worker, said):
    more = '[tools.f]\nfunction = "a:b"\n[servers.u]\nurl = "http://127.0.0.1:1/mcp"\nheader_env = { X = "UNSET" }\n'
    done = gateway("add", {}, config=more + config(worker))
    assert done.code == 2
    assert said in done.err


REGISTRY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id", "status", "result"],
    "properties": {"run_id": {"type": "string"}, "status": {"type": "string"}, "result": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("structured", "text", "result", "expected"),
    [
        ({"a": 1}, "", {"type": "object"}, {"result": {"a": 1}}),
        ({"status": "ok", "result": {"a": 1}}, "", {"type": "object"}, {"status": "ok", "result": {"a": 1}}),
        ({"result": 5}, "5", {"type": "integer"}, {"result": 5}),
        ({"result": 5}, "5", {"type": "object"}, {"result": {"result": 5}}),
        ({"result": [1]}, "", {"type": "array"}, {"result": [1]}),
        ([1], "", {"type": "array"}, {"result": [1]}),
        (None, "words", {"type": "object"}, {"result": {"text": "words"}}),
        (None, "words", {"type": "string"}, {"result": "words"}),
        (None, "words", {}, {"result": {"text": "words"}}),
        (None, '{"a": 1}', {"type": "object"}, {"result": {"a": 1}}),
        (None, '{"a": 1}', {"type": "string"}, {"result": '{"a": 1}'}),
        (None, "{broken", {"type": "object"}, {"result": {"text": "{broken"}}),
        (None, "[1]", {"type": ["array", "null"]}, {"result": [1]}),
        ({"result": 5}, "", {"type": "number"}, {"result": 5}),
        ({"result": True}, "", {"type": "integer"}, {"result": {"result": True}}),
    ],
)  # fmt: skip
def test_how_a_result_becomes_an_output(structured, text, result, expected):
    schema = {**REGISTRY, "properties": {**REGISTRY["properties"], "result": result}}
    assert document_of(structured, text, schema) == expected


def one_of(answer: dict[str, Any]) -> dict[str, Any]:
    """As a derived contract says it: an answer or an error."""
    failure = {"type": "object", "required": ["error"], "properties": {"error": {}}, "additionalProperties": False}
    result = {"type": "object", "anyOf": [{"$ref": "#/$defs/answer"}, {"$ref": "#/$defs/failure"}]}
    defs = {"answer": {"type": "object", **answer}, "failure": failure}
    return {**REGISTRY, "properties": {**REGISTRY["properties"], "result": result}, "$defs": defs}


BELOW = {"required": ["result"], "properties": {"result": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("structured", "text", "answer", "expected"),
    [
        ({"result": {"a": 1}}, "", BELOW, {"result": {"a": 1}}),
        ({"result": {"a": 1}}, "", {"required": ["a"]}, {"a": 1}),
        ({"a": 1}, "", {"required": ["a"]}, {"a": 1}),
        (None, "words", BELOW, {"result": "words"}),
        (None, "[1]", BELOW, {"result": [1]}),
        (None, "words", {}, {"text": "words"}),
        ({"b": 1}, "", {"required": ["a"]}, {"b": 1}),
    ],
)
def test_an_answer_has_the_names_of_one_of_the_schemas_to_choose_from(structured, text, answer, expected):
    assert document_of(structured, text, one_of(answer)) == {"result": expected}


def test_an_output_of_another_shape_is_taken_as_it_is():
    assert document_of({"summary": "x"}, "", {"properties": {"summary": {"type": "string"}}}) == {"summary": "x"}
    assert document_of(None, '{"summary": "x"}', {"properties": {"summary": {}}}) == {"summary": "x"}


# --- strangers --------------------------------------------------------------------------------------------------


def asked(*deed: object, seconds: float = 30) -> Any:
    """Begin with a hostile server and call its tool `go`, as an attempt does; what it comes to."""
    server = ServerBinding("h", hostile(*deed))

    async def call() -> Any:
        async with asyncio.timeout(seconds), connected(server, Binding("mcp", "here")) as connection:
            await connection.offers({"go"})
            return await connection.call("go", {})

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("deed", "kind", "said"),
    [
        ("answers hugely", Refused, "sent a message of more than 16 MiB"),
        ("writes a line without end", Refused, "sent a message of more than 16 MiB"),
        ("notifies without end", Refused, "sent more than 2000 messages"),
        ("asks without end", Refused, "sent more than 2000 messages"),
        ("dies", Retryable, "ended (exit code 3) before it had answered"),
        ("kills itself", Retryable, "ended (signal 9) before it had answered"),
        ("closes its output", Retryable, "closed the connection before it had answered"),
        ("ends at once", Retryable, "ended (exit code 5) before it had answered"),
        ("refuses to begin", Refused, "refused to begin (-32603): not today"),
        ("speaks another version", Refused, "does not keep to the protocol"),
        ("answers against the protocol", Refused, "does not keep to the protocol"),
        ("lists without end", Refused, "lists tools without end: 100 were read"),
        ("has a bottomless schema", Refused, "sent a message that cannot be read"),
        ("has a huge schema", Refused, "is larger than 65536 characters"),
    ],
)
def test_a_hostile_server_is_bounded_and_reported(deed, kind, said, monkeypatch):
    monkeypatch.setattr(mcp_streams, "MAX_MESSAGES", 2000)
    before = set(processes.descendants(os.getpid()))
    with pytest.raises(kind) as raised:
        asked(deed)
    assert said in str(raised.value)
    wait_for(lambda: set(processes.descendants(os.getpid())) <= before)


@pytest.mark.parametrize("deed", ["prints garbage", "answers everything", "lists a name twice", "has a deep schema"])
def test_a_clumsy_server_is_put_up_with(deed):
    expected = {"prints garbage": "still", "answers everything": "first"}.get(deed, "went")
    assert mcp_said.text_of(asked(deed)) == expected


def test_whatever_a_server_asks_for_is_refused():
    assert mcp_said.text_of(asked("asks the client")) == "[true, true, true]"


def test_a_server_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(mcp_client, "CLOSING_SECONDS", patience(0.5))  # until it is left to the attempt's end
    before = set(processes.descendants(os.getpid()))
    assert mcp_said.text_of(asked("ignores the end")) == "never"
    wait_for(lambda: set(processes.descendants(os.getpid())) <= before)


def test_an_error_is_told_without_control_characters():
    with pytest.raises(CallError) as raised:
        asked("errs", -32602)
    assert (raised.value.code, str(raised.value)) == (-32602, "my[31m reason")


@pytest.mark.parametrize("number", [-32602, -32603, -32099], ids=str)
def test_the_table_of_errors(gateway, number):
    assert {types.INVALID_PARAMS, types.INTERNAL_ERROR} == {-32602, -32603}
    kind, code, told = mcp_client.ANSWERS.get(number, mcp_client.OTHER_ANSWER)
    done = gateway("go", {}, server=hostile("errs", number), constraints={"max_attempts": 1})
    status = {"invalid_request": "invalid_request", "retryable": "retryable_error", "refused": "needs_human"}[kind]
    assert error(done)[:2] == (status, code)
    assert told in done.document["error"]["message"]


@pytest.mark.rule("S6.5")
def test_what_a_server_says_of_its_tools_is_data():
    server = ServerBinding("h", hostile("instructs"))
    binding = Binding("chat", "here", tools=(ToolBinding("go", server="h"),), servers={"h": server})

    async def described() -> Any:
        async with runners([*binding.tools], binding) as found:
            return found

    (runner,) = asyncio.run(described())
    shown = json.dumps([runner.description, runner.schema])
    assert runner.binding.name == "go"
    assert all(0x20 <= ord(character) != 0x202E for character in runner.description)
    assert len(runner.description) <= 1024
    assert not {"\\u001b", "\\u202e", "\\u0000"} & {shown[at : at + 6] for at in range(len(shown))}
    assert len(runner.schema["properties"]["a"]["description"]) <= 1024


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("deed", ["never answers", "never begins", "forks"])
def test_nothing_survives_the_deadline(gateway, deed):
    began = time.monotonic()
    words = hostile(deed, "hang") if deed == "forks" else hostile(deed)
    bounds = {"timeout_seconds": 3, "max_attempts": 1}
    done = gateway("go", {}, server=words, constraints=bounds, run_id=uuid.uuid4().hex)
    assert time.monotonic() - began < 15
    if deed != "forks":  # it had answered before it hung
        assert error(done)[:2] == ("retryable_error", "timeout")
    assert survivors(done) == []


def survivors(done: Any) -> list[int]:
    """Processes that bear the run's own variable: no other run of this machine has its id."""
    return [*processes.marked(f"WORKERMD_RUN_ID={done.document['run_id']}".encode())]


@pytest.mark.rule("S3.3")
def test_a_grandchild_of_a_server_does_not_outlive_the_attempt(gateway):
    done = gateway("go", {}, server=hostile("forks"), run_id=uuid.uuid4().hex)
    assert done.code == 0
    assert survivors(done) == []


# --- strangers over HTTP ------------------------------------------------------------------------------------------


class Web(http.server.BaseHTTPRequestHandler):
    """Answers what `deed` says once a session has begun; before, as a server should."""

    deed = ""
    gets = 0
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        frame = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if frame.get("method") == "initialize":
            told = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "h", "version": "1"}}
            self.answer(200, {"jsonrpc": "2.0", "id": frame["id"], "result": told}, {"mcp-session-id": "s"})
        elif "id" not in frame:
            self.answer(202, None)
        elif frame["method"] == "tools/list":
            told = {"tools": [{"name": "go", "inputSchema": {"type": "object"}}]}
            self.answer(200, {"jsonrpc": "2.0", "id": frame["id"], "result": told})
        elif self.deed.isdecimal():
            self.answer(int(self.deed), {"error": "no"})
        elif self.deed == "json-rpc error":
            self.answer(
                400, {"jsonrpc": "2.0", "id": frame["id"], "error": {"code": -32602, "message": "bad arguments"}}
            )
        elif self.deed == "redirects":
            self.answer(307, None, {"location": "http://127.0.0.1:1/elsewhere"})
        elif self.deed == "drops":
            self.close_connection = True
        else:
            self.stream()

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        event = (
            b"data: "
            + json.dumps(
                {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x" * 100}}
            ).encode()
        )
        with contextlib.suppress(OSError):
            if self.deed == "one event without end":
                while True:
                    self.wfile.write(b"data: " + b"x" * 65536)
            elif self.deed == "resumes without end":
                self.wfile.write(b"id: 1\nretry: 1\ndata:\n\n")
            while self.deed == "events without end":
                self.wfile.write(event + b"\n\n")

    def do_GET(self) -> None:
        type(self).gets += 1
        if self.headers.get("last-event-id"):
            self.stream()
        else:
            self.answer(405, None)

    def do_DELETE(self) -> None:
        self.answer(200, None)

    def answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in (
            {"content-type": "application/json", "content-length": str(len(content))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@contextlib.contextmanager
def web(deed: str) -> Iterator[tuple[ServerBinding, type[Web]]]:
    handler = type("Web", (Web,), {"deed": deed, "gets": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ServerBinding("h", url=f"http://127.0.0.1:{server.server_address[1]}/secret/mcp?key=4711"), handler
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("deed", "kind", "said"),
    [
        ("401", Refused, "did not accept who is asking (HTTP 401); name a header's variable in header_env"),
        ("404", Refused, "has no MCP server at this address (HTTP 404)"),
        ("429", Retryable, "asked to slow down (HTTP 429)"),
        ("500", Retryable, "failed on its side (HTTP 500)"),
        ("json-rpc error", "CallError", "bad arguments"),
        ("redirects", "CallError", "not followed"),
        ("drops", Retryable, "cannot be reached"),
        ("one event without end", Retryable, "closed the connection"),
        ("events without end", Refused, "sent more than 2000 messages"),
        ("resumes without end", Retryable, "closed the connection"),
    ],
)  # fmt: skip
def test_a_hostile_address_is_bounded_and_reported(deed, kind, said, monkeypatch):
    monkeypatch.setattr(mcp_streams, "MAX_MESSAGES", 2000)
    with web(deed) as (server, handler):

        async def call() -> None:
            async with asyncio.timeout(30), connected(server, Binding("mcp", "here")) as connection:
                await connection.offers({"go"})
                await connection.call("go", {})

        with pytest.raises(CallError if kind == "CallError" else kind) as raised:
            asyncio.run(call())
        assert said in str(raised.value)
        assert "4711" not in str(raised.value)
        assert handler.gets <= mcp_streams.MAX_RESUMPTIONS


def test_a_server_of_the_older_transport_is_named():
    """What the SDK serves over SSE; a path beside it is no server at all."""

    async def call(url: str) -> None:
        async with asyncio.timeout(patience(30)), connected(ServerBinding("h", url=url), Binding("mcp", "here")):
            pass

    with listening("sse") as origin:
        with pytest.raises(Refused) as raised:
            asyncio.run(call(f"{origin}/sse?key=4711"))
        assert str(raised.value).startswith("server h speaks only the older transport of MCP (HTTP with SSE)")
        assert "allowed is streamable HTTP; name its address for that" in str(raised.value)
        assert "4711" not in str(raised.value)
        with pytest.raises(Refused, match=r"has no MCP server at this address \(HTTP 404\)"):
            asyncio.run(call(f"{origin}/elsewhere"))


# --- for agents -------------------------------------------------------------------------------------------------

TOOLS = '[servers.s]\ncommand = {command}\n[tools.add]\nserver = "s"\n[tools.title]\nserver = "s"\ntool = "page"\n'


@pytest.mark.every_kind
def test_agents_call_the_tools_of_a_server(bound):
    script = [ToolCalls((Call("title", {"title": "one two"}), Call("add", {"a": 2, "b": 3}))), Text(ANSWER)]
    ran = bound(script, config=TOOLS.format(command=json.dumps(honest())), worker={"tools": ["add", "title"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    offered = {tool["function"]["name"]: tool["function"] for tool in ran.server.requests[0].body["tools"]}
    assert offered.keys() == {"add", "title"}
    assert offered["add"]["description"] == "Adds two numbers."
    assert offered["add"]["parameters"]["required"] == ["a"]
    told = [message["content"] for message in ran.server.requests[1].body["messages"] if message["role"] == "tool"]
    assert json.loads(told[0]) == {"title": "one two", "words": 2}
    assert told[1] == "5"


@pytest.mark.rule("S6.5")
def test_an_instruction_in_a_description_opens_no_gate(bound):
    command = json.dumps(list(hostile("instructs")))
    config = f'[servers.s]\ncommand = {command}\n[tools.go]\nserver = "s"\n'
    script = [ToolCalls((Call("rm", {"path": "/"}),)), Text(ANSWER)]
    ran = bound(script, config=config, worker={"tools": ["go"]})
    assert ran.envelope["usage"]["tool_calls_denied"] == 1
    assert [tool["function"]["name"] for tool in ran.server.requests[0].body["tools"]] == ["go"]


def test_a_servers_errors_are_told_to_the_model(bound):
    config = TOOLS.format(command=json.dumps(honest())) + '[tools.fail]\nserver = "s"\n'
    script = [ToolCalls((Call("fail", {}), Call("add", {"x": 1}))), Text(ANSWER)]
    ran = bound(script, config=config, worker={"tools": ["add", "fail"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    told = [message["content"] for message in ran.server.requests[1].body["messages"] if message["role"] == "tool"]
    assert all(text.startswith("error: the tool reports: ") for text in told)


def test_a_long_answer_is_cut_and_said_to_be(bound):
    config = TOOLS.format(command=json.dumps(honest())) + '[tools.large]\nserver = "s"\n'
    ran = bound(
        [ToolCalls((Call("large", {"characters": 1_000_000}),)), Text(ANSWER)],
        config=config,
        worker={"tools": ["large"]},
    )
    told = ran.server.requests[1].body["messages"][-1]["content"]
    assert len(told) < 300_000
    assert told.endswith("[cut: the answer has 1000000 characters, of which these are the first 262144]")


@pytest.mark.rule("S3.4")
def test_a_server_that_dies_ends_the_attempt(bound):
    config = TOOLS.format(command=json.dumps(honest())) + '[tools.die]\nserver = "s"\n'
    ran = bound([ToolCalls((Call("die", {}),)), Text(ANSWER)], config=config, worker={"tools": ["die"]})
    assert [attempt["outcome"] for attempt in ran.envelope["attempts"]] == ["retryable_error", "ok"], ran.done.err
    assert "ended (exit code 3)" in ran.envelope["attempts"][0]["error"]["message"]


def test_a_name_that_no_model_can_call_uses_no_attempt_up(bound):
    config = TOOLS.format(command=json.dumps(honest())) + '[tools."a.b"]\nserver = "s"\n'
    ran = bound([Text(ANSWER)], config=config, worker={"tools": ["a.b"]})
    assert ran.done.code == 2
    assert "models call tools by names" in ran.envelope["error"]["message"]
