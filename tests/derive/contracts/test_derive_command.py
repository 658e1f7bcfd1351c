"""`workermd derive` as a process: a clone in, a contract out, and the ways to hold it against the clone."""

import json

import pytest

from tests.derive.contracts import texts
from tests.derive.contracts.conftest import git
from tests.derive.contracts.test_compose import TOOL_FILES

README = TOOL_FILES["README.md"]


COMMAND = {
    "pyproject.toml": '[project]\nname = "widget"\nlicense = "MIT"\n[project.scripts]\nwidget = "widget:main"\n',
    "widget.py": "import argparse\n\ndef main():\n    p = argparse.ArgumentParser('widget')\n    p.add_argument('size', type=int)\n    p.parse_args()\n",
}


@pytest.fixture
def clone(build):
    return build({**TOOL_FILES, **COMMAND}).folder


def test_derive_validate_check_update(cli, build, clone, tmp_path):
    path = tmp_path / "widget.worker.md"
    done = cli("derive", clone, "-o", path)
    assert (done.code, done.out) == (0, b""), done.err
    assert "the one interface on offer is taken: cli:pyproject.toml#widget; --interface none refuses it" in done.err
    assert "starter" in cli("derive", clone, "--interface", "none").err
    assert cli("validate", path).code == 0
    assert cli("derive", clone).out == path.read_bytes()
    assert cli("derive", clone, "--check", path).code == 0
    build({"README.md": README.replace("arrange", "rearrange")})
    drifted = cli("derive", clone, "--check", path)
    assert drifted.code == 1
    assert b"changed: summary: README.md:3-3" in drifted.out
    assert cli("derive", clone, "--check", path, "--exit-zero").code == 0
    assert cli("derive", clone, "--check", path, "--update").code == 0
    assert b"rearrange" in path.read_bytes()
    assert cli("derive", clone, "--check", path).code == 0


def test_the_formats_of_a_check(cli, build, clone, tmp_path):
    path = tmp_path / "widget.worker.md"
    cli("derive", clone, "-o", path)
    build({"LICENSE": texts.BSD_3, "README.md": f"# Top\n{README}"})
    found = cli("derive", clone, "--check", path, "--format", "json").document
    assert found["drifted"] == len([each for each in found["claims"] if each["state"] != "unchecked"]) > 2
    assert {each["state"] for each in found["claims"]} >= {"moved", "changed", "new"}
    sarif = cli("derive", clone, "--check", path, "--format", "sarif").document
    assert sarif["version"] == "2.1.0"
    lines = path.read_text().splitlines()
    for result in sarif["runs"][0]["results"]:
        line = lines[result["locations"][0]["physicalLocation"]["region"]["startLine"] - 1]
        assert '"field"' in line or result["ruleId"] == "WD004"
    table = cli("derive", clone, "--check", path, "--format", "markdown").out.decode()
    assert "| moved |" in table


def test_an_edited_part_is_left_and_told(cli, build, clone, tmp_path):
    path = tmp_path / "widget.worker.md"
    cli("derive", clone, "-o", path)
    path.write_text(path.read_text().replace("- README summary: `Widget is", "- README summary: `Widget may be"))
    build({"README.md": README.replace("arrange", "rearrange")})
    done = cli("derive", clone, "--check", path, "--update")
    assert done.code == 1
    assert "edited by hand" in done.err
    assert "Widget may be" in path.read_text()


def test_derive_as_json(cli, clone, tmp_path):
    done = cli("derive", clone, "--format", "json", "-o", tmp_path / "w.worker.md")
    assert json.loads(done.out)["id"].endswith("-repo-derived-worker")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--update",), "none is named"),
        (("--check", "x", "--mode", "tool-gateway-worker"), "from the contract"),
        (("--mode", "robot"), "no such mode"),
        (("--id", "a b"), "--id: expected letters, digits"),
        (("--registry-url", "example.org"), "--registry-url: expected a URL"),
        (("--check", "x", "--registry-url", "https://x.example"), "leave --registry-url out"),
        (("--quotes", "some"), "allowed: full, none"),
        (("--check", "x", "--quotes", "none", "--id", "y"), "leave --quotes and --id out"),
        (("--interface", "openapi"), "nothing of the kind openapi is found in this repository. Found: cli."),
        (("--interface", "cil"), "'cil' is no kind of interface. Did you mean cli?"),
        (("--format", "sarif"), "is for --check"),
        (("--check", "/nonexistent.worker.md"), "no such file"),
        (("-o", "/nonexistent/x.worker.md"), "cannot be written"),
    ],
)
def test_calls_that_contradict_themselves(cli, clone, arguments, message):
    done = cli("derive", clone, *arguments)
    assert (done.code, done.out) == (2, b"")
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("wished", [(), ("--id", "sorting-repo-derived-worker")])
def test_the_registry_that_the_contract_goes_into(cli, build, clone, tmp_path, wished):
    path = tmp_path / "widget.worker.md"
    keywords = COMMAND["pyproject.toml"].replace("[project]\n", '[project]\nkeywords = ["sorting"]\n')
    build({"pyproject.toml": keywords})
    git(clone, "remote", "add", "origin", "https://github.com/example/widget")
    done = cli("derive", clone, "-o", path, "--registry-url", "https://example.org/registry/", *wished)
    assert (done.code, "left out" in done.err) == (0, False)
    slug = front(path)["id"].removesuffix("-repo-derived-worker")
    page = f"https://example.org/registry/{slug}/"
    assert front(path)["source_registry_url"] == page
    assert cli("derive", clone, "--check", path).code == 0
    build({"README.md": README.replace("arrange", "rearrange")})
    assert cli("derive", clone, "--check", path, "--update").code == 0
    assert front(path)["source_registry_url"] == page


def test_a_contract_that_lacks_what_an_entry_needs_names_no_registry(cli, clone, tmp_path):
    path = tmp_path / "widget.worker.md"
    done = cli("derive", clone, "-o", path, "--registry-url", "https://example.org/registry")
    assert (done.code, "source_registry_url" in front(path)) == (0, False)
    assert "source_registry_url is left out, because it would break WM121" in done.err


def front(path):
    lines = path.read_text().split("---\n")[1].splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def test_a_contract_held_against_another_repository_is_told(cli, clone, tmp_path):
    path = tmp_path / "widget.worker.md"
    git(clone, "remote", "add", "origin", "https://github.com/example/widget")
    assert cli("derive", clone, "-o", path).code == 0
    assert "was derived from" not in cli("derive", clone, "--check", path).err
    git(clone, "remote", "set-url", "origin", "https://github.com/fork/widget")
    told = (
        f"{path} was derived from https://github.com/example/widget; it is held against https://github.com/fork/widget"
    )
    assert told in cli("derive", clone, "--check", path).err


def test_a_contract_that_was_not_derived(cli, clone, contract):
    done = cli("derive", clone, "--check", contract())
    assert done.code == 2
    assert "has no evidence block" in done.err
