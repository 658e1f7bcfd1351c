"""The studio in a real browser: a team is bound, fails, is read, mended, asked and approved; the report is downloaded."""

import re
import shutil

import pytest

from tests.late import LATE, needs
from tests.studio.opened import OUTPUT, STATUSES
from workermd.testing import Server, Text

needs("playwright", "the browser's driver is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium on this machine", allow_module_level=True)

if LATE:
    from playwright.sync_api import sync_playwright

GOOD = '{"result": {"mood": "mild"}, "status": "ok"}'
ASKS = '{"result": {"error": {"code": "approval_required", "message": "May I?"}}, "status": "needs_human"}'


def test_a_newcomer_binds_runs_reads_why_mends_approves_and_keeps_the_report(cli, contract, tmp_path):
    contract(statuses=STATUSES, output_schema=OUTPUT)
    with Server([Text(GOOD), Text(GOOD), Text(ASKS), Text(GOOD)]) as server:
        (tmp_path / "workermd.toml").write_text(
            f'ledger = "{tmp_path / "ledger.db"}"\n[models.local]\nmodel = "small"\nbase_url = "{server.url}"\n'
        )
        process = cli.start("studio", "--edit", tmp_path, "--port", 0, "--config", tmp_path / "workermd.toml")
        process.stderr.readline()
        link = re.search(r"http\S+", process.stderr.readline().decode())
        assert link is not None
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 390, "height": 844})
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(link[0])
            page.get_by_role("link", name="Contracts").click()
            page.get_by_role("link", name="echo").click()
            page.get_by_role("link", name="Change the team").click()
            page.get_by_label("Backend").select_option("chat")
            page.get_by_role("button", name="See what changes").click()
            page.get_by_role("button", name="Save").click()
            page.get_by_label("run_id").fill("r1")
            page.get_by_role("button", name="Run", exact=True).click()
            page.get_by_text("invalid output").first.wait_for(timeout=60_000)
            line = page.locator(".violations a").first
            assert "mood" in page.locator(f"#{(line.get_attribute('href') or '')[1:]} code").inner_text()
            page.goto(page.url.split("/studio")[0] + "/studio/edit?worker=echo")
            text = page.locator("#text")
            text.fill(text.input_value().replace('"bad"', '"bad", "mild"'))
            page.get_by_role("button", name="See what changes").click()
            page.get_by_role("button", name="Save").click()
            page.get_by_label("run_id").fill("r2")
            page.get_by_role("button", name="Run", exact=True).click()
            page.get_by_role("button", name="Approve").click(timeout=60_000)
            page.locator("#headline", has_text="ok").wait_for(timeout=60_000)
            with page.expect_download() as download:
                page.get_by_role("link", name="Download as one file").click()
            kept = download.value.path().read_text()
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            browser.close()
        process.terminate()
        process.wait(30)
    assert faults == []
    assert "answered “approve”" in kept
    assert "<script" not in kept
