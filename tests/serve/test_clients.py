"""Clients of others meet a server that was started as an operator starts it."""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import Cli, contract_text, patience
from tests.late import LATE

if LATE:
    from ag2.context import ConversationContext
    from ag2.events.tool_events import ToolCallEvent
    from ag2.stream import MemoryStream
    from ag2.tools.toolkits.mcp_server import MCPToolkit
    from ag2.tools.toolkits.mcp_server.types import MCPServerConfig, MCPStdioServerConfig
    from agent_framework import MCPStdioTool, MCPStreamableHTTPTool

TOKEN = "c" * 40
INSPECTOR = os.environ.get("MCP_INSPECTOR") or shutil.which("mcp-inspector")
HOOKS = """
import uuid
import schemathesis
@schemathesis.hook
def before_call(context, case, kwargs):
    \"\"\"A fresh key for every usable one: a key that was used with another input is refused, as it has to be.\"\"\"
    key = case.body.get("run_id") if isinstance(case.body, dict) else None
    if isinstance(key, str) and key.isprintable() and 0 < len(key) <= 512:
        case.body["run_id"] = str(uuid.uuid4())
"""
WITH_DEFS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id"],
    "properties": {
        "run_id": {"type": "string"},
        "items": {"type": "array", "maxItems": 3, "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {"item": {"enum": ["a", "b"]}},
}
"""References inside a schema have to hold where it is embedded."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two contracts, bound to a program, and the token."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "home").mkdir()
    (folder / "echo.worker.md").write_text(contract_text())
    (folder / "defs.worker.md").write_text(contract_text(id="defs", input_schema=WITH_DEFS))
    command = json.dumps(["/bin/sh", "-c", 'printf \'{"result": {"said": "hello"}}\''])
    lines = [f"[workers.{name}]\nbackend = 'command'\ncommand = {command}\n" for name in ("echo", "defs")]
    (folder / "workermd.toml").write_text("".join(lines))
    tokens = folder / "tokens"
    tokens.write_text(f"ada:{TOKEN}\n")
    tokens.chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def environment(folder):
    return Cli(folder).environment


@pytest.fixture(scope="module")
def address(folder):
    cli = Cli(folder, cold=False)
    process = cli.start("serve", "echo.worker.md", "defs.worker.md", "--tokens", "tokens", "--mcp", "http", "--port", 0)
    found = re.search(r"http://\S+", process.stderr.readline().decode())[0]
    run = [
        "curl",
        "-s",
        "-H",
        f"Authorization: Bearer {TOKEN}",
        "--json",
        '{"run_id": "warm"}',
        f"{found}/workers/echo/runs",
    ]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)  # what attempts are forked from is there from now on
    yield found
    process.terminate()
    process.communicate(timeout=patience(20))


ON_STREAMS = ["serve", "echo.worker.md", "--mcp", "stdio"]


@pytest.mark.uncovered
@pytest.mark.skipif(not importlib.util.find_spec("schemathesis"), reason="needs: pip install -e '.[clients]'")
def test_schemathesis_finds_nothing_wrong_with_the_openapi_document(address, folder, environment):
    (folder / "hooks.py").write_text(HOOKS)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--max-examples", "5"]
    done = subprocess.run(
        [*command, "-H", f"Authorization: Bearer {TOKEN}", "--no-color", "--seed", "7", "--phases", "coverage,fuzzing"],
        cwd=folder,
        env=environment | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": f"{folder}:{environment['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d{2,} generated, \d{2,} passed", done.stdout), done.stdout


@pytest.mark.skipif(
    not INSPECTOR, reason="needs node and: npm install @modelcontextprotocol/inspector (or MCP_INSPECTOR)"
)
def test_the_inspector_lists_the_tools_and_calls_one(folder, environment):
    """On standard streams: the command line of the version that was tried (0.15) sends no header over HTTP."""

    def inspected(*method):
        where = [sys.executable, "-m", "workermd", *ON_STREAMS, "--ledger", "inspected.db"]
        command = [INSPECTOR, "--cli", *where, "--method", *method]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert [tool["name"] for tool in inspected("tools/list")["tools"]] == ["echo"]
    called = inspected("tools/call", "--tool-name", "echo", "--tool-arg", "task=x")
    assert called["structuredContent"]["result"] == {"said": "hello"}


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_agent_framework_calls_a_contract(address, folder, environment, transport):
    if transport == "http":
        tool = MCPStreamableHTTPTool(
            "workers", f"{address}/mcp", static_headers={"Authorization": f"Bearer {TOKEN}"}, load_prompts=False
        )
    else:
        arguments = ["-m", "workermd", *ON_STREAMS, "--ledger", "framework.db"]
        tool = MCPStdioTool(
            "workers", sys.executable, args=arguments, env=environment, cwd=str(folder), load_prompts=False
        )

    async def scenario():
        async with tool:
            return [each.name for each in tool.functions], await tool.call_tool("echo", task="x")

    names, said = asyncio.run(scenario())
    assert "echo" in names
    assert "hello" in str(said if isinstance(said, str) else [each.text for each in said])


@pytest.mark.parametrize(
    ("transport", "mode"),
    [
        ("stdio", "auto"),
        ("http", "legacy"),
        pytest.param("stdio", "legacy", marks=pytest.mark.deep),
        pytest.param("http", "auto", marks=pytest.mark.deep),
    ],
)
def test_ag2_calls_a_contract(address, folder, environment, transport, mode):
    if transport == "http":
        server = MCPServerConfig(server_url=f"{address}/mcp", authorization_token=TOKEN, protocol_mode=mode)
    else:
        arguments = ["-m", "workermd", *ON_STREAMS, "--ledger", "ag2.db"]
        server = MCPStdioServerConfig(
            command=sys.executable, args=arguments, env=environment, cwd=str(folder), protocol_mode=mode
        )

    async def scenario():
        toolkit, context = MCPToolkit(server), ConversationContext(stream=MemoryStream())
        schemas = {schema.function.name: schema.function for schema in await toolkit.schemas(context)}
        (tool,) = [each for each in toolkit.tools if each.name == "echo"]
        return schemas, await tool(ToolCallEvent("echo", arguments='{"task": "x"}'), context)

    schemas, event = asyncio.run(scenario())
    assert "run_id" not in schemas["echo"].parameters["properties"]
    assert "hello" in "".join(part.content for part in event.result.parts)
