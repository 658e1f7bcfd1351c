"""Spans of a run for OpenTelemetry: run, attempt, agent, model call and tool, made from the events of the run.

Names and attributes are those of the semantic conventions for generative AI (OpenTelemetry, gen_ai.*). Nothing is
exported unless the standard variables name an endpoint, and no text that was said, unless
`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true` asks for it.
"""

import os
import time
from typing import Any, NamedTuple

from workermd.protocol.envelope import Document
from workermd.report.say import note
from workermd.runner.events import AgentActed, AttemptEnded, AttemptStarted, Event, RunFinished
from workermd.runner.trace import Trace

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
EXPORT_SECONDS = 3.0
"""The answer is printed before; a collector that does not answer may not keep the caller longer than this."""


def wanted() -> bool:
    """Whether the environment asks for spans: an OTLP endpoint, and neither of the standard ways to say no."""
    return (
        any(os.environ.get(name) for name in _ENDPOINTS)
        and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    )


class TraceSpan(NamedTuple):
    """One span before it is handed on. Times are Unix microseconds, ids hexadecimal digits; `error` is its type."""

    name: str
    span: str
    parent: str
    start: int
    end: int
    attributes: dict[str, Any]
    error: str = ""


class Spans:
    """Collects what happens in a run; `finished` hands its spans to the exporter."""

    def __init__(self, trace: Trace, *, quiet: bool = False) -> None:
        self._trace = trace
        self._quiet = quiet
        self._start = _now()
        self._n = 0
        self._began = 0
        self._open: dict[str, Document] = {}
        self._agents: dict[str, tuple[str, int, int]] = {}
        self._spans: list[TraceSpan] = []
        self._content = os.environ.get(_CAPTURE, "").lower() == "true"

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptStarted(n, most, _):
                self.attempt(n, most)
            case AgentActed(document):
                self.event(document)
            case AttemptEnded(outcome, code):
                self.ended(outcome, code)
            case RunFinished(envelope):
                self.finished(envelope)

    def attempt(self, n: int, _most: int) -> None:
        self._n, self._began = n, _now()

    def event(self, event: Document) -> None:
        kind, at = event["event"], event.get("at", _now())
        agent = self._agent(event.get("agent", ""), at)
        if kind in ("request", "tool"):
            self._open[event.get("span", "")] = event
        elif kind in ("reply", "tool_result") and (first := self._open.pop(event.get("span", ""), None)):
            made = self._call(first, event) if kind == "reply" else self._tool(first, event)
            self._spans.append(made._replace(span=event["span"], parent=agent, start=first["at"], end=at))

    def _agent(self, name: str, at: int) -> str:
        """The span of an agent within the attempt: from its first event to its last."""
        span, start, _ = self._agents.get(name, (os.urandom(8).hex(), at, at))
        self._agents[name] = (span, start, at)
        return span

    def _call(self, first: Document, reply: Document) -> TraceSpan:
        model = first.get("model", "")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "gen_ai.agent.name": first.get("agent", ""),
            "workermd.turn": first.get("turn", 0),
        }
        if reply.get("finish_reason"):
            attributes["gen_ai.response.finish_reasons"] = [reply["finish_reason"]]
        for name in ("input_tokens", "output_tokens"):
            used = reply.get("usage", {}).get(name)
            if used is not None:
                attributes[f"gen_ai.usage.{name}"] = used - first.get("usage", {}).get(name, 0)
        if self._content:
            attributes["gen_ai.output.messages"] = reply.get("text", "")
        status = reply.get("status", 200)
        return TraceSpan(f"chat {model}", "", "", 0, 0, attributes, "" if status == 200 else str(status))

    def _tool(self, first: Document, result: Document) -> TraceSpan:
        name = first.get("tool", "")
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": first.get("agent", ""),
        }
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = str(first.get("arguments"))
            attributes["gen_ai.tool.call.result"] = result.get("text", "")
        return TraceSpan(f"execute_tool {name}", "", "", 0, 0, attributes, "tool_error" if result.get("failed") else "")

    def ended(self, outcome: str, code: str) -> None:
        attempt, now = self._trace.attempt(self._n), _now()
        for first in self._open.values():  # what was under way when the attempt was ended
            name = f"chat {first.get('model')}" if first["event"] == "request" else f"execute_tool {first.get('tool')}"
            agent = self._agents[first.get("agent", "")][0]
            self._spans.append(TraceSpan(name, first["span"], agent, first["at"], now, {}, code or outcome))
        for name, (span, start, end) in self._agents.items():
            said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
            self._spans.append(TraceSpan(f"invoke_agent {name}", span, attempt, start, end, said))
        attributes: dict[str, Any] = {"workermd.attempt": self._n, "workermd.outcome": outcome}
        error = "" if outcome == "ok" else code or outcome
        self._spans.append(
            TraceSpan(f"attempt {self._n}", attempt, self._trace.run, self._began, now, attributes, error)
        )
        self._open, self._agents = {}, {}

    def finished(self, envelope: Document) -> None:
        """Export. A collector that does not take them, or an extra that is not installed, is said in one line."""
        attributes = {
            "workermd.worker_id": envelope["worker_id"],
            "workermd.version": envelope["version"],
            "workermd.run_id": envelope["run_id"] or "",
            "workermd.status": envelope["status"],
            "workermd.backend": envelope["backend"],
            "workermd.replayed": envelope["replayed"],
        }
        name = f"run {envelope['worker_id']}"
        code = envelope.get("error", {}).get("code", "")
        self._spans.append(TraceSpan(name, self._trace.run, self._trace.parent, self._start, _now(), attributes, code))
        try:
            problem = _export(self._spans, self._trace)
        except ImportError:
            problem = "install what exports them: pip install 'workermd[otel]'"
        if problem and not self._quiet:
            note(f"spans were not exported; {problem}")


def _export(spans: list[TraceSpan], trace: Trace) -> str:
    """Why they could not be handed on; empty when they were."""
    import logging

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "workermd")})

    def context(span: str) -> SpanContext:
        return SpanContext(int(trace.trace_id, 16), int(span, 16), False, TraceFlags(int(trace.flags, 16)))

    def readable(span: TraceSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=context(span.span),
            parent=context(span.parent) if span.parent else None,
            resource=resource,
            attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
            kind=SpanKind.CLIENT if span.name.startswith("chat ") else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
            start_time=span.start * 1000,
            end_time=span.end * 1000,
        )

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its own lines would be a second voice
    exporter = OTLPSpanExporter(timeout=EXPORT_SECONDS)
    result = exporter.export([readable(span) for span in spans])
    exporter.shutdown()  # type: ignore[no-untyped-call]  # the exporter's own
    return "" if result is SpanExportResult.SUCCESS else f"the collector did not take them within {EXPORT_SECONDS:g} s"


def _now() -> int:
    return time.time_ns() // 1000
