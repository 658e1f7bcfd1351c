"""What agents do can be seen: on the terminal, as JSON Lines, as spans; no text that was said leaves unasked."""

import json

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.backends.agents.test_conformance import SUMS, TOOLS
from workermd.testing import Call, Hang, Text, ToolCalls

SCRIPT = [ToolCalls((Call("add", {"a": 1, "b": 2}),)), Text(ANSWER)]


@pytest.fixture
def tools(tmp_path):
    (tmp_path / "sums.py").write_text(SUMS)
    return {"config": TOOLS, "worker": {"tools": ["add"]}}


@pytest.mark.every_kind
def test_verbose_streams_speakers_tools_and_tokens(bound, tools):
    ran = bound(SCRIPT, "-v", **tools)
    lines = ran.done.err.splitlines()
    assert any("calls add" in line and '"b": 2' in line for line in lines), ran.done.err
    assert any(line.startswith("add: 3 (") for line in lines)
    assert any('"result"' in line and "24+12 tokens so far" in line for line in lines)


def test_verbose_tells_why_there_is_another_attempt(bound):
    lines = bound([Text("Sorry."), Text(ANSWER)], "-v").done.err.splitlines()
    assert lines[1] == "attempt 1/2 ended: output_not_json"
    assert [line.partition(": ")[2].partition(" (")[0] for line in lines[::2]] == ["Sorry.", ANSWER]


def test_without_it_nothing_is_said(bound, tools):
    assert bound(SCRIPT, **tools).done.err == ""


def test_events_are_json_lines(bound, tools, tmp_path):
    bound(SCRIPT, "--events", "events.jsonl", run_id="watched", **tools)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    kinds = [event["event"] for event in events if event["event"] != "message"]
    assert kinds == ["attempt", "request", "reply", "tool", "tool_result", "request", "reply", "attempt_ended", "run"]
    assert events[-1]["run_id"] == "watched"
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_secrets_are_masked_in_events(bound, tmp_path):
    text = json.dumps({"status": "ok", "result": {"k": "sk-secret-4711"}})
    ran = bound([Text(text)], "-v", "--events", "events.jsonl",
                model={"api_key_env": "MY_KEY"}, env={"MY_KEY": "sk-secret-4711"})  # fmt: skip
    assert "***" in (tmp_path / "events.jsonl").read_text()
    assert "sk-secret" not in (tmp_path / "events.jsonl").read_text() + ran.done.err


@pytest.mark.rule("S3.6")
def test_the_usage_of_a_killed_attempt_is_counted(bound):
    ran = bound([Text("no"), Hang()], "--timeout", "5")
    assert ran.envelope["error"]["code"] == "timeout"
    assert ran.envelope["usage"] == {"turns": 2, "input_tokens": 12, "output_tokens": 6}


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_spans_go_from_the_run_to_the_tool(bound, tools, collector):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRACEPARENT": PARENT}
    ran = bound(SCRIPT, env=env, **tools)
    assert ran.envelope["observability"]["trace_id"] == PARENT.split("-")[1]
    spans = {span.span_id: span for span in collector.spans()}
    named = {span.name.split()[0]: span for span in spans.values()}
    assert {span.trace_id.hex() for span in spans.values()} == {PARENT.split("-")[1]}
    path = []
    span = named["execute_tool"]
    while span is not None:
        path.append(span.name.split()[0])
        top, span = span, spans.get(span.parent_span_id)
    assert path == ["execute_tool", "invoke_agent", "attempt", "run"]
    assert top.parent_span_id.hex() == PARENT.split("-")[2]
    chat = next(span for span in spans.values() if span.name == "chat scripted-1")
    attributes = {each.key: each.value for each in chat.attributes}
    assert attributes["gen_ai.usage.input_tokens"].int_value == 12
    assert not any("result" in str(body) for body in collector.bodies)
    sent = [received.headers["traceparent"].split("-")[2] for received in ran.server.requests]
    assert sent == [span.span_id.hex() for span in sorted(spans.values(), key=lambda each: each.start_time_unix_nano)
                    if span.name.startswith("chat")]  # fmt: skip


@pytest.mark.cold
def test_spans_of_processes_that_load_everything_themselves(bound, collector):
    ran = bound([Text(ANSWER)], env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    assert {"run", "attempt", "chat"} <= {span.name.split()[0] for span in collector.spans()}, ran.done.err


def test_texts_are_exported_only_when_asked_for(bound, tools, collector):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    bound(SCRIPT, env=env, **tools)
    assert any(b"status" in body for body in collector.bodies)


def test_a_collector_that_is_not_there_changes_no_answer(bound):
    ran = bound([Text(ANSWER)], env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert (ran.done.code, ran.envelope["status"]) == (0, "ok")
    assert "Traceback" not in ran.done.err
    assert "spans were not exported" in ran.done.err
