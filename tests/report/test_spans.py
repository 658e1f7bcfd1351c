"""Spans and metrics add up to what the run used, as an OTLP receiver gets them."""

import pytest

from tests.backends.agents.attempts import tried
from tests.backends.agents.conftest import ANSWER, look  # noqa: F401 - a fixture
from tests.collector import attributes, collector  # noqa: F401 - a fixture
from tests.conftest import patience
from workermd.report.spans import Spans
from workermd.runner.events import AgentActed, AttemptEnded, AttemptStarted, RunFinished
from workermd.runner.trace import Trace
from workermd.testing import Call, Hang, Problem, Slow, Text, ToolCalls

PRICED = {"input_price": 1.0, "output_price": 2.0}


@pytest.fixture
def traced(collector, monkeypatch):  # noqa: F811
    """One attempt's events, told as a run tells them; what the collector got of them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)

    def tell(ran, outcome="ok", code=""):
        spans = Spans(Trace("1" * 32, "", "2" * 16, "01"))
        spans(AttemptStarted(1, 1, 0.0))
        for event in ran.events:
            spans(AgentActed(event))
        spans(AttemptEnded(outcome, code))
        envelope = {"worker_id": "echo", "version": "1", "run_id": "r", "status": outcome, "backend": "x",
                    "replayed": False, "usage": ran.result.usage or {}}  # fmt: skip
        spans(RunFinished(envelope | ({"error": {"code": code}} if code else {})))
        return collector.spans(), collector.metrics()

    return tell


def chats(spans):
    return [attributes(span) for span in spans if span.name.startswith("chat")]


def test_agents_that_speak_at_the_same_time_are_counted_once(traced, tmp_path):
    pytest.importorskip("agent_framework", reason="workermd[agent-framework] is not installed")
    team = {"pattern": "parallel", "agents": [{"name": name} for name in ("a", "b", "c", "d")]}
    ran = tried("agent-framework", [Slow(0.2, Text(ANSWER))] * 4, tmp_path, arrangement=team, model=PRICED)
    assert ran.ending == ("", ""), ran.message
    spans, metrics = traced(ran)
    for kind in ("input", "output"):
        told = sum(chat[f"gen_ai.usage.{kind}_tokens"] for chat in chats(spans))
        assert told == ran.result.usage[f"{kind}_tokens"] == {"input": 48, "output": 24}[kind]
    assert sum(chat["workermd.cost_usd"] for chat in chats(spans)) == pytest.approx(ran.result.usage["cost_usd"])
    points = metrics["gen_ai.client.token.usage"]
    assert sum(point.sum for point in points) == 72
    assert sum(point.as_double for point in metrics["workermd.cost"]) == pytest.approx(ran.result.usage["cost_usd"])
    assert {"workermd.runs", "workermd.attempts", "workermd.run.duration"} <= metrics.keys()


def test_an_attempt_that_ran_out_of_time_has_whole_spans(traced, tmp_path):
    pytest.importorskip("autogen_agentchat", reason="workermd[agentchat] is not installed")
    ran = tried("chat", [Hang()], tmp_path, seconds=patience(1))
    spans, _ = traced(ran, "timeout", "timeout")
    named = {span.name.split()[0]: span for span in spans}
    chat, agent, attempt = (named[name] for name in ("chat", "invoke_agent", "attempt"))
    assert (chat.parent_span_id, agent.parent_span_id) == (agent.span_id, attempt.span_id)
    assert agent.start_time_unix_nano <= chat.start_time_unix_nano
    assert agent.end_time_unix_nano >= chat.end_time_unix_nano > chat.start_time_unix_nano
    said = attributes(chat)
    needed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "scripted-1", "error.type": "timeout"}
    assert needed.items() <= said.items()
    assert {"gen_ai.provider.name", "server.address", "server.port"} <= said.keys()
    assert attributes(agent)["error.type"] == "timeout"


def test_calls_and_answers_bear_the_ids_that_they_had(traced, tmp_path, look):  # noqa: F811
    ran = tried("chat", [ToolCalls([Call("look", {"at": 1}, id="c7")]), Text(ANSWER)], tmp_path, tools=(look[0],))
    spans, _ = traced(ran)
    tool = next(attributes(span) for span in spans if span.name == "execute_tool look")
    assert tool["gen_ai.tool.call.id"] == "c7"
    assert chats(spans)[0]["gen_ai.response.id"] == "chatcmpl-1"
    assert chats(spans)[0]["gen_ai.response.model"] == "scripted-1"


def test_an_agent_whose_request_failed_has_failed(traced, tmp_path):
    spans, metrics = traced(tried("chat", [Problem(500)], tmp_path), "retryable_error", "backend_unavailable")
    for name in ("chat", "invoke_agent", "attempt"):
        span = next(span for span in spans if span.name.startswith(name))
        assert attributes(span)["error.type"] == "backend_unavailable"
        assert span.status.code == 2
    durations = metrics["gen_ai.client.operation.duration"]
    assert attributes(durations[0])["error.type"] == "backend_unavailable"
