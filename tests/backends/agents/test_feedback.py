"""Feedback to the next attempt is short, names its place, and holds the schema's part that failed."""

import json

import pytest

from tests.backends.agents.conftest import ANSWER
from workermd.backends.agents.feedback import LONGEST_PART, lines, part_of
from workermd.testing import Text

SCHEMA = {
    "type": "object",
    "required": ["status", "result"],
    "properties": {
        "status": {"enum": ["ok", "invalid_output"]},
        "result": {
            "type": "object",
            "properties": {"level": {"$ref": "#/$defs/level"}, "tags": {"items": {"type": "string"}}},
        },
        "long": {"enum": ["word"] * 500},
    },
    "$defs": {"level": {"enum": ["low", "high"]}},
}


@pytest.mark.parametrize(
    ("pointer", "part"),
    [
        ("", SCHEMA),
        ("/result/level", {"enum": ["low", "high"]}),
        ("/result/tags/3", {"type": "string"}),
        ("/nowhere/at", SCHEMA),
    ],
)
def test_the_part_of_a_schema_at_a_place(pointer, part):
    assert part_of(SCHEMA, pointer) == part


def test_a_reference_in_a_circle_ends():
    assert part_of({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "/x") == {"$ref": "#/$defs/a"}


def test_lines_are_few_and_concrete():
    finding = {"pointer": "/result/level", "keyword": "enum", "message": "the value is none of those listed"}
    told = lines((finding,) * 9, SCHEMA)
    assert told[0] == '- at /result/level: the value is none of those listed. Wanted there: {"enum": ["low", "high"]}'
    assert (len(told), told[-1]) == (6, "- and 4 more of the kind")
    missing = lines(({"pointer": "", "keyword": "required", "message": "it lacks 'result'"},), SCHEMA)
    assert json.loads(missing[0].partition("Wanted there: ")[2])["required"] == ["status", "result"]
    cut = lines(({"pointer": "/long", "keyword": "enum", "message": "none"},), SCHEMA)
    assert len(cut[0]) < LONGEST_PART + 50
    assert lines(({"pointer": "", "keyword": "output_truncated", "message": "cut off"},), SCHEMA) == ["- cut off."]


@pytest.mark.every_kind
def test_it_reaches_the_model(attempt):
    finding = {"pointer": "/status", "keyword": "enum", "message": "the value is none of those listed"}
    ran = attempt([Text(ANSWER)], task={"feedback": (finding,)})
    assert '{\\"enum\\": [\\"ok\\", \\"invalid_output\\"]}' in json.dumps(ran.server.requests[0].body["messages"])
