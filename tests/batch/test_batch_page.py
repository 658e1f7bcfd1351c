"""docs/batch.md holds: its commands print what it shows, its numbers are those of the code."""

import re
import sys

from tests.conftest import ROOT
from tests.test_readme import blocks_of, printed_as_shown
from workermd.batch import window
from workermd.report import progress

PAGE = (ROOT / "docs" / "batch.md").read_text()


def test_the_commands_print_what_the_page_shows(cli, tmp_path):
    (contract,) = re.findall(r"^~~~markdown\n(.*?)^~~~", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "count.worker.md").write_text(contract)
    (function,) = [text for kind, text in blocks_of(PAGE) if kind == "python"]
    (tmp_path / "words.py").write_text(function)
    program = tmp_path / "bin" / "workermd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workermd "$@"\n')
    program.chmod(0o755)
    environment = cli.environment | {"PATH": f"{program.parent}:{cli.environment['PATH']}"}
    assert printed_as_shown(tmp_path, environment, blocks_of(PAGE)) == 4


def test_the_numbers_are_those_of_the_code():
    assert f"at most {window.MOST_LINES:,} lines or {window.MOST_BYTES >> 20} MiB are under way" in PAGE
    assert progress.EVERY_SECONDS == 5
    assert "a line of progress every five seconds" in PAGE
