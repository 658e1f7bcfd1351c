"""Runs over HTTP: one deed a request, and what the ledger has is what everybody is told."""

import asyncio
import json
import os
import time

import pytest

from tests.serve.serving import offered, serving, until
from workermd.ledger.sqlite.store import Ledger
from workermd.runner.decisions import Choice, decide
from workermd.runner.run_key import KeySource
from workermd.runner.trace import of_traceparent
from workermd.runner.worker import Worker
from workermd.sandbox.policy import Sandbox
from workermd.serve import promises
from workermd.serve.jobs import RunCall
from workermd.system import processes
from workermd.task.binding import Binding

ECHO = 'evidence(task["run_id"]); reply({"result": {"said": task["input"].get("task")}})'
SLOW = "wait()\n" + ECHO


@pytest.mark.rule("S2.3", "S4.4")
def test_a_run_is_answered_and_its_replay_starts_no_process(tmp_path, evidence):
    async def first():
        async with serving(tmp_path, offered(tmp_path, ECHO)) as served:
            response = await served.run({"run_id": "r/1 ü", "task": "hello"})
            found = await served.client.get(response.links["self"]["url"])
            return response, found.json()

    async def again():
        async with serving(tmp_path, offered(tmp_path, ECHO)) as served:
            before = set(processes.descendants(os.getpid()))
            response = await served.run({"run_id": "r/1 ü", "task": "hello"})
            return response, set(processes.descendants(os.getpid())) - before

    response, envelope = asyncio.run(first())
    assert (response.status_code, response.headers["workermd-status"]) == (200, "ok")
    assert response.json() == {"run_id": "r/1 ü", "status": "ok", "result": {"said": "hello"}}
    assert envelope["outputs"] == response.json()
    replayed, started = asyncio.run(again())
    assert replayed.content == response.content
    assert replayed.headers["idempotent-replayed"] == "true"
    assert started == set()
    assert evidence() == ["r/1", "ü"]


FILES = """
from workermd import Reply

def work(task):
    with open(task.artifacts_dir + "/plot.svg", "w") as file:
        file.write("<svg/>")
    return Reply({"result": {}}, artifacts=({"name": "a plot.svg", "path": "plot.svg", "media_type": "image/svg+xml"},))
"""


def test_a_file_that_an_attempt_left_is_fetched_by_its_digest(tmp_path):
    (tmp_path / "leaves_a_file.py").write_text(FILES)
    offer = offered(tmp_path, "")
    bound = Binding(kind="function", origin="the test", function="leaves_a_file:work", folder=str(tmp_path))
    offer = offer._replace(worker=Worker(offer.worker.contract, bound, sandbox=Sandbox("off")))

    async def scenario():
        async with serving(tmp_path, offer) as served:
            await served.run({"run_id": "r/1", "task": "x"})
            envelope = (await served.client.get("/workers/echo/runs/r%2F1")).json()
            (file,) = envelope["artifacts"]
            home = "/workers/echo/runs/r%2F1/artifacts"
            others = [
                await served.client.get(f"{home}{query}")
                for query in ("", "?sha256=00", f"?sha256=../{file['sha256']}")
            ]
            return file, await served.client.get(file["uri"]), others

    file, found, others = asyncio.run(scenario())
    assert file["uri"] == f"/workers/echo/runs/r%2F1/artifacts?sha256={file['sha256']}"
    assert found.text == "<svg/>"
    assert found.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20plot.svg"
    assert found.headers["content-type"] == "application/octet-stream"
    assert [each.status_code for each in others] == [404] * 3


def test_whoever_does_not_wait_is_told_where_to_look(tmp_path):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, SLOW)) as served:
            told = await served.run({"run_id": "a"}, Prefer="respond-async")
            waited = await served.run({"run_id": "a"}, Prefer="wait=0, handling=lenient")
            look = await served.client.get(told.headers["location"])
            (tmp_path / "go").touch()
            end = await served.run({"run_id": "a"})
            return told, waited, look, end, await served.client.get(told.headers["location"])

    told, waited, look, end, found = asyncio.run(scenario())
    assert [each.status_code for each in (told, waited, look, end, found)] == [202, 202, 202, 200, 200]
    assert told.headers["preference-applied"] == "respond-async"
    assert waited.headers["preference-applied"] == "wait=0"
    assert look.json()["called_by"] == "ada"
    assert look.headers["retry-after"] == "1"
    assert found.json()["outputs"] == end.json()


def test_a_client_that_hangs_up_ends_nothing(tmp_path, evidence):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, SLOW)) as served:
            call = asyncio.create_task(served.run({"run_id": "a", "task": "x"}))
            await until(lambda: served.desk.jobs)
            call.cancel()
            await asyncio.wait([call])
            (tmp_path / "go").touch()
            return await served.run({"run_id": "a", "task": "x"})

    assert asyncio.run(scenario()).json()["result"] == {"said": "x"}
    assert evidence() == ["a"]


def test_every_ending_has_its_status_of_http(tmp_path):
    body = "word = task['input'].get('task')\nif word == 'fail': sys.exit(1)\nif word == 'busy': sys.exit(75)\nreply({'result': {}})"

    async def scenario():
        async with serving(tmp_path, offered(tmp_path, body, constraints={"max_attempts": 1})) as served:
            await served.run({"run_id": "used"})
            return [
                await served.run(document, worker, **headers)
                for document, worker, headers in [
                    ({"run_id": "used", "task": "other"}, "echo", {}),
                    ({"run_id": "b", "task": "fail"}, "echo", {}),
                    ({"run_id": "c", "task": 1}, "echo", {}),
                    ({}, "echo", {}),
                    ([], "echo", {}),
                    ("{", "echo", {}),
                    ({"run_id": "d"}, "echo", {"Idempotency_Key": '"e"'}),
                    ({"task": "ok"}, "echo", {"Idempotency_Key": '"e"'}),
                    ({"run_id": "f"}, "nobody", {}),
                    ({"run_id": "f"}, "echo", {"Content_Type": "text/plain"}),
                ]
            ]

    found = asyncio.run(scenario())
    assert [(each.status_code, each.json().get("code")) for each in found] == [
        (422, "idempotency_conflict"),
        (502, "backend_failed"),
        (422, "input_schema_mismatch"),
        (400, "run_key_missing"),
        (400, "input_schema_mismatch"),
        (400, "input_schema_mismatch"),
        (400, "usage"),
        (200, None),
        (404, "no_such_worker"),
        (415, "not_json"),
    ]
    assert found[2].json()["findings"] == [
        {"pointer": "/task", "schema_pointer": "/properties/task/type", "message": "is an integer, allowed: string"}
    ]
    assert all(each.headers["content-type"] == "application/problem+json" for each in found if each.status_code >= 400)


@pytest.mark.rule("S4.14")
def test_a_run_is_on_disk_before_it_is_named_and_a_ledger_that_takes_nothing_promises_nothing(tmp_path, monkeypatch):
    async def scenario():
        async with serving(tmp_path, offered(tmp_path, SLOW)) as served:
            told = await served.run({"run_id": "a"}, Prefer="respond-async")
            with Ledger.open_read_only(str(tmp_path / "ledger.db")) as ledger:
                accepted = ledger.accepted()
            monkeypatch.setattr(promises, "PATIENCE", 0.05)
            with Ledger.open(str(tmp_path / "ledger.db")) as other, other.transaction(time.monotonic() + 5):
                refused = await served.run({"run_id": "b"}, Prefer="respond-async")
            (tmp_path / "go").touch()
            end = await served.run({"run_id": "a"})
            again = await served.run({"run_id": "b"})
            with Ledger.open_read_only(str(tmp_path / "ledger.db")) as ledger:
                return told, accepted, refused, end, again, ledger.accepted()

    told, accepted, refused, end, again, left = asyncio.run(scenario())
    assert told.status_code == 202
    assert [(each.run_id, each.who, json.loads(each.request)) for each in accepted] == [("a", "ada", {"run_id": "a"})]
    assert (refused.status_code, refused.json()["code"]) == (503, "ledger_busy")
    assert (end.status_code, again.status_code, left) == (200, 200, ())


@pytest.mark.rule("S4.14", "S4.5")
def test_a_server_goes_on_with_what_one_before_it_had_accepted_under_the_contract_of_then(tmp_path, evidence):
    old, new = (offered(tmp_path, ECHO, purpose=purpose) for purpose in ("Before.", "After."))

    def promise(session):
        key = KeySource(given="a", option="the test")
        call = RunCall(old, old.worker, b'{"task": "x"}', key, of_traceparent(""), "bob")
        promises.accept(session, ("echo", "a"), call)

    async def first():
        async with serving(tmp_path, old) as served:
            await served.desk.ask(promise)

    async def second():
        async with serving(tmp_path, new) as served:
            unfinished, ended = await gone_on(served)
            return unfinished, ended, await served.desk.look(("echo", "a")), await served.desk.go_on_with_unfinished()

    asyncio.run(first())
    unfinished, ended, run, again = asyncio.run(second())
    assert [(call.caller, call.worker.contract.purpose) for call in unfinished.calls] == [("bob", "Before.")]
    assert [each.envelope["status"] for each in ended] == ["ok"]
    assert (run.status, run.contract_sha256.hex()) == ("ok", old.worker.contract.meaning_sha256)
    assert again.calls == ()
    assert evidence() == ["a"]


@pytest.mark.rule("S9.2")
def test_a_server_goes_on_with_a_decision_that_nobody_has_acted_on(tmp_path, evidence):
    body = f"if not task['decisions']: sys.exit(77)\n{ECHO}"
    offer = offered(
        tmp_path, body, statuses=["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"]
    )

    async def first():
        async with serving(tmp_path, offer) as served:
            await served.run({"run_id": "b"})
            await served.desk.ask(lambda session: decide(session.ledger, "echo", "b", Choice("approve", "bob")))

    async def second():
        async with serving(tmp_path, offer) as served:
            return *await gone_on(served), await served.desk.told(("echo", "b"))

    asyncio.run(first())
    _, ended, told = asyncio.run(second())
    assert [each.envelope["status"] for each in ended] == ["ok"]
    names = [(number, event["event"]) for number, event in told[0]]
    assert names == list(enumerate(["attempt", "attempt_ended", "attempt", "attempt_ended", "run"], 1))
    assert evidence() == ["b"]


async def gone_on(served):
    unfinished = await served.desk.go_on_with_unfinished()
    return unfinished, [await job.result() for job in list(served.desk.jobs.values())]
