"""What a task asks of a person fits a ledger, to the last character, byte and level."""

import pytest

from workermd.task import question
from workermd.task.question import MAX_DEPTH, MAX_OPTION, MAX_OPTIONS, MAX_PROPOSED, MAX_QUESTION, asked, details


@pytest.mark.rule("S9.1")
def test_a_question_and_its_options_are_cut():
    said = details("q" * (MAX_QUESTION + 1), ["o" * (MAX_OPTION + 1), *map(str, range(MAX_OPTIONS))])
    assert said["question"] == "q" * MAX_QUESTION
    assert said["options"] == ["o" * MAX_OPTION, *map(str, range(MAX_OPTIONS - 1))]


def proposal(size):
    """A proposal whose JSON has so many bytes, with half as many characters."""
    text = "ü" * ((size - len('{"a": ""}')) // 2)
    return {"a": text + "x" * (size - len('{"a": ""}') - 2 * len(text))}


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.rule("S9.1")
@pytest.mark.parametrize(
    ("proposed", "refused"),
    [
        (proposal(MAX_PROPOSED), ""),
        (proposal(MAX_PROPOSED + 1), "is larger than 65536 bytes of JSON"),
        (nested(MAX_DEPTH), ""),
        (nested(MAX_DEPTH + 1), "is nested deeper than 100 levels"),
    ],
    ids=["as large as allowed", "a byte more", "as deep as allowed", "a level more"],
)
def test_a_proposal_is_shown_whole_or_refused(proposed, refused):
    """Bytes of UTF-8 are counted, not characters: that is what is stored."""
    failure = asked("May I?", kind="question", proposed=proposed).failure
    assert failure["kind"] == ("refused" if refused else "needs_human")
    assert refused in failure["message"]
    assert failure.get("proposed") == (None if refused else proposed)


@pytest.mark.rule("S9.1")
@pytest.mark.parametrize(
    ("kind", "proposed", "counts_as"),
    [
        ("tool", {"tool": "mail", "arguments": {}}, "tool"),
        ("tool", {"tool": "mail"}, "question"),
        ("plan", {"plan": "first"}, "plan"),
        ("plan", {}, "question"),
        ("stalled", {}, "stalled"),
        ("something", {}, "question"),
    ],
)
def test_a_kind_without_what_is_to_be_decided_is_a_question(kind, proposed, counts_as):
    assert details("May I?", (), kind, proposed)["request_kind"] == counts_as


@pytest.mark.rule("S6.5")
def test_control_characters_become_blanks():
    assert question.details("a\x1b[31mb\nc\u202e")["question"] == "a [31mb\nc"
