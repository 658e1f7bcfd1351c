"""Answers of endpoints that are not quite in OpenAI's shape: mended where nothing is guessed, else told as what they are."""

import json
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from workermd.backends.agents.completion import fault_of, in_shape
from workermd.testing import Garbage, Text


def reply(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 12, "completion_tokens": 6}
    return {"model": "m", "choices": [{"finish_reason": finish, "message": message}], "usage": usage}


def calls(*given: Any) -> dict[str, Any]:
    return reply(content=None, tool_calls=[{"id": "1", "type": "function", "function": one} for one in given])


def shaped(document: dict[str, Any]) -> Any:
    return in_shape(document, 3)["choices"][0]["message"]


@pytest.mark.parametrize(
    ("arguments", "sent"), [({"a": 1}, '{"a": 1}'), (None, "{}"), ("[1", "[1"), ("", ""), ('{"a": "ä"}', '{"a": "ä"}')]
)
def test_arguments_become_text_and_stay_what_they_are(arguments, sent):
    call = shaped(calls({"name": "add", "arguments": arguments}))["tool_calls"][0]
    assert call["function"] == {"name": "add", "arguments": sent}


def test_a_call_without_an_id_gets_the_same_one_every_time():
    document = calls({"name": "add"}, {"name": "add"})
    for call in document["choices"][0]["message"]["tool_calls"]:
        del call["id"]
    assert [call["id"] for call in shaped(document)["tool_calls"]] == ["call_3_0", "call_3_1"]


def test_what_nobody_reads_is_left_out():
    document = reply(finish=None, content="x", reasoning_content=5, refusal=None, annotations=[1])
    document["choices"][0]["logprobs"] = {"content": [1]}
    document |= {"usage": {"prompt_tokens": "x", "completion_tokens": True}, "unheard": 1}
    answer = in_shape(document, 1)
    assert answer["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
    ]
    assert set(answer) == {"id", "created", "model", "object", "choices"}


@pytest.mark.parametrize(
    "message",
    [
        {"content": 5},
        {"content": [{"type": "text", "text": "x"}]},
        {"content": None, "function_call": {"name": "x", "arguments": "{}"}},
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
def test_a_message_that_cannot_be_read_is_the_endpoints_fault(bound, message):
    document = {"model": "m", "choices": [{"finish_reason": "stop", "message": message}]}
    ran = bound([Garbage(json.dumps(document).encode()), Text(ANSWER)])
    assert [attempt["outcome"] for attempt in ran.envelope["attempts"]] == ["retryable_error", "ok"], ran.done.err
    assert ran.envelope["attempts"][0]["error"]["code"] == "backend_unavailable"
    assert "message that can be read" in ran.envelope["attempts"][0]["error"]["message"]


def test_a_good_message_has_no_fault():
    for document in (reply(content="x"), reply(content=None), calls({"name": "add", "arguments": "{}"})):
        assert fault_of(document["choices"][0]["message"]) == ""


@pytest.mark.parametrize("arguments", ["{a", "[1]", "5", "null", '"x"', ""])
def test_arguments_that_are_no_object_are_told_to_the_model(bound, arguments, tmp_path):
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    return a\n")
    first = Garbage(json.dumps(calls({"name": "add", "arguments": arguments})).encode())
    ran = bound([first, Text(ANSWER)], config='[tools.add]\nfunction = "sums:add"\n', worker={"tools": ["add"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    assert "rror" in ran.server.requests[1].body["messages"][-1]["content"]
