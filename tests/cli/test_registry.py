"""Contracts by name: looked up, checked at use, listed, added from files and from saved pages, verified."""

import json
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from tests.conftest import ROOT, contract_text, loaded_by
from tests.report.test_live import Terminal
from workermd.cli.registries import rows as rows_of
from workermd.contract.page import cut, is_page
from workermd.registry import lookup
from workermd.workers import SHIPPED as WORKERS

INDEX = "index.json"

PAGE = """counting
Counts the words of a text
Source#
- Repository: example/counting
---
a rule of the page
---
worker.md example#
Copy this file and adapt it.
---
id: counting-worker
name: Counting Worker
version: 1.2.0
source_repository: https://example.org/counting
derived_on: 2026-02-03
tags:
- words
- numbers
---
# Counting Worker
## Extracted from
- https://example.org/counting
## Installation hints found in README
```bash
make install
```
Purpose: Count the words of one text.
### Input schema
```json
{
"type": "object",
"required": ["run_id"],
"properties": {
"run_id": {
"type": "string"
},
"großes": {"enum": [1, 2.5, "``"]}
}
}
```
### Output schema
```json
{
"type": "object",
"required": ["run_id", "status"],
"properties": {
"run_id": {"type": "string"},
"status": {
"type": "string",
"enum": ["ok", "retryable_error", "invalid_request", "invalid_output"]
},
"result": {"type": "object"}
}
}
```
### Constraints
- timeout_seconds: 30
- idempotency_key: run_id
- status_enum: [ok, retryable_error, invalid_request, invalid_output]
## How this should be used
1. Treat this file as a start.
How to use#
- Save this as a worker spec file.
- status_enum: [ok]
Citation#
Source URL: https://example.org/counting"""


@pytest.fixture
def folder(cli):
    """A registry with `echo` in four versions, found through the environment."""
    for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"):
        text = contract_text(purpose=f"Answer as {version} does.").replace("version: 1.0.0", f"version: {version}")
        lookup.add(text.encode(), str(cli.folder / "reg"))
    cli.environment["WORKERMD_REGISTRY"] = str(cli.folder / "reg")
    return cli.folder / "reg"


def rows(folder):
    return json.loads((folder / INDEX).read_text())


# --- names where a file is taken -------------------------------------------------------------------------


def shown(cli, word):
    done = cli("registry", "show", word)
    assert done.code == 0, done.err
    return done.out.decode()


def test_a_name_is_its_highest_release_and_a_version_can_be_named(cli, folder):
    assert "as 1.10.0 does" in shown(cli, "echo")
    assert "as 1.9.0 does" in shown(cli, "echo@1.9.0")
    assert "as 2.0.0-rc.1 does" in shown(cli, "echo@2.0.0-rc.1")


def test_run_validate_and_diff_take_names(cli, folder, given, program):
    done = cli("run", "echo@1.9.0", given(), *program('reply({"result": {"purpose": task["purpose"]}})'))
    assert (done.code, done.document["result"]["purpose"]) == (0, "Answer as 1.9.0 does.")
    assert "warning" not in done.err
    done = cli("validate", "echo", "echo@1.0.0")
    assert (done.code, done.err) == (0, "0 errors, 0 warnings in 2 files\n")
    assert cli("diff", "echo@1.9.0", "echo@1.10.0", "--fail-on", "any").code == 1


def test_a_path_that_is_there_wins(cli, folder):
    (cli.folder / "echo").write_text("no contract")
    assert cli("validate", "echo").code == 1, "the file is none, the registry's is one"
    (cli.folder / "echo").unlink()
    (cli.folder / "echo").mkdir()
    assert "a folder" in cli("run", "echo", "-", given="{}").err


def test_the_configuration_names_a_registry_beside_it(cli, folder):
    del cli.environment["WORKERMD_REGISTRY"]
    assert cli("validate", "echo").code == 2
    (cli.folder / "workermd.toml").write_text('registry = "reg"\n')
    inside = cli.folder / "a" / "b"
    inside.mkdir(parents=True)
    assert cli("validate", "echo", cwd=inside).code == 0
    assert cli("registry", "show", "echo", "--no-config").code == 2
    cli.environment["WORKERMD_REGISTRY"] = "nowhere"
    done = cli("validate", "echo")
    assert (done.code, "a registry without index.json, named by WORKERMD_REGISTRY" in done.err) == (2, True)


def test_the_shipped_registry_comes_after_the_operators(cli, folder, contract):
    assert "autogen" in shown(cli, "autogen")
    cli("registry", "add", contract(id="mine"), "--name", "autogen", "--registry", folder)
    assert "id: mine" in shown(cli, "autogen")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ehco", "no such file, and no contract of that name in a registry; did you mean echo?"),
        ("echo@3.0", "no such version; there is 1.0.0, 1.10.0, 1.9.0, 2.0.0-rc.1; name one of these"),
        ("echo.worker.md", "echo.worker.md: no such file; check the path"),
        ("reg/echo", "reg/echo: no such file; check the path"),
        ("../echo", "../echo: no such file; check the path"),
    ],
)
def test_a_word_that_means_nothing_is_said(cli, folder, word, said):
    for call in (("run", word, "-"), ("validate", word), ("diff", word, word)):
        done = cli(*call, given="{}")
        assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    "call", [("run", "echo", "-", "--dry-run"), ("validate", "echo"), ("registry", "show", "echo")]
)
def test_a_digest_that_differs_is_refused_at_use(cli, folder, call):
    path = folder / "echo@1.10.0.worker.md"
    path.write_text(path.read_text() + "\n")
    done = cli(*call, given="{}")
    assert done.code == 2
    assert "not what was entered as echo@1.10.0: the digest is " in done.err
    assert "restore the file from its source" in done.err


def test_a_run_of_a_file_loads_no_registry():
    """Start-up: who names a file pays nothing for names."""
    assert "workermd.registry.lookup" not in loaded_by(
        f"from workermd.registry.contract_files import contract_named\ncontract_named({str(ROOT / 'registry/autogen.worker.md')!r})"
    )


# --- list, search ----------------------------------------------------------------------------------------


def test_on_a_terminal_the_shipped_registry_fits_80_columns(cli):
    screen = Terminal(80)
    process = cli.start("registry", "list", "--no-config", stdout=screen.theirs, env={"TERM": "xterm", "NO_COLOR": "1"})
    screen.wait(process)
    process.communicate()
    screen.close()
    lines = [line.rstrip() for line in screen.screen()]
    assert lines[0].split() == ["NAME", "DATE", "SOURCE"]
    assert lines[1].split() == ["aggregate@1.0.0"]
    assert lines[9].split() == ["autogen@1.0.0", "2026-03-01", "microsoft/autogen"]
    assert len(lines) == 1 + 7 + 4 + 1, "no row is folded"


def test_list_and_search(cli, folder):
    cli("registry", "add", "-", "--registry", folder, given=PAGE)
    lines = cli("registry", "list", "--registry", folder).out.decode().splitlines()
    words = [line.split()[0] for line in lines]
    assert words == ["NAME", "counting-worker@1.2.0", "echo@1.0.0", "echo@1.9.0", "echo@1.10.0", "echo@2.0.0-rc.1"]
    assert lines[1].split()[1:] == ["counting-worker", "2026-02-03", "https://example.org/counting"]
    for text in ("COUNTING", "number", "words of one"):
        entries = cli("registry", "search", text, "--format", "json").document["entries"]
        assert [entry["name"] for entry in entries] == ["counting-worker"], text
    assert (entries[0]["tags"], entries[0]["worker_id"]) == (["words", "numbers"], "counting-worker")
    assert cli("registry", "search", "zebra").out == b"no contract holds that text\n"


# --- add -------------------------------------------------------------------------------------------------


def test_add_enters_bytes_as_they_are_and_once(cli, contract):
    path = contract()
    assert cli("registry", "add", path).code == 0
    before = (cli.folder / "registry" / INDEX).read_bytes()
    assert (cli.folder / "registry" / "echo.worker.md").read_bytes() == path.read_bytes()
    again = cli("registry", "add", path)
    assert (again.code, "is there already" in again.err) == (0, True)
    assert (cli.folder / "registry" / INDEX).read_bytes() == before
    changed = cli("registry", "add", contract(purpose="Something else."))
    assert (changed.code, "with another digest; give the changed contract a new version" in changed.err) == (2, True)
    assert (cli.folder / "registry" / INDEX).read_bytes() == before
    assert (cli.folder / "registry" / "echo.worker.md").read_text() != path.read_text()


def test_add_replaces_no_file_of_others(cli, contract):
    folder = cli.folder / "registry"
    folder.mkdir()
    for name in ("echo.worker.md", "echo@1.0.0.worker.md"):
        (folder / name).write_text("mine")
    done = cli("registry", "add", contract())
    assert (done.code, "another file is there" in done.err) == (2, True)
    assert sorted(path.read_text() for path in folder.iterdir()) == ["mine", "mine"]


@pytest.mark.parametrize("name", ["../up", "a/b", "a@1", "-x", ".hidden", "a b", "x.md"])
def test_a_name_that_could_not_be_called_is_refused(cli, contract, name):
    done = cli("registry", "add", contract(), f"--name={name}")
    assert (done.code, "cannot be called" in done.err) == (2, True)
    assert not (cli.folder / "registry").exists()


def test_two_that_add_at_the_same_time_lose_nothing(tmp_path):
    texts = [contract_text(id=f"w{number}").encode() for number in range(12)]
    threads = [threading.Thread(target=lookup.add, args=(text, str(tmp_path))) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["name"] for row in rows(tmp_path)) == sorted(f"w{number}" for number in range(12))
    assert lookup.verify(str(tmp_path)) == ()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


# --- saved pages -----------------------------------------------------------------------------------------


def test_a_saved_page_is_cut_and_indented(cli):
    (cli.folder / "page.txt").write_text(PAGE)
    done = cli("registry", "add", "page.txt", "--registry", "reg")
    assert (done.code, "9 lines before it, 5 after it" in done.err) == (0, True), done.err
    text = (cli.folder / "reg" / "counting-worker.worker.md").read_text()
    assert text.startswith("---\nid: counting-worker\n")
    assert text.endswith("## How this should be used\n\n1. Treat this file as a start.\n")
    assert '    "großes": {\n      "enum": [\n        1,\n        2.5,\n        "``"\n' in text
    assert "```bash\nmake install\n```" in text
    assert rows(cli.folder / "reg")[0] | {"digest": ""} == {
        "name": "counting-worker",
        "version": "1.2.0",
        "digest": "",
        "file": "counting-worker.worker.md",
        "source": "https://example.org/counting",
        "commit": "",
        "date": "2026-02-03",
    }
    assert cli("validate", "reg").code == 0


@pytest.mark.parametrize(
    "saved",
    [
        PAGE.replace("\n", "\r\n"),
        "\ufeff" + PAGE,
        PAGE.replace("\n", "  \n"),
        PAGE.replace("How to use#", "How to use it\nin prose"),
    ],
    ids=["crlf", "bom", "blanks at line ends", "no mark on the page's heading"],
)
def test_how_a_page_was_saved_does_not_matter(saved):
    assert cut(saved, "page").text == cut(PAGE, "page").text


def test_a_published_page_gives_the_published_contract():
    """The blank lines and the indentation that a page loses are the ones that are put back."""
    text = (ROOT / "registry" / "autogen.worker.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    page = "\n".join(["autogen", "Tags#", *lines, "How to use#", "- Save this.", "Citation#"])
    assert is_page(page)
    assert cut(page, "page").text == text


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ("only\nprose\n", "no contract on this page"),
        (PAGE.replace("id: counting-worker\n", ""), "no contract on this page"),
        (PAGE.replace('"type": "object",\n"required": ["run_id"],', '"type": "object"\n"required": ["run_id"],'), "WM"),
        (PAGE.replace('"run_id": {\n"type"', '"run_id": 1,\n"run_id": {\n"type"'), "WM"),
        (PAGE.replace("### Constraints", "Constraints#"), "WM"),
        (PAGE.replace("version: 1.2.0", "version: new"), "WM"),
    ],
)
def test_a_page_without_a_valid_contract_adds_nothing(cli, saved, said):
    done = cli("registry", "add", "-", given=saved)
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (cli.folder / "registry").exists()


# --- verify ----------------------------------------------------------------------------------------------


def test_verify_finds_everything_that_is_wrong(cli, folder):
    assert (cli("registry", "verify", "--registry", folder).code) == 0
    (folder / "echo.worker.md").unlink()
    (folder / "echo@1.9.0.worker.md").write_text("changed")
    (folder / "stray.worker.md").write_text("stray")
    index = rows(folder)
    broken = b"---\nid: x\n---\n"
    (folder / "echo@1.10.0.worker.md").write_bytes(broken)
    index[2]["digest"] = lookup.sha256(broken).hex()
    (folder / INDEX).write_text(json.dumps(index))
    done = cli("registry", "verify", "--registry", folder, "--format", "json")
    found = {(each["word"], each["message"].split(";")[0][:24]) for each in done.document["findings"]}
    assert done.code == 1
    assert ("echo@1.0.0", "the file of echo@1.0.0 c") in found
    assert ("echo@1.9.0", "not what was entered as ") in found
    assert ("", "no entry of index.json n") in found
    assert any(word == "echo@1.10.0" and "WM" in message for word, message in found)
    assert not any(word == "echo@2.0.0-rc.1" for word, _ in found)
    text = cli("registry", "verify", "--registry", folder, "--report", "json=report.json")
    assert (cli.folder / "report.json").read_bytes() == done.out
    assert (text.code, text.err.endswith(" findings in 4 entries\n")) == (1, True)


def test_verify_holds_the_version_against_the_contract(cli, folder):
    index = rows(folder)
    index[0]["version"] = "0.9.0"
    (folder / INDEX).write_text(json.dumps(index))
    done = cli("registry", "verify", "--registry", folder)
    assert (done.code, "echo@0.9.0: the contract is version 1.0.0" in done.out.decode()) == (1, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "../echo.worker.md"}, "names no file *.worker.md of its folder"),
        ({"file": "index.json"}, "names no file *.worker.md of its folder"),
        ({"version": "new"}, "no version such as 1.0.0"),
        ({"name": "-x"}, "a name that cannot be called"),
        ({"digest": 1}, "is not an object of the texts"),
        ({"more": "x"}, "is not an object of the texts"),
        ({"version": "1.9.0"}, "echo@1.9.0 is entered twice"),
    ],
)
def test_an_index_that_is_not_ours_is_refused(cli, folder, change, said):
    index = rows(folder)
    index[0] |= change
    (folder / INDEX).write_text(json.dumps(index))
    for call in (("validate", "echo"), ("registry", "list"), ("registry", "verify")):
        done = cli(*call)
        assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ("{}", "not a list of entries")])
def test_an_index_that_is_no_list_is_refused(cli, folder, text, said):
    (folder / INDEX).write_text(text)
    assert said in cli("registry", "list").err


# --- what ships ------------------------------------------------------------------------------------------

SHIPPED = lookup.entries(str(ROOT / "registry"))


def test_the_shipped_registry_verifies(cli):
    assert SHIPPED
    contracts = lookup.entries(str(ROOT / "contracts"))
    assert {entry.name for entry in contracts} > set(WORKERS), "whoever changes one enters it anew"
    done = cli("registry", "verify")
    assert (done.code, done.out) == (0, b"")


@pytest.mark.parametrize("entry", SHIPPED, ids=[entry.word for entry in SHIPPED])
def test_every_shipped_entry_validates_and_would_run(cli, program, given, entry):
    assert lookup.reading_of(entry).findings == ()
    backend = program("reply({})")
    done = cli("run", entry.word, given(task="t", context={}), "--dry-run", *backend)
    assert (done.code, done.document["would"]) == (0, "attempt")


def test_an_installed_package_has_the_registry(cli, tmp_path):
    """Built as an installer does, and used from there without the checkout."""
    hatchling = pytest.importorskip("hatchling", reason="the build backend is not installed here")
    assert hatchling
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    cli.environment["PYTHONPATH"] = str(tmp_path / "site")
    done = cli("registry", "list", "--format", "json")
    package = tmp_path / "site" / "workermd"
    assert done.document["registries"] == [str(package / "contracts_data"), str(package / "registry_data")]
    assert cli("validate", "autogen").code == 0
    document = ROOT / "contracts" / "examples" / "data-validation.input.json"
    ran = cli("run", "data-validation", document, "--env", "PYTHONPATH", cwd=cli.folder / "home")
    assert (ran.code, ran.document["status"]) == (0, "ok"), ran.err
    assert cli("docs", "validate").out == (ROOT / "docs" / "validate.md").read_bytes()


def test_a_list_is_made_of_cards_that_are_kept(folder, monkeypatch, tmp_path):
    """What a file says is read once; whether it is still the file is looked at each time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("WORKERMD_CACHE", raising=False)
    first = list(rows_of((str(folder),)))
    reads = []
    monkeypatch.setattr("workermd.registry.cards.read", lambda *_, **__: reads.append(1))
    found = list(rows_of((str(folder),)))
    assert reads == [], "from the cache of the call before"
    assert found == first
    assert found[0][1].worker_id
    (folder / found[0][0].file).write_text("something else")
    assert next(rows_of((str(folder),)))[1] is None


def test_an_index_of_thousands_is_read_in_linear_time(tmp_path):
    row = {"version": "1.0.0", "digest": "0" * 64, "source": "", "commit": "", "date": ""}

    def index(count):
        made = [row | {"name": f"w{number}", "file": f"w{number}.worker.md"} for number in range(count)]
        (tmp_path / INDEX).write_text(json.dumps(made))
        began = time.process_time()
        assert len(lookup.entries(str(tmp_path))) == count
        return time.process_time() - began

    index(100)
    assert index(8000) < 40 * index(400) + 0.2, "twenty times the entries; by their square it is four hundred times"
