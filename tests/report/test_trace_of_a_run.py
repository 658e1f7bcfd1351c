"""A run's trace as an OTLP receiver gets it adds up to the envelope: tokens, cost, lengths, and what a span has to say."""

import pytest

from tests.backends.agents.conftest import ANSWER, Bound
from tests.backends.agents.kinds import KindUnderTest
from tests.collector import attributes, collector  # noqa: F401 - a fixture
from tests.conftest import patience
from workermd.testing import Hang, Slow, Text

SIDE_BY_SIDE = {"pattern": "parallel", "agents": [{"name": name} for name in "abcd"]}
SLACK = 1_000_000_000
"""Nanoseconds by which an attempt's span and its length in the envelope may differ on a machine that is busy."""

NEEDED = {
    "run": {"workermd.worker_id", "workermd.status", "workermd.backend", "workermd.run_id"},
    "attempt": {"workermd.attempt", "workermd.outcome"},
    "invoke_agent": {"gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.provider.name"},
    "chat": {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.agent.name",
        "server.address",
        "server.port",
    },
}


@pytest.fixture
def traced(cli, contract, tmp_path, collector):  # noqa: F811
    """A run of four agents side by side: its envelope, and its spans by kind."""
    pytest.importorskip("agent_framework", reason="workermd[agent-framework] is not installed")
    bound = Bound(KindUnderTest("agent-framework", "agent_framework", SIDE_BY_SIDE), cli, contract, tmp_path)

    def run(script, *flags):
        price = {"price": {"input": 1000.0, "output": 2000.0}}
        ran = bound(script, *flags, model=price, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        by_kind = {}
        for span in collector.spans():
            by_kind.setdefault(span.name.split()[0], []).append(span)
        return ran.envelope, by_kind

    yield run
    bound.close()


def adds_up(envelope, spans):
    """What holds of every trace."""
    assert spans.keys() == NEEDED.keys()
    everything = [span for each in spans.values() for span in each]
    assert {span.trace_id.hex() for span in everything} == {envelope["observability"]["trace_id"]}
    by_id = {span.span_id: span for span in everything}
    for kind, needed in NEEDED.items():
        for span in spans[kind]:
            assert needed <= attributes(span).keys(), span.name
            assert span.end_time_unix_nano > span.start_time_unix_nano, span.name
            parent = by_id.get(span.parent_span_id)
            assert (parent is None) == (kind == "run")
            if parent is not None:
                assert parent.start_time_unix_nano <= span.start_time_unix_nano, span.name
                assert parent.end_time_unix_nano >= span.end_time_unix_nano, span.name
    usage, chats = envelope["usage"], [attributes(span) for span in spans["chat"]]
    assert len(chats) == usage["turns"]
    for tokens in ("input_tokens", "output_tokens"):
        assert sum(chat.get(f"gen_ai.usage.{tokens}", 0) for chat in chats) == usage[tokens]
    assert sum(chat.get("workermd.cost_usd", 0) for chat in chats) == pytest.approx(usage["cost_usd"])
    whole = attributes(spans["run"][0])
    assert {name: whole[f"workermd.usage.{name}"] for name in usage} == pytest.approx(usage)
    for span, attempt in zip(sorted(spans["attempt"], key=lambda span: span.name), envelope["attempts"], strict=True):
        took = span.end_time_unix_nano - span.start_time_unix_nano
        assert abs(took - attempt["duration_ms"] * 1_000_000) < SLACK
        assert attributes(span)["workermd.outcome"] == attempt["outcome"]


def test_a_team_side_by_side(traced):
    envelope, spans = traced([Slow(0.2, Text(ANSWER))] * 4)
    assert envelope["status"] == "ok"
    adds_up(envelope, spans)
    assert {attributes(span)["gen_ai.agent.name"] for span in spans["invoke_agent"]} == {*"abcd"}
    assert envelope["usage"]["input_tokens"] == 48
    assert envelope["usage"]["cost_usd"] == pytest.approx(48 * 0.001 + 24 * 0.002)


def test_a_team_that_ran_out_of_time(traced):
    """One of three was answered: it is paid for and told, and the others are told as cut off. The fourth, who would
    give the answer, was never asked."""
    envelope, spans = traced([Text(ANSWER), Hang(), Hang()], "--timeout", f"{patience(2)}", "--max-attempts", "1")
    assert envelope["error"]["code"] == "timeout"
    adds_up(envelope, spans)
    ended = [attributes(span).get("error.type", "") for span in spans["chat"]]
    assert sorted(ended) == ["", "timeout", "timeout"]
    assert envelope["usage"]["input_tokens"] == 12
    assert {attributes(span)["error.type"] for kind in ("attempt", "run") for span in spans[kind]} == {"timeout"}
