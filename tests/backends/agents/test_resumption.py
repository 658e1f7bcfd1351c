"""An attempt goes on where an earlier one of its run stopped: over every kind, and with real kills for one."""

import json
import os
import signal

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.conftest import patience
from tests.storm import conversations
from workermd.ledger import results
from workermd.testing import Call, Hang, Problem, Text, ToolCalls

pytestmark = pytest.mark.rule("S3.10")


LOST = Problem(503)


def calls(*ats):
    return ToolCalls([Call("look", {"at": at}) for at in ats])


@pytest.fixture
def run(attempt, look, tmp_path):
    """One run: each call is its next attempt, with the conversation so far. `LOST` ends it."""
    tool, called = look
    fd = results.open_conversation(str(tmp_path / "kept"))
    made = []

    def go_on(script, *, repeatable=False, answers_since=1, people=False, **given):
        made.append(script)
        limits = {"conversation": fd, "answers_since": answers_since, "asks_people": people}
        task = {"attempt": len(made), **given.pop("task", {})}
        tools = (tool._replace(repeatable=repeatable),)
        return attempt(script, tools=tools, task=task, limits=limits, **given)

    go_on.called = lambda: called.read_text().split() if called.exists() else []
    go_on.path = tmp_path / "kept"
    yield go_on
    os.close(fd)


def told(ran):
    """What the model was told of its calls, in the last request."""
    return [message["content"] for message in ran.server.requests[-1].body["messages"] if message["role"] == "tool"]


def test_answers_and_calls_are_given_again_and_paid_once(run):
    ended = run([calls("ann"), calls("bob"), LOST])
    assert ended.ending == ("retryable", "backend_unavailable")
    ran = run([Text(ANSWER)])
    assert ran.ending == ("", ""), ran.message
    assert run.called() == ["ann", "bob"]
    assert len(ran.server.requests) == 1
    assert ran.result.usage["turns"] == 1
    assert "tool_calls" not in ran.result.usage
    assert ran.result.resumed_from == {"attempt": 1, "requests": 2, "tool_calls": 2}
    names = [event["event"] for event in ran.events]
    assert names.count("reply_given_again") == names.count("given_again") == 2
    assert names.index("resumed") < names.index("request")


def test_what_was_given_again_is_not_kept_twice(run):
    run([calls("ann"), LOST])
    size = run.path.stat().st_size
    run([LOST])
    assert run.path.stat().st_size == size
    ran = run([Text(ANSWER)])
    assert run.called() == ["ann"]
    assert ran.result.resumed_from == {"attempt": 1, "requests": 1, "tool_calls": 1}


def test_a_request_that_differs_goes_live(run):
    run([calls("ann"), LOST])
    ran = run([Text(ANSWER)], task={"purpose": "Answer another question."})
    assert ran.ending == ("", "")
    assert ran.result.resumed_from is None
    assert len(ran.server.requests) == 1


def test_after_an_invalid_output_models_answer_anew_and_calls_are_not_repeated(run):
    run([calls("ann"), Text("no")])
    ran = run([calls("ann"), calls("ann"), Text(ANSWER)], answers_since=2)
    assert len(ran.server.requests) == 3
    assert run.called() == ["ann", "ann"], "the second call of the same is another one"
    assert ran.result.resumed_from == {"attempt": 1, "requests": 0, "tool_calls": 1}


def test_after_an_invalid_output_a_repeatable_tool_is_called_again(run):
    run([calls("ann"), Text("no")], repeatable=True)
    ran = run([calls("ann"), Text(ANSWER)], answers_since=2, repeatable=True)
    assert run.called() == ["ann", "ann"]
    assert ran.result.resumed_from is None


def begun(path):
    """Take the end of the last call away: as a kill between a call and its answer leaves it."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"ended"' not in line))


def test_a_call_whose_answer_is_unknown_is_told_and_not_repeated(run):
    run([calls("ann"), LOST])
    begun(run.path)
    ran = run([calls("ann"), Text(ANSWER)])
    first, second = told(ran)
    assert first.startswith("unknown: this call was begun in an earlier attempt")
    assert second.startswith("denied: an earlier call with these arguments may have taken effect")
    assert run.called() == ["ann"]
    assert ran.result.usage["tool_calls_denied"] == 1


def test_where_people_can_be_asked_one_decides_about_a_second_call(run):
    run([calls("ann"), LOST])
    begun(run.path)
    asks = run([calls("ann")], people=True)
    assert asks.ending == ("needs_human", "approval_required")
    assert "unknown" in asks.result.failure["question"]
    decision = {
        "id": "d00000000001", "kind": "tool", "question": "?", "options": [], "by": "ann", "at": "now",
        "proposed": {"tool": "look", "arguments": {"at": "ann"}}, "answer": "approve",
    }  # fmt: skip
    ran = run([Text(ANSWER)], people=True, task={"decisions": (decision,)})
    assert ran.ending == ("", ""), ran.message
    assert run.called() == ["ann", "ann"]
    assert ran.result.resumed_from == {"attempt": 2, "requests": 2, "tool_calls": 1}


def test_what_a_person_answered_comes_up_where_it_was_asked(run):
    ask = ToolCalls([Call("ask_user", {"question": "Which?"})])
    assert run([calls("ann"), ask], arrangement={"ask_user": True}).ending[0] == "needs_human"
    decision = {
        "id": "d00000000001", "kind": "question", "question": "Which?", "options": [], "by": "ann", "at": "now",
        "answer": "this one",
    }  # fmt: skip
    ran = run([Text(ANSWER)], arrangement={"ask_user": True}, task={"decisions": (decision,)})
    assert ran.ending == ("", ""), ran.message
    assert run.called() == ["ann"]
    assert told(ran) == ["half ?", "this one"]


def test_a_repeatable_call_whose_answer_is_unknown_is_made_again(run):
    run([calls("ann"), LOST], repeatable=True)
    begun(run.path)
    ran = run([Text(ANSWER)], repeatable=True)
    assert run.called() == ["ann", "ann"]
    assert told(ran) == ["half ?"]


def test_what_holds_a_secret_is_asked_again(run, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    run([Text("s3cr3t-value"), LOST], secret_env=("TOKEN",))
    assert b"s3cr3t" not in run.path.read_bytes()
    ran = run([Text(ANSWER)], secret_env=("TOKEN",))
    assert ran.result.resumed_from is None


def test_beyond_its_bound_answers_are_asked_again_and_calls_are_not_made_again(run, monkeypatch):
    monkeypatch.setattr("workermd.task.kept_conversation.MAX_BYTES", 0)
    run([calls("ann"), LOST])
    ran = run([calls("ann"), Text(ANSWER)])
    assert run.called() == ["ann"]
    assert ran.result.resumed_from == {"attempt": 1, "requests": 0, "tool_calls": 1}


def test_a_cut_line_spoils_only_itself(run):
    run([calls("ann"), LOST])
    run.path.write_bytes(run.path.read_bytes() + b'{"asked": "12')
    run([calls("bob"), LOST])
    ran = run([Text(ANSWER)])
    assert run.called() == ["ann", "bob"]
    assert ran.result.resumed_from == {"attempt": 2, "requests": 2, "tool_calls": 2}


@pytest.fixture
def killed_in_its_second_request(cli, contract, tmp_path, given):
    """Starts a run of kind chat with a tool, kills the supervisor while the second request is open, and lets the host end."""
    from workermd.testing import Server

    servers = []

    def start(script, **constraints):
        servers.append(server := Server(script))
        (tmp_path / "notes.py").write_text(
            "def add(text: str) -> str:\n    open('notes.txt', 'a').write(text + '\\n')\n    return 'noted'\n"
        )
        (tmp_path / "workermd.toml").write_text(
            f'[tools.add]\nfunction = "notes:add"\n[workers.echo]\nbackend = "chat"\nmodel = "m"\n'
            f'base_url = "{server.url}"\ntools = ["add"]\n'
        )
        held = {"max_attempts": 3, "timeout_seconds": 30, "attempt_timeout_seconds": 6, **constraints}
        command = ("run", contract(constraints=held), given("a"), "--envelope")
        process = cli.start(*command)
        assert server.wait(lambda server: len(server.requests) == 2, 30)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=patience(20))
        return server, command

    yield start
    for server in servers:
        server.close()


def test_a_killed_run_pays_and_calls_once(killed_in_its_second_request, cli, tmp_path):
    server, command = killed_in_its_second_request([ToolCalls([Call("add", {"text": "one"})]), Hang(), Text(ANSWER)])
    done = cli(*command)
    assert done.code == 0, done.err
    first, second = done.document["attempts"]
    assert first["outcome"] == "crashed"
    assert second["resumed_from"] == {"attempt": 1, "requests": 1, "tool_calls": 1}
    assert done.document["usage"]["turns"] == len(server.requests) == 3
    assert (tmp_path / "notes.txt").read_text() == "one\n"
    assert list(tmp_path.rglob("*.conversation")) == [], "a settled run keeps no conversation"


def test_the_envelope_says_it_in_its_schema(killed_in_its_second_request, cli):
    import jsonschema

    from workermd.protocol.envelope_schema import envelope_schema

    _, command = killed_in_its_second_request([ToolCalls([Call("add", {"text": "one"})]), Hang(), Text(ANSWER)])
    jsonschema.validate(json.loads(cli(*command).out), envelope_schema())


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.deep)])
def test_random_kills_in_a_team_repeat_no_request_and_no_call(tmp_path, kills):
    assert conversations.storm(tmp_path, seed=1, kills=kills) == []
