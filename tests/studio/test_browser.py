"""The studio in a real browser: a contract is derived, changed, bound to a team, fails, is read, mended, asked and approved;
its report is downloaded. Every page is looked at by axe on the way, narrow and wide, light and dark."""

import re
import shutil
import subprocess

import pytest

from tests.late import LATE, needs
from tests.studio.opened import folder_with
from workermd.testing import Server, Text

needs("playwright", "the browser's driver is not installed")
needs("axe_playwright_python", "axe is not installed")
needs("autogen_agentchat", "AutoGen's AgentChat is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium on this machine; `make browser` installs one", allow_module_level=True)

if LATE:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

WRONG = '{"result": {"greeting": "Hello"}, "status": "ok"}'
ASKS = '{"result": {"error": {"code": "approval_required", "message": "May I?", "retryable": false}}, "status": "needs_human"}'
DRAFT = Text("A draft: Hello, Ada.")
WORKER = "greeter-derived-worker"
CHANGES = (
    (
        r'"minProperties": 1,',
        '"additionalProperties": false, "required": ["words"], "properties": {"words": {"type": "string"}},',
    ),
    (r'("invalid_output")\s+\]', r'\1, "needs_human"]'),
    (r"status_enum: \[(.*)\]", r"status_enum: [\1, needs_human]"),
)


@pytest.fixture
def repository(tmp_path):
    """What a newcomer has: the checkout of a project."""
    folder = tmp_path / "greeter"
    folder.mkdir()
    (folder / "README.md").write_text("# greeter\n\nGreets a person in their mood.\n\n    pip install greeter\n")
    git = ("git", "-C", str(folder), "-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "begin")):
        subprocess.run([*git, *words], check=True)
    return folder


def opened_studio(cli, *words):
    """The process, the link that lets a browser in, and the address of the server."""
    process = cli.start("studio", *words, "--port", 0, "--config", words[-1] / "workermd.toml")
    process.stderr.readline()
    link = re.search(r"http\S+", process.stderr.readline().decode())
    assert link is not None
    return process, link[0], link[0].split("/studio")[0]


class Visitor:
    """A browser's page, and what axe and the page's own script had against it."""

    def __init__(self, page):
        self.page = page
        self.faults = []
        self.looks = 0
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def look(self, name):
        """By axe, in one colour scheme and then the other; no page is wider than its window, narrow or wide."""
        self.looks += 1
        self.page.emulate_media(color_scheme="dark" if self.looks % 2 else "light")
        for width in (1920, 390):
            self.page.set_viewport_size({"width": width, "height": 900})
            if self.page.evaluate("document.documentElement.scrollWidth") > width:
                self.faults.append((name, width, "is wider than its window"))
        found = Axe().run(self.page).response["violations"]
        self.faults += [(name, each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found]

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def change(self, address, old, new):
        """Edit the contract, through its patch."""
        self.page.goto(f"{address}/studio/edit?worker={WORKER}")
        text = self.page.locator("#text")
        changed = re.sub(old, new, text.input_value())
        assert changed != text.input_value()
        text.fill(changed)
        self.press("See what changes")
        self.press("Save")
        self.page.wait_for_url("**said=saved**")

    def run(self, run_id):
        self.page.get_by_label("run_id").fill(run_id)
        self.page.get_by_label("tool").fill("greet")
        self.page.get_by_label("arguments").fill('{"name": "Ada"}')
        self.press("Run")


def test_a_newcomer_derives_binds_runs_reads_why_mends_approves_and_keeps_the_report(cli, repository, tmp_path):
    spec = tmp_path / "greeter.worker.md"
    assert cli("derive", repository, "-o", spec, "--id", WORKER).code == 0
    with Server([DRAFT, Text(WRONG), DRAFT, Text(WRONG), DRAFT, Text(ASKS), DRAFT, Text(WRONG)]) as server:
        (tmp_path / "workermd.toml").write_text(
            f'ledger = "{tmp_path / "ledger.db"}"\n[models.local]\nmodel = "small"\nbase_url = "{server.url}"\n'
        )
        process, link, address = opened_studio(cli, "--edit", tmp_path)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            visitor = Visitor(browser.new_page(viewport={"width": 390, "height": 844}))
            page = visitor.page
            page.goto(link)
            visitor.look("no runs")
            page.get_by_role("link", name="Contracts").click()
            visitor.look("contracts")
            page.get_by_role("link", name="greeter Repo-Derived Worker").click()
            for old, new in CHANGES:
                visitor.change(address, old, new)
            page.goto(f"{address}/studio/edit?worker={WORKER}")
            visitor.look("edit")
            page.goto(f"{address}/studio/team?worker={WORKER}")
            page.get_by_label("Backend").select_option("team")
            page.get_by_label("Pattern").select_option("round-robin")
            page.get_by_label("Name", exact=True).nth(0).fill("writer")
            page.get_by_label("Name", exact=True).nth(1).fill("editor")
            visitor.press("See what changes")
            visitor.look("changes of the team")
            visitor.press("Save")
            visitor.look("contract")
            visitor.run("r1")
            page.get_by_text("invalid output").first.wait_for(timeout=60_000)
            line = page.locator(".violations a").first
            broken = page.locator(f"#{(line.get_attribute('href') or '')[1:]} code").inner_text()
            assert "anyOf" in broken, "the answer is neither of the two that the contract knows"
            assert "words" in page.locator(".violations").first.inner_text()
            page.get_by_text("A draft: Hello, Ada.").first.wait_for()
            visitor.look("failed run")
            visitor.change(address, '"words"', '"greeting"')
            visitor.run("r2")
            page.get_by_role("button", name="Approve").wait_for(timeout=60_000)
            visitor.look("question")
            page.goto(f"{address}/studio/pending")
            visitor.look("decisions")
            page.get_by_role("button", name="Approve").click()
            page.locator("#headline", has_text="ok").wait_for(timeout=60_000)
            with page.expect_download() as download:
                page.get_by_role("link", name="Download as one file").click()
            kept = download.value.path().read_text()
            for name in (
                "",
                f"team?worker={WORKER}",
                "doctor",
                "compare",
                "compare?what=runs&a=r1&b=r2",
            ):
                page.goto(f"{address}/studio/{name}")
                visitor.look(name or "runs")
            browser.close()
        process.terminate()
        process.wait(30)
    assert visitor.faults == []
    assert "answered “approve”" in kept
    assert "<script" not in kept


MOODS = """
said = task["input"].get("task")
if said == "wait":
    wait()
reply({"result": {"mood": said if said in ("good", "bad", "foul") else "good"}})
"""


def test_every_other_deed_of_a_page_is_done_in_the_browser(cli, tmp_path):
    """Cancel, go on, grant a start, run again, copy, filter, compare."""
    folder_with(tmp_path, MOODS)
    process, link, address = opened_studio(cli, tmp_path)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        visitor = Visitor(browser.new_page(viewport={"width": 1280, "height": 900}))
        page = visitor.page
        page.set_default_timeout(60_000)
        page.goto(link)

        def begin(run_id, task):
            page.goto(f"{address}/studio/contract?worker=echo")
            page.get_by_label("run_id").fill(run_id)
            page.get_by_label("task").fill(task)
            visitor.press("Run")

        begin("c1", "wait")
        page.locator("#headline", has_text="running").wait_for()
        visitor.press("Cancel")
        page.get_by_role("button", name="Go on", exact=True).wait_for()
        (tmp_path / "go").touch()
        visitor.press("Go on")
        page.locator("#headline", has_text="ok").wait_for()
        begin("r2", "foul")
        page.locator("#headline", has_text="invalid output").wait_for()
        page.get_by_text("Grant another start").click()
        page.get_by_label("Reason").fill("once more")
        visitor.press("Grant and go on")
        page.get_by_role("heading", name=re.compile("Attempt 3")).wait_for()
        page.locator(".audit", has_text="once more").wait_for()
        page.get_by_role("button", name="Copy as a command").click()
        page.get_by_role("button", name=re.compile("Copied|workermd run")).wait_for()
        page.get_by_role("link", name="Run again with this input").click()
        assert page.get_by_label("task").input_value() == "foul"
        page.goto(f"{address}/studio/")
        page.get_by_label("Status").select_option("ok")
        visitor.press("Show")
        page.get_by_role("link", name="c1").wait_for()
        assert page.get_by_role("link", name="r2").count() == 0
        page.goto(f"{address}/studio/compare?what=runs&a=c1&b=r2")
        visitor.look("compare")
        browser.close()
    process.terminate()
    process.communicate(timeout=30)
    assert visitor.faults == []
