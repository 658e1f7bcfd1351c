"""Every format of `validate`: what its readers need, hostile words in it, and what could not be checked."""

import json
import os
import re
import stat
import xml.etree.ElementTree as ET

import junitparser
import pytest
from jsonschema import Draft202012Validator

from tests.conftest import contract_text
from workermd.cli.table.contracts import VALIDATE
from workermd.contract.rules import RULES
from workermd.protocol.errors import UsageError
from workermd.protocol.finding import Finding
from workermd.report import formats, github, junit, markdown, sarif, say
from workermd.report import text as report_text
from workermd.report.machine import findings_schema
from workermd.report.record import Report

BROKEN = "---\nid: a\nname: a\nversion: 1.0.0\n---\n# x\n"
WARNED = contract_text(id="warned").replace("version: 1.0.0", "version: 1.0.0\nodd: 1")
HOSTILE = "a%0A|`b`,c:d\r\n::error::<x>&\x1b[31m\ufffe @me #1 [l](u)"


@pytest.fixture
def files(tmp_path):
    """A clean contract, one with a warning, one with three errors."""
    for name, text in {"bad": BROKEN, "good": contract_text(), "warned": WARNED}.items():
        (tmp_path / f"{name}.worker.md").write_text(text)
    return tmp_path


def report(path="a.worker.md", message="found it", hint="", severity="error", text="x\n"):
    return Report({path: text}, (Finding(path, 1, 1, 2, severity, "WM101", message, hint),), ())


def unchecked(message="b: no such file"):
    return Report({}, (), (UsageError(message, "check the path"),))


# --- all formats ----------------------------------------------------------------------------------------


def test_the_table_and_the_command_line_offer_the_same():
    (option,) = [option for option in VALIDATE.options if option.name == "format"]
    assert option.choices == tuple(formats.FORMATS)
    assert ", ".join(formats.FORMATS).removeprefix("text, ") in option.help


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("name", formats.FORMATS)
def test_what_could_not_be_checked_is_seen_in_every_format(cli, files, name):
    """A report of nothing never reads as clean."""
    done = cli("validate", "good.worker.md", "missing.worker.md", "--report", f"{name}=report", "-q")
    assert done.code == 2
    text = (files / "report").read_text()
    assert "missing.worker.md: no such file" in text.replace("&#", "").replace("\\", "")
    assert "check the path" in text
    assert '"executionSuccessful": true' not in text
    alone = cli("validate", "missing.worker.md", "--format", name)
    assert alone.code == 2
    assert ("no such file" in alone.out.decode()) == (name != "text"), "the text says it on standard error"


@pytest.mark.rule("S6.5")
@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_bears_hostile_words(name):
    """Paths and words of a contract are data."""
    shown = formats.FORMATS[name](report(HOSTILE, HOSTILE, HOSTILE, text=HOSTILE)).decode()
    shown += formats.FORMATS[name](unchecked(HOSTILE)).decode()
    assert "\x1b" not in shown
    odd = os.fsdecode(b"\xff.worker.md")
    assert formats.FORMATS[name](report(odd, f"it is {odd}"))


@pytest.mark.parametrize("name", formats.FORMATS)
def test_the_same_call_gives_the_same_bytes(cli, files, name):
    first = cli("validate", ".", "--format", name)
    assert first.code == 1
    assert first.out
    assert cli("validate", ".", "--format", name).out == first.out


def test_notes_are_no_warnings():
    """Every format that counts gives the same numbers as the terminal's last line."""
    found = tuple(
        Finding("a", 1, 1, 2, severity, "WM101", "m", "") for severity in ("error", "warning", "info", "info")
    )
    counted = Report({"a": "x\n"}, found, ())
    said = "1 error, 1 warning, 2 notes in 1 file"
    assert said in formats.FORMATS["markdown"](counted).decode()
    assert said in formats.FORMATS["text"](counted).decode()
    summary = json.loads(formats.FORMATS["jsonl"](counted).splitlines()[-1])
    assert [summary[key] for key in ("errors", "warnings", "notes")] == [1, 1, 2]


def test_on_a_terminal_findings_have_colours_and_no_word_is_cut():
    message = "the schema admits everything: " + "it has neither properties nor any bound of its own, " * 3
    found = Finding("contracts/a.worker.md", 1, 3, 5, "warning", "WM101", message + "as", "Say what it may hold. " * 6)
    plain = report_text.findings([found], {"contracts/a.worker.md": "a word\n"})
    assert len(plain.splitlines()) == 4, "a program gets whole lines"
    shown = report_text.findings([found], {"contracts/a.worker.md": "a word\n"}, say.Style(60, True))
    bare = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert max(map(len, bare.splitlines())) <= 60
    assert bare.split() == plain.split(), "the same words"
    assert "\x1b[1;33mwarning:\x1b[0m" in shown
    assert "\x1b[1;33m^^\x1b[0m" in shown
    long = Finding("p/" * 50 + "x", 1, 1, 1, "error", "WM101", "m", "")
    assert "p/" * 50 + "x:1:1:" in report_text.findings([long], None, say.Style(40, False)).splitlines()[0]


# --- several at once ------------------------------------------------------------------------------------


def test_several_outputs_of_one_call(cli, files):
    wanted = [word for name in formats.FORMATS for word in ("--report", f"{name}=out.{name}")]
    done = cli("validate", ".", *wanted)
    assert done.code == 1
    assert done.out == cli("validate", ".").out, "text is printed all the same"
    for name in formats.FORMATS:
        printed = cli("validate", ".", "--format", name)
        expected = printed.out.decode() + (printed.err if name == "text" else "")
        assert (files / f"out.{name}").read_text() == expected


def test_the_former_spelling_works_and_says_so(cli, files):
    chosen = cli("validate", ".", "--output", "jsonl=-", "--output", "json=old.json")
    assert chosen.out == cli("validate", ".", "--format", "jsonl").out
    assert (files / "old.json").read_bytes() == cli("validate", ".", "--format", "json").out
    assert chosen.err.startswith(
        "workermd: --output FORMAT=FILE is deprecated; version 0.2 will refuse it: write --report FORMAT=FILE"
    )


def test_standard_output_is_given_once(cli, files):
    for arguments in (["--format", "text", "--output", "json=-"], ["--output", "json=-", "--output", "sarif=-"]):
        refused = cli("validate", ".", "-q", *arguments)
        assert (refused.code, refused.out) == (2, b"")
        assert refused.err.startswith("workermd: standard output is asked for by two reports")
    refused = cli("validate", ".", "--report", "json=-")
    assert refused.err == (
        "workermd: --report json=-: a report is a file, but - is standard output; write --format json\n"
    )


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["json"], "--report: found 'json'; write FORMAT=FILE, such as markdown=FILE"),
        (["json="], "--report: found 'json='; write FORMAT=FILE"),
        (["xml=a"], "--report: found the format 'xml'; allowed: text, json, jsonl, sarif, github, junit, markdown"),
        (["json=a", "sarif=./a"], "./a: the file is asked for by two reports"),
        (["json=good.worker.md"], "good.worker.md: a report would replace a file that was checked"),
        (["json=no/folder/a"], "no/folder/a: cannot be written (No such file or directory)"),
    ],
)
def test_a_wrong_output_is_refused(cli, files, arguments, said):
    done = cli("validate", "good.worker.md", *(word for each in arguments for word in ("--report", each)))
    assert done.code == 2
    assert said in done.err
    assert (files / "good.worker.md").read_text() == contract_text()
    assert sorted(path.name for path in files.glob("*") if path.name != "cache") == [
        "bad.worker.md",
        "good.worker.md",
        "home",
        "warned.worker.md",
    ]


def test_a_file_is_replaced_whole_and_keeps_its_permissions(cli, files):
    target = files / "deep.json"
    target.write_text("old")
    target.chmod(0o640)
    (files / "link.json").symlink_to(target)
    before = target.stat().st_ino
    assert cli("validate", "good.worker.md", "--report", "json=link.json", "-q").code == 0
    assert (files / "link.json").is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.stat().st_ino != before, "a reader of the old file sees no half of the new one"
    assert json.loads(target.read_text())["files"] == 1


def test_what_is_no_file_is_written_to_and_stays(cli, files):
    assert cli("validate", ".", "--report", "json=/dev/null", "-q").code == 1
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(files / "pipe")
    reader = os.open(files / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert cli("validate", "good.worker.md", "--report", "jsonl=pipe", "-q").code == 0
    assert json.loads(os.read(reader, 10_000))["kind"] == "summary"
    os.close(reader)


# --- JSON and JSON lines --------------------------------------------------------------------------------


def test_the_findings_match_their_schema(cli, files):
    schema = json.loads(cli("schema", "finding").out)
    assert schema == findings_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for paths in (["."], ["good.worker.md"], ["missing", "."]):
        document = cli("validate", *paths, "--format", "json").document
        assert list(validator.iter_errors(document)) == []
        assert list(validator.iter_errors({**document, "more": 1}))
    document["findings"][0]["severity"] = "fatal"
    assert list(validator.iter_errors(document))


def test_json_lines_are_the_json_with_an_end(cli, files):
    lines = [json.loads(line) for line in cli("validate", ".", "x", "--format", "jsonl").out.decode().splitlines()]
    document = cli("validate", ".", "x", "--format", "json").document
    assert [each for each in lines if each.pop("kind") == "finding"] == document["findings"]
    assert lines[-1] == {"schema_version": 1, "files": 3, "errors": 3, "warnings": 1, "notes": 0, "unchecked": 1}
    assert lines[-2] == document["unchecked"][0]


# --- SARIF ----------------------------------------------------------------------------------------------


def test_sarif_has_what_its_readers_need(cli, files):
    """No installable package has the official schema: these are the demands of the specification (2.1.0) on what
    is written, by its section."""
    log = cli("validate", ".", "missing", "--format", "sarif").document
    assert list(log) == ["$schema", "version", "runs"]
    assert log["version"] == "2.1.0"  # 3.13.2
    (run,) = log["runs"]
    assert set(run) == {"tool", "columnKind", "results", "invocations"}
    assert run["columnKind"] == "unicodeCodePoints"  # 3.14.17
    driver = run["tool"]["driver"]
    assert driver["name"] == "workermd"  # 3.19.8
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", driver["semanticVersion"])  # 3.19.12
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)  # 3.19.23: each id once
    for rule in driver["rules"]:
        assert set(rule) == {"id", "shortDescription", "defaultConfiguration"}
        assert rule["shortDescription"]["text"].endswith(".")  # 3.49.9
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")  # 3.50.3
    assert len(run["results"]) == 4
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        assert result["level"] == driver["rules"][result["ruleIndex"]]["defaultConfiguration"]["level"]
        assert result["message"]["text"]  # 3.11.8
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert set(region) == {"startLine", "startColumn", "endColumn"}
        assert all(isinstance(number, int) and number > 0 for number in region.values())  # 3.30.5 to 3.30.8
        assert region["endColumn"] >= region["startColumn"]
        assert all(isinstance(mark, str) for mark in result["partialFingerprints"].values())  # 3.27.17
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False  # 3.20.14
    (notification,) = invocation["toolExecutionNotifications"]  # 3.20.21
    assert notification["level"] == "error"
    assert "missing: no such file" in notification["message"]["text"]
    clean = cli("validate", "good.worker.md", "--format", "sarif").document["runs"][0]
    assert (clean["results"], clean["invocations"][0]["executionSuccessful"]) == ([], True)


def test_a_fingerprint_outlives_moved_lines_and_tells_twins_apart(cli, tmp_path):
    def marks(text):
        (tmp_path / "a.worker.md").write_text(text)
        results = cli("validate", "a.worker.md", "--format", "sarif").document["runs"][0]["results"]
        return [result["partialFingerprints"]["lineOfFinding/v1"] for result in results]

    bullets = contract_text() + "- odd: 1\n- odder: 1\n"
    first = marks(bullets)
    assert len(set(first)) == 2
    assert marks(bullets.replace("Purpose:", "Some words.\n\nPurpose:")) == first
    assert marks(bullets.replace("- odder: 1", "- oddest: 1"))[0] == first[0]
    twins = sarif.of_findings(report().findings * 2, report().sources)
    assert twins[0].fingerprint != twins[1].fingerprint


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü.md", "a%20b/%C3%BC.md"),
        ("/a", "file:///a"),
        ("././a", "a"),
        ("a:b/c", "./a:b/c"),
        ("a%2F?#", "a%252F%3F%23"),
        (os.fsdecode(b"\xff"), "%FF"),
    ],
)
def test_a_path_becomes_a_uri(path, uri):
    assert sarif.uri(path) == uri


# --- GitHub ---------------------------------------------------------------------------------------------


def parsed(line):
    """A workflow command as GitHub's runner reads it."""
    command, properties, data = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line).groups()
    values = dict(each.split("=", 1) for each in properties.split(","))

    def unescaped(text, codes):
        for code in codes:
            text = text.replace(f"%{code}", chr(int(code, 16)))
        return text.replace("%25", "%")

    return (
        command,
        {key: unescaped(value, ["0D", "0A", "3A", "2C"]) for key, value in values.items()},
        unescaped(data, ["0D", "0A"]),
    )


def test_annotations_have_their_place(cli, files):
    lines = cli("validate", ".", "--format", "github").out.decode().splitlines()
    commands = [parsed(line) for line in lines]
    findings = cli("validate", ".", "--format", "json").document["findings"]
    assert len(commands) == len(findings) == 4
    for (command, values, data), finding in zip(commands, findings, strict=True):
        assert command == finding["severity"]
        assert (values["file"], values["title"]) == (finding["path"].removeprefix("./"), finding["code"])
        assert (int(values["line"]), int(values["col"])) == (finding["line"], finding["column"])
        assert data.startswith(finding["message"])


@pytest.mark.rule("S6.5")
@pytest.mark.parametrize("words", ["a%0Ab", "a\r\nb", "a::error::b", "a,line=9", "a:b,c%3A", "::stop-commands::x"])
def test_no_value_leaves_its_annotation(words):
    (line,) = github.of_report(report(words, words)).decode().splitlines()
    command, values, data = parsed(line)
    assert (command, values["file"], data) == ("error", words, words)
    assert set(values) == {"file", "line", "col", "endColumn", "title"}
    (line,) = github.of_report(unchecked(words)).decode().splitlines()
    assert parsed(line)[2] == f"{words}; check the path"
    assert github.of_report(report(severity="info")).startswith(b"::notice ")


# --- JUnit ----------------------------------------------------------------------------------------------


def test_junit_has_a_case_for_each_file(cli, files):
    root = ET.fromstring(cli("validate", ".", "missing", "--format", "junit").out)
    assert root.tag == "testsuites"
    (suite,) = root
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "0"]
    assert {**root.attrib, "name": ""} == {**suite.attrib, "name": ""}
    bad, good, warned, missing = suite
    assert [case.get("name") for case in (bad, good, warned)] == [f"./{n}.worker.md" for n in ("bad", "good", "warned")]
    assert [child.tag for child in bad] == ["failure"]
    assert bad[0].get("message").startswith("3 errors; the first: ")
    assert bad[0].text.count(": error: ") == 3
    assert list(good) == []
    assert [child.tag for child in warned] == ["system-out"], "a warning fails nothing"
    assert "unknown key 'odd'" in warned[0].text
    assert [child.tag for child in missing] == ["error"]
    assert missing.get("name").startswith("missing: no such file")


def test_junit_is_read_by_a_reader_of_reports(cli, files):
    """pytest writes such reports and reads none; junitparser reads those of pytest."""
    (cli.folder / "report.xml").write_bytes(cli("validate", ".", "missing", "--format", "junit").out)
    (suite,) = junitparser.JUnitXml.fromfile(str(cli.folder / "report.xml"))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 1, 1, 0)
    bad, good, warned, missing = suite
    assert [type(each).__name__ for case in (bad, missing) for each in case.result] == ["Failure", "Error"]
    assert good.is_passed
    assert warned.is_passed
    assert "WM101" not in bad.result[0].type
    assert bad.result[0].type in bad.result[0].text
    assert "unknown key 'odd'" in warned.system_out


def test_junit_is_xml_whatever_is_in_it():
    words = "".join(map(chr, range(1, 0x250))) + "\ud800\ufffe\uffff]]>\U0001f600"
    for shown in (report(words, words, words, text=words), unchecked(words)):
        case = ET.fromstring(junit.of_report(shown))[0][0]
        assert "]]>" in case[0].get("message")
        assert "\U0001f600" in case.get("name")


# --- Markdown -------------------------------------------------------------------------------------------


def test_markdown_is_a_headline_and_a_table(cli, files):
    lines = cli("validate", ".", "--format", "markdown").out.decode().splitlines()
    assert lines[0] == "### worker.md contracts: 3 errors, 1 warning in 3 files"
    assert lines[2:4] == ["| place | level | rule | finding |", "|---|---|---|---|"]
    assert len(lines) == 8
    assert all(len(re.findall(r"\|", line)) == 5 for line in lines[2:])
    assert cli("validate", "good.worker.md", "--format", "markdown").out == (
        b"### worker.md contracts: 0 errors, 0 warnings in 1 file\n"
    )


@pytest.mark.rule("S6.5")
def test_markdown_renders_as_the_words_that_were_found():
    """By a real Markdown parser, with tables."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.of_report(report("p|q", HOSTILE)).decode())
    cells = [token for token in tokens if token.type == "inline"][-4:]
    assert [cell.content for cell in cells][1:3] == ["error", "WM101"]
    assert {child.type for cell in cells for child in cell.children} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[0].children) == "p|q:1:1"
    shown = "".join(child.content for child in cells[3].children)
    assert shown == "a%0A|`b`,c:d  ::error::<x>&\ufffd[31m\ufffd @me #1 [l](u)"


def test_markdown_fits_into_a_comment():
    findings = tuple(Finding("a" * 90, n, 1, 1, "error", "WM101", "m" * 90, "") for n in range(1, 1000))
    missed = (*(UsageError("m" * 900) for _ in range(30)), UsageError("|" * 90_000))
    shown = markdown.of_report(Report({}, findings, missed)).decode()
    assert len(shown) < 65_536
    rows = len(re.findall(r"^\| aaa", shown, re.MULTILINE))
    assert f"and {999 - rows} more, which do not fit here |" in shown
    listed = shown.count("- **could not be checked:** mmm")
    assert f"- and {31 - listed} more, which do not fit here\n" in shown
