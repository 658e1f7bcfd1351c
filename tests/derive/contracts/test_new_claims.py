"""Claims beyond the README's sentences: how the interface is called, language, documentation, keywords. Their drift is told."""

import pytest

from tests.derive.contracts import texts
from tests.derive.contracts.conftest import git
from workermd.contract.reader import read
from workermd.derive.check import check, update
from workermd.derive.compose import derive
from workermd.derive.interfaces.kinds import find_all
from workermd.derive.record import find

COMMANDS = '''
import click


@click.group()
def main():
    pass


@main.command()
@click.option("--size", type=int, default=3)
@click.argument("path")
def sort(size, path):
    """Sort widgets."""
'''
MANIFEST = """
[project]
name = "widget"
version = "1.0"
license = "MIT"
description = "Widget sorts things by size and colour."
keywords = ["sorting", "widgets"]
requires-python = ">=3.10"

[project.urls]
Documentation = "https://widget.example.org/"

[project.scripts]
widget = "widget:main"
"""
README = "Widget\n======\n\nWidget sorts things by size and colour for people.\n\n.. code-block:: console\n\n   pip install widget\n"
FILES = {"README.rst": README, "LICENSE": texts.MIT, "pyproject.toml": MANIFEST, "widget/__init__.py": COMMANDS}
LOCAL = {"topics": (), "language": None, "description": None, "licence": None, "homepage": None}

DRIFTS = {
    "an option is called otherwise": ({"widget/__init__.py": COMMANDS.replace("--size", "--large")}, "interface"),
    "an option came": (
        {"widget/__init__.py": COMMANDS.replace("@click.arg", '@click.option("--by")\n@click.arg').replace("size, path", "size, by, path")},
        "interface",
    ),
    "the order of positionals changed": (
        {"widget/__init__.py": COMMANDS.replace('@click.argument("path")', '@click.argument("to")\n@click.argument("path")').replace("size, path", "size, to, path")},
        "interface",
    ),
    "the interface went": ({"widget/__init__.py": COMMANDS.split("@main.command", maxsplit=1)[0]}, "interface"),
    "the documentation moved": (
        {"pyproject.toml": MANIFEST.replace("https://widget.example.org/", "https://docs.widget.example.org/")},
        "documentation",
    ),
    "the documentation went": ({"pyproject.toml": MANIFEST.replace("Documentation =", "Other =")}, "documentation"),
    "a keyword went": ({"pyproject.toml": MANIFEST.replace('"sorting", ', "")}, "tag"),
    "a keyword came": ({"pyproject.toml": MANIFEST.replace('"widgets"]', '"widgets", "colour"]')}, "tag"),
    "the licence is an expression": (
        {"pyproject.toml": MANIFEST.replace('license = "MIT"', 'license = "MIT OR Apache-2.0"')},
        "repository_license",
    ),
    "the versions changed": ({"pyproject.toml": MANIFEST.replace(">=3.10", ">=3.12")}, "supported_versions"),
    "the reST page says otherwise": ({"README.rst": README.replace("for people", "for machines")}, "summary"),
    "another language prevails": ({"src/main.rs": "fn main() {}\n" * 400}, "repository_language"),
    "the project moved": ({"README.rst": README.replace("Widget sorts", "**Widget has moved to https://github.com/example/gadget.**\n\nWidget sorts")}, "status"),
}  # fmt: skip


def taken(repository):
    """The interface of the contract, where the repository has it still."""
    return next((each for each in find_all(repository) if each.name.endswith("sort")), None)


@pytest.mark.parametrize("name", DRIFTS)
def test_a_planted_drift_of_a_new_claim_is_told_and_mended(build, name):
    first = build(FILES, **LOCAL)
    contract = derive(first, taken(first)).text
    assert not [drift for drift in check(contract, build({"other.txt": "x"}, **LOCAL)) if drift.state != "unchecked"]
    files, field = DRIFTS[name]
    later = build(files, **LOCAL)
    told = {(drift.state, drift.field) for drift in check(contract, later) if drift.state != "unchecked"}
    assert field in {each for _, each in told}, told
    if taken(later) is None:
        return
    updated = update(contract, later, derive(later, taken(later)))
    assert [
        finding for finding in read(updated.text.encode(), "a.worker.md").findings if finding.severity == "error"
    ] == []
    assert not [drift for drift in check(updated.text, later) if drift.state != "unchecked"]
    assert find(updated.text).record.claims != find(contract).record.claims


def test_a_call_that_changed_is_written_anew(build):
    contract = derive(first := build(FILES, **LOCAL), taken(first)).text
    later = build({"widget/__init__.py": COMMANDS.replace('"--size"', '"--size-of", "size"')}, **LOCAL)
    updated = update(contract, later, derive(later, taken(later))).text
    assert ('"option": "--size"' in contract, '"option": "--size-of"' in updated) == (True, True)


CARD = """{
  "name": "Planner", "description": "Plans widgets", "url": "http://localhost:1/", "version": "1.0.0", "protocolVersion": "0.3.0",
  "capabilities": {"streaming": true}, "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
  "skills": [{"id": "plan", "name": "Plan", "description": "Plans", "tags": ["plan"], "examples": ["Plan it"]}]
}"""
TOOL = """
from typing import Annotated

from mcp.server import Server
from mcp.types import Tool
from pydantic import BaseModel, Field


class Fetch(BaseModel):
    url: str
    most: Annotated[int, Field(default=5000, description="most characters", gt=0)]
    start: Annotated[int, Field(ge=0)] = 0
    raw: Annotated[bool, Field(description="as it is")]


server = Server("s")


@server.list_tools()
async def list_tools() -> list[Tool]:
    return [Tool(name="fetch", description="Fetch it", inputSchema=Fetch.model_json_schema())]
"""


def test_an_agents_card_is_known_by_what_it_holds(build):
    files = {"cards/planner.json": CARD, "cards/other.json": '{"name": "Planner", "skills": ["cooking"]}'}
    assert [(each.kind, each.path, each.name) for each in find_all(build(files))] == [
        ("a2a", "cards/planner.json", "plan")
    ]


def test_a_default_inside_an_annotation_is_one(build):
    manifest = '[project]\nname = "widget"\nversion = "1.0"\ndependencies = ["mcp", "pydantic"]\n'
    (tool,) = [each for each in find_all(build({"server.py": TOOL, "pyproject.toml": manifest})) if each.kind == "mcp"]
    assert tool.input_schema["required"] == ["url", "raw"]
    assert tool.input_schema["properties"]["most"]["default"] == 5000
    assert tool.input_schema["properties"]["start"]["default"] == 0


@pytest.mark.parametrize(
    ("sentence", "mode"),
    [
        (
            "Widgetgraph is a framework for long-running, stateful agents and their orchestration.",
            "agent-orchestration-worker",
        ),
        ("Widgetry is a library to build agents that write code and call tools.", "agent-orchestration-worker"),
        ("Widgetry sorts widgets by size, as a travel agent sorts journeys.", "tool-gateway-worker"),
        ("Widgetry is a user agent parser.", "tool-gateway-worker"),
    ],
)
def test_a_framework_for_agents_is_known_by_its_words(build, sentence, mode):
    text = derive(build({"README.md": f"# widget\n\n{sentence}\n"}, **LOCAL)).text
    assert f"worker_mode: {mode}\n" in text


def test_a_blob_that_a_partial_clone_lacks_is_told(build, cli):
    made = build({"README.md": README, "LICENSE": texts.MIT})
    blob = git(made.folder, "rev-parse", "HEAD:README.md").decode().strip()
    (made.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    done = cli("derive", made.folder)
    assert done.code == 2
    assert "partial clone" in done.err
