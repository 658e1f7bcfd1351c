"""An OTLP receiver on loopback: what it was sent, as OpenTelemetry's own messages."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class Collector(HTTPServer):
    """Takes OTLP over HTTP and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.metric_bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        assert {scope.scope.name for scope in scopes} <= {"workermd"}
        return [span for scope in scopes for span in scope.spans]

    def metrics(self):
        """Names of metrics with their points."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        requests = [ExportMetricsServiceRequest.FromString(body) for body in self.metric_bodies]
        return {
            metric.name: list((metric.histogram or metric.sum).data_points or metric.sum.data_points)
            for request in requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self):
        kept = self.server.metric_bodies if self.path.endswith("/metrics") else self.server.bodies
        kept.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def collector():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    made = Collector()
    yield made
    made.shutdown()
    made.server_close()


def attributes(span):
    """The attributes of a span, or of a point, as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
