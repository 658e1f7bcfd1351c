"""Answers of endpoints that are not quite in OpenAI's shape: mended where nothing is guessed, else told as what they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.late import LATE
from workermd.testing import Garbage, Text

if LATE:
    from workermd.backends.agents.completion import read, shaped


def reply(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 12, "completion_tokens": 6}
    return {"model": "m", "choices": [{"finish_reason": finish, "message": message}], "usage": usage}


def calls(*given: Any) -> dict[str, Any]:
    return reply(content=None, tool_calls=[{"id": "1", "type": "function", "function": one} for one in given])


def in_shape(document: dict[str, Any]) -> Any:
    return shaped(read(document, 3))["choices"][0]["message"]


@pytest.mark.parametrize(
    ("arguments", "sent"), [({"a": 1}, '{"a": 1}'), (None, "{}"), ("[1", "[1"), ("", ""), ('{"a": "ä"}', '{"a": "ä"}')]
)
def test_arguments_become_text_and_stay_what_they_are(arguments, sent):
    call = in_shape(calls({"name": "add", "arguments": arguments}))["tool_calls"][0]
    assert call["function"] == {"name": "add", "arguments": sent}


def test_a_call_without_an_id_gets_the_same_one_every_time():
    document = calls({"name": "add"}, {"name": "add"})
    for call in document["choices"][0]["message"]["tool_calls"]:
        del call["id"]
    assert [call["id"] for call in in_shape(document)["tool_calls"]] == ["call_3_0", "call_3_1"]


def test_what_nobody_reads_is_left_out():
    document = reply(finish=None, content="x", reasoning_content=5, refusal=None, annotations=[1])
    document["choices"][0]["logprobs"] = {"content": [1]}
    document |= {"usage": {"prompt_tokens": "x", "completion_tokens": True}, "unheard": 1}
    answer = shaped(read(document, 1))
    assert answer["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
    ]
    assert set(answer) == {"id", "created", "model", "object", "choices"}


@pytest.mark.every_kind
@pytest.mark.parametrize(
    "message",
    [
        {"content": 5},
        {"tool_calls": "x"},
        {"tool_calls": 5},
        {"tool_calls": {"a": 1}},
        {"tool_calls": ["x"]},
        {"tool_calls": [{"id": "1", "function": "x"}]},
        {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "x"}}]},
        {"tool_calls": [{"id": "1", "function": {"name": None}}]},
        {"tool_calls": [{"id": "1", "function": {"name": "x", "arguments": [1]}}]},
        "x",
        None,
    ],
    ids=str,
)
def test_a_message_that_cannot_be_read_is_the_endpoints_fault(attempt, message):
    document = {"model": "m", "choices": [{"finish_reason": "stop", "message": message}]}
    ran = attempt([Garbage(json.dumps(document).encode())])
    assert ran.ending == ("retryable", "backend_unavailable")
    assert "message that can be read" in ran.message


@pytest.mark.every_kind
@pytest.mark.parametrize("arguments", ["{a", "[1]", "5", "null", '"x"', ""])
def test_arguments_that_are_no_object_are_told_to_the_model(attempt, look, arguments):
    first = Garbage(json.dumps(calls({"name": "look", "arguments": arguments})).encode())
    ran = attempt([first, Text(ANSWER)], tools=(look[0],))
    assert ran.ending == ("", ""), ran.message
    assert "rror" in ran.server.requests[1].body["messages"][-1]["content"]
