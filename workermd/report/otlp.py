"""Spans and measurements on their way to an OTLP collector, by OpenTelemetry's own SDK and exporters.

A run's process lives for one run: all of it is handed on at its end, in two requests. What does not arrive within
`EXPORT_SECONDS` is left out.
"""

import logging
import os
import time
from typing import Any, NamedTuple

from workermd import __version__
from workermd.runner.trace import Trace

EXPORT_SECONDS = 3.0
"""The answer is printed before; a collector that does not answer may not keep the caller longer than this."""

_ANY = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SIGNALS = ("TRACES", "METRICS")


class TraceSpan(NamedTuple):
    """One span before it is handed on. Times are Unix microseconds, ids hexadecimal digits; `error` is its type."""

    name: str
    span: str
    parent: str
    start: int
    end: int
    attributes: dict[str, Any]
    error: str = ""


class Measurement(NamedTuple):
    """A value of a metric: of a histogram, or, where it `adds`, of a counter."""

    metric: str
    unit: str
    value: float
    attributes: dict[str, Any]
    adds: bool = False


def wanted() -> bool:
    """Whether the environment asks for spans or metrics: an OTLP endpoint, and neither of the ways to say no."""
    return any(map(_wants, _SIGNALS))


def export(spans: list[TraceSpan], measured: list[Measurement], trace: Trace) -> str:
    """Why they could not be handed on; empty when they were."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its own lines would be a second voice
    until = time.monotonic() + EXPORT_SECONDS
    try:
        if _wants("TRACES") and not _spans_taken(spans, trace):
            return f"the collector did not take them within {EXPORT_SECONDS:g} s"
        if _wants("METRICS") and not _metrics_taken(measured, max(0.1, until - time.monotonic())):
            return f"nor metrics: the collector did not take these within {EXPORT_SECONDS:g} s"
    except ImportError:
        return "install what exports them: pip install 'workermd[otel]'"
    return ""


def _wants(signal: str) -> bool:
    return (
        any(os.environ.get(name) for name in (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", _ANY))
        and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp") == "otlp"
    )


def _resource() -> Any:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "workermd")})


def _spans_taken(spans: list[TraceSpan], trace: Trace) -> bool:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    resource, scope = _resource(), InstrumentationScope("workermd", __version__)

    def context(span: str) -> SpanContext:
        return SpanContext(int(trace.trace_id, 16), int(span, 16), False, TraceFlags(int(trace.flags, 16)))

    def readable(span: TraceSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=context(span.span),
            parent=context(span.parent) if span.parent else None,
            resource=resource,
            instrumentation_scope=scope,
            attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
            kind=SpanKind.CLIENT if span.name.startswith("chat ") else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
            start_time=span.start * 1000,
            end_time=span.end * 1000,
        )

    exporter = OTLPSpanExporter(timeout=EXPORT_SECONDS)
    result = exporter.export([readable(span) for span in spans])
    exporter.shutdown()  # type: ignore[no-untyped-call]  # the exporter's own
    return result is SpanExportResult.SUCCESS


def _metrics_taken(measured: list[Measurement], seconds: float) -> bool:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], _resource(), shutdown_on_exit=False)
    meter = provider.get_meter("workermd", __version__)
    made: dict[str, Any] = {}
    for each in measured:
        make = meter.create_counter if each.adds else meter.create_histogram
        if each.metric not in made:
            made[each.metric] = make(each.metric, each.unit)
        instrument = made[each.metric]
        (instrument.add if each.adds else instrument.record)(each.value, each.attributes)
    data = reader.get_metrics_data()
    if data is None:
        return True
    exporter = OTLPMetricExporter(timeout=seconds)
    result = exporter.export(data, timeout_millis=seconds * 1000)
    exporter.shutdown()
    return result is MetricExportResult.SUCCESS
