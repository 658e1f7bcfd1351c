"""Every entry of the shipped registry: its digest, that it validates and runs, and that a derived one cites what it says."""

import json
import re
from hashlib import sha256

import pytest

from tests.conftest import ROOT
from workermd.contract.reader import read
from workermd.derive import record

REGISTRY = ROOT / "registry"
INDEX = json.loads((REGISTRY / "index.json").read_text())
DERIVED = [entry for entry in INDEX if entry["commit"]]
FUNCTION = """
def run(task):
    return {"result": {"task": task.input["task"]}}
"""


def of(entries):
    return pytest.mark.parametrize("entry", entries, ids=[entry["name"] for entry in entries])


def test_the_registry_has_the_autogen_family():
    assert {entry["source"] for entry in DERIVED} >= {
        "https://github.com/microsoft/autogen",
        "https://github.com/ag2ai/ag2",
        "https://github.com/microsoft/agent-framework",
    }
    assert sorted(path.name for path in REGISTRY.glob("*.worker.md")) == sorted(entry["file"] for entry in INDEX)


@of(INDEX)
def test_the_index_says_what_the_file_says(entry):
    data = (REGISTRY / entry["file"]).read_bytes()
    contract = read(data, entry["file"]).contract
    assert sha256(data).hexdigest() == entry["digest"]
    assert contract.version == entry["version"]
    assert contract.front_matter["source_repository"] == entry["source"]
    assert contract.front_matter["derived_on"] == entry["date"]
    assert contract.front_matter.get("x-commit", "") == entry["commit"]


@of(INDEX)
def test_it_validates_by_name(cli, entry):
    """The published page of AutoGen keeps the fault that it was published with: a warning. A derived entry has none."""
    found = cli("validate", f"{entry['name']}@{entry['version']}", "--format", "json").document["findings"]
    assert [each["code"] for each in found if each["severity"] == "error"] == []
    warned = [each["code"] for each in found if each["severity"] == "warning"]
    assert warned == ([] if entry["commit"] else ["WM323"])
    assert cli("validate", "--strict", entry["name"]).code == bool(warned)


@of(INDEX)
@pytest.mark.parametrize("kind", ["command", "function"])
def test_it_runs_by_name(cli, program, entry, kind):
    (cli.folder / "tasks.py").write_text(FUNCTION)
    how = (
        program('reply({"result": {"task": task["input"]["task"]}})')
        if kind == "command"
        else ["--function", "tasks:run"]
    )
    given = json.dumps({"run_id": "r", "task": "t", "context": {}})
    done = cli("run", entry["name"], "-", *how, given=given)
    assert (done.code, done.document) == (0, {"run_id": "r", "status": "ok", "result": {"task": "t"}}), done.err


@of(DERIVED)
def test_a_derived_entry_cites_and_does_not_quote(entry):
    text = (REGISTRY / entry["file"]).read_text()
    found = record.find(text).record
    assert (found.commit, found.url, found.quotes) == (entry["commit"], entry["source"], "none")
    cited = [each for claim in found.claims for each in claim.evidence]
    assert len(cited) > 6
    for each in cited:
        assert each.quote == ""
        assert re.fullmatch("[0-9a-f]{64}", each.sha256)
        place = re.escape(f"{entry['source']}/blob/{entry['commit']}/{each.path}")
        lines = f"L{each.first_line}" + (f"-L{each.last_line}" if each.last_line > each.first_line else "")
        assert re.fullmatch(rf"{place}(\?plain=1)?#{lines}", each.permalink)
    assert {claim.field for claim in found.claims} >= {
        "summary",
        "repository_license",
        "install",
        "worker_mode",
        "interface",
    }
    assert all(len(claim.text) <= 80 for claim in found.claims), "facts, not prose"


def test_what_was_missed_or_wrong_on_the_published_page():
    """The maintenance notice and the licence of the code."""
    published, derived = (
        read((REGISTRY / f"{name}.worker.md").read_bytes(), name).contract.front_matter
        for name in ("autogen", "microsoft-autogen")
    )
    assert (published["repository_license"], derived["repository_license"]) == ("CC-BY-4.0", "MIT")
    assert derived["x-documentation-license"] == "CC-BY-4.0"
    assert derived["x-repository-status"] == ["maintenance mode, successor"]
    assert published["id"] != derived["id"], "one ledger, two workers"
