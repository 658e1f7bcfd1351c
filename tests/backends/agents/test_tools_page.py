"""docs/tools.md holds: its commands print what it shows, its tables are what the code does."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.conftest import ROOT
from tests.late import LATE, needs
from tests.test_readme import printed_as_shown
from workermd.config import configuration
from workermd.config.configuration import Flags
from workermd.protocol import tool_pattern

if LATE:
    from workermd.backends.agents import code, mcp_client, mcp_said, mcp_streams, tools

needs("mcp", "mcp is not installed, so the page's server cannot run")

PAGE = (ROOT / "docs" / "tools.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_print_what_the_page_shows(cli, tmp_path):
    (contract,) = re.findall(r"^~~~markdown\n(.*?)^~~~", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "sums.worker.md").write_text(contract)
    (server,) = [text for kind, text in BLOCKS if kind == "python"]
    (tmp_path / "server.py").write_text(server)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in (("workermd", "-m workermd"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (programs / name).chmod(0o755)
    environment = cli.environment | {"PATH": f"{programs}:{cli.environment['PATH']}"}
    assert printed_as_shown(tmp_path, environment, BLOCKS) == 2


@pytest.mark.parametrize("toml", [text for kind, text in BLOCKS if kind == "toml"])
def test_the_configurations_are_some(tmp_path, toml):
    path = tmp_path / "workermd.toml"
    path.write_text(toml)
    assert configuration.load(Flags(config=str(path))).origin


def test_the_patterns_fit_as_the_table_says():
    rows = re.findall(r"^\| `(.+?)` \| `(\S+) (.+?)` \| (yes|no) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 9
    for pattern, tool, arguments, fits in rows:
        assert tool_pattern.read(pattern).fits(tool, json.loads(arguments)) is (fits == "yes"), pattern


@pytest.mark.parametrize(
    "said",
    [
        lambda: f"longer than {tools.MAX_RESULT} characters",
        lambda: f"at most {mcp_client.MAX_PAGES} pages or {mcp_client.MAX_TOOLS} tools",
        lambda: f"cut at {mcp_said.MAX_DESCRIPTION};",
        lambda: f"more than {mcp_client.MAX_SCHEMA_CHARACTERS} characters",
        lambda: (
            f"more than {mcp_streams.MAX_MESSAGE_BYTES >> 20} MiB, {mcp_streams.MAX_TRAFFIC_BYTES >> 20} MiB in all"
        ),
        lambda: f"or {mcp_streams.MAX_MESSAGES} messages",
        lambda: f"outputs {code.PRINTED_BYTES >> 20} MiB is read",
    ],
    ids=range(7),
)
def test_the_bounds_are_those_of_the_code(said):
    assert said() in PAGE
