"""What agents do, in lines for people: times in seconds, texts of a bounded length on one line."""

from workermd.report import events
from workermd.report.events import told


def test_times_are_seconds():
    said = told({"event": "tool_result", "tool": "add", "text": "3", "duration_ms": 1250.0})
    assert said == "add: 3 (1.25 s)"
    assert (
        told({"event": "reply", "agent": "a", "status": 429, "duration_ms": 40})
        == "a: the endpoint answered 429 (0.04 s)"
    )


def test_a_text_is_shown_in_part_and_on_one_line():
    longest = events._LONGEST
    said = [told({"event": "message", "agent": "a", "text": "x" * length}) for length in (longest, longest + 1)]
    assert said == ["a: " + "x" * longest, "a: " + "x" * (longest - 1) + "…"]
    assert told({"event": "message", "agent": "a", "text": "one\ntwo\t three"}) == "a: one two three"


def test_an_event_that_nobody_knows_is_no_line():
    assert told({"event": "request", "agent": "a"}) == ""
