"""The studio's pages over a real ledger: what is seen of a run, what a person does, and who is let in."""

import asyncio
import html
import json
import re
import sqlite3
import tomllib

import httpx
import pytest

from tests.conftest import patience
from tests.serve.serving import ADDRESS
from tests.studio.opened import folder_with, opened, plain
from workermd.testing import Hang, Server, Text

MOODS = """
said = task["input"].get("task")
if said == "ask" and not task["decisions"]:
    reply({"error": {"message": "May I?", "options": ["approve", "deny"], "kind": "tool", "proposed": {"tool": "refund", "arguments": {"n": "<i>1</i>"}}}})
    sys.exit(77)
if said == "wait":
    wait()
reply({"result": {"mood": said if said in ("good", "bad", "foul") else "good"}})
"""


def test_a_run_is_begun_fails_and_its_page_says_why_at_the_line(tmp_path):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            form = await studio.page("contract?worker=echo")
            sent = await studio.send("start", worker="echo", input='{"run_id": "r 1", "task": "foul"}')
            assert (sent.status_code, sent.headers["location"]) == (303, "/studio/run?worker=echo&run=r+1&said=begun")
            await studio.settled("echo", "r 1")
            return form, await studio.page("run?worker=echo&run=r+1"), await studio.page("")

    form, page, runs = asyncio.run(scenario())
    assert 'id="schema">{"type": "object"' in form
    lines = (tmp_path / "echo.worker.md").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if '"mood": {' in text)
    assert f'<a href="#L{line}">line {line}</a>' in page
    assert f'<li id="L{line}" class="broken">' in page
    assert "must be one of the 2 values of the enum" in plain(page)
    assert "Attempt 2" in plain(page)
    assert "2 of 2" in plain(runs)
    assert "invalid output output_schema_mismatch" in plain(runs)


def test_an_input_that_does_not_fit_is_told_in_the_form_and_runs_nothing(tmp_path):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            sent = await studio.send("start", worker="echo", input='{"run_id": 5, "taks": "<b>x"}')
            return sent, await studio.page("")

    sent, runs = asyncio.run(scenario())
    assert sent.status_code == 422
    assert "/run_id is an integer" in plain(sent.text)
    assert "&lt;b&gt;x" in sent.text, "the input stays in the form as it was typed"
    assert "no run is in it yet" in plain(runs) or "No run" in plain(runs)


def test_a_decision_in_the_browser_goes_on_at_once_and_bears_the_name_of_the_session(tmp_path):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "q", "task": "ask"}')
            await studio.settled("echo", "q")
            pending = await studio.page("pending")
            number = re.search(r'name="request" value="(\w+)"', pending)[1]
            fields = {"worker": "echo", "run": "q", "request": number, "answer": "approve", "reason": "She paid twice."}
            sent = await studio.send("decide", **fields, by="mallory")
            assert "said=decided" in sent.headers["location"]
            run = await studio.settled("echo", "q")
            late = await studio.send("decide", **fields)
            return pending, run, await studio.page("run?worker=echo&run=q"), late, await studio.page("pending")

    pending, run, page, late, empty = asyncio.run(scenario())
    assert "It would call refund with" in plain(pending)
    assert "<i>1</i>" not in pending
    assert (run.status, run.attempts) == ("ok", 2)
    assert re.search(r"ada answered .approve.: May I\? She paid twice\.", plain(page))
    assert late.status_code == 409
    assert "was decided by ada" in plain(late.text)
    assert "Nothing waits for a person" in plain(empty)


def test_a_run_is_cancelled_goes_on_and_gets_a_further_start(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        async with opened(folder) as studio:
            name = {"worker": "echo", "run": "w"}
            await studio.send("start", worker="echo", input='{"run_id": "w", "task": "wait"}')
            await studio.until("echo", "w", lambda run: run is not None and run.state == "running")
            assert "Cancel" in await studio.page("run?worker=echo&run=w")
            assert "said=cancelled" in (await studio.send("cancel", **name)).headers["location"]
            await studio.until("echo", "w", lambda _run: ("echo", "w") not in studio.desk.jobs)
            page = await studio.page("run?worker=echo&run=w")
            (folder / "go").touch()
            await studio.send("go-on", **name)
            run = await studio.settled("echo", "w")
            refused = await studio.send("reopen", **name)
            return page, run, refused

    page, run, refused = asyncio.run(scenario())
    assert "cancelled" in plain(page)
    assert "Go on" in plain(page)
    assert (run.status, run.attempts) == ("ok", 2)
    assert refused.status_code == 409


def test_a_decision_goes_on_under_the_contract_that_the_run_was_begun_with(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        async with opened(folder) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "q", "task": "ask"}')
            before = await studio.settled("echo", "q")
            path = folder / "echo.worker.md"
            path.write_text(path.read_text().replace("Answer one question.", "Answer another question."))
            sent = await studio.send("decide", worker="echo", run="q", answer="approve")
            return sent, before, await studio.settled("echo", "q")

    sent, before, after = asyncio.run(scenario())
    assert (sent.status_code, after.status) == (303, "ok"), plain(sent.text)
    assert after.contract_sha256 == before.contract_sha256


def test_a_decision_that_could_not_go_on_is_refused_before_it_is_recorded(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        async with opened(folder) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "q", "task": "ask"}')
            await studio.settled("echo", "q")
            (folder / "echo.worker.md").unlink()
            with sqlite3.connect(folder / "ledger.db") as ledger:  # as a version before kept no text
                ledger.executescript(
                    "DROP TRIGGER key_is_fixed; DROP TRIGGER settled_run_is_final; UPDATE runs SET contract = NULL"
                )
            ledger.close()
            forgotten = await studio.send("decide", worker="echo", run="q", answer="approve")
            return forgotten, await studio.page("pending")

    sent, pending = asyncio.run(scenario())
    assert sent.status_code == 409
    assert "means something else now" in plain(sent.text)
    assert "May I?" in plain(pending)


HOSTILE = "<script>alert(1)</script>\"'&"


def test_no_text_of_a_run_becomes_markup(tmp_path):
    async def scenario():
        body = f"print({HOSTILE!r}, file=sys.stderr); reply({{'result': {{'mood': {HOSTILE!r}}}}})"
        async with opened(folder_with(tmp_path, body, purpose=f"Say {HOSTILE}.")) as studio:
            await studio.send("start", worker="echo", input=json.dumps({"run_id": HOSTILE, "task": HOSTILE}))
            await studio.settled("echo", HOSTILE)
            addresses = [
                "",
                "contracts",
                "contract?worker=echo",
                "pending",
                f"?text={HOSTILE}",
                f"run?worker=echo&run={HOSTILE}",
            ]
            addresses = [str(httpx.URL(f"/studio/{each}"))[8:] for each in addresses]
            return [
                await studio.page(each)
                for each in [*addresses[:5], str(httpx.URL("run", params={"worker": "echo", "run": HOSTILE}))]
            ]

    for page in asyncio.run(scenario()):
        assert "alert(1)" in page or "Nothing waits" in page
        assert "<script>alert" not in page
        assert re.findall(r"<script(?![^>]*(?:src=|application/json))", page) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page.replace("script&gt;", "")) == []


def test_a_browser_comes_in_by_a_link_that_works_once_and_nobody_else_does(tmp_path):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            link = re.search(r"http\S+", studio.studio.greeting(ADDRESS))[0]
            transport = studio.browser._transport
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as other:
                stranger = await other.get("/studio/")
                first, second = await other.get(link), None
                other.cookies.clear()
                second = await other.get(link)
                invented = await other.get("/studio/", headers={"Cookie": f"{studio.room.entrance.cookie}=x"})
            page = await studio.browser.get("/studio/")
            fields = {"worker": "echo", "input": "{}"}
            forms = [
                await studio.browser.post("/studio/start", data=fields, headers={"Origin": ADDRESS}),
                await studio.browser.post("/studio/start", data=fields),
                await studio.browser.post("/studio/start", data=fields, headers={"Origin": "https://evil.example"}),
                await studio.browser.get("/studio/", headers={"Host": "evil.example"}),
            ]
            return stranger, first, second, invented, page, forms

    stranger, first, second, invented, page, forms = asyncio.run(scenario())
    assert (stranger.status_code, first.status_code, second.status_code, invented.status_code) == (401, 303, 403, 401)
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert [form.status_code for form in forms] == [403, 403, 403, 421]
    assert "mark of your session" in plain(forms[0].text)


def test_a_report_is_one_file_that_needs_nothing_else(tmp_path):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "../r", "task": "foul"}')
            await studio.settled("echo", "../r")
            return await studio.browser.get("/studio/report", params={"worker": "echo", "run": "../r"})

    report = asyncio.run(scenario())
    assert report.headers["content-disposition"] == 'attachment; filename="run-.._r.html"'
    assert re.findall(r'(?:src|href)="(?!#)', report.text) == []
    assert "<script" not in report.text
    assert "<form" not in report.text
    assert ".source" in report.text
    assert "must be one of the 2 values" in plain(report.text)


FILES = """
import os
from workermd import Reply

def work(task):
    path = os.path.join(task.artifacts_dir, "plot <1>.html")
    with open(path, "w") as file:
        file.write("<script>alert(1)</script>")
    return Reply({"result": {"mood": "good"}}, artifacts=({"name": "plot <1>.html", "path": path, "media_type": "text/html"},))
"""


def test_a_file_that_an_attempt_left_is_kept_and_never_shown(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, "")
        (folder / "leaves_a_file.py").write_text(FILES)
        bound = '[workers.echo]\nbackend = "function"\nfunction = "leaves_a_file:work"\n'
        (folder / "workermd.toml").write_text(f'ledger = "ledger.db"\nsandbox = "off"\n{bound}')
        async with opened(folder) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "r", "task": "x"}')
            await studio.settled("echo", "r")
            page = await studio.page("run?worker=echo&run=r")
            link = html.unescape(re.search(r'href="(/studio/artifact[^"]+)"', page)[1])
            found = await studio.browser.get(link)
            unknown = await studio.browser.get(link[:-1] + ("0" if link[-1] != "0" else "1"))
            (kept,) = tmp_path.glob("ledger.db.artifacts/*/plot*")
            kept.write_text("changed")
            return found, unknown, await studio.browser.get(link)

    found, *gone = asyncio.run(scenario())
    assert found.text == "<script>alert(1)</script>"
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"] == "attachment; filename*=UTF-8''plot%20%3C1%3E.html"
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert [each.status_code for each in gone] == [404, 404], "no other digest, and no file that is another now"


def test_a_conversation_is_read_while_it_goes_on(tmp_path):
    team = '[workers.echo]\nbackend = "team"\nmodel = "local"\npattern = "round-robin"\nagents = [{name = "writer"}, {name = "editor"}]\n'

    async def scenario(url):
        folder = folder_with(tmp_path, MOODS)
        model = f'[models.local]\nmodel = "small"\nbase_url = "{url}"\n'
        (folder / "workermd.toml").write_text(f'ledger = "ledger.db"\nsandbox = "off"\n{model}{team}')
        async with opened(folder) as studio:
            await studio.send("start", worker="echo", input='{"run_id": "r", "task": "x"}')
            async with asyncio.timeout(patience(60)):
                while "A first draft" not in (page := plain(await studio.page("run?worker=echo&run=r"))):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await studio.send("cancel", worker="echo", run="r")
            await studio.until("echo", "r", lambda _: ("echo", "r") not in studio.desk.jobs)
            return page, plain(await studio.page("run?worker=echo&run=r"))

    with Server([Text("A first draft"), Hang()]) as server:
        during, after = asyncio.run(scenario(server.url))
    assert "running" in during
    assert "writer" in during
    assert "A first draft" in after, "what was told live is in the ledger afterwards"


@pytest.mark.parametrize("address", ["run?worker=echo&run=nothing", "contract?worker=nobody", "run", "report?run=x"])
def test_what_is_not_there_is_said(tmp_path, address):
    async def scenario():
        async with opened(folder_with(tmp_path, MOODS)) as studio:
            return await studio.browser.get(f"/studio/{address}")

    response = asyncio.run(scenario())
    assert response.status_code == 404
    assert "No such" in response.text


def digest_in(page):
    return re.search(r'name="digest" value="(\w+)"', page)[1]


def test_a_contract_is_changed_through_its_patch_and_never_over_a_change_of_somebody_else(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        path = folder / "echo.worker.md"
        async with opened(folder, edit=True) as studio:
            digest = digest_in(await studio.page("edit?worker=echo"))
            text = path.read_text().replace("Answer one question.", "Answer two questions.").replace("\n", "\r\n")
            findings = await studio.send(
                "check", worker="echo", text=text.replace("timeout_seconds: 20", "timeout_seconds: x")
            )
            preview = await studio.send("edit/preview", worker="echo", text=text, digest=digest)
            before = path.read_text()
            saved = await studio.send("edit/save", worker="echo", text=text, digest=digest)
            after = path.read_text()
            late = await studio.send("edit/save", worker="echo", text=before, digest=digest)
            return findings, preview, before, saved, after, late, path.read_text()

    findings, preview, before, saved, after, late, now = asyncio.run(scenario())
    assert "timeout_seconds" in plain(findings.text)
    assert "error" in plain(findings.text)
    assert '<span class="add">+Purpose: Answer two questions.</span>' in preview.text
    assert "one question" in before
    assert saved.status_code == 303
    assert after == before.replace("one question", "two questions")
    assert late.status_code == 409
    assert now == after


def test_nothing_outside_the_folder_is_changed_and_nothing_without_edit(tmp_path):
    async def scenario(edit):
        folder = tmp_path / f"{edit}"
        folder.mkdir()
        folder_with(folder, MOODS)
        outside = tmp_path / f"outside-{edit}.md"
        (folder / "echo.worker.md").rename(outside)
        (folder / "echo.worker.md").symlink_to(outside)
        async with opened(folder, edit=edit) as studio:
            page = await studio.browser.get("/studio/edit?worker=echo")
            sent = await studio.send("edit/save", worker="echo", text="gone", digest="")
            team = await studio.send("team/preview", worker="echo", backend="team", model="local")
            return page.status_code, sent.status_code, team.status_code, "gone" in outside.read_text()

    assert asyncio.run(scenario(True)) == (403, 409, 409, False), (
        "the worker is bound to a program: no browser changes that"
    )
    assert asyncio.run(scenario(False)) == (403, 409, 409, False)


MODEL = '[models.local]\nmodel = "small"\nbase_url = "http://127.0.0.1:9/v1"\n'


def test_a_team_is_bound_through_a_patch_and_names_nothing_that_the_operator_did_not(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        settings = folder / "workermd.toml"
        settings.write_text(f'# kept\nledger = "ledger.db"\n{MODEL}')
        team = {"worker": "echo", "backend": "team", "model": "local", "pattern": "round-robin"}
        team |= {"agent-0-name": "writer", "agent-0-instructions": "Draft.", "agent-1-name": "editor"}
        async with opened(folder, edit=True) as studio:
            preview = await studio.send("team/preview", **team)
            refused = [
                await studio.send("team/preview", **(team | change))
                for change in ({"backend": "command"}, {"backend": "factory"}, {"model": "gpt"}, {"tools": "shell"})
            ]
            wanted = json.dumps(
                {"backend": "team", "model": "local", "command": ["sh"], "allow_providers": ["x"], "env": ["A"]}
            )
            digest = digest_in(preview.text)
            sneaked = await studio.send("team/preview", worker="echo", wanted=wanted)
            before = settings.read_text()
            saved = await studio.send("team/save", **team, digest=digest)
            page = await studio.page("contract?worker=echo")
            return preview, refused, sneaked, before, saved, settings.read_text(), page

    preview, refused, sneaked, before, saved, after, page = asyncio.run(scenario())
    assert 'pattern = "round-robin"' in plain(preview.text)
    assert [each.status_code for each in refused] == [409, 409, 409, 409]
    assert "command" not in plain(sneaked.text)
    assert "allow_providers" not in plain(sneaked.text)
    assert before == f'# kept\nledger = "ledger.db"\n{MODEL}'
    assert saved.status_code == 303
    assert after.startswith(before)
    assert 'aria-label="round-robin: writer, model small; editor, model small"' in page


GRAPH = """
[models.big]
model = "large"
base_url = "http://127.0.0.1:9/v1"

[workers.echo]
backend = "team"
model = "local"
pattern = "graph"
tools = []
agents = [
  { name = "writer", instructions = "Draft.", team = { pattern = "pair" } },
  { name = "editor", tools = [] },
  { name = "last" },
]
edges = [{ from = "writer", to = "editor", when = "READY", group = "g" }, { from = "editor", to = "last" }]
"""


def test_what_a_form_of_a_team_does_not_show_stays_in_the_file(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        (folder / "workermd.toml").write_text(f'ledger = "ledger.db"\n{MODEL}{GRAPH}')
        async with opened(folder, edit=True) as studio:
            page = await studio.page("team?worker=echo")
            fields = dict(re.findall(r'<input id="[^"]*" name="(agent[^"]+|start|tools)" value="([^"]*)"', page))
            edges = html.unescape(re.search(r'name="edges"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)[1])
            fields |= {"agent-0-instructions": "Draft.", "agent-1-model": "big", "start": "writer"}
            form = {"worker": "echo", "backend": "team", "model": "local", "pattern": "graph", "edges": edges, **fields}
            preview = await studio.send("team/preview", **form)
            hidden = html.unescape(re.search(r'name="wanted" value="([^"]*)"', preview.text)[1])
            saved = await studio.send("team/save", worker="echo", wanted=hidden, digest=digest_in(preview.text))
            wrong = await studio.send("team/preview", **(form | {"edges": "writer editor"}))
            return fields, edges, saved, wrong, tomllib.loads((folder / "workermd.toml").read_text())["workers"]["echo"]

    fields, edges, saved, wrong, table = asyncio.run(scenario())
    assert (fields["agent-1-tools"], fields["agent-0-tools"]) == ("none", "")
    assert edges == "writer -> editor: READY\neditor -> last"
    assert saved.status_code == 303
    assert table["agents"][0] == {"name": "writer", "instructions": "Draft.", "team": {"pattern": "pair"}}
    assert table["agents"][1] == {"name": "editor", "tools": [], "model": "big"}
    assert table["edges"][0] == {"from": "writer", "to": "editor", "when": "READY", "group": "g"}
    assert (table["models"], table["start"]) == (["big"], "writer")
    assert wrong.status_code == 409
    assert "'writer editor' is no edge" in plain(wrong.text)


def test_a_team_is_exported_for_autogen_studio(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        (folder / "workermd.toml").write_text(f'ledger = "ledger.db"\n{MODEL}{GRAPH}start = "writer"\n')
        async with opened(folder) as studio:
            link = html.unescape(
                re.search(r'href="(/studio/team/export[^"]+)"', await studio.page("team?worker=echo"))[1]
            )
            found = await studio.browser.get(link)
            (folder / "workermd.toml").write_text('ledger = "ledger.db"\n')
            return found, await studio.browser.get(link)

    found, none = asyncio.run(scenario())
    assert found.status_code == 200, plain(found.text)
    assert found.headers["content-disposition"] == 'attachment; filename="echo.team.json"'
    assert found.json()["provider"] == "autogen_agentchat.teams.GraphFlow"
    assert none.status_code == 404


def test_a_team_of_autogen_studio_is_taken_over_without_its_models_and_tools(tmp_path):
    agent = {
        "name": "writer",
        "description": "drafts",
        "system_message": "Draft it.",
        "model_client": {"x": 1},
        "tools": [{"source_code": "import os"}],
    }
    team = {"provider": "autogen_agentchat.teams.SelectorGroupChat", "config": {"participants": [{"config": agent}]}}

    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        (folder / "workermd.toml").write_text(f'ledger = "ledger.db"\n{MODEL}')
        async with opened(folder, edit=True) as studio:
            gallery = {"components": {"teams": [team | {"label": "One"}, team | {"label": "Two"}]}}
            return [
                await studio.send("team/import", worker="echo", component=text)
                for text in (json.dumps(team), "{}", json.dumps(gallery))
            ]

    page, refused, several = asyncio.run(scenario())
    assert "Left out: the model of writer, the tools of writer" in plain(page.text)
    assert 'value="selector" selected' in page.text
    assert "Draft it." in page.text
    assert "import os" not in page.text
    assert (refused.status_code, several.status_code) == (409, 409)
    assert "found a gallery with the teams 'One', 'Two'" in plain(several.text)


def test_two_of_a_kind_are_compared(tmp_path):
    async def scenario():
        folder = folder_with(tmp_path, MOODS)
        text = (folder / "echo.worker.md").read_text()
        (folder / "other.worker.md").write_text(
            text.replace("id: echo", "id: other").replace("max_attempts: 2", "max_attempts: 3")
        )
        async with opened(folder) as studio:
            for run in ("good", "bad"):
                await studio.send("start", worker="echo", input=json.dumps({"run_id": run, "task": run}))
                await studio.settled("echo", run)
            return [
                await studio.page(f"compare?what={each}")
                for each in (
                    "runs&a=good&b=bad",
                    "contracts&a=echo&b=other",
                    "bindings&a=echo&b=other",
                    "runs&a=good&b=x",
                    "contracts",
                )
            ]

    runs, contracts, bindings, missing, empty = map(plain, asyncio.run(scenario()))
    assert '- "mood": "good"' in runs
    assert '+ "mood": "bad"' in runs
    assert "breaking" in contracts
    assert "+- max_attempts: 3" in contracts
    assert "No backend is bound to 'other'" in bindings
    assert "not in this ledger" in missing
    assert "Choose two" in empty
