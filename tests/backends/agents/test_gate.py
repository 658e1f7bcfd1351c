"""Patterns of tool calls, and the gate that holds calls against them."""

import contextlib
import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workermd.backends.agents import gate
from workermd.protocol import tool_pattern
from workermd.protocol.tool_pattern import MalformedPattern, ToolPattern, read, split
from workermd.task.binding import ToolBinding

DEEP: object = "end"
for _ in range(900):
    DEEP = {"a": DEEP}


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    ("pattern", "tool", "arguments", "fits"),
    [
        ("add", "add", {}, True),
        ("add", "add", {"a": 1}, True),
        ("add", "Add", {}, False),
        ("add", "adder", {}, False),
        ("a*", "add", {}, True),
        ("a?d", "add", {}, True),
        ("a?", "add", {}, False),
        ("*", "anything at all", {}, True),
        ("mcp:files/read", "mcp:files/read", {}, True),
        ("add(a=1)", "add", {"a": 1}, True),
        ("add(a=1)", "add", {"a": "1"}, True),
        ("add(a=1)", "add", {"a": 1.5}, False),
        ("add(a=1)", "add", {"a": True}, False),
        ("add(a=true)", "add", {"a": True}, True),
        ("add(a=null)", "add", {"a": None}, True),
        ("add(a=1)", "add", {}, False),
        ("add(a=*)", "add", {}, False),
        ("add(a=*)", "add", {"a": {"deep": [1]}}, True),
        ("add(a=1, b=2)", "add", {"a": 1, "b": 2, "c": 3}, True),
        ("add(a=1,b=2)", "add", {"a": 1, "b": 3}, False),
        ("add( a = 1 )", "add", {"a": 1}, True),
        ("add(a=)", "add", {"a": ""}, True),
        ("add(a=)", "add", {"a": "x"}, False),
        ("say(text=a b*)", "say", {"text": "a bc"}, True),
        ("say(text=two\nlines)", "say", {"text": "two\nlines"}, True),
        ("say(text=*)", "say", {"text": "two\nlines"}, True),
        # A backslash takes the next character as it is.
        (r"say(text=a\, b)", "say", {"text": "a, b"}, True),
        (r"say(text=\(a\))", "say", {"text": "(a)"}, True),
        (r"say(text=\*)", "say", {"text": "*"}, True),
        (r"say(text=\*)", "say", {"text": "x"}, False),
        (r"say(text=\\)", "say", {"text": "\\"}, True),
        (r"say(text=\ )", "say", {"text": " "}, True),
        (r"say(text=a=b)", "say", {"text": "a=b"}, True),
        # Letters are compared as they are written.
        ("say(text=Ä*)", "say", {"text": "Äpfel"}, True),
        ("say(text=Ä*)", "say", {"text": "äpfel"}, False),
        # Arguments inside others, and lists.
        ("find(filter.kind=a*)", "find", {"filter": {"kind": "ab"}}, True),
        ("find(filter.kind=a*)", "find", {"filter": {"kind": "b"}}, False),
        ("find(filter.kind=a*)", "find", {"filter": {}}, False),
        ("find(filter.kind=a*)", "find", {"filter": "kind"}, False),
        ("find(filter.kind=a*)", "find", {"filter.kind": "ab"}, True),
        ("find(filter.kind=a*)", "find", {"filter.kind": "ab", "filter": {"kind": "b"}}, False),
        ("find(filter.kind=a*)", "find", {"filter": [{"kind": "a"}, {"kind": "b"}]}, False),
        ("find(filter.kind=a*)", "find", {"filter": [{"kind": "a"}, {"kind": "ab"}]}, True),
        ("find(filter.kind=a*)", "find", {"filter": [{"kind": "a"}, {}]}, False),
        ("find(filter.kind=a*)", "find", {"filter": []}, False),
        ("read(paths=docs/*)", "read", {"paths": ["docs/a", "docs/b"]}, True),
        ("read(paths=docs/*)", "read", {"paths": ["docs/a", "keys"]}, False),
        ("read(paths=docs/*)", "read", {"paths": [["docs/a"], ["keys"]]}, False),
        ("read(paths=docs/*)", "read", {"paths": []}, False),
        ("read(paths=*)", "read", {"paths": []}, True),
        # A step upward.
        ("read(path=docs/*)", "read", {"path": "docs/a/b"}, True),
        ("read(path=docs/*)", "read", {"path": "docs/../keys"}, False),
        ("read(path=docs/*)", "read", {"path": "docs/a/.."}, False),
        ("read(path=*keys)", "read", {"path": "..\\keys"}, False),
        ("read(path=docs/*)", "read", {"path": "docs/a..b"}, True),
        ("read(path=*)", "read", {"path": "../keys"}, True),
        ("read(path=../docs/*)", "read", {"path": "../docs/a"}, True),
    ],
)
def test_what_fits_a_pattern(pattern, tool, arguments, fits):
    assert read(pattern).fits(tool, arguments) is fits


@pytest.mark.parametrize(
    "text",
    ["", " ", "(a=1)", "a (b=1)", "a b", "a(b)", "a(=1)", "a(b=1", "a(b=1))", "a(b=1)c", "a(b=(1))", "a(b=1,)",
     "a(b=1, b=2)", "a(b=1\\)", "a(b=\\", 'a"b', "a[1]", "a(c:*)"],
)  # fmt: skip
def test_what_is_no_pattern(text):
    with pytest.raises(MalformedPattern):
        read(text)


def test_empty_brackets_name_no_argument():
    assert read("add()") == read("add")


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", []), (" ", []), ("a", ["a"]), ("a, b", ["a", "b"]), ("a,,b", ["a", "", "b"]), ("a(b=1, c=2), d", ["a(b=1, c=2)", "d"]),
     (r"a(b=\), c", [r"a(b=\), c"]), (r"a(b=\,), c", [r"a(b=\,)", "c"]), ("a), b", ["a)", "b"])],
)  # fmt: skip
def test_a_list_is_split_outside_brackets(text, parts):
    assert split(text) == parts


TEXT = st.text("ab*?.", max_size=8)


@given(TEXT, TEXT)
def test_stars_are_those_of_a_shell(pattern, text):
    # fnmatch is independent of ours; its brackets and escapes do not occur in this alphabet.
    if not re.search(r"(^|/)\.\.(/|$)", text):
        literal = text.replace("*", "x").replace("?", "y")
        assert read(f"t(a={pattern})").fits("t", {"a": literal}) == fnmatch.fnmatchcase(literal, pattern)


@given(st.text(max_size=20))
def test_any_text_can_be_written_literally(text):
    escaped = "".join("\\" + character for character in text)
    pattern = read(f"t(a={escaped})")
    assert pattern.fits("t", {"a": text})
    assert not pattern.fits("t", {"a": text + "x"})


@given(TEXT, TEXT, TEXT)
def test_what_a_pattern_covers_fits_it(wide, narrow, text):
    broad, tight = read(f"t(a={wide})"), read(f"t(a={narrow})")
    if broad.covers(tight) and tight.fits("t", {"a": text}):
        assert broad.fits("t", {"a": text})


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [("a", "a", True), ("a*", "ab", True), ("a*", "a*b", True), ("a?", "a*", False), ("*", "a(b=1)", True), ("a(b=1)", "a", False),
     ("a(b=x*)", "a(b=xy)", True), ("a(b=x*)", "a(b=xy, c=1)", True), ("a(b=x?)", "a(b=xy)", True), ("a(b=x?)", "a(b=x?)", True),
     ("a(b=xy)", "a(b=x?)", False), ("a(b=docs/*)", "a(b=docs/../*)", False), ("a(b=*)", "a(b=docs/../*)", True),
     ("ab", "a*", False), ("a*b", "a", False), (r"a(b=\*)", "a(b=*)", False)],
)  # fmt: skip
def test_which_pattern_covers_which(wide, narrow, covers):
    assert read(wide).covers(read(narrow)) is covers


@given(st.text("ab()=,\\ *?", max_size=30))
def test_reading_never_fails_otherwise(text):
    with contextlib.suppress(MalformedPattern):
        assert isinstance(read(text), ToolPattern)
    split(text)


@pytest.mark.parametrize("pattern", ["*a" * 40, "*" * 500, "*?a" * 40, "a*" * 40 + "b"])
def test_a_long_argument_does_not_hold_the_gate_up(pattern):
    began = time.process_time()
    read(f"t(a={pattern})").fits("t", {"a": "a" * 200_000 + "c"})
    assert time.process_time() - began < 5


TOOLS = (ToolBinding("add"), ToolBinding("sub", allow=("sub(a=1)", "sub(b=2)")))


def test_tools_are_offered_by_name_alone():
    assert gate.offered(TOOLS, None) == TOOLS
    assert gate.offered(TOOLS, ()) == ()
    assert gate.offered(TOOLS, ("add(a=1)",)) == TOOLS[:1]
    assert gate.offered(TOOLS, ("language_model(optional)", "a(b", "s*")) == TOOLS[1:]


def test_both_lists_have_to_allow_a_call():
    add, sub = TOOLS
    assert gate.refusal(add, {"a": 1}, None) == ""
    assert "the contract" in gate.refusal(add, {"a": 1}, ("add(a=2)", "sub"))
    assert "the contract" in gate.refusal(add, {}, ())
    assert "the operator" in gate.refusal(sub, {"a": 2}, ("sub",))
    assert gate.refusal(sub, {"a": 2, "b": 2}, ("*",)) == ""


def test_a_word_that_is_no_pattern_allows_nothing():
    assert gate.refusal(ToolBinding("a"), {}, ("a(b", "a (optional)", "a(c:*)")) != ""


def test_arguments_nested_too_deeply_are_not_allowed():
    assert gate.refusal(ToolBinding("a", allow=("a(x=y)",)), {"x": DEEP}, None) != ""


@pytest.mark.rule("S5.6")
def test_a_refusal_quotes_no_argument():
    assert "hunter2" not in gate.refusal(ToolBinding("a"), {"password": "hunter2"}, ("a(password=x)",))


def test_the_same_arguments_have_the_same_text():
    assert gate.canonical({"b": [1, {"d": 1, "c": "ä"}], "a": None}) == '{"a": null, "b": [1, {"c": "ä", "d": 1}]}'
    assert tool_pattern.read("a(b=1)") == read("a(b= 1)")
