"""Pages whose examples are run: every command with its output, in a folder with what a clone has."""

import shutil

import pytest

from tests.conftest import ROOT
from tests.test_readme import at_port, blocks_of, laid_out, printed_as_shown
from workermd.testing import Server

PAGES = {"upgrade": 12}
"""Each page, and how many commands it shows at least: a page that lost them would prove nothing."""


@pytest.fixture
def server():
    """The scripted server that pages start, at a port that is free."""
    answers = ROOT / "contracts" / "examples" / "agents" / "answers.json"
    with Server.from_file(str(answers), loop=True) as server:
        yield server


@pytest.mark.parametrize("page", PAGES)
def test_every_command_prints_what_the_page_shows(page, tmp_path, cli, server):
    for name in ("contracts", "registry"):
        shutil.copytree(ROOT / name, tmp_path / name)
    blocks = at_port(blocks_of((ROOT / "docs" / f"{page}.md").read_text()), server.port)
    if not shutil.which("sqlite3"):  # the page shows Python for machines without it
        blocks = [block for block in blocks if " && sqlite3 " not in block[1]]
        (tmp_path / "backup").mkdir()
    assert printed_as_shown(tmp_path, laid_out(tmp_path, cli, blocks), blocks) >= PAGES[page]
