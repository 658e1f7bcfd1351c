"""`docs/validate.md` against the code: formats, inputs of the action, hooks, the commands it shows."""

import re

import pytest
import yaml

from tests.conftest import ROOT
from workermd.report.formats import FORMATS

PAGE = (ROOT / "docs/validate.md").read_text()


def rows(head):
    table = PAGE.split(f"{head}\n")[1].split("\n\n")[0]
    found = re.findall(r"^\| `([\w-]+)` \|([^|]*)\|", table, re.MULTILINE)
    return [(name, second.strip(" `")) for name, second in found]


def test_the_table_of_formats_is_complete():
    assert [name for name, _ in rows("| format | for | files that it could not check |")] == list(FORMATS)


def test_the_table_of_inputs_is_the_actions():
    """Those of a run and of a suite stand on the page about gates."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    of_the_run = {
        "contract",
        "input",
        "run-args",
        "ledger",
        "envelope-file",
        "artifact",
        "cache",
        "suite",
        "bench-args",
    }
    inputs = [(name, each["default"]) for name, each in action["inputs"].items() if name not in of_the_run]
    assert rows("| input | default | means |") == inputs
    assert re.findall(r"`([\w-]+)`", PAGE.split("\nOutputs: ")[1].split(".")[0]) == [
        name
        for name in action["outputs"]
        if name not in {"run-exit-code", "status", "envelope-file", "bench-exit-code"}
    ]


def test_the_hooks_are_those_of_the_file():
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert re.findall(r"- id: (workermd-\w+)", PAGE) == [hook["id"] for hook in hooks]


@pytest.mark.rule("S1.5")
def test_the_call_shown_works(cli, tmp_path):
    (command,) = re.findall(r"```sh\nworkermd (.*)\n```", PAGE)
    (tmp_path / "contracts").symlink_to(ROOT / "contracts")
    assert cli(*command.split()).code == 0
    assert (tmp_path / "out.sarif").exists()
    assert (tmp_path / "out.xml").exists()
