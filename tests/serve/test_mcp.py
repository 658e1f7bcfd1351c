"""Contracts as tools: the SDK's own client asks, over both generations of the protocol."""

import asyncio
import contextlib

import httpx
import pytest

from tests.late import LATE
from tests.serve.serving import ADDRESS, JSON, access_of, bearer, offered, serving, until
from tests.serve.test_deeds import ASK, ASKS
from workermd.serve.application import application

if LATE:
    import mcp_types as types
    from mcp.client.client import Client
    from mcp.shared.exceptions import MCPError

    from workermd.serve.mcp_server import server
    from workermd.serve.mcp_transport import METADATA, OverHttp

ECHO = 'evidence(task["run_id"]); reply({"result": {"said": task["input"].get("task")}})'
GENERATIONS = pytest.mark.parametrize("mode", ["legacy", "auto"])


@contextlib.asynccontextmanager
async def connected(folder, body, mode="auto", *, key_by_model=False, elicited=None, **parts):
    async with serving(folder, offered(folder, body, **parts)) as served:
        tools = server(served.desk, lambda _context: "ada", key_by_model=key_by_model)
        async with Client(tools, mode=mode, elicitation_callback=elicited) as client:
            yield client, served.desk


@GENERATIONS
def test_a_contract_is_a_tool_with_its_schemas_and_without_a_key_to_invent(tmp_path, mode):
    async def scenario():
        async with connected(tmp_path, ECHO, mode) as (client, _):
            tools = (await client.list_tools()).tools
            done = await client.call_tool("echo", {"task": "hello"})
            again = await client.call_tool("echo", {"task": "hello"})
            return tools, done, again

    tools, done, again = asyncio.run(scenario())
    assert [tool.name for tool in tools] == ["echo"]
    assert "run_id" not in tools[0].input_schema["properties"]
    assert "required" not in tools[0].input_schema
    assert tools[0].output_schema["required"] == ["run_id", "status", "result"]
    assert (done.is_error, done.structured_content["result"]) == (False, {"said": "hello"})
    assert done.meta["worker.md/envelope"]["attempts"][0]["outcome"] == "ok"
    assert again.structured_content["run_id"] != done.structured_content["run_id"]


def test_a_caller_with_a_key_gets_the_stored_answer_and_is_refused_for_another_input(tmp_path, evidence):
    async def scenario():
        async with connected(tmp_path, ECHO) as (client, _):
            meta = {"worker.md/run_id": "a"}
            first, second, other = [
                await client.call_tool("echo", {"task": task}, meta=meta) for task in ("x", "x", "y")
            ]
            contradicting = await client.call_tool("echo", {"run_id": "b"}, meta=meta)
            return first, second, other, contradicting

    first, second, other, contradicting = asyncio.run(scenario())
    assert second.structured_content == first.structured_content
    assert second.meta["worker.md/envelope"]["replayed"] is True
    assert (other.is_error, other.structured_content) == (True, None)
    assert "idempotency_conflict" in other.content[0].text
    assert "which is not that of worker.md/run_id" in contradicting.content[0].text
    assert evidence() == ["a"]


def test_a_model_names_its_runs_where_the_operator_wants_it(tmp_path):
    async def scenario():
        async with connected(tmp_path, ECHO, key_by_model=True) as (client, _):
            tools = (await client.list_tools()).tools
            return tools, await client.call_tool("echo", {"task": "x"}), await client.call_tool("echo", {"run_id": "m"})

    tools, nameless, named = asyncio.run(scenario())
    assert tools[0].input_schema["required"] == ["run_id"]
    assert nameless.is_error
    assert "'run_id' is required" in nameless.content[0].text or "run_id" in nameless.content[0].text
    assert named.structured_content["run_id"] == "m"


@GENERATIONS
def test_numbers_come_through_as_they_were_sent(tmp_path, mode):
    numbers = [9007199254740993, -(2**70), 0.1, 1e300]

    async def scenario():
        body = "reply({'result': {'n': task['input']['context']['n']}})"
        async with connected(tmp_path, body, mode) as (client, _):
            return await client.call_tool("echo", {"context": {"n": numbers}})

    found = asyncio.run(scenario()).structured_content["result"]["n"]
    assert found == numbers
    assert [type(each) for each in found] == [int, int, float, float]


@GENERATIONS
def test_progress_is_told_and_a_cancelled_call_ends_the_run_which_stays_resumable(tmp_path, evidence, mode):
    told = []

    async def progress(number, _total, message):
        told.append((number, message))

    async def scenario():
        async with connected(tmp_path, "evidence('x')\nwait()\nreply({'result': {}})", mode) as (client, desk):
            meta = {"worker.md/run_id": "a"}
            call = asyncio.create_task(client.call_tool("echo", {}, meta=meta, progress_callback=progress))
            await until(evidence)
            await until(lambda: told)
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: not desk.jobs)
            (tmp_path / "go").touch()
            return await client.call_tool("echo", {}, meta=meta)

    done = asyncio.run(scenario())
    assert told[0] == (1, "attempt")
    assert [each["outcome"] for each in done.meta["worker.md/envelope"]["attempts"]] == ["cancelled", "ok"]


@GENERATIONS
@pytest.mark.parametrize("action", ["accept", "decline"])
def test_a_person_is_asked_where_the_client_can(tmp_path, mode, action):
    seen = []

    async def elicited(_context, params):
        seen.append(params)
        return types.ElicitResult(action=action, content={"answer": "approve"} if action == "accept" else None)

    async def scenario():
        async with connected(tmp_path, ASK, mode, elicited=elicited, **ASKS) as (client, _):
            return await client.call_tool("echo", {})

    done = asyncio.run(scenario())
    assert "Go on?" in seen[0].message
    assert seen[0].requested_schema["properties"]["answer"]["enum"] == ["approve", "later", "deny"]
    if action == "accept":
        assert done.structured_content["result"] == {"decided": "approve", "by": "ada"}
    else:
        assert done.is_error


def test_a_client_that_can_ask_nobody_is_told_how_to_decide(tmp_path):
    async def scenario():
        async with connected(tmp_path, ASK, **ASKS) as (client, _):
            return await client.call_tool("echo", {})

    done = asyncio.run(scenario())
    assert (done.is_error, done.structured_content) == (True, None)
    assert "workermd approve" in done.content[0].text


def test_what_is_no_tool_and_what_is_no_state_of_ours_is_an_error_of_the_protocol(tmp_path):
    async def scenario():
        async with connected(tmp_path, ECHO) as (client, _):
            for call in (
                client.call_tool("nobody", {}),
                client.session.call_tool("echo", {}, request_state="x", allow_input_required=True),
                client.session.call_tool("echo", {}, request_state='{"run": ["b", "c"]}', allow_input_required=True),
            ):
                with pytest.raises(MCPError):
                    await call

    asyncio.run(scenario())


def test_over_http_it_asks_for_a_token_as_its_specification_says_and_a_session_has_one_owner(tmp_path):
    hello = (
        '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", '
        '"capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}'
    )
    accept = JSON | {"Accept": "application/json, text/event-stream"}

    async def scenario():
        async with serving(tmp_path, offered(tmp_path, ECHO)) as served:
            tools = OverHttp(served.desk, 1 << 20)
            access = access_of(described=METADATA.removeprefix("/"))
            transport = httpx.ASGITransport(application(served.desk, access, tools.addition))
            async with tools.running(), httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                shut = await client.post("/mcp", content=hello, headers=accept)
                where = await client.get(shut.headers["www-authenticate"].split('resource_metadata="')[1].strip('"'))
                foreign = await client.post(
                    "/mcp", content=hello, headers=accept | bearer("ada") | {"Origin": "http://e"}
                )
                begun = await client.post("/mcp", content=hello, headers=accept | bearer("ada"))
                session = {"Mcp-Session-Id": begun.headers["mcp-session-id"]}
                ping = '{"jsonrpc": "2.0", "id": 2, "method": "ping"}'
                own = await client.post("/mcp", content=ping, headers=accept | session | bearer("ada"))
                stolen = await client.post("/mcp", content=ping, headers=accept | session | bearer("bob"))
                return shut, where, foreign, begun, own, stolen

    shut, where, foreign, begun, own, stolen = asyncio.run(scenario())
    assert (shut.status_code, foreign.status_code, begun.status_code, own.status_code) == (401, 403, 200, 200)
    assert where.json()["resource"] == f"{ADDRESS}/mcp"
    assert stolen.status_code == 404
