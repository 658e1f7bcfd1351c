"""docs/agents.md is run: its commands, with the team of docs/start.md and the scripted server in place of a model."""

import shutil

from tests.backends.agents.recordings import model
from tests.conftest import ROOT
from tests.test_readme import at_port, blocks_of, laid_out, printed_as_shown
from workermd.task.journal_writer import EVENTS
from workermd.testing import Server

PAGE = (ROOT / "docs" / "agents.md").read_text()
START = blocks_of((ROOT / "docs" / "start.md").read_text())


def test_every_command_prints_what_the_page_shows(tmp_path, cli):
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    with Server(model) as server:
        environment = laid_out(tmp_path, cli, at_port(START, server.port))
        assert printed_as_shown(tmp_path, environment, blocks_of(PAGE)) == 8


def test_the_table_of_events_is_complete():
    table = PAGE.split("| event |")[1].split("\n\n")[0]
    assert all(f"`{event}`" in table for event in EVENTS)
