"""Suite files and cases: what is wrong is found with its place, before anything is run; data sets of others are read."""

import json

import pytest

from workermd.bench.cases import Source, load_cases
from workermd.bench.suite import read_suite
from workermd.protocol.errors import UsageError

GOOD = """\
suite: 1
contract: echo.worker.md
cases:
  - {id: a, input: {task: a}}
score:
  - {path: /result, exists: true}
"""


def said(text):
    return [(each.line, each.message) for each in read_suite(text.encode(), "x.bench.yaml").findings]


def test_a_good_suite_has_no_findings_and_asks_for_a_success_status():
    reading = read_suite(GOOD.encode(), "some/notes.bench.yaml")
    assert reading.findings == ()
    assert (reading.suite.name, reading.suite.folder) == ("notes", "some")
    assert [score.kind for score in reading.suite.scores] == ["status", "path"]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("suite: 1", "suite: 2", 1, "/suite"),
        ("exists: true", "exist: true", 6, "'exist'"),
        ("path: /result, exists: true", "path: result, exists: true", 6, "/score/0/path"),
        ("path: /result, exists: true", "path: /a, exists: true, count: 1", 6, "/score/0"),
        ("path: /result, exists: true", "path: '$.a[', exists: true", 6, "no JSONPath"),
        ("path: /result, exists: true", "path: /a, matches: '(?=a)'", 6, "linear time"),
        ("path: /result, exists: true", "schema: {type: nope}", 6, "no usable schema"),
        ("path: /result, exists: true", "contract: judge.worker.md", 6, "'input'"),
        ("  - {id: a, input: {task: a}}", "  - {id: a, input: {}}\n  - {id: a, input: {}}", 5, "earlier case"),
        ("  - {id: a, input: {task: a}}", "  - {id: a/b, input: {}}", 4, "/cases/0/id"),
        ("suite: 1", "suite: 1\ngate: {subjects: [x]}", 2, "names no subject"),
        ("suite: 1", "suite: [", 1, "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_suite_is_found_with_its_place(old, new, line, message):
    assert old in GOOD
    found = said(GOOD.replace(old, new))
    assert any(at == line and message in words for at, words in found), found


def test_a_jsonpath_without_its_library_is_a_note_for_validate_and_a_refusal_for_bench(cli, contract, tmp_path):
    """The suite has no fault that the machine's lack of a library could show; and no run is paid for that nothing judges."""
    contract()
    (tmp_path / "paths.bench.yaml").write_text(GOOD.replace("path: /result", "path: $.result"))
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    (lacking / "jsonpath_rfc9535.py").write_text("raise ModuleNotFoundError")
    without = {"PYTHONPATH": str(lacking)}
    done = cli("validate", "paths.bench.yaml", "--strict", env=without)
    assert (done.code, done.err) == (0, "0 errors, 0 warnings, 1 note in 1 file\n")
    assert (
        "info: JSONPaths of the suite are not checked: the JSONPath '$.result' needs jsonpath-rfc9535"
        in done.out.decode()
    )
    refused = cli("bench", "paths.bench.yaml", env=without)
    assert (refused.code, "pip install 'workermd[bench]'" in refused.err) == (2, True)
    assert "not checked" not in cli("validate", "paths.bench.yaml").out.decode()


def test_validate_looks_at_suites_and_holds_cases_against_the_contract(cli, contract, tmp_path):
    contract()
    (tmp_path / "good.bench.yaml").write_text(GOOD)
    (tmp_path / "bad.bench.yaml").write_text(GOOD.replace("{task: a}", "{task: 1}"))
    (tmp_path / "lost.bench.yaml").write_text(GOOD.replace("echo.worker.md", "nobody.worker.md"))
    done = cli("validate", "good.bench.yaml")
    assert (done.code, done.err) == (0, "0 errors, 0 warnings in 1 file\n")
    done = cli("validate", ".")
    out = done.out.decode()
    assert done.code == 1
    assert "bad.bench.yaml:4:21: error: The case 'a': /task is an integer" in out
    assert "WM804" in out
    assert "lost.bench.yaml" in out
    assert "in 4 files" in done.err
    refused = cli("bench", "good.bench.yaml")
    assert (refused.code, "no backend is bound to worker 'echo'" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "form", "mapping", "expected"),
    [
        (
            "c.jsonl",
            '{"id": "a", "input": {"x": 1}, "expect": 2}\n\n{"id": "b", "input": {}}\n',
            "",
            {},
            [{"id": "a", "input": {"x": 1}, "expect": 2}, {"id": "b", "input": {}}],
        ),
        (
            "c.csv",
            "id,input.ticket.subject,input.n,expect\na,Hello,3,true\n",
            "",
            {},
            [{"id": "a", "input": {"ticket": {"subject": "Hello"}, "n": 3}, "expect": True}],
        ),
        (
            "gaia.jsonl",
            '{"task_id": "t1", "Question": "Why?", "Final answer": "42"}\n',
            "",
            {"id": "task_id", "input.question": "Question", "expect": "Final answer"},
            [{"id": "t1", "input": {"question": "Why?"}, "expect": "42"}],
        ),
        (
            "p.yaml",
            "prompts: [x]\ntests:\n- description: one\n  vars: {q: hi}\n  assert:\n  - {type: equals, value: ho}\n  - {type: is-json}\n",
            "promptfoo",
            {},
            [{"id": "one", "input": {"q": "hi"}, "expect": {"equals": "ho"}}],
        ),
        (
            "i.json",
            '[{"id": 7, "input": "2+2", "target": "4", "choices": ["3", "4"]}]',
            "inspect",
            {},
            [{"id": "7", "input": {"input": "2+2", "choices": ["3", "4"]}, "expect": "4"}],
        ),
        (
            "a.jsonl",
            '{"id": "HumanEval_0", "template": "T", "substitutions": {"prompt.txt": {"__PROMPT__": "def f"}}}\n',
            "agbench",
            {},
            [{"id": "HumanEval_0", "input": {"prompt": "def f"}}],
        ),
    ],
)
def test_cases_of_others_are_read(name, text, form, mapping, expected, tmp_path):
    (tmp_path / name).write_text(text)
    found = load_cases(Source(name, form, mapping), str(tmp_path))
    assert [case.document for case in found] == expected


@pytest.mark.parametrize(
    ("name", "text", "form", "message"),
    [
        ("c.jsonl", '{"id": "a"}\n', "", "c.jsonl:1: the case lacks the required property 'input'"),
        ("c.jsonl", '{"id": "a", "input": {}}\n{"id": "a", "input": {}}\n', "", "c.jsonl:2: its id is that of"),
        ("c.jsonl", "[1\n", "", "not strict JSON"),
        ("c.jsonl", '{"id": "a", "input": {"a": 1, "a": 2}}\n', "", "c.jsonl:1: not strict JSON"),
        ("c.jsonl", "\n", "", "holds no case"),
        ("none.jsonl", None, "", "cannot be read"),
        (
            "p.yaml",
            "tests: [{vars: {}, assert: [{type: javascript, value: x}]}]",
            "promptfoo",
            "is code of the data set",
        ),
    ],
)
def test_cases_that_are_none_are_refused_with_their_place(name, text, form, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as refused:
        load_cases(Source(name, form), str(tmp_path))
    assert message in refused.value.message


def test_import_writes_cases_that_a_suite_takes(cli, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"Question": "a"}\n{"Question": "b"}\n')
    done = cli("bench", "import", "rows.jsonl", "--map", "input.task=Question", "-o", "cases.jsonl")
    assert done.code == 0, done.err
    lines = (tmp_path / "cases.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "1", "input": {"task": "a"}},
        {"id": "2", "input": {"task": "b"}},
    ]
    refused = cli("bench", "import", "rows.jsonl", "--map", "secret=Question")
    assert (refused.code, "is no part of a case" in refused.err) == (2, True)
