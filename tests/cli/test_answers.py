"""What a call of `run` is given and gives: inputs made of fields, files, standard output that cannot be written, a terminal."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import ROOT, patience
from workermd.cli import input_fields
from workermd.protocol.errors import UsageError

ECHO = "reply({'status': 'ok', 'result': task['input']})"
SCHEMA = {
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "either": {"type": ["string", "number"]},
        "any": True,
    }
}


def on_terminal(cli, *arguments):
    """The exit code, and all that a terminal of 80 columns shows."""
    ours, theirs = os.openpty()
    process = cli.start(*arguments, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env={"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    return process.wait(patience(30)), shown.decode()


# --- inputs made of fields ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text=12", "12"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text=@file", "line\n[1]"),
        ("text=@@file", "@file"),
        ("count=12", 12),
        ("count=@number", 7),
        ("either=1.5", 1.5),
        ("either=word", "word"),
        ("either=@number", "7"),
        ("any=[1, true]", [1, True]),
        ("any={", "{"),
        ("other=null", None),
    ],
)
def test_a_field_is_what_the_contract_has_it_as(tmp_path, monkeypatch, field, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("line\n[1]")
    (tmp_path / "number").write_text("7")
    made = json.loads(input_fields.made([field], None, SCHEMA, ""))
    assert made == {field.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["text"], "--set: found 'text'; write KEY=VALUE"),
        (["=a"], "--set: found '=a'"),
        (["text=a", "text=b"], "the field 'text' is given twice"),
        (["count=many"], "--set count: not JSON (text that is no JSON value); the contract allows: integer"),
        (["text=@missing"], "missing: no such file"),
        (["text=@latin"], "latin: not UTF-8"),
        (["text=@-", "any=@-"], "two fields want standard input"),
    ],
)
def test_a_field_that_is_none_is_refused(tmp_path, monkeypatch, fields, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin").write_bytes(b"\xe9")
    read, write = os.pipe()
    os.close(write)
    monkeypatch.setattr(sys, "stdin", os.fdopen(read))
    with pytest.raises(UsageError) as refused:
        input_fields.made(fields, None, SCHEMA, "")
    assert said.split(" (")[0].split("; ")[0] in refused.value.message
    sys.stdin.close()


def test_a_run_needs_no_json_by_hand_and_gives_both_documents(cli, contract, program):
    fields = {"run_id": {"type": "string"}, "text": {"type": "string"}}
    spec = contract(input_schema={"type": "object", "required": ["run_id"], "properties": fields})
    done = cli(
        "run", spec, "--set", "run_id=r1", "--input-text", "text", "-o", "out.json", "--envelope-file", "env.json",
        *program(ECHO), given="wörds\n",
    )  # fmt: skip
    assert (done.code, done.out, done.err) == (0, b"", "")
    output = json.loads((cli.folder / "out.json").read_text())
    assert output["result"] == {"run_id": "r1", "text": "wörds\n"}
    assert json.loads((cli.folder / "env.json").read_text())["outputs"] == output
    again = cli("run", spec, "--set", "run_id=r1", "--set", "text=@words", *program(ECHO))
    assert "words: no such file" in again.err
    for arguments, said in {
        (): "INPUT is missing; name a JSON file, or - for standard input, or give its fields: --set KEY=VALUE; see: workermd run --help",
        ("-", "--set", "a=b"): "--set makes the input, and - is one; leave one of the two out",
    }.items():
        refused = cli("run", spec, *arguments, *program(ECHO))
        assert (refused.code, refused.err) == (2, f"workermd: {said}\n")


@pytest.mark.rule("S5.1")
def test_a_file_that_cannot_be_written_is_said_and_the_rest_is_told(cli, contract, given, program):
    done = cli("run", contract(), given(), "-o", "no/folder", "--envelope-file", "env.json", *program(ECHO))
    assert done.code == 2
    assert "no/folder: cannot be written" in done.err
    assert json.loads((cli.folder / "env.json").read_text())["status"] == "ok"


def test_reports_of_a_run_for_ci(cli, contract, given, program):
    reports = ["--report", "junit=run.xml", "--report", "markdown=run.md"]
    spec = contract(constraints={"max_attempts": 1})
    assert cli("run", spec, given("a<b"), *reports, *program(ECHO)).code == 0
    suite = ET.fromstring((cli.folder / "run.xml").read_text())[0]
    assert (suite.get("tests"), suite.get("failures"), suite[0].get("name"), len(suite[0])) == ("1", "0", "echo a<b", 0)
    assert "### echo: ok\n" in (cli.folder / "run.md").read_text()
    done = cli("run", spec, given("r2"), *reports, *program("reply({'status': 'nope|'})"))
    assert done.code == 4
    suite = ET.fromstring((cli.folder / "run.xml").read_text())[0]
    assert (suite.get("failures"), suite[0][0].get("type")) == ("1", "status_not_allowed")
    summary = (cli.folder / "run.md").read_text()
    assert summary.startswith("### echo: invalid&#95;output\n")
    assert "**status&#95;not&#95;allowed**" in summary
    refused = cli("run", spec, given("r3"), "--report", "sarif=x", *program(ECHO))
    assert (refused.code, "--report: found the format 'sarif'; allowed: junit, markdown" in refused.err) == (2, True)
    assert cli("runs", "show", "r3").code == 2, "refused before anything is run"


# --- standard output ------------------------------------------------------------------------------------


@pytest.mark.rule("S5.1")
@pytest.mark.parametrize("end", [">&-", ">/dev/full"])
@pytest.mark.parametrize("call", ["--version", "--help", "rule WM510"])
def test_a_document_that_nobody_gets_is_no_success(tmp_path, call, end):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m workermd {call} {end}"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("workermd: standard output cannot be written (")
    assert "Traceback" not in done.stderr


@pytest.mark.rule("S5.1")
def test_a_run_with_standard_output_closed_is_no_success(cli, contract, given, program):
    words = " ".join(map(str, program(ECHO)))
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m workermd run {contract()} {given()} {words} >&-"],
        check=False,
        capture_output=True,
        text=True,
        env=cli.environment,
    )
    assert (done.returncode, "standard output cannot be written (Bad file descriptor)" in done.stderr) == (2, True)
    assert cli("run", contract(), given(), *program(ECHO)).code == 0, "it is settled, and replayed"


@pytest.mark.parametrize("call", ["--version", "--help"])
def test_a_reader_that_goes_away_is_no_fault(tmp_path, call):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "workermd", call],
        check=False,
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        timeout=patience(60),
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


# --- on a terminal --------------------------------------------------------------------------------------


@pytest.mark.rule("S5.1")
def test_on_a_terminal_a_good_run_ends_with_a_line_and_a_failure_is_told_once(cli, contract, given, program):
    code, shown = on_terminal(cli, "run", contract(), given(), *program(ECHO))
    assert code == 0
    assert '"status": "ok"' in shown
    assert shown.splitlines()[-1].startswith("workermd: ok, attempt 1 of 2, ")
    code, shown = on_terminal(cli, "run", contract(), "missing.json", *program(ECHO))
    assert (code, shown.count("missing.json: no such file")) == (2, 1)
    code, shown = on_terminal(cli, "run", contract(), given("r2"), *program("reply({'status': 'invalid_output'})"))
    assert (code, "{" in shown) == (4, False), shown
    assert shown.count("[output_schema_mismatch]") == 1
