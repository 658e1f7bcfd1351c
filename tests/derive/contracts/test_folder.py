"""`--path DIR`: one project of a monorepo, with evidence that the whole repository is held against."""

import pytest

from tests.derive.contracts import texts
from tests.derive.contracts.conftest import commit, git
from workermd.contract.reader import read
from workermd.derive.folder import named
from workermd.derive.record import find
from workermd.protocol.errors import UsageError

COMMAND = """
import argparse


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--size", type=int)
    parser.parse_args()
"""
MANIFEST = (
    '[project]\nname = "gear"\nversion = "2.0"\nrequires-python = ">=3.12"\n[project.scripts]\ngear = "gear:main"\n'
)
FILES = {
    "README.md": "# Works\n\nWorks is a collection of many projects for machines.\n",
    "LICENSE": texts.MIT,
    "pyproject.toml": '[project]\nname = "works"\nversion = "1.0"\nrequires-python = ">=3.9"\n[project.scripts]\nworks = "works:main"\n',
    "works/__init__.py": COMMAND.replace("--size", "--all"),
    "packages/gear/README.md": "# Gear\n\nGear turns one wheel by another, at any size.\n\n```sh\npip install gear\n```\n",
    "packages/gear/pyproject.toml": MANIFEST,
    "packages/gear/gear/__init__.py": COMMAND,
    "packages/bare/tool.py": "x = 1\n",
}


@pytest.fixture
def works(tmp_path):
    folder = tmp_path / "works"
    commit(folder, FILES)
    git(folder, "remote", "add", "origin", "https://github.com/example/works.git")
    return folder


@pytest.fixture
def gear(cli, works, tmp_path):
    done = cli("derive", works, "--path", "packages/gear/", "-o", "gear.worker.md")
    assert done.code == 0, done.err
    return tmp_path / "gear.worker.md"


def test_a_project_is_read_where_it_stands(gear):
    contract = read(gear.read_bytes(), "gear.worker.md").contract
    assert contract.front_matter["x-path"] == "packages/gear"
    assert contract.front_matter["x-interface"] == "cli:packages/gear/pyproject.toml#gear"
    assert {"path", "size"} <= contract.input_schema["properties"].keys()
    assert "gear" in contract.id
    record = find(gear.read_text()).record
    paths = {each.path for claim in record.claims for each in claim.evidence if each.path}
    assert paths == {f"packages/gear/{name}" for name in ("README.md", "pyproject.toml", "gear/__init__.py")} | {
        "LICENSE"
    }
    assert record.first("summary").text == "Gear turns one wheel by another, at any size."
    assert record.first("supported_versions").text == "Python >=3.12"
    assert all(each.path in each.permalink for claim in record.claims for each in claim.evidence if each.path)


def test_it_is_held_against_the_whole_repository(cli, works, gear):
    assert cli("derive", works, "--check", gear).code == 0
    commit(works, {"README.md": "# Works\n\nSomething else entirely, for everybody.\n", "works/__init__.py": "x = 1\n"})
    assert cli("derive", works, "--check", gear).code == 0, "the other projects are none of its business"
    commit(works, {"packages/gear/gear/__init__.py": COMMAND.replace("--size", "--width")})
    drifted = cli("derive", works, "--check", gear)
    assert (drifted.code, b"interface" in drifted.out) == (1, True)
    assert cli("derive", works, "--check", gear, "--update").code == 0
    assert '"--width"' in gear.read_text()
    assert "x-path: packages/gear\n" in gear.read_text()
    assert cli("derive", works, "--check", gear).code == 0


def test_an_interface_is_called_by_its_whole_path_whatever_its_kind(cli, works):
    commit(
        works,
        {
            "packages/gear/action.yml": "name: Gear\ndescription: Turn a gear.\ninputs:\n  size:\n    description: How large.\nruns:\n  using: composite\n  steps: []\n"
        },
    )
    listed = cli("derive", works, "--path", "packages/gear", "--list-interfaces").out.decode()
    assert "action:packages/gear/action.yml#" in listed
    chosen = next(line.partition("\t")[0] for line in listed.splitlines() if line.startswith("action:"))
    done = cli("derive", works, "--path", "packages/gear", "--interface", chosen, "-o", "action.worker.md")
    assert done.code == 0, done.err
    assert cli("derive", works, "--check", "action.worker.md").code == 0


def test_the_interfaces_of_the_folder_are_listed(cli, works):
    assert b"gear" in (listed := cli("derive", works, "--path", "packages/gear", "--list-interfaces").out)
    assert b"works" not in listed
    assert cli("derive", works, "--path", "./packages/bare", "--list-interfaces").code == 0


@pytest.mark.parametrize("path", ["../works", "/packages", ".", "", " ", "packages/../.."])
def test_a_path_that_leads_elsewhere(path):
    with pytest.raises(UsageError, match="no folder inside the repository"):
        named(path)


def test_a_folder_that_is_not_there_and_a_check(cli, works, gear):
    done = cli("derive", works, "--path", "gear")
    assert (done.code, "packages/gear" in done.err) == (2, True)
    assert "takes id, interface, path" in cli("derive", works, "--check", gear, "--path", "packages/gear").err
