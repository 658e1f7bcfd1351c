"""What happens in a run for OpenTelemetry: spans of run, attempt, agent, model call and tool, made from its events.

Names and attributes are those of the semantic conventions for generative AI (OpenTelemetry, gen_ai.*). Nothing is
exported unless the standard variables name an endpoint, and no text that was said, unless
`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true` asks for it.
"""

import os
import time
from typing import Any

from workermd.protocol.envelope import Document
from workermd.report import otlp
from workermd.report.otlp import Measurement, TraceSpan
from workermd.report.say import note
from workermd.runner.events import AgentActed, AttemptEnded, AttemptStarted, Event, RunFinished
from workermd.runner.trace import Trace

_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_PROVIDERS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "amazonaws.com": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "api.cohere.ai": "cohere",
}
"""Ends of hosts with the names that the conventions have for them. Whoever stands behind any other is not known."""

_OTHER_PROVIDER = "openai_compatible"
"""A name of our own, which the conventions allow: what is known of such an endpoint is what it speaks."""

wanted = otlp.wanted


class Spans:
    """Collects what happens in a run; with its end spans and metrics go to the exporter."""

    def __init__(self, trace: Trace, *, quiet: bool = False) -> None:
        self._trace = trace
        self._quiet = quiet
        self._start = _now()
        self._n = 0
        self._began = 0
        self._open: dict[str, Document] = {}
        self._agents: dict[str, _Agent] = {}
        self._spans: list[TraceSpan] = []
        self._measured: list[Measurement] = []
        self._content = os.environ.get(_CAPTURE, "").lower() == "true"

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptStarted(n, _, _):
                self._n, self._began = n, _now()
            case AgentActed(document):
                self._acted(document)
            case AttemptEnded(outcome, code):
                self._ended(outcome, code)
            case RunFinished(envelope):
                self._finished(envelope)

    def _acted(self, event: Document) -> None:
        kind, at = event["event"], event.get("at", _now())
        agent = self._agents.setdefault(event.get("agent", ""), _Agent(at))
        agent.end = at
        if kind in ("request", "tool"):
            if kind == "tool":
                event = event | {"call": agent.call_of(event.get("tool", ""))}
            agent.provider = agent.provider or (_provider(event) if kind == "request" else "")
            self._open[event.get("span", "")] = event
        elif kind in ("reply", "tool_result") and (first := self._open.pop(event.get("span", ""), None)):
            made = self._call(first, event) if kind == "reply" else self._tool(first, event)
            self._spans.append(made._replace(parent=agent.span, end=at))
            if kind == "reply":
                agent.called(event)
                agent.error = made.error

    def _call(self, first: Document, reply: Document) -> TraceSpan:
        span = _opened(first)
        used = reply.get("used") or {}
        said = {
            "gen_ai.response.model": reply.get("response_model"),
            "gen_ai.response.id": reply.get("response_id"),
            "gen_ai.response.finish_reasons": [reply["finish_reason"]] if reply.get("finish_reason") else None,
            "gen_ai.usage.input_tokens": used.get("input_tokens"),
            "gen_ai.usage.output_tokens": used.get("output_tokens"),
            "workermd.cost_usd": used.get("cost_usd"),
            "http.response.status_code": reply.get("status"),
            "gen_ai.output.messages": reply.get("text", "") if self._content else None,
        }
        attributes = span.attributes | {name: value for name, value in said.items() if value not in (None, "", 0)}
        status = reply.get("status", 200)
        error = reply.get("error") or ("" if status == 200 else str(status))
        self._measure(first, reply, used, error)
        return span._replace(attributes=attributes, error=error)

    def _measure(self, first: Document, reply: Document, used: Document, error: str) -> None:
        said: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _provider(first),
            "gen_ai.request.model": first.get("model", ""),
            "server.address": first.get("server", ""),
        }
        failed = {"error.type": error} if error else {}
        seconds = reply.get("duration_ms", 0) / 1000
        self._measured.append(Measurement("gen_ai.client.operation.duration", "s", seconds, said | failed))
        for kind in ("input", "output"):
            if (tokens := used.get(f"{kind}_tokens")) is not None:
                typed = said | {"gen_ai.token.type": kind}
                self._measured.append(Measurement("gen_ai.client.token.usage", "{token}", tokens, typed))
        if (cost := used.get("cost_usd")) is not None:
            self._measured.append(Measurement("workermd.cost", "{USD}", cost, said, adds=True))

    def _tool(self, first: Document, result: Document) -> TraceSpan:
        span = _opened(first)
        if self._content:
            texts = {"arguments": str(first.get("arguments")), "result": result.get("text", "")}
            span.attributes.update({f"gen_ai.tool.call.{name}": text for name, text in texts.items()})
        return span._replace(error="tool_error" if result.get("failed") else "")

    def _ended(self, outcome: str, code: str) -> None:
        attempt, now = self._trace.attempt(self._n), _now()
        error = "" if outcome == "ok" else code or outcome
        for first in self._open.values():  # what was under way when the attempt was ended
            agent = self._agents[first.get("agent", "")]
            agent.end, agent.error = now, error
            self._spans.append(_opened(first)._replace(parent=agent.span, end=now, error=error or "cancelled"))
        for name, agent in self._agents.items():
            said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
            said |= {"gen_ai.provider.name": agent.provider} if agent.provider else {}
            own = TraceSpan(f"invoke_agent {name}", agent.span, attempt, agent.start, agent.end, said, agent.error)
            self._spans.append(own)
        attributes: dict[str, Any] = {"workermd.attempt": self._n, "workermd.outcome": outcome}
        self._spans.append(
            TraceSpan(f"attempt {self._n}", attempt, self._trace.run, self._began, now, attributes, error)
        )
        counted = {"workermd.outcome": outcome} | ({"error.type": error} if error else {})
        self._measured.append(Measurement("workermd.attempts", "{attempt}", 1, counted, adds=True))
        self._measured.append(Measurement("workermd.attempt.duration", "s", (now - self._began) / 1e6, counted))
        self._open, self._agents = {}, {}

    def _finished(self, envelope: Document) -> None:
        """Export. A collector that does not take them, or an extra that is not installed, is said in one line."""
        named = {
            "workermd.worker_id": envelope["worker_id"],
            "workermd.status": envelope["status"],
            "workermd.backend": envelope["backend"],
            "workermd.replayed": envelope["replayed"],
        }
        attributes = named | {"workermd.version": envelope["version"], "workermd.run_id": envelope["run_id"] or ""}
        usage = envelope.get("usage") or {}
        attributes |= {f"workermd.usage.{name}": used for name, used in usage.items() if isinstance(used, int | float)}
        name, now = f"run {envelope['worker_id']}", _now()
        code = envelope.get("error", {}).get("code", "")
        self._spans.append(TraceSpan(name, self._trace.run, self._trace.parent, self._start, now, attributes, code))
        counted = named | ({"error.type": code} if code else {})
        self._measured.append(Measurement("workermd.runs", "{run}", 1, counted, adds=True))
        self._measured.append(Measurement("workermd.run.duration", "s", (now - self._start) / 1e6, counted))
        problem = otlp.export(self._spans, self._measured, self._trace)
        if problem and not self._quiet:
            note(f"spans were not exported; {problem}")


class _Agent:
    """An agent within an attempt: its span goes from its first event to its last."""

    def __init__(self, at: int) -> None:
        self.span = os.urandom(8).hex()
        self.start = self.end = at
        self.provider = ""
        self.error = ""
        self._calls: list[tuple[str, str]] = []

    def called(self, reply: Document) -> None:
        """Keep the ids of the calls in a reply, for the tools that follow."""
        self._calls += zip(reply.get("tools") or (), reply.get("call_ids") or (), strict=False)

    def call_of(self, tool: str) -> str:
        """The id of the next call of a tool; empty where no reply had one."""
        for index, (name, call) in enumerate(self._calls):
            if name == tool:
                del self._calls[index]
                return call
        return ""


def _opened(first: Document) -> TraceSpan:
    """The span of a request or a tool as far as its beginning tells."""
    said: dict[str, Any] = {"gen_ai.agent.name": first.get("agent", "")}
    if first["event"] == "request":
        model = first.get("model", "")
        name = f"chat {model}"
        said |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _provider(first),
            "gen_ai.request.model": model,
            "server.address": first.get("server", ""),
            "workermd.turn": first.get("turn", 0),
        }
        said |= {"server.port": first["port"]} if first.get("port") else {}
    else:
        name = f"execute_tool {first.get('tool')}"
        said |= {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": first.get("tool", ""),
            "gen_ai.tool.type": "function",
        }
        said |= {"gen_ai.tool.call.id": first["call"]} if first.get("call") else {}
    return TraceSpan(name, first.get("span", ""), "", first.get("at", 0), 0, said)


def _provider(request: Document) -> str:
    host = str(request.get("server", ""))
    known = (name for end, name in _PROVIDERS.items() if host == end or host.endswith(f".{end}"))
    return next(known, _OTHER_PROVIDER)


def _now() -> int:
    return time.time_ns() // 1000
