"""Bounds held after the fact: a reply that says what it used, or is no answer (S3.6)."""

import json

import pytest

from workermd.backends.reported_usage import held
from workermd.task.binding import Binding
from workermd.task.task import Budget, Limits, Result

SAYS = Binding("command", "here", reports_usage=True)
BOUND = Limits(0.0, 1000, Budget(max_tokens=100))


def reply(**usage):
    return Result(output=json.dumps({"outputs": {"a": 1}, "usage": usage}))


@pytest.mark.rule("S3.6")
def test_a_reply_within_its_bound_is_unwrapped_and_its_usage_kept():
    found = held(reply(input_tokens=60, output_tokens=40), SAYS, BOUND)
    assert (json.loads(found.output), found.usage) == ({"a": 1}, {"input_tokens": 60, "output_tokens": 40})
    told = {"status": "ok", "outputs": {"a": 1}, "observability": {"attempt": 1, "usage": {"input_tokens": 9}}}
    assert held(Result(output=json.dumps(told)), SAYS, BOUND).usage == {"input_tokens": 9}
    function = Result(output="{}", usage={"output_tokens": 100})
    assert held(function, SAYS, BOUND) == function


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    "answer",
    [
        reply(input_tokens=61, output_tokens=40),
        reply(turns=1),
        Result(output='{"a": 1}'),
        Result(output="{}", usage={"input_tokens": 101}),
    ],
)
def test_a_reply_over_it_or_without_usage_is_none(answer):
    found = held(answer, SAYS, BOUND)
    assert (found.failure["kind"], found.failure["code"]) == ("refused", "budget_exceeded")


def test_nothing_is_asked_where_nothing_is_bounded_or_promised():
    plain = Result(output='{"a": 1}')
    assert held(plain, SAYS, Limits(0.0, 1000)) == plain
    assert held(plain, Binding("command", "here"), BOUND) == plain


@pytest.mark.rule("S3.6", "S8.1")
def test_what_is_left_stands_in_the_task_and_all_attempts_count(cli, contract, given, program, tmp_path):
    spec = contract(constraints={"max_tokens": 100, "max_attempts": 3})
    left = "left = task['budget']['max_tokens']; evidence(str(left)); "
    body = left + "print(json.dumps({'outputs': {'result': {}} if left < 100 else {}, 'usage': {'input_tokens': 60}}))"
    command = program(body)[3:]
    (tmp_path / "workermd.toml").write_text(
        f"[workers.echo]\nbackend = 'command'\nreports_usage = true\ncommand = {json.dumps(command)}\n"
    )
    done = cli("run", spec, given())
    assert (done.code, done.document["result"]["error"]["code"]) == (4, "budget_exceeded")
    assert (tmp_path / "evidence").read_text().split() == ["100", "40"]
