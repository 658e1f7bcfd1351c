"""What people and programs do with a run: watch, cancel, decide, reopen; and many at once."""

import asyncio
import json

import pytest

from tests.serve.serving import JSON, bearer, offered, serving, until
from workermd.serve.desk import Capacity

ASKS = {"statuses": ["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"]}
ASK = """
if not task["decisions"]:
    reply({"error": {"message": "Go on?", "options": ["approve", "later"]}}); sys.exit(77)
reply({"result": {"decided": task["decisions"][-1]["answer"], "by": task["decisions"][-1]["by"]}})
"""


def events(text):
    """The messages of a stream: number and document."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "id" in fields:
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_events_are_told_as_they_come_and_from_where_a_client_was(tmp_path):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, "wait()\nreply({'result': {}})")) as served:
            told = await served.run({"run_id": "a"}, Prefer="respond-async")
            place = told.headers["location"] + "/events"
            watching = asyncio.create_task(served.client.get(place))
            await until(lambda: served.desk.jobs["echo", "a"].feed.documents)
            (tmp_path / "go").touch()
            whole = await watching
            rest = await served.client.get(place, headers={"Last-Event-ID": "1"})
            nonsense = await served.client.get(place, headers={"Last-Event-ID": "-1"})
            gone = await served.client.get(place, headers={"Last-Event-ID": "3"})
            return whole, rest, nonsense, gone, await served.client.get("/workers/echo/runs/b/events")

    whole, rest, nonsense, gone, nobody = asyncio.run(scenario())
    assert [(number, each["event"]) for number, each in events(whole.text)] == [
        (1, "attempt"),
        (2, "attempt_ended"),
        (3, "run"),
    ]
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert whole.text.endswith("event: end\ndata: {}\n\n")
    names = [(number, each["event"], each.get("attempt")) for number, each in events(whole.text)]
    assert [(number, each["event"], each.get("attempt")) for number, each in events(rest.text)] == names[1:]
    assert [(number, each["event"], each.get("attempt")) for number, each in events(nonsense.text)] == names
    assert gone.status_code == 204
    assert nobody.status_code == 404


@pytest.mark.rule("S3.2")
def test_a_cancelled_run_ends_soon_and_the_same_call_goes_on(tmp_path, evidence):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, "evidence('x')\nwait()\nreply({'result': {}})")) as served:
            call = asyncio.create_task(served.run({"run_id": "a"}))
            await until(evidence)
            cancelled = await served.client.post("/workers/echo/runs/a/cancel")
            ended = await call
            again = await served.client.post("/workers/echo/runs/a/cancel")
            (tmp_path / "go").touch()
            return cancelled, ended, again, await served.run({"run_id": "a"})

    cancelled, ended, again, last = asyncio.run(scenario())
    assert [each.status_code for each in (cancelled, ended, again, last)] == [202, 503, 409, 200]
    assert ended.json()["code"] == "cancelled"
    assert evidence() == ["x", "x"]


@pytest.mark.rule("S9.2", "S9.4")
def test_a_decision_is_made_under_the_name_of_the_token_and_goes_on_at_once(tmp_path):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, ASK, **ASKS)) as served:
            asked = await served.run({"run_id": "a"})
            pending = (await served.client.get("/pending")).json()["requests"]
            place = "/workers/echo/runs/a/decisions"
            wrong = [
                (await served.client.post(place, content=body, headers=JSON)).status_code
                for body in (
                    "{}",
                    '{"answer": "maybe"}',
                    '{"by": "eve"}',
                    '{"answer": 1}',
                    "[]",
                    '{"answer": "a", "final": true}',
                )
            ]
            decided = await served.client.post(
                place, content='{"answer": "approve"}', headers=JSON | bearer("bob") | {"Prefer": "wait=20"}
            )
            second = await served.client.post(place, content='{"answer": "later"}', headers=JSON)
            return asked, pending, wrong, decided, second

    asked, pending, wrong, decided, second = asyncio.run(scenario())
    assert (asked.status_code, asked.headers["workermd-status"]) == (200, "needs_human")
    assert [(each["run_id"], each["question"]) for each in pending] == [("a", "Go on?")]
    assert wrong == [400, 409, 400, 400, 400, 409]
    assert decided.json()["result"] == {"decided": "approve", "by": "bob"}
    assert second.status_code == 409


def test_a_denial_for_good_ends_the_run_and_a_reopening_goes_on(tmp_path):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, ASK, **ASKS)) as served:
            await served.run({"run_id": "a"})
            place = "/workers/echo/runs/a"
            denied = await served.client.post(
                f"{place}/decisions", content='{"answer": "deny", "final": true}', headers=JSON
            )
            reopened = await served.client.post(f"{place}/reopenings", headers={"Prefer": "wait=20"})
            return denied, reopened, await served.client.post("/workers/echo/runs/b/reopenings")

    denied, reopened, nobody = asyncio.run(scenario())
    assert (denied.status_code, denied.json()["error"]["code"]) == (200, "approval_denied")
    assert reopened.headers["workermd-status"] == "needs_human" or reopened.json()["result"]["decided"] == "deny"
    assert nobody.status_code == 404


@pytest.mark.rule("S4.1", "S4.4")
def test_a_batch_says_of_every_line_what_became_of_it(tmp_path):
    async def scenario():
        offer = offered(tmp_path, "wait()\nreply({'result': {}})")
        async with serving(tmp_path, offer, bounds=Capacity(1, 1, 1 << 20)) as served:
            lines = ['{"run_id": "a"}', '{"run_id": "b"}', "", "nonsense", '{"run_id": "c"}']
            kind = {"Content-Type": "application/jsonl"}
            first = await served.client.post("/workers/echo/batches", content="\n".join(lines), headers=kind)
            (tmp_path / "go").touch()
            await until(lambda: not served.desk.jobs)
            listed = json.dumps({"inputs": [{"run_id": "a"}, {"run_id": "b"}, "nonsense", {"run_id": "c"}]})
            again = await served.client.post("/workers/echo/batches", content=listed, headers=JSON)
            await until(lambda: not served.desk.jobs)
            listed = await served.client.get("/workers/echo/runs?status=ok&limit=2")
            return first, again, listed

    first, again, listed = asyncio.run(scenario())
    assert [each["status"] for each in first.json()["items"]] == [202, 202, 422, 429]
    assert [each["status"] for each in again.json()["items"]] == [200, 200, 422, 202]
    assert first.json()["items"][0]["location"] == "/workers/echo/runs/a"
    assert [each["run_id"] for each in listed.json()["runs"]] == ["c", "b"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/workers/echo/runs/a%2Fevents", 200),
        ("/workers/echo/runs/a/events", 404),
        ("/workers/echo/runs/a%2Fevents/events", 200),
        ("/workers/echo/runs/%2e%2e/", 404),
        ("/workers/echo/runs/..%2f..%2fetc%2fpasswd", 404),
        ("/workers/echo/runs/%ff", 404),
        ("/workers/echo/runs/%00", 404),
        ("/workers/echo/runs/a/b/c", 404),
        ("/workers/..%2f..%2fetc/runs/a", 404),
        ("/workers/echo/runs/a/cancel", 405),
        ("//workers", 404),
        ("/workers/echo", 200),
        ("/workers/echo/input.schema.json", 200),
        ("/workers/echo/runs?limit=0", 400),
        ("/workers/echo/runs?limit=x", 400),
    ],
)
def test_a_path_means_what_it_says(tmp_path, path, expected):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, "reply({'result': {}})")) as served:
            await served.run({"run_id": "a/events"})
            return await served.client.get(f"http://127.0.0.1:8420{path}")

    assert asyncio.run(scenario()).status_code == expected


def test_a_contract_is_told_as_it_was_written(tmp_path):
    async def scenario():
        offer = offered(tmp_path, "")
        async with serving(tmp_path, offer) as served:
            text = await served.client.get("/workers/echo", headers={"Accept": "text/markdown"})
            return offer, text, await served.client.get("/workers/echo"), await served.client.get("/openapi.json")

    offer, text, said, document = asyncio.run(scenario())
    assert text.content == offer.data
    assert said.json()["input_schema"] == offer.worker.contract.input_schema
    assert said.json()["constraints"]["timeout_seconds"] == 20
    assert document.json()["components"]["schemas"]["echo.output"]["required"] == ["run_id", "status", "result"]
