"""The options of `validate` that choose, accept and mend; `workermd rule`."""

import json
import os
import subprocess

import pytest

from tests.conftest import contract_text

TWO_NUMBERS = contract_text().replace("version: 1.0.0", "version: 1.0")
"""One note: WM122."""
ODD_KEY = contract_text().replace("version: 1.0.0", "version: 1.0.0\nodd: 1")
"""One warning of reading: WM116."""
TYPO = contract_text().replace('"additionalProperties"', '"additionalproperties"', 1)
"""One warning: WM510."""
BROKEN = "---\nid: a\nname: a\nversion: 1.0.0\n---\n# x\n"
TAGS = contract_text().replace("version: 1.0.0\n", "version: 1.0.0\ntags:\n- a\n- b\n- a\n")
TOKEN = "gh" + "p_" + "x1Y2" * 9


@pytest.fixture
def write(tmp_path):
    def one(text, name="a.worker.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    return one


def codes(done):
    return [finding["code"] for finding in done.document["findings"]]


# --- what makes a call fail -----------------------------------------------------------------------------


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (TWO_NUMBERS, [], 0),
        (TWO_NUMBERS, ["--strict"], 0),
        (TWO_NUMBERS, ["--fail-on", "info"], 1),
        (TWO_NUMBERS, ["--fail-on", "info", "--strict"], 1),
        (TYPO, [], 0),
        (TYPO, ["--strict"], 1),
        (TYPO, ["--fail-on", "warning"], 1),
        (TYPO, ["--fail-on", "error", "--strict"], 1),
        (TYPO, ["--strict", "--exit-zero"], 0),
        (ODD_KEY, ["--strict"], 1),
        (BROKEN, ["--fail-on", "error"], 1),
    ],
)
def test_which_findings_fail(cli, write, text, options, code):
    assert cli("validate", write(text), *options).code == code


# --- which rules ----------------------------------------------------------------------------------------


def test_rules_are_chosen_by_code_or_beginning(cli, write):
    name = write(TWO_NUMBERS.replace('"additionalProperties"', '"additionalproperties"', 1))
    every = cli("validate", name, "--format", "json")
    assert codes(every) == ["WM122", "WM510"]
    assert codes(cli("validate", name, "--format", "json", "--select", "WM5")) == ["WM510"]
    assert codes(cli("validate", name, "--format", "json", "--select", "WM5,wm122")) == ["WM122", "WM510"]
    assert codes(cli("validate", name, "--format", "json", "--ignore", "WM1", "--ignore", "WM510")) == []
    assert codes(cli("validate", name, "--format", "json", "--select", "WM", "--ignore", "WM12")) == ["WM510"]


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("word", ["WM599", "X", "W", "510", "WM5101"])
def test_a_code_that_is_none_is_an_error(cli, write, word):
    """A misspelt code would hide nothing, or everything."""
    done = cli("validate", write(TYPO), "--ignore", word)
    assert done.code == 2
    assert f"--ignore: no rule's code is or begins with '{word}'" in done.err


def test_the_configuration_chooses_too(cli, write, tmp_path):
    name = write(TWO_NUMBERS.replace('"additionalProperties"', '"additionalproperties"', 1))
    write('[lint]\nignore = ["WM122"]\n', "workermd.toml")
    assert codes(cli("validate", name, "--format", "json")) == ["WM510"]
    assert codes(cli("validate", name, "--format", "json", "--ignore", "WM51")) == []
    assert codes(cli("validate", name, "--format", "json", "--no-config")) == ["WM122", "WM510"]
    write('[lint]\nselect = ["WM122"]\n', "workermd.toml")
    assert codes(cli("validate", name, "--format", "json")) == ["WM122"]
    assert codes(cli("validate", name, "--format", "json", "--select", "WM5")) == ["WM510"], "the flag replaces it"
    write('[lint]\nselect = ["WM799"]\n', "workermd.toml")
    wrong = cli("validate", name)
    assert (wrong.code, "workermd.toml: [lint] select: no rule's code" in wrong.err) == (2, True)
    write("[lint]\nselct = []\n", "workermd.toml")
    assert "unknown key 'selct'; known: select, ignore" in cli("validate", name).err


def test_what_makes_a_contract_unusable_cannot_be_hidden(cli, write):
    comment = "<!-- workermd: ignore WM301 never mind -->\n"
    name = write(BROKEN + comment)
    for options in (["--select", "WM9"], ["--ignore", "WM3"], []):
        done = cli("validate", name, "--format", "json", *options)
        assert (done.code, codes(done)) == (1, ["WM301"] * 3)
    updated = cli("validate", name, "--baseline", "base.json", "--baseline-update")
    assert updated.code == 1
    assert cli("validate", name, "--baseline", "base.json").code == 1


# --- ignores in the file --------------------------------------------------------------------------------


def test_an_ignore_holds_for_its_code_in_its_file(cli, write):
    comment = "\n<!-- workermd: ignore WM510 another tool reads it -->\n"
    write(TYPO.replace("id: echo", "id: one") + comment)
    write(TYPO.replace("id: echo", "id: two"), "b.worker.md")
    done = cli("validate", ".", "--format", "json")
    assert [(each["path"], each["code"]) for each in done.document["findings"]] == [("./b.worker.md", "WM510")]


def test_an_ignore_of_reading_holds_for_warnings(cli, write):
    name = write(ODD_KEY + "\n<!-- workermd: ignore WM116 ours -->\n")
    assert codes(cli("validate", name, "--format", "json")) == []


def test_an_ignore_of_a_rule_that_is_not_asked_is_not_unused(cli, write):
    name = write(TYPO + "\n<!-- workermd: ignore WM510 another tool reads it -->\n")
    assert codes(cli("validate", name, "--format", "json", "--ignore", "WM510")) == []
    assert codes(cli("validate", name, "--format", "json", "--select", "WM9")) == []


# --- baseline -------------------------------------------------------------------------------------------


def test_a_baseline_accepts_what_was_there_wherever_it_moves(cli, write, tmp_path):
    write(TYPO, "in/a.worker.md")
    missing = cli("validate", "in", "--baseline", "base.json")
    assert (missing.code, "base.json: no such baseline; write one with --baseline-update" in missing.err) == (2, True)
    first = cli("validate", "in", "--strict", "--baseline", "base.json", "--baseline-update")
    assert (first.code, first.out) == (0, b"")
    kept = (tmp_path / "base.json").read_bytes()
    assert "additional" not in kept.decode()
    again = cli("validate", "in", "--strict", "--baseline", "base.json")
    assert (again.code, again.out) == (0, b"")
    assert again.err == "0 errors, 0 warnings in 1 file; 1 finding in the baseline\n"
    write(TYPO.replace("# echo\n", "# echo\n\nMore\n\ntext.\n"), "in/a.worker.md")
    moved = cli("validate", tmp_path / "in", "--strict", "--baseline", tmp_path / "base.json", cwd="/")
    assert moved.code == 0, "other lines, another folder to work in"
    write(TYPO.replace('"required": [', '"requird": 1,\n  "required": ['), "in/a.worker.md")
    new = cli("validate", "in", "--strict", "--baseline", "base.json")
    assert (new.code, new.out.count(b"[WM510]")) == (1, 2)
    assert (tmp_path / "base.json").read_bytes() == kept, "only --baseline-update writes"


def test_a_second_finding_of_the_same_text_is_new(cli, write):
    line = '  "additionalProperties": false,\n'
    write(contract_text().replace(line, line.replace("P", "p"), 1))
    cli("validate", "a.worker.md", "--baseline", "base.json", "--baseline-update")
    write(contract_text().replace(line, line.replace("P", "p")))
    done = cli("validate", "a.worker.md", "--baseline", "base.json", "--format", "json")
    assert codes(done) == ["WM510"]


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 2, "findings": []}', "\xff", '{"schema_version": 1}'])
def test_a_baseline_that_is_none_is_refused_and_kept(cli, write, tmp_path, text):
    write(text.encode("latin-1"), "base.json")
    for more in ([], ["--baseline-update"]):
        done = cli("validate", write(TYPO), "--baseline", "base.json", *more)
        assert (done.code, "base.json: no baseline of version 1" in done.err) == (2, True)
    assert (tmp_path / "base.json").read_bytes() == text.encode("latin-1")


# --- fixes ----------------------------------------------------------------------------------------------


def test_fix_writes_and_keeps_what_a_file_is(cli, write, tmp_path):
    name = write(TAGS.replace("\n", "\r\n"))
    path = tmp_path / name
    path.chmod(0o640)
    (tmp_path / "link.worker.md").symlink_to(name)
    done = cli("validate", "link.worker.md", "--fix", "--strict")
    assert (done.code, "fixed 1 file" in done.err) == (0, True)
    assert path.read_bytes() == TAGS.replace("- b\n- a\n", "- b\n").replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.worker.md").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["a.worker.md", "cache", "home", "link.worker.md"]
    assert "fixed" not in cli("validate", name, "--fix").err


def test_fix_obeys_the_selection_and_removes_a_byte_order_mark(cli, write, tmp_path):
    name = write(b"\xef\xbb\xbf" + TAGS.encode())
    cli("validate", name, "--fix", "--ignore", "WM1")
    assert (tmp_path / name).read_bytes() == b"\xef\xbb\xbf" + TAGS.encode()
    cli("validate", name, "--fix", "--select", "WM102")
    assert (tmp_path / name).read_bytes() == TAGS.encode()


def test_diff_prints_a_patch_that_does_what_fix_does_and_writes_nothing(cli, write, tmp_path):
    name = write(TAGS)
    done = cli("validate", name, "--diff")
    assert (done.code, (tmp_path / name).read_text()) == (1, TAGS)
    patched = subprocess.run(["git", "apply", "-p0", "-"], cwd=tmp_path, input=done.out, check=False)
    assert patched.returncode == 0
    assert (tmp_path / name).read_text() == TAGS.replace("- b\n- a\n", "- b\n")
    assert cli("validate", name, "--diff").code == 0
    assert cli("validate", "-", "--diff", given=TAGS).out.startswith(b"--- -\n+++ -\n")


def test_a_file_that_cannot_be_read_whole_is_not_touched(cli, write, tmp_path):
    data = TAGS.encode() + b"\xff"
    assert cli("validate", write(data), "--fix").code == 1
    assert (tmp_path / "a.worker.md").read_bytes() == data


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--diff", "--fix"], "so --fix beside it has no use"),
        (["--diff", "--format", "json"], "so --format beside it has no use"),
        (["--baseline-update"], "--baseline-update writes a baseline, but none is named"),
        (["--fix", "-"], "--fix writes files, but standard input is none"),
    ],
)
def test_options_that_contradict_each_other(cli, write, options, said):
    done = cli("validate", write(TAGS), *options, given=TAGS)
    assert (done.code, said in done.err) == (2, True)


# --- secrets --------------------------------------------------------------------------------------------


@pytest.mark.rule("S5.6")
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_report_shows_a_secret(cli, write, form):
    text = contract_text().replace("version: 1.0.0\n", f"version: 1.0.0\nodd: {TOKEN}\nderived_on: {TOKEN}\n")
    done = cli("validate", write(text), "--format", form)
    assert done.code == 1
    assert b"WM901" in done.out
    assert b"WM115" in done.out
    assert TOKEN[:12].encode() not in done.out
    assert TOKEN[:12] not in done.err


# --- several files --------------------------------------------------------------------------------------


def test_the_same_contract_twice_is_no_clash(cli, write):
    write(contract_text(), "in/a.worker.md")
    write(contract_text(), "in/b.worker.md")
    assert cli("validate", "in", "--strict").code == 0
    write(contract_text() + "\nMore.\n", "in/c.worker.md")
    done = cli("validate", "in", "--format", "json")
    assert [(each["path"], each["code"]) for each in done.document["findings"]] == [
        ("in/a.worker.md", "WM910"),
        ("in/c.worker.md", "WM910"),
    ]
    assert cli("validate", "in", "--ignore", "WM91").code == 0
    write(contract_text() + "\n<!-- workermd: ignore WM910 a draft -->\n", "in/c.worker.md")
    assert codes(cli("validate", "in", "--format", "json")) == ["WM910"], "each file speaks for itself"


# --- workermd rule --------------------------------------------------------------------------------------


def test_rule_explains(cli):
    done = cli("rule", "wm120")
    assert done.code == 0
    assert done.out.decode().splitlines() == [
        "WM120: warning",
        "A tag stands once.",
        "A repeated tag says nothing, and usually another one was meant.",
        "Safe fix (--fix): Removes the later one where it has a line to itself.",
    ]
    assert cli("rule", "WM101").code == 0


def test_an_unknown_rule_names_the_nearest(cli):
    done = cli("rule", "WM52O")
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("workermd: there is no rule 'WM52O'; did you mean WM5")


def test_findings_of_json_have_the_levels_of_the_table(cli, write):
    from workermd.contract.rules import RULES

    done = cli("validate", write(TWO_NUMBERS), "--format", "json")
    assert json.loads(done.out)["findings"][0]["severity"] == RULES["WM122"].severity == "info"
