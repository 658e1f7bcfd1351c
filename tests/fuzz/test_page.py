"""docs/fuzz.md holds: its commands print what it shows, its table is that of the checks."""

import re

from tests.conftest import ROOT
from tests.test_readme import blocks_of, laid_out, printed_as_shown
from workermd.cli.commands.fuzz import HANG, SECONDS
from workermd.fuzz.observed import CHECKS

PAGE = (ROOT / "docs" / "fuzz.md").read_text()


def test_the_commands_print_what_the_page_shows(cli, tmp_path):
    (contract,) = re.findall(r"^~~~markdown\n(.*?)^~~~", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "words.worker.md").write_text(contract)
    blocks = [block for block in blocks_of(PAGE) if block[0] in ("python", "console")]
    assert printed_as_shown(tmp_path, laid_out(tmp_path, cli, blocks), blocks) == 2


def test_the_table_and_the_numbers_are_those_of_the_code():
    assert dict(re.findall(r"^\| `(\w+)` \| (.*?\.)(?: It is asked.*)? \|$", PAGE, re.MULTILINE)) == CHECKS | {
        "hang": f"There was no answer in time: `--hang`, {HANG:g} seconds without it."
    }
    assert f"bounds the search ({SECONDS:g} without it)" in PAGE
