"""Clones made by git: the contract that comes out, every line of evidence, and every drift that is planted."""

import json
import re
import shutil
from hashlib import sha256

import pytest

from tests.conftest import Cli
from tests.derive.contracts import texts
from tests.derive.contracts.clone_cases import BANNER, CASES, EXPECTED, INTERFACES, chosen, files_of, make
from tests.derive.contracts.conftest import git
from tests.report.test_sarif import check as demanded_by_sarif

NAMES = [*CASES, *INTERFACES]


@pytest.fixture(scope="module", params=NAMES)
def derived(request, tmp_path_factory):
    """The case's name, its clone, and the contract that came out."""
    name = request.param
    cli = Cli(tmp_path_factory.mktemp("derived"))
    clone = cli.folder / "clone"
    arguments: tuple[str, ...]
    if name in CASES:
        make(clone, dict(CASES[name].files))
        arguments = CASES[name].arguments
    else:
        make(clone, dict(files_of(name)))
        arguments = ("--interface", chosen(cli("derive", clone, "--list-interfaces").out.decode(), INTERFACES[name]))
    done = cli("derive", clone, *arguments)
    assert done.code == 0, done.err
    return name, clone, done.out


def test_the_contract_is_as_expected_and_validates(cli, derived):
    name, _, text = derived
    assert text.decode() == (EXPECTED / f"{name}.worker.md").read_text()
    path = cli.folder / "a.worker.md"
    path.write_bytes(text)
    found = cli("validate", "--strict", path, "--format", "json")
    assert (found.code, [each for each in found.document["findings"] if each["severity"] != "info"]) == (0, [])


def test_every_line_of_evidence_resolves_and_hashes_right(derived):
    """Read from the text alone, and looked up with git alone."""
    name, clone, text = derived
    block = json.loads(text.decode().split("```json x-workermd-evidence\n")[1].removesuffix("\n```\n"))
    head = dict(line.split(": ", 1) for line in text.decode().split("\n---\n")[0].splitlines() if ": " in line)
    assert head["x-commit"] == block["commit"] == git(clone, "rev-parse", "HEAD").decode().strip()
    cited = [each for claim in block["claims"] for each in claim["evidence"]]
    assert cited or name == "nothing"
    for each in cited:
        if not each["path"]:  # counted in the tree: no line says it
            assert sha256(each["quote"].encode()).hexdigest() == each["sha256"]
            continue
        content = git(clone, "cat-file", "blob", f"{block['commit']}:{each['path']}")
        lines = [line + b"\n" for line in content.split(b"\n")]
        lines[-1] = lines[-1][:-1]
        quoted = b"".join(lines[each["first_line"] - 1 : each["last_line"]])
        assert sha256(quoted).hexdigest() == each["sha256"]
        words = " ".join(each["quote"].partition(" […")[0].rstrip("…").split())
        assert words in " ".join(quoted.decode().split())
        anchor = f"L{each['first_line']}" + (
            f"-L{each['last_line']}" if each["first_line"] != each["last_line"] else ""
        )
        page = f"https://github.com/example/widget/blob/{block['commit']}/{each['path']}"
        assert each["permalink"] in (f"{page}#{anchor}", f"{page}?plain=1#{anchor}")


def test_the_body_cites_no_line_that_the_block_does_not(derived):
    text = derived[2].decode()
    body, block = text.split("```json x-workermd-evidence\n")
    linked = set(re.findall(r"<(https://github\.com/example/widget/blob/[^>]+)>", body))
    known = {
        each["permalink"] for claim in json.loads(block.removesuffix("\n```\n"))["claims"] for each in claim["evidence"]
    }
    assert linked <= known


def test_the_same_clone_gives_the_same_bytes_elsewhere(cli, derived):
    name, clone, text = derived
    other = cli.folder / "other"
    git(cli.folder, "clone", "-q", "--bare", str(clone), str(other))
    git(other, "remote", "set-url", "origin", "https://github.com/example/widget.git")
    arguments = CASES[name].arguments if name in CASES else ("--interface", _interface(text))
    assert cli("derive", other, *arguments).out == text


def _interface(text):
    return json.loads(text.decode().split("```json x-workermd-evidence\n")[1].removesuffix("\n```\n"))["interface"]


# --- drift -----------------------------------------------------------------------------------------------

DRIFTS = {
    "summary changed": ({"README.md": BANNER.replace("good order", "bad order")}, "changed", "summary", "README.md:7-7"),
    "summary moved": ({"README.md": BANNER.replace("Widget puts", "\n\nWidget puts")}, "moved", "summary", "README.md:7-7"),
    "README gone": ({"README.md": None}, "gone", "summary", "README.md:7-7"),
    "README moved": ({"README.md": None, ".github/README.md": BANNER}, "moved", "summary", "README.md:7-7"),
    "banner gone": ({"README.md": "# Widget\n\nWidget puts small things into good order.\n"}, "gone", "status", "README.md:3-5"),
    "banner changed": ({"README.md": BANNER.replace("and no longer maintained", "")}, "changed", "status", "README.md:3-5"),
    "banner new": ({"README.md": BANNER.replace("no longer maintained", "archived")}, "new", "status", ""),
    "licence changed": ({"LICENSE": texts.BSD_3}, "changed", "repository_license", "LICENSE:1-16"),
    "licence new": ({"LICENSE": texts.BSD_3}, "new", "repository_license", ""),
    "licence gone": ({"LICENSE": None}, "gone", "repository_license", "LICENSE:1-16"),
    "licence moved": ({"LICENSE": None, "docs/LICENSE": texts.MIT}, "moved", "repository_license", "LICENSE:1-16"),
}  # fmt: skip


@pytest.mark.parametrize("quotes", ["full", "none"])
@pytest.mark.parametrize("name", DRIFTS)
def test_every_planted_drift_is_told_in_every_format(cli, name, quotes):
    clone, path = cli.folder / "clone", cli.folder / "a.worker.md"
    make(clone, dict(CASES["banner"].files))
    assert cli("derive", clone, "-o", path, "--quotes", quotes).code == 0
    assert cli("derive", clone, "--check", path).code == 0
    files, state, field, place = DRIFTS[name]
    make(clone, dict(files))
    found = {
        form: cli("derive", clone, "--check", path, "--format", form) for form in ("text", "json", "sarif", "markdown")
    }
    assert {done.code for done in found.values()} == {1}
    (claim, *_) = [c for c in found["json"].document["claims"] if (c["state"], c["field"]) == (state, field)]
    code = {"moved": "WD001", "changed": "WD002", "gone": "WD003", "new": "WD004"}[state]
    assert claim["code"] == code
    lines = path.read_text().splitlines()
    assert f'"field": "{field}"' in lines[claim["line"] - 1] or state == "new"
    said = found["text"].out.decode().splitlines()
    assert any(line.startswith(f"{path}:{claim['line']}: {state}: {field}: {place}") and code in line for line in said)
    demanded_by_sarif(found["sarif"].document)
    results = found["sarif"].document["runs"][0]["results"]
    assert (code, claim["line"]) in {
        (result["ruleId"], result["locations"][0]["physicalLocation"]["region"]["startLine"]) for result in results
    }
    assert re.search(
        rf"^\| {state} \| {claim['line']} \| `{field}: {place}", found["markdown"].out.decode(), re.MULTILINE
    )
    assert len(results) == len(found["json"].document["claims"])


@pytest.mark.parametrize("name", DRIFTS)
def test_update_mends_the_drift_and_keeps_what_the_author_wrote(cli, name):
    clone, path = cli.folder / "clone", cli.folder / "a.worker.md"
    make(clone, dict(CASES["banner"].files))
    cli("derive", clone, "-o", path)
    mine = {
        "Purpose: Call one tool of the repository as a bounded worker step.": "Purpose: Put my things in order.",
        "- timeout_seconds: 30": "- timeout_seconds: 60",
        "## How this should be used": "## My notes\n\nNobody else knows this.\n\n## How this should be used",
        '"description": "Name of the tool to call."': '"description": "Mine.", "maxLength": 40',
    }
    text = path.read_text()
    for theirs, words in mine.items():
        assert text.count(theirs) == 1
        text = text.replace(theirs, words)
    path.write_text(text)
    make(clone, dict(DRIFTS[name][0]))
    done = cli("derive", clone, "--check", path, "--update")
    assert done.code == 0, done.err
    assert cli("derive", clone, "--check", path).code == 0
    assert cli("validate", path).code == 0
    updated = path.read_text()
    assert [words for words in mine.values() if words not in updated] == []


@pytest.mark.parametrize(
    "more", [(), ("--interface", "function:src/shapes/_hidden.py#exported"), ("--list-interfaces",), ("--check",)]
)
def test_the_tree_is_walked_once(cli, more):
    """Told by git itself: a program of that name writes down how it was called."""
    clone, path = cli.folder / "clone", cli.folder / "a.worker.md"
    make(clone, {**files_of("function"), **CASES["banner"].files})
    if more == ("--check",):
        assert cli("derive", clone, "-o", path).code == 0
        more = ("--check", path)
    (cli.folder / "bin").mkdir()
    shim = cli.folder / "bin" / "git"
    shim.write_text(f'#!/bin/sh\necho "$@" >> "{cli.folder}/calls"\nexec "{shutil.which("git")}" "$@"\n')
    shim.chmod(0o755)
    done = cli("derive", clone, *more, env={"PATH": f"{shim.parent}:{cli.environment['PATH']}"})
    assert done.code == 0, done.err
    calls = (cli.folder / "calls").read_text().splitlines()
    assert sum(" ls-tree " in call for call in calls) == 1
    assert sum(" cat-file " in call for call in calls) == 1
    assert not [call for call in calls if any(word in call.split() for word in ("fetch", "clone", "log", "checkout"))]
