"""Pages whose examples are run, with every output, in a folder with what a clone has; pages made from the code."""

import shutil

import pytest

from tests import reference
from tests.conftest import ROOT
from tests.test_readme import at_port, blocks_of, laid_out, printed_as_shown
from workermd.config import configuration
from workermd.protocol.envelope import ERROR_CODES
from workermd.testing import Server

PAGES = {"start": 12, "write": 9, "upgrade": 11, "bench": 3}
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


def test_the_configuration_shown_is_one(tmp_path, monkeypatch):
    blocks = blocks_of((ROOT / "docs" / "start.md").read_text())
    (tmp_path / "workermd.toml").write_text(next(text for kind, text in blocks if kind == "toml"))
    monkeypatch.chdir(tmp_path)
    settings = configuration.load(configuration.Flags())
    assert settings.workers["autogen-repo-derived-worker"].function == "words:run"
    assert settings.modes["tool-gateway-worker"].secret_env == ("API_KEY",)


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_of_the_reference_says_what_the_code_says(name):
    written = (reference.FOLDER / name).read_text()
    assert written == reference.PAGES[name](), "write it anew: python -m tests.reference"


def test_there_is_advice_for_every_error_code():
    assert set(reference.ADVICE) == set(ERROR_CODES)
