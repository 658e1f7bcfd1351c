"""One kit for every kind of agents: the same script has the same envelope, whichever framework ran (S3, S5)."""

import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import loaded
from tests.backends.agents.conftest import ANSWER
from tests.conftest import FOUR, patience
from workermd.task.task import KINDS
from workermd.testing import (
    Call,
    ContentFilter,
    Drop,
    Empty,
    Garbage,
    Hang,
    Problem,
    Refusal,
    Slow,
    Text,
    ToolCalls,
    Truncated,
)

ONE = {"turns": 1, "input_tokens": 12, "output_tokens": 6}
TWO = {"turns": 2, "input_tokens": 24, "output_tokens": 12}
SECOND = {"turns": 2, "input_tokens": 12, "output_tokens": 6}
"""Two requests, of which the first had no usage to report."""


class Case(NamedTuple):
    """`attempts` are the outcomes, `requests` what the server has to have seen."""

    script: Any
    status: str
    code: str
    attempts: list[str]
    requests: int
    usage: dict[str, Any]


def no_schema(received: Any) -> Any:
    asked = (received.body.get("response_format") or {}).get("type")
    return Problem(400, "response_format json_schema is not supported") if asked == "json_schema" else Text(ANSWER)


def no_format(received: Any) -> Any:
    return Problem(400, "unknown field response_format") if "response_format" in received.body else Text(ANSWER)


CASES = {
    "a good answer": Case([Text(ANSWER)], "ok", "", ["ok"], 1, ONE),
    "a fenced answer": Case([Text(f"```json\n{ANSWER}\n```")], "ok", "", ["ok"], 1, ONE),
    "usage missing": Case([Text(ANSWER, usage=None)], "ok", "", ["ok"], 1, {"turns": 1}),
    "truncated, then good": Case([Truncated('{"sta'), Text(ANSWER)], "ok", "", ["invalid_output", "ok"], 2, TWO),
    "truncated twice": Case(
        [Truncated(ANSWER[:-1])] * 2, "invalid_output", "output_truncated", ["invalid_output"] * 2, 2, TWO
    ),
    "refused": Case([Refusal("I will not.")], "invalid_output", "model_refused", ["invalid_output"], 1, ONE),
    "filtered": Case([ContentFilter()], "invalid_output", "model_refused", ["invalid_output"], 1, ONE),
    "malformed, then good": Case([Text('{"a": '), Text(ANSWER)], "ok", "", ["invalid_output", "ok"], 2, TWO),
    "empty twice": Case([Empty()] * 2, "invalid_output", "output_not_json", ["invalid_output"] * 2, 2, TWO),
    "prose twice": Case([Text("Sure!")] * 2, "invalid_output", "output_not_json", ["invalid_output"] * 2, 2, TWO),
    "prose around JSON, then good": Case(
        [Text(f"Here: {ANSWER}"), Text(ANSWER)], "ok", "", ["invalid_output", "ok"], 2, TWO
    ),
    "wrong schema, then right": Case(
        [Text('{"status": "ok"}'), Text(ANSWER)], "ok", "", ["invalid_output", "ok"], 2, TWO
    ),
    "a status of its own": Case(
        [Text('{"status": "fine", "result": {}}')] * 2,
        "invalid_output",
        "status_not_allowed",
        ["invalid_output"] * 2,
        2,
        TWO,
    ),
    "429, then good": Case(
        [Problem(429, retry_after=0.2), Text(ANSWER)], "ok", "", ["retryable_error", "ok"], 2, SECOND
    ),
    "429 twice": Case([Problem(429)] * 2, "retryable_error", "rate_limited", ["retryable_error"] * 2, 2, {"turns": 2}),
    "500, then good": Case([Problem(500), Text(ANSWER)], "ok", "", ["retryable_error", "ok"], 2, SECOND),
    "500 twice": Case(
        [Problem(500)] * 2, "retryable_error", "backend_unavailable", ["retryable_error"] * 2, 2, {"turns": 2}
    ),
    "wrong key": Case([Problem(401)], "invalid_output", "backend_failed", ["invalid_output"], 1, {"turns": 1}),
    "no such model": Case([Problem(404)], "invalid_output", "backend_failed", ["invalid_output"], 1, {"turns": 1}),
    "dropped, then good": Case([Drop(), Text(ANSWER)], "ok", "", ["retryable_error", "ok"], 2, SECOND),
    "garbage, then good": Case(
        [Garbage(b"<html>busy</html>"), Text(ANSWER)], "ok", "", ["retryable_error", "ok"], 2, SECOND
    ),
    "the least of an answer": Case(
        [Garbage(json.dumps({"choices": [{"message": {"content": ANSWER}}], "created": None}).encode())],
        "ok",
        "",
        ["ok"],
        1,
        {"turns": 1},
    ),
    "slow": Case([Slow(0.5, Text(ANSWER))], "ok", "", ["ok"], 1, ONE),
    "no structured output": Case(no_schema, "ok", "", ["ok"], 2, SECOND),
    "no response format at all": Case(no_format, "ok", "", ["ok"], 3, {**SECOND, "turns": 3}),
    "a tool that is not there": Case(
        [ToolCalls((Call("rm_rf", "{}"),)), Text(ANSWER)],
        "ok",
        "",
        ["ok"],
        2,
        TWO | {"tool_calls": 1, "tool_calls_denied": 1},
    ),
}

for words, message in {
    "a number for text": {"content": 5},
    "a number for calls": {"content": None, "tool_calls": 5},
    "calls of nothing": {"tool_calls": [{"id": "x"}]},
    "text for a message": "text",
}.items():
    body = json.dumps({"choices": [{"message": message}]}).encode()
    CASES[f"{words}, then good"] = Case([Garbage(body), Text(ANSWER)], "ok", "", ["retryable_error", "ok"], 2, SECOND)


OWN = ("a good answer", "truncated, then good", "refused", "500, then good", "no structured output", "a tool that is not there")  # fmt: skip
"""What each framework tells in its own way: in `make test` every kind answers these, and every script is answered by one."""

WARM = [pytest.param(name, marks=pytest.mark.every_kind) if name in OWN else name for name in CASES]

COLD = [
    pytest.param(name, marks=[pytest.mark.cold, *([pytest.mark.every_kind] if name in OWN else [])], id=f"{name}, cold")
    for name in ("a good answer", "wrong key", "dropped, then good")
]
"""Every kind and ending also in processes that import their framework themselves."""


@pytest.mark.rule("S1.4", "S2.5", "S3.4", "S3.5", "S8.2")
@pytest.mark.parametrize("name", [*WARM, *COLD])
def test_the_same_envelope_whichever_framework_ran(bound, name):
    case = CASES[name]
    ran = bound(case.script)
    envelope = ran.envelope
    told = (
        envelope["status"],
        envelope.get("error", {}).get("code", ""),
        [attempt["outcome"] for attempt in envelope["attempts"]],
        len(ran.server.requests),
        envelope["usage"],
    )
    assert told == case[1:], ran.done.err
    assert "Traceback" not in ran.done.err or case.code == "backend_failed"


@pytest.mark.every_kind
def test_what_an_attempt_imports_when_it_asks_is_imported_before_it_is_forked(attempt, request):
    """Names that an attempt does not use would be loaded for nothing; the last one of the chain is seen in the zygote."""
    kind = request.node.callspec.params["attempt"].name
    attempt([Text(ANSWER)])
    assert [name for name in KINDS[kind].first_used if name not in sys.modules] == []
    maps = Path(f"/proc/{loaded.loader().zygote(kind).pid}/maps").read_text()
    assert "/jiter" in maps


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("start", ["forked", pytest.param("started", marks=pytest.mark.cold)])
def test_a_hanging_endpoint_is_left_at_the_deadline(bound, start):
    seconds = 3 if start == "forked" else round(patience(3))
    began = time.monotonic()
    ran = bound([Hang()] * 2, "--timeout", seconds, constraints={"timeout_seconds": 600})
    assert time.monotonic() - began < seconds + patience(7)
    assert (ran.envelope["status"], ran.envelope["error"]["code"]) == ("retryable_error", "timeout")
    assert ran.envelope["usage"] == {"turns": 1}
    deadline = time.monotonic() + patience(5)
    while ran.server.open_connections and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not ran.server.open_connections


@pytest.mark.every_kind
@pytest.mark.rule("S2.5")
def test_feedback_reaches_the_model(bound):
    ran = bound([Text('{"status": "ok", "result": 5}'), Text(ANSWER)])
    assert ran.envelope["status"] == "ok"
    first, second = (json.dumps(received.body["messages"]) for received in ran.server.requests)
    assert "Findings" not in first
    assert "Findings" in second
    assert "/result" in second


@pytest.mark.every_kind
@pytest.mark.rule("S6.3")
def test_the_key_goes_to_the_endpoint_and_nowhere_else(bound):
    key = "sk-secret-4711"
    ran = bound([Text(json.dumps({"status": "ok", "result": {"said": key}}))],
                model={"api_key_env": "MY_KEY"}, env={"MY_KEY": key}, serve={"key": key})  # fmt: skip
    assert ran.envelope["status"] == "ok", ran.done.err
    assert key.encode() not in ran.done.out
    assert key not in ran.done.err
    assert all(key not in str(received.raw) for received in ran.server.requests)


@pytest.mark.rule("S3.2")
def test_a_key_that_is_not_set_uses_no_attempt_up(bound):
    ran = bound([Text(ANSWER)], model={"api_key_env": "MY_KEY"})
    assert ran.done.code == 2
    assert "MY_KEY" in ran.envelope["error"]["message"]
    assert not ran.server.requests


@pytest.mark.every_kind
@pytest.mark.rule("S3.6")
def test_turns_are_bounded_over_all_attempts(bound):
    ran = bound([Text("no")] * 9, constraints={"max_attempts": 5, "max_turns": 2})
    assert (ran.envelope["status"], ran.envelope["error"]["code"]) == ("invalid_output", "budget_exceeded")
    assert len(ran.server.requests) == 2
    assert ran.envelope["usage"] == TWO


@pytest.mark.every_kind
@pytest.mark.rule("S3.6")
def test_tokens_are_bounded_over_all_attempts(bound):
    ran = bound([Text("no")] * 9, constraints={"max_attempts": 5, "max_tokens": 40})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert len(ran.server.requests) == 3  # 18, 36, 54


@pytest.mark.rule("S3.6")
def test_tokens_that_nobody_counts_cannot_be_bounded(bound):
    ran = bound([Text(ANSWER, usage=None)], constraints={"max_tokens": 1000})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert "reports no usage" in ran.envelope["error"]["message"]


@pytest.mark.rule("S3.6")
def test_cost_is_bounded(bound):
    price = {"price": {"input": 1000000, "output": 1000000}}  # a dollar for a token
    ran = bound([Text("no")] * 9, constraints={"max_attempts": 5, "max_cost_usd": 20}, model=price)
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert ran.envelope["usage"] == TWO | {"cost_usd": 36}


@pytest.mark.rule("S3.6")
def test_a_cost_of_unknown_price_is_refused_before_the_run(bound):
    ran = bound([Text(ANSWER)], constraints={"max_cost_usd": 1})
    assert ran.done.code == 2
    assert "price" in ran.envelope["error"]["message"]
    assert not ran.server.requests


TOOLS = """
[tools.add]
function = "sums:add"
"""
SUMS = '''
def add(a: int, b: int = 1) -> int:
    """Adds two numbers."""
    with open("called.txt", "a") as file:
        file.write(f"{a}+{b}\\n")
    return a + b
'''


@pytest.fixture
def called(tmp_path):
    (tmp_path / "sums.py").write_text(SUMS)
    file = tmp_path / "called.txt"
    return lambda: file.read_text().split() if file.exists() else []


@pytest.mark.every_kind
def test_a_tool_is_called_and_answers_the_model(bound, called):
    script = [ToolCalls((Call("add", {"a": 1, "b": 2}),)), Text(ANSWER)]
    ran = bound(script, config=TOOLS, worker={"tools": ["add"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    assert called() == ["1+2"]
    offered = ran.server.requests[0].body["tools"][0]["function"]
    assert (offered["name"], offered["parameters"]["required"]) == ("add", ["a"])
    assert ran.server.requests[1].body["messages"][-1]["content"] == "3"
    assert ran.envelope["usage"] == TWO | {"tool_calls": 1}


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    ("allowed", "tool"),
    [("[subtract]", "add"), ("[add(a=2)]", "add"), ("[add(b=9*)]", "add")],
)
def test_a_call_that_the_contract_does_not_allow_is_not_made(bound, called, allowed, tool):
    script = [ToolCalls((Call(tool, {"a": 1, "b": 2}),)), Text(ANSWER)]
    ran = bound(script, config=TOOLS, worker={"tools": ["add"]}, constraints={"tools_allowed": allowed})
    assert ran.envelope["status"] == "ok", ran.done.err
    assert called() == []
    assert ran.envelope["usage"] == TWO | {"tool_calls": 1, "tool_calls_denied": 1}
    assert len(ran.envelope["notes"]) == 1
    assert "was denied" in ran.envelope["notes"][0]


def test_the_operators_patterns_bound_a_tool_too(bound, called):
    script = [ToolCalls((Call("add", {"a": 1}), Call("add", {"a": 7}))), Text(ANSWER)]
    ran = bound(script, config=TOOLS + 'allow = ["add(a=7)"]\n', worker={"tools": ["add"]})
    assert ran.envelope["status"] == "ok", ran.done.err
    assert called() == ["7+1"]


@pytest.mark.every_kind
@pytest.mark.rule("S3.6")
def test_tool_calls_are_bounded(bound, called):
    script = [ToolCalls((Call("add", {"a": number}),)) for number in range(9)]
    ran = bound(script, config=TOOLS, worker={"tools": ["add"]}, constraints={"max_tool_calls": 3})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert called() == ["0+1", "1+1", "2+1"]
    assert ran.envelope["usage"]["tool_calls"] == 3


def test_a_model_that_calls_forbidden_tools_in_loops_is_ended(bound, called):
    script = [ToolCalls((Call("rm_rf", "{}"),))] * 50
    ran = bound(script, constraints={"max_tool_calls": 5})
    assert ran.envelope["error"]["code"] == "budget_exceeded"
    assert len(ran.server.requests) == 6


def test_a_tool_that_fails_is_told_to_the_model(bound, tmp_path):
    (tmp_path / "sums.py").write_text("def add(a: int) -> int:\n    raise ValueError('hunter2')\n")
    script = [ToolCalls((Call("add", {"a": 1}),)), Text(ANSWER)]
    ran = bound(script, config=TOOLS, worker={"tools": ["add"]})
    assert ran.envelope["status"] == "ok"
    assert "error" in ran.server.requests[1].body["messages"][-1]["content"]
    assert "hunter2" not in str(ran.server.requests[1].body)


def test_a_call_with_arguments_that_do_not_fit_is_told_to_the_model(bound, called):
    script = [ToolCalls((Call("add", {"x": 1}),)), Text(ANSWER)]
    ran = bound(script, config=TOOLS, worker={"tools": ["add"]})
    assert ran.envelope["status"] == "ok"
    assert called() == []


@pytest.mark.every_kind
def test_a_tool_that_needs_approval_ends_the_attempt(bound, called):
    five = ["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"]
    script = [ToolCalls((Call("add", {"a": 1}),)), Text(ANSWER)]
    ran = bound(script, config=TOOLS + "approve = true\n", worker={"tools": ["add"]}, statuses=five)
    assert (ran.envelope["status"], ran.envelope["error"]["code"]) == ("needs_human", "approval_required")
    assert called() == []
    assert len(ran.server.requests) == 1
    request = ran.envelope["request"]
    assert (request["kind"], request["proposed"]) == ("tool", {"tool": "add", "arguments": {"a": 1}})


@pytest.mark.rule("S9.2")
@pytest.mark.parametrize(("decision", "made"), [((), ["1+1"]), (("--deny",), [])])
def test_what_a_person_decided_holds_for_the_next_attempt(bound, called, cli, decision, made):
    five = ["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"]
    options = {"config": TOOLS + "approve = true\n", "worker": {"tools": ["add"]}, "statuses": five, "run_id": "asks"}
    bound([ToolCalls((Call("add", {"a": 1}),))], **options)
    assert cli("approve", "asks", "--by", "ada", *decision).code == 0
    ran = bound([Text(ANSWER)], **options)
    assert ran.envelope["status"] == "ok", ran.done.err
    assert called() == made
    told = ran.server.requests[0].body["messages"][-1]["content"]
    assert told == "2" if made else "a person decided against this call" in told


@pytest.mark.rule("S9.2")
def test_an_attempt_that_has_nothing_to_go_on_with_is_told_what_people_decided(attempt):
    decision = {"id": "d1", "kind": "tool", "proposed": {"tool": "add", "arguments": {"a": 1}}, "answer": "approve"}
    ran = attempt([Text(ANSWER)], task={"decisions": (decision,)})
    assert "People decided" in str(ran.server.requests[0].body)


@pytest.mark.every_kind
@pytest.mark.rule("S9.4")
def test_an_agent_asks_a_person_and_knows_the_answer_the_next_time(bound, cli):
    asks = ToolCalls([Call("ask_user", {"question": "Which city?", "options": ["Rome", "Oslo"]})])
    given = {"worker": {"ask_user": True}, "statuses": [*FOUR, "needs_human"], "run_id": "asked"}
    ran = bound([asks], **given)
    assert ran.envelope["status"] == "needs_human"
    request = ran.envelope["request"]
    assert (request["kind"], request["question"], request["options"]) == ("question", "Which city?", ["Rome", "Oslo"])
    assert cli("approve", "asked", "--answer", "Oslo", "--by", "ann").code == 0
    ran = bound([asks, Text(ANSWER)], **given)
    assert ran.envelope["status"] == "ok"
    assert ran.server.requests[1].body["messages"][-1]["content"] == "Oslo"


def test_a_tool_may_not_be_called_as_the_one_that_asks_people(bound):
    tool = '[tools.ask_user]\nfunction = "json:loads"\n'
    worker = {"ask_user": True, "tools": ["ask_user"]}
    ran = bound([], config=tool, worker=worker, statuses=[*FOUR, "needs_human"])
    assert (ran.done.code, ran.server.requests) == (2, ())
    assert "the tool ask_user is there beside ask_user = true" in ran.done.err


def test_approval_needs_a_contract_that_can_say_so(bound):
    ran = bound([Text(ANSWER)], config=TOOLS + "approve = true\n", worker={"tools": ["add"]})
    assert ran.done.code == 2
    assert "needs_human" in ran.envelope["error"]["message"]
    assert not ran.server.requests
