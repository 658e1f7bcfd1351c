"""The site's plan names no page twice, and the manual page is one that `man` takes."""

import shutil
import subprocess

import pytest
import yaml

from tests import manual
from tests.conftest import ROOT
from tests.test_docs import linked
from workermd.cli.table import COMMANDS


def placed(entries):
    for entry in entries:
        for value in entry.values():
            yield from placed(value) if isinstance(value, list) else (value,)


def test_every_page_has_one_place_on_the_site():
    found = list(placed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert len(found) == len(set(found))
    assert set(found) == pages, "nav in mkdocs.yml misses a page, or names one that is gone"


def test_the_home_page_leads_to_every_page_of_the_site():
    led = {target for target, _ in linked("docs/index.md")}
    nav = placed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert led == {f"docs/{page}" for page in nav} - {"docs/index.md"}


def test_fonts_and_search_need_no_network():
    plan = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert plan["theme"]["font"] is False
    assert plan["plugins"] == ["search"]
    assert not {"extra_javascript", "extra_css", "hooks", "repo_url"} & set(plan)


def test_the_manual_page_names_every_command_and_is_taken_by_man():
    page = manual.page()
    named = [line.removeprefix(".SS ").replace("\\-", "-") for line in page.splitlines() if line.startswith(".SS ")]
    assert {" ".join(command.name) for command in COMMANDS} <= set(named)
    program = next(filter(shutil.which, ("mandoc", "groff", "nroff")), "")
    if not program:
        pytest.skip("neither mandoc nor groff is installed here")
    words = {"mandoc": ["-Tlint", "-Wwarning"], "groff": ["-man", "-ww", "-Tutf8", "-z"], "nroff": ["-man", "-ww"]}[
        program
    ]
    done = subprocess.run([program, *words], input=page, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[:500]
