"""Contracts and files as others write them: what they are called, and that no hint would destroy them."""

import pytest

from tests.contract.contract_cases import GOOD, edit, front
from workermd.contract.reader import read
from workermd.lint.engine import lint


def found(document):
    data = document if isinstance(document, bytes) else document.encode()
    return [(each.line, each.code, each.severity) for each in lint(read(data, "demo.worker.md")).findings]


PLAIN = {
    "a rule": "# Release checklist\n\nKeep it short.\n\n---\n\n## Steps\n\n1. Tag\n2. Push\n",
    "a rule first": "---\n\n# Release checklist\n\nKeep it short.\n",
    "a rule at both ends": "---\n\n# Release\n\nSteps: tag, push.\n\n---\n",
    "several rules": "# A\n\n---\n\nb\n\n---\n\nc\n",
    "a rule that is almost a mark": "-----\n\n# Release\n\n- tag\n",
    "front matter of another kind": "---\nname: release\ndescription: how to release\n---\n\n# Release\n",
    "front matter that never ends": "---\nname: release\ndescription: how to release\n\n# Release\n",
    "words of ours in the prose": "# A\n\n---\n\nThe id: a number. The version: another.\n",
    "crlf": "# A\r\n\r\n---\r\n\r\nb\r\n",
}


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_markdown_that_is_no_contract_is_called_so_and_keeps_its_text(text):
    reading = read(text.encode(), "notes.worker.md")
    assert [each.code for each in reading.findings] == ["WM106"]
    assert "Remove" not in reading.findings[0].hint


@pytest.mark.parametrize(
    ("text", "code"),
    [("Some words.\n\n" + GOOD, "WM107"), ("---\nid: a\nversion: 1.0.0\n# A\n", "WM109"), ("\n" + GOOD, "WM108")],
)
def test_a_contract_after_other_text_is_still_told_to_begin_with_its_front_matter(text, code):
    assert code in [each.code for each in read(text.encode(), "a.worker.md").findings]


@pytest.mark.parametrize("text", [GOOD.replace("\n", "\r"), "# A\r\rb\r", GOOD.replace("\n", "\r") + "\n"])
def test_line_ends_of_cr_alone_are_called_so_once(text):
    reading = read(text.encode(), "a.worker.md")
    assert [(each.line, each.code) for each in reading.findings] == [(1, "WM104")]
    assert "CR alone" in reading.findings[0].message
    assert "LF" in reading.findings[0].hint


GLUED = {
    "double quotes": 'x-a: "b"# c',
    "single quotes": "x-a: 'b'#c",
    "a list": "x-a: [a, b]# c",
    "a mapping": "x-a: {b: c}#",
    "inside a list": 'x-a: [a, "b"#c\n ]',
    "a folded text": "x-a: ># c\n  text",
    "a folded text with marks": "x-a: |2-# c\n  text",
    "an empty folded text": "x-a: >\n   \n    \n  # c",
}


@pytest.mark.parametrize("line", GLUED.values(), ids=GLUED)
def test_a_comment_glued_to_a_value_is_no_yaml(line):
    assert [code for _, code, _ in found(front(line))] == ["WM201"]


@pytest.mark.parametrize(
    "line",
    ['x-a: "b" # c', "x-a: b#c", 'x-a: "b"\n# c', "x-a: [a] # c", "x-a: |\n  text # c\n  #d", "x-a: >\n\n  # c\n  b"],
)
def test_a_comment_after_a_blank_is_one(line):
    assert [code for _, code, _ in found(front(line))] == [code for _, code, _ in found(GOOD)]


@pytest.mark.parametrize("word", ["int64", "uint", "double", "password", "my-own", "date time"])
@pytest.mark.parametrize("draft", ["", "http://json-schema.org/draft-07/schema#"])
def test_an_unknown_format_is_an_annotation(word, draft):
    named = f'"$schema": "{draft}", ' if draft else ""
    text = edit(
        '"properties": {"run_id": {"type": "string"}}',
        f'"properties": {{"run_id": {{"type": "string"}}, "n": {{{named}"format": "{word}"}}}}',
    )
    text = text.replace(named, "") if named else text
    reading = read(text.encode(), "a.worker.md")
    assert reading.contract is not None
    assert [each.severity for each in lint(reading).findings if each.code == "WM518"] == ["warning"]


def test_a_known_format_is_asserted():
    from workermd.contract.schema import checker

    assert not checker({"format": "date"}, "2020-12").accepts("tomorrow")
    assert checker({"format": "int64"}, "2020-12").accepts("anything")
