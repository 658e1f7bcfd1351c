"""`workermd validate`: which files are read, what is said of them, where the caret stands, and the exit code."""

import ctypes
import json
import os
import re
import stat
import unicodedata

import pytest

from tests.conftest import contract_text
from workermd.cli import side_by_side

BROKEN = "---\nid: a\nname: a\nversion: 1.0.0\n---\n# x\n"
"""Three errors: the sections are missing."""


@pytest.fixture
def tree(tmp_path):
    """Writes files by relative path; None is a good contract."""

    def write_all(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contract_text() if text is None else text)
        return tmp_path

    return write_all


def places(done):
    return re.findall(r"^(\S+?):\d+:\d+: ", done.out.decode(), re.MULTILINE)


# --- which files ----------------------------------------------------------------------------------------


def test_a_folder_is_searched_and_hidden_folders_are_not(cli, tree):
    tree(
        {
            "in/b.worker.md": BROKEN,
            "in/a.worker.md": None,
            "in/deep/er/c.worker.md": BROKEN,
            "in/.git/d.worker.md": BROKEN,
            "in/.venv/x/e.worker.md": BROKEN,
            "in/README.md": "# no contract",
        }
    )
    done = cli("validate", "in")
    assert done.code == 1
    assert sorted(set(places(done))) == ["in/b.worker.md", "in/deep/er/c.worker.md"]
    assert done.err == "6 errors, 0 warnings in 3 files\n"
    assert cli("validate", "in/.git").code == 1, "a hidden folder that is named is searched"


def test_files_are_reported_in_order_whatever_the_disk_says(cli, tree):
    tree({f"in/{name}.worker.md": BROKEN for name in "hcafbdge"})
    first = cli("validate", "in", "--format", "json")
    paths = [finding["path"] for finding in first.document["findings"]]
    assert paths == sorted(paths)
    assert cli("validate", "in", "--format", "json").out == first.out


def test_a_pattern_that_no_shell_expanded(cli, tree):
    tree({"in/a.worker.md": BROKEN, "in/deep/b.worker.md": None, "c.worker.md": None})
    assert cli("validate", "in/*.worker.md").err.endswith("in 1 file\n")
    assert cli("validate", "**/*.worker.md").err.endswith("in 3 files\n")
    assert cli("validate", "i*").err.endswith("in 2 files\n"), "a folder that matches is searched"


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(cli, tree):
    tree({"[a].worker.md": None, "a.worker.md": BROKEN})
    assert cli("validate", "[a].worker.md").code == 0


def test_a_file_is_checked_once(cli, tree):
    folder = tree({"in/a.worker.md": BROKEN})
    done = cli("validate", "in", "in/a.worker.md", "./in/a.worker.md", folder / "in" / "a.worker.md", "in/*")
    assert done.err == "3 errors, 0 warnings in 1 file\n"


def test_standard_input(cli):
    done = cli("validate", "-", given=BROKEN)
    assert (done.code, set(places(done))) == (1, {"-"})
    assert cli("validate", "-", given=contract_text()).code == 0
    closed = cli("validate", "-", preexec_fn=lambda: os.close(0))
    assert (closed.code, "standard input is" in closed.err) == (2, True)
    twice = cli("validate", "-", "--input", "-", given=contract_text())
    assert twice.code == 2
    assert "given twice" in twice.err


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("missing.worker.md", "missing.worker.md: no such file; check the path"),
        ("empty", "empty: holds no *.worker.md; name a file, or a folder that has one"),
        ("*.nothing", "*.nothing: matches no file; check the pattern"),
        ("dangling.worker.md", "dangling.worker.md: no such file; check the path"),
    ],
)
def test_what_could_not_be_checked_never_reads_as_clean_and_hides_nothing(cli, tree, argument, said):
    """Exit 2, also with --exit-zero; the findings of what could be read are there."""
    folder = tree({"bad.worker.md": BROKEN, "good.worker.md": None})
    (folder / "empty").mkdir()
    (folder / "dangling.worker.md").symlink_to("nowhere")
    alone = cli("validate", argument, "--exit-zero")
    assert (alone.code, alone.out) == (2, b"")
    assert alone.err == f"workermd: {said}\n0 errors, 0 warnings in 0 files; 1 path could not be checked\n"
    for order in ([argument, "bad.worker.md"], ["bad.worker.md", argument]):
        done = cli("validate", *order)
        assert (done.code, set(places(done))) == (2, {"bad.worker.md"})
        assert said in done.err
        assert "3 errors, 0 warnings in 1 file; 1 path could not be checked" in done.err
    assert cli("validate", "good.worker.md", argument, "-q").code == 2
    document = cli("validate", "bad.worker.md", argument, "--format", "json").document
    assert len(document["findings"]) == 3
    assert [f"{each['message']}; {each['hint']}" for each in document["unchecked"]] == [said]


def without_privilege():
    """To root nothing is unreadable, unless it gives that up: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def test_what_may_not_be_read_is_said(cli, tree):
    """Never skip a file."""
    folder = tree({"in/a.worker.md": None, "in/shut/b.worker.md": BROKEN, "in/c.worker.md": BROKEN})
    (folder / "in" / "shut").chmod(0)
    (folder / "in" / "c.worker.md").chmod(0)
    done = cli("validate", "in", preexec_fn=without_privilege)
    (folder / "in" / "shut").chmod(stat.S_IRWXU)
    assert done.code == 2
    assert "in/shut: the folder cannot be searched (Permission denied)" in done.err
    assert "in/c.worker.md: cannot be read (Permission denied)" in done.err


@pytest.mark.rule("S6.5")
def test_names_of_files_are_data(cli, tmp_path):
    """No control character of a name reaches a terminal, and bytes that are not UTF-8 break nothing."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\x1b[31m\nb.worker.md").write_text(BROKEN)
    (tmp_path / "in" / os.fsdecode(b"\xff.worker.md")).write_text(BROKEN)
    text = cli("validate", "in", "missing\x1b.worker.md")
    assert text.code == 2
    assert "\x1b" not in text.out.decode() + text.err
    assert all(
        re.match(r"in/\S+\.worker\.md:\d+:\d+: |[ 0-9]{5} \| |  = ", line) for line in text.out.decode().splitlines()
    )
    assert cli("validate", "in", "--format", "json").document["files"] == 2


# --- the text -------------------------------------------------------------------------------------------


def columns(text):
    """The column of a terminal where each character begins, tabs every 8 columns."""
    at, found = 0, []
    for character in text:
        found.append(at)
        if character == "\t":
            at += 8 - at % 8
        elif not unicodedata.category(character).startswith("M"):
            at += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return [*found, at]


def caret(done, code):
    """The characters that the carets of a finding stand below."""
    lines = done.out.decode().split("\n")
    (index,) = [n for n, line in enumerate(lines) if line.endswith(f"[{code}]")]
    quoted, marks = lines[index + 1], lines[index + 2]
    shown = columns(quoted)
    begin, end = columns(marks)[marks.index("^")], columns(marks)[-1]
    return "".join(c for c, at in zip(quoted, shown, strict=False) if begin <= at < end), quoted


VALUES = {
    "plain": '{"run_id": "r", "task": 7}',
    "tab": '{\t"run_id":\t"r",\t"task":\t7}',
    "wide": '{"run_id": "漢字かな交じり", "task": 7}',
    "astral": '{"run_id": "😀🎉\U0001d4b3", "task": 7}',
    "combining": '{"run_id": "e\u0301a\u0308", "task": 7}',
    "second line": '{"run_id": "r",\n   "task": 7}',
    "CRLF": '{"run_id": "r",\r\n   "task": 7}\r\n',
    "long": '{"run_id": "' + "r" * 500 + '", "task": 7, "context": {"k": "' + "v" * 500 + '"}}',
    "long and wide": '{"run_id": "' + "漢" * 300 + '", "task": 7, "context": {"k": "' + "字" * 300 + '"}}',
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_the_caret_stands_below_the_place(cli, contract, tmp_path, text):
    (tmp_path / "in.json").write_bytes(text.encode())
    done = cli("validate", contract(), "--input", "in.json")
    assert done.code == 1
    marked, quoted = caret(done, "WM802")
    assert marked == "7"
    assert columns(quoted)[-1] <= 80 or "\t" in quoted, "a longer line would wrap, and the caret be elsewhere"
    line = text.replace("\r", "").split("\n").index(next(each for each in text.split("\n") if "7}" in each or "7," in each).rstrip("\r"))  # fmt: skip
    column = text.replace("\r", "").split("\n")[line].index("7") + 1
    assert f"in.json:{line + 1}:{column}: error: /task is an integer, allowed: string" in done.out.decode()


@pytest.mark.rule("S2.1")
def test_a_finding_of_a_contract_quotes_its_line(cli, tree):
    tree({"a.worker.md": contract_text().replace("timeout_seconds: 20", "timeout_seconds: soon")})
    done = cli("validate", "a.worker.md")
    assert caret(done, "WM606")[0] == "soon"
    assert re.search(r"^a\.worker\.md:\d+:20: error: .* \[WM606\]$", done.out.decode(), re.MULTILINE)


@pytest.mark.rule("S1.5")
def test_warnings_alone_are_no_failure(cli, tree):
    tree({"a.worker.md": contract_text().replace("version: 1.0.0", "version: 1.0.0\nodd: 1"), "b.worker.md": BROKEN})
    done = cli("validate", "a.worker.md")
    assert (done.code, done.err) == (0, "0 errors, 1 warning in 1 file\n")
    assert "warning" in done.out.decode()
    both = cli("validate", ".")
    assert (both.code, both.err) == (1, "3 errors, 1 warning in 2 files\n")
    assert cli("validate", ".", "--exit-zero").code == 0


def test_quiet_leaves_the_summary_out(cli, tree):
    tree({"b.worker.md": BROKEN})
    done = cli("validate", "b.worker.md", "-q")
    assert (done.code, done.err) == (1, "")
    assert done.out


# --- JSON -----------------------------------------------------------------------------------------------


@pytest.mark.rule("S5.1")
def test_the_json_is_one_versioned_document_with_the_numbers_of_the_text(cli, tree):
    tree({"a.worker.md": BROKEN, "b.worker.md": None})
    done = cli("validate", ".", "--format", "json")
    assert done.code == 1
    assert list(done.document) == ["schema_version", "files", "findings", "unchecked"]
    assert (done.document["schema_version"], done.document["files"], done.document["unchecked"]) == (1, 2, [])
    for finding in done.document["findings"]:
        assert list(finding) == ["path", "line", "column", "end_column", "severity", "code", "message", "hint"]
        said = "{path}:{line}:{column}: {severity}: {message} [{code}]\n".format_map(finding)
        assert said in cli("validate", ".").out.decode()
    clean = cli("validate", "b.worker.md", "--format", "json")
    assert (clean.code, clean.document["findings"]) == (0, [])


# --- documents held against a contract ------------------------------------------------------------------


def test_documents_are_held_against_both_sides(cli, contract, tmp_path):
    (tmp_path / "in.json").write_text('{"run_id": "r", "task": "t"}')
    (tmp_path / "out.json").write_text('{"run_id": "r", "status": "ok", "result": {}}')
    spec = contract()
    fine = cli("validate", spec, "--input", "in.json", "--output-file", "out.json")
    assert (fine.code, fine.err) == (0, "0 errors, 0 warnings in 3 files\n")
    swapped = cli("validate", spec, "--input", "out.json", "--output-file", "in.json", "--format", "json")
    assert swapped.code == 1
    found = {(each["path"], each["code"]) for each in swapped.document["findings"]}
    assert found == {("in.json", "WM802"), ("out.json", "WM802")}
    assert cli("validate", spec, "--input", "-", given='{"run_id": 1}').code == 1
    assert cli("validate", spec, "--output-file", "-", given='{"run_id": "r", "status": "ok", "result": {}}').code == 0
    assert cli("validate", "-", "--input", "in.json", given=contract_text()).code == 0


@pytest.mark.rule("S5.6")
@pytest.mark.parametrize(
    ("text", "place", "said", "marked"),
    [
        ('{"task": "t"}', "1:1", "The document lacks the required property 'run_id'", '{"task": "t"}'),
        ('{"run_id": "r",\n "nope": "x"}', "2:2", "/nope 'nope' is a property that the schema does not allow", '"nope"'),
        ('{"run_id": "r",\n "context": [1]}', "2:13", "/context is an array, allowed: object", "[1]"),
        ("[]", "1:1", "The document is an array, allowed: object", "[]"),
        ('{"run_id": "r", "a/b~c": 1}', "1:17", "/a~1b~0c 'a/b~c' is a property", '"a/b~c"'),
        ('{"run_id": "r", "": 1}', "1:17", "/ '' is a property", '""'),
    ],
)  # fmt: skip
def test_a_mismatch_has_its_place_in_the_document(cli, contract, tmp_path, text, place, said, marked):
    """Of a missing property the object, of an unexpected one its key."""
    (tmp_path / "in.json").write_text(text)
    done = cli("validate", contract(), "--input", "in.json")
    assert done.code == 1
    assert f"in.json:{place}: error: {said}" in done.out.decode()
    assert caret(done, "WM802")[0] == marked
    assert "The rule stands at /" in done.out.decode()


def test_a_property_whose_schema_is_false_is_marked_by_its_key(cli, contract, tmp_path):
    schema = {"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "string"}, "old": False}}
    (tmp_path / "in.json").write_text('{"run_id": "r", "old": {"a": 1}}')
    done = cli("validate", contract(input_schema=schema), "--input", "in.json")
    assert caret(done, "WM802")[0] == '"old"'


@pytest.mark.parametrize(
    ("data", "place", "said"),
    [
        (b'{"run_id": "r",}', "1:15", "comma"),
        (b'{"run_id": "r",\n "run_id": "s"}', "2:2", "twice"),
        (b'{"run_id":\n "r\xff"}', "2:4", "the byte 0xff, which is not UTF-8"),
        (b"\xff", "1:1", "not UTF-8"),
        (b"", "1:1", "no JSON value"),
        (b'{"run_id": NaN}', "1:12", "NaN"),
    ],
)
def test_a_document_that_is_no_json(cli, contract, tmp_path, data, place, said):
    (tmp_path / "in.json").write_bytes(data)
    done = cli("validate", contract(), "--input", "in.json")
    assert done.code == 1
    assert re.search(rf"^in\.json:{place}: error: .*{said}.* \[WM801\]$", done.out.decode(), re.MULTILINE), done.out


@pytest.mark.rule("S5.6")
def test_messages_quote_no_value_of_a_document(cli, contract, tmp_path):
    """In the messages; the line is the user's own file. JSON output, which goes into logs, has no line."""
    (tmp_path / "in.json").write_text(json.dumps({"run_id": ["hunter2"], "task": {"hunter2": "hunter2"}}))
    done = cli("validate", contract(), "--input", "in.json", "--format", "json")
    assert done.code == 1
    assert "hunter2" not in done.out.decode() + done.err


def test_a_name_that_is_huge_or_odd_stays_one_line(cli, contract, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"run_id": "r", "k" * 100_000: 1, "a\nb\x1b": 2}))
    done = cli("validate", contract(), "--input", "in.json")
    assert max(map(len, done.out.decode().splitlines())) < 400
    assert "\x1b" not in done.out.decode()


@pytest.mark.rule("S1.5")
def test_a_document_needs_one_usable_contract(cli, contract, tree):
    """What was not checked is said, and is no success."""
    tree({"bad.worker.md": BROKEN, "in.json": "{}"})
    spec = contract()
    several = cli("validate", spec, "bad.worker.md", "--input", "in.json")
    assert several.code == 2
    assert "against one contract, found 2" in several.err
    unusable = cli("validate", "bad.worker.md", "--input", "in.json")
    assert (unusable.code, set(places(unusable))) == (2, {"bad.worker.md"})
    assert "in.json: not checked, because the contract cannot be used; mend the contract first" in unusable.err
    for missing in (["missing.worker.md", "--input", "in.json"], [spec, "--output-file", "missing.json"]):
        done = cli("validate", *missing)
        assert done.code == 2
        assert "no such file" in done.err


# --- side by side ---------------------------------------------------------------------------------------


@pytest.fixture
def hundreds(cli):
    """Contracts that were never checked, some of them bad, one of them gone in between."""
    folder = cli.folder / "many"
    folder.mkdir()
    for number in range(150):
        text = contract_text(id=f"w{number}")
        (folder / f"{number:03}.worker.md").write_text(
            text.replace('"type": "object"', '"type": "objct"') if number % 3 else text
        )
    (folder / "100.worker.md").unlink()
    (folder / "100.worker.md").symlink_to("nowhere")
    return folder


def test_processes_side_by_side_find_the_same_in_the_same_order(cli, hundreds):
    cli.environment["WORKERMD_CACHE"] = "off"
    alone, together = (cli("validate", hundreds, "--jobs", jobs) for jobs in ("1", "3"))
    assert alone.out.count(b"\n") > 90
    assert (together.code, together.out, together.err) == (alone.code, alone.out, alone.err)
    as_json = [cli("validate", hundreds, "--jobs", jobs, "--format", "json").out for jobs in ("1", "3")]
    assert as_json[0] == as_json[1]
    assert cli("validate", hundreds, "--jobs", "0").code == 2


def test_other_processes_help_only_where_many_files_are_new(tmp_path):
    done = list(side_by_side.in_order(range(200), lambda number: (number, os.getpid()), 2))
    assert [number for number, _ in done] == list(range(200))
    assert os.getpid() not in {pid for _, pid in done}
    assert len({pid for _, pid in done}) <= 2
