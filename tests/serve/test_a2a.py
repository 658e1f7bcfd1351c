"""Contracts as skills: the Agent2Agent SDK's own client sends messages to a real socket."""

import asyncio
import base64
import contextlib
import json

import httpx
import pytest

from tests import late
from tests.late import LATE
from tests.serve.serving import bearer, listening, offered
from tests.serve.test_deeds import ASK, ASKS

late.needs("a2a", "needs the extra a2a: pip install -e '.[a2a]'")

if LATE:
    from a2a.client.client import ClientConfig
    from a2a.client.client_factory import create_client
    from a2a.types import a2a_pb2
    from google.protobuf.json_format import MessageToDict, ParseDict

    from workermd.serve import a2a_server

ECHO = "evidence(task['run_id']); reply({'result': {'n': task['input'].get('context', {}).get('n')}})"
BIG = 9007199254740993


def message(part, message_id="m1", skill="echo", **more):
    document = {
        "messageId": message_id,
        "role": "ROLE_USER",
        "parts": [part],
        "metadata": {a2a_server.SKILL: skill},
    } | more
    return a2a_pb2.SendMessageRequest(message=ParseDict(document, a2a_pb2.Message()))


@contextlib.asynccontextmanager
async def connected(folder, body=ECHO, **parts):
    """The client, its agent's card, and the server."""
    async with (
        listening(folder, offered(folder, body, **parts), with_a2a=True) as server,
        httpx.AsyncClient(headers=bearer("ada"), timeout=30) as http,
    ):
        client = await create_client(server.address, ClientConfig(httpx_client=http, streaming=False))
        yield client, server, http


async def sent(client, *arguments, **options):
    """The task that a message came to."""
    async for response in client.send_message(message(*arguments, **options)):
        found = response
    return MessageToDict(found.task)


def test_a_contract_is_a_skill_and_a_message_is_a_run(tmp_path, evidence):
    async def scenario():
        async with connected(tmp_path) as (client, server, http):
            card = (await http.get(f"{server.address}/.well-known/agent-card.json")).json()
            schema = await http.get(card["capabilities"]["extensions"][0]["params"]["echo"]["input"])
            first = await sent(client, {"data": {"context": {"n": [1, 1.5, -3]}}})
            again = await sent(client, {"data": {"context": {"n": [1, 1.5, -3]}}})
            return card, schema, first, again

    card, schema, first, again = asyncio.run(scenario())
    assert [skill["id"] for skill in card["skills"]] == ["echo"]
    assert schema.json()["properties"]["context"]["maxProperties"] == 1000
    assert first["status"]["state"] == "TASK_STATE_COMPLETED"
    artifact = first["artifacts"][0]
    assert artifact["parts"][0]["data"] == {"run_id": "m1", "status": "ok", "result": {"n": [1, 1.5, -3]}}
    assert artifact["metadata"] == {"worker.md/status": "ok", "worker.md/run_id": "m1", "worker.md/replayed": False}
    assert again["artifacts"][0]["metadata"]["worker.md/replayed"] is True
    assert evidence() == ["m1"]


def test_no_number_is_harmed_without_a_word(tmp_path):
    text = json.dumps({"context": {"n": BIG}})

    async def scenario():
        async with connected(tmp_path) as (client, server, _):
            refused = await sent(client, {"data": {"context": {"n": BIG}}}, "m1")
            done = await sent(client, {"text": text, "mediaType": "application/json"}, "m2")
            run = await server.desk.look(("echo", "m2"))
            return refused, done, run

    refused, done, run = asyncio.run(scenario())
    assert refused["status"]["state"] == "TASK_STATE_REJECTED"
    assert "2^53" in refused["status"]["message"]["parts"][0]["text"]
    assert json.loads(run.input)["context"]["n"] == BIG
    assert json.loads(base64.b64decode(done["artifacts"][0]["parts"][0]["raw"]))["result"]["n"] == BIG


@pytest.mark.parametrize(
    ("part", "skill", "state"),
    [
        ({"data": {"task": 1}}, "echo", "TASK_STATE_REJECTED"),
        ({"data": {"task": "x"}}, "nobody", "TASK_STATE_REJECTED"),
        ({"text": "hello", "mediaType": "text/plain"}, "echo", "TASK_STATE_REJECTED"),
        ({"data": {"task": "fail"}}, "echo", "TASK_STATE_FAILED"),
    ],
)
def test_every_other_ending_has_its_state(tmp_path, part, skill, state):
    body = "sys.exit(1) if task['input'].get('task') == 'fail' else reply({'result': {}})"

    async def scenario():
        async with connected(tmp_path, body) as (client, _, _http):
            return await sent(client, part, skill=skill)

    assert asyncio.run(scenario())["status"]["state"] == state


def test_a_person_decides_by_a_further_message_of_the_task(tmp_path):
    async def scenario():
        async with connected(tmp_path, ASK, **ASKS) as (client, _, _http):
            asked = await sent(client, {"data": {}})
            ids = {"taskId": asked["id"], "contextId": asked["contextId"]}
            return asked, await sent(client, {"text": "approve"}, "m2", **ids)

    asked, done = asyncio.run(scenario())
    assert asked["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert asked["status"]["message"]["parts"][0]["text"] == "Go on?"
    assert done["artifacts"][0]["parts"][0]["data"]["result"] == {"decided": "approve", "by": "ada"}
