"""The kit's second table: what real endpoints do otherwise, over every kind, one attempt a row in this process."""

import json
from typing import Any, NamedTuple

import pytest
import trustme

from tests.backends.agents.conftest import ANSWER
from workermd.task.binding import Model
from workermd.task.task import Budget
from workermd.testing import (
    Call,
    Compressed,
    ContentFilter,
    ContentParts,
    Empty,
    FunctionCall,
    Garbage,
    Problem,
    Refusal,
    Server,
    Streamed,
    Text,
    ToolCalls,
    Truncated,
)

ONE = {"turns": 1, "input_tokens": 12, "output_tokens": 6}
LOST = ("retryable", "backend_unavailable")


class Row(NamedTuple):
    """`told` stands in the failure's message, or is the answer where there is no `ending`."""

    turn: Any
    ending: tuple[str, str] = ("", "")
    told: str = ANSWER
    usage: dict[str, Any] = ONE


def said(message: Any, **more: Any) -> Garbage:
    usage = {"prompt_tokens": 12, "completion_tokens": 6}
    choice = {"message": message, "finish_reason": "stop"} | more
    return Garbage(json.dumps({"choices": [choice], "usage": usage}).encode())


HTML = Garbage(b"<html>busy</html>", "text/html")
TURN = {"turns": 1}

ROWS = {
    "text parts": Row(ContentParts([{"type": "text", "text": ANSWER[:9]}, {"type": "text", "text": ANSWER[9:]}])),
    "a thought beside the text": Row(
        ContentParts([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": ANSWER}])
    ),
    "a content that is an object": Row(ContentParts({"text": ANSWER}), LOST, "the content is no text"),
    "a part that is an image": Row(ContentParts([{"type": "image_url", "image_url": {}}]), LOST, "a part that is no text"),
    "a list of texts": Row(ContentParts([ANSWER]), LOST, "a part that is no text"),
    "a page": Row(HTML, LOST, "no completion (text/html)", TURN),
    "an error in a 200": Row(Problem(503, "Busy.", inside_200=True), LOST, "(HTTP 503 told in a 200); it says: Busy.", TURN),
    "a rate limit in a 200": Row(Problem(429, inside_200=True), ("retryable", "rate_limited"), "slow down", TURN),
    "a wrong key in a 200": Row(Problem(401, inside_200=True), ("refused", "backend_failed"), "key", TURN),
    "an object that is none": Row(Garbage(b'{"object": "list", "data": []}'), LOST, "no completion", TURN),
    "a stream": Row(Streamed(Text(ANSWER)), usage=TURN),
    "gzip": Row(Compressed(Text(ANSWER))),
    "deflate": Row(Compressed(Text(ANSWER), "deflate")),
    "a compressed page": Row(Compressed(HTML), LOST, "no completion (text/html)", TURN),
    "half a character": Row(Text('{"a": "\ud83d"}'), ("invalid_output", "output_not_json"), "surrogate"),
    "a number that is none, beside the answer": Row(
        Garbage(json.dumps({"choices": [{"message": {"content": ANSWER}}], "usage": {"cost": float("nan")}}).encode()),
        usage=TURN,
    ),
    "counts as fractions": Row(Text(ANSWER, usage={"prompt_tokens": 12.0, "completion_tokens": 6.0})),
    "counts of which one is null": Row(
        Text(ANSWER, usage={"prompt_tokens": 12, "completion_tokens": None, "total_tokens": 18})
    ),
    "an error for a finish": Row(Text("", finish_reason="error"), LOST, "it broke off"),
    "a finish that is an object": Row(said({"content": ANSWER}, finish_reason={"why": 1})),
    "a context that is too short": Row(
        Problem(400, "This model's maximum context length is 8 tokens."),
        ("refused", "backend_failed"), "longer than the model's context", TURN,
    ),
    "thoughts": Row(Text(f"<think>\nhm {{\n</think>\n\n{ANSWER}"), told=ANSWER),
    "empty thoughts": Row(Text(f"<think>\n\n</think>\n\n{ANSWER}")),
    "thoughts that were begun in the prompt": Row(Text(f"hm\n</think>\n{ANSWER}")),
    "thoughts without an end": Row(Text(f"<think> hm {ANSWER}"), ("invalid_output", "output_not_json"), "text around"),
    "a tag inside the answer": Row(
        Text('{"status": "ok", "result": {"a": "</think>"}}'), told='{"status": "ok", "result": {"a": "</think>"}}'
    ),
    "blanks up to the limit": Row(Truncated(ANSWER + "\n \n" * 200)),
    "blanks behind a fence": Row(Truncated(f"```json\n{ANSWER}\n```\n\n\n")),
    "cut off": Row(Truncated('{"status": "o'), ("invalid_output", "output_truncated"), "length limit"),
    "two objects up to the limit": Row(Truncated(ANSWER + ANSWER), ("invalid_output", "output_truncated"), "limit"),
    "a call in the older way": Row(FunctionCall("look"), ("refused", "backend_failed"), "function_call (look)"),
    "a reason": Row(Problem(400, "The model is shy."), ("refused", "backend_failed"), "it says: The model is shy.", TURN),
    "nothing": Row(Empty(), ("invalid_output", "output_not_json"), "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_endpoints_do_otherwise(attempt, name):
    row = ROWS[name]
    ran = attempt([row.turn])
    assert ran.ending == row.ending, ran.result
    if row.ending == ("", ""):
        assert json.loads(ran.result.output) == json.loads(row.told)
    else:
        assert row.told in ran.message
    assert ran.result.usage == row.usage
    assert len(ran.server.requests) == 1
    for event in ran.events:  # whoever listens is told texts
        assert isinstance(event.get("text", ""), str)
        assert isinstance(event.get("finish_reason") or "", str)


@pytest.mark.every_kind
@pytest.mark.parametrize("turn", [HTML, Problem(503, inside_200=True), Compressed(HTML)], ids=["page", "error", "gzip"])
def test_a_bound_on_tokens_is_for_completions(attempt, turn):
    assert attempt([turn], budget=Budget(max_tokens=1000)).ending == LOST


def test_a_call_with_half_a_character_is_not_made(attempt, tmp_path):
    (tmp_path / "tool.py").write_text("def look(at: str) -> str:\n    return at\n")
    for arguments in ('{"at": "\ud83d"}', '{"at": "\\ud83d"}'):
        ran = attempt([ToolCalls([Call("look", arguments)])])
        assert ran.ending == ("invalid_output", "output_not_json")
        assert "call of look" in ran.message


DIALECTS = {
    "names": ({"refuses": {"names"}}, {"names": False}),
    "system": ({"refuses": {"system"}}, {"system": "user"}),
    "system and one role after the other": (
        {"refuses": {"system", "same_role"}},
        {"system": "user", "merge_roles": True},
    ),
    "streams only": ({"refuses": {"unstreamed"}}, {"stream": True}),
    "no form, and 500 for it": (
        {"supports": {"tools"}, "refuses_with": Problem(500, "Internal error.")},
        {"structured": "text"},
    ),
}


@pytest.mark.every_kind
@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_spoken_where_the_models_table_says_so(attempt, name):
    serve, keys = DIALECTS[name]
    ran = attempt([Text(ANSWER)], serve=serve, model=keys)
    assert ran.ending == ("", ""), ran.message
    assert ran.result.usage == ONE


@pytest.mark.parametrize("structured", ["auto", "json", "text"])
def test_a_form_of_answer_among_the_options_is_sent_as_it_is(attempt, structured):
    form = {"type": "json_schema", "json_schema": {"name": "mine", "schema": {"type": "object"}}}
    ran = attempt([Text(ANSWER)], model={"structured": structured, "options": {"response_format": form}})
    assert [request.body["response_format"] for request in ran.server.requests] == [form]
    assert ran.ending == ("", ""), ran.message


def test_a_form_of_answer_among_the_options_is_not_given_up(attempt):
    options = {"options": {"response_format": {"type": "json_object"}}}
    ran = attempt([Problem(400, "response_format is not supported")] * 2, model=options)
    assert ran.ending == ("refused", "backend_failed")
    assert len(ran.server.requests) == 1


def test_what_an_endpoint_cannot_do_is_said_with_its_own_words(attempt):
    ran = attempt([], serve={"refuses": {"system"}})
    assert ran.ending == ("refused", "backend_failed")
    assert "System role not supported" in ran.message
    assert "doctor --probe" in ran.message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """An authority that nobody knows, and what it signed."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return folder


def test_a_certificate_is_told_by_its_cause(attempt, certificate):
    serve = {"certificate": str(certificate / "server.pem")}
    ran = attempt([Text(ANSWER)], serve=serve)
    assert ran.ending == ("refused", "backend_failed")
    assert "the certificate of https://127.0.0.1" in ran.message
    assert "ca_file" in ran.message
    trusted = attempt([Text(ANSWER)], serve=serve, model={"ca_file": str(certificate / "ca.pem")})
    assert trusted.ending == ("", ""), trusted.message


def test_further_headers_have_their_values_from_variables(attempt, monkeypatch):
    monkeypatch.setenv("MY_TEAM", "blue")
    ran = attempt([Text(ANSWER)], model={"headers": {"X-Team": "MY_TEAM"}})
    assert ran.server.requests[0].headers["x-team"] == "blue"


def test_an_endpoint_that_is_not_there_is_told_by_its_cause(attempt):
    ran = attempt([], model={"base_url": "http://127.0.0.1:1/v1"})
    assert ran.ending == LOST
    assert "Connection refused" in ran.message
    assert ran.events[-1]["event"] == "reply"
    assert ran.events[-1]["error"] == "backend_unavailable"


def test_numbers_that_json_does_not_have_are_told_to_the_model(attempt, look):
    tool, called = look
    ran = attempt([ToolCalls([Call("look", '{"at": NaN}')]), Text(ANSWER)], tools=(tool._replace(approve=True),))
    assert ran.ending == ("", ""), ran.message
    assert "NaN" in ran.server.requests[1].body["messages"][-1]["content"]
    assert not called.exists()


def test_half_a_character_of_a_tool_reaches_the_model_as_a_mark(attempt, look):
    ran = attempt([ToolCalls([Call("look", {"at": 1})]), Text(ANSWER)], tools=(look[0],))
    assert ran.ending == ("", ""), ran.message
    assert ran.server.requests[1].body["messages"][-1]["content"] == "half ?"


FIRST_FAILS = {
    "500": (Problem(500), ONE | {"turns": 2}),
    "429": (Problem(429, retry_after=600), ONE | {"turns": 2}),
    "a page": (HTML, ONE | {"turns": 2}),
    "refused": (Refusal(), {"turns": 2, "input_tokens": 24, "output_tokens": 12}),
    "filtered": (ContentFilter(), {"turns": 2, "input_tokens": 24, "output_tokens": 12}),
}


@pytest.mark.every_kind
@pytest.mark.parametrize("name", FIRST_FAILS)
@pytest.mark.rule("S3.5")
def test_another_model_is_asked_once_where_one_fails(attempt, name):
    turn, usage = FIRST_FAILS[name]
    with Server([Text(ANSWER)]) as second:
        further = {"second": Model("small", second.url, names=False)}
        ran = attempt([turn], model={"fallback": ("second",)}, fallbacks=further)
        assert ran.ending == ("", ""), ran.message
        assert second.requests[0].body["model"] == "small"
    assert ran.result.usage == usage
    assert (ran.result.model, len(ran.server.requests)) == ("small", 1)
    fell = [event for event in ran.events if event["event"] == "fallback"]
    assert [(event["asked"], event["instead"]) for event in fell] == [("scripted-1", "small")]


@pytest.mark.rule("S3.5")
def test_no_other_model_is_asked_for_what_it_could_not_mend(attempt):
    with Server([]) as second:
        further = {"second": Model("small", second.url)}
        ran = attempt([Problem(401)], model={"fallback": ("second",)}, fallbacks=further)
        assert ran.ending == ("refused", "backend_failed")
        bounded = attempt(
            [Problem(500)], model={"fallback": ("second",)}, fallbacks=further, budget=Budget(max_turns=1)
        )
        assert bounded.ending == ("refused", "budget_exceeded")
        assert second.requests == ()


def test_where_all_fail_the_last_one_tells_why(attempt):
    with Server([Problem(429, retry_after=7)]) as second:
        further = {"second": Model("small", second.url)}
        ran = attempt([Problem(500)], model={"fallback": ("second",)}, fallbacks=further)
    assert ran.ending == ("retryable", "rate_limited")
    assert ran.result.failure["after"] == 7
