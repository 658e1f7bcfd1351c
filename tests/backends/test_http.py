"""The kind `http`, against a service on loopback."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.attempt_process import a_task
from workermd.backends import http
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result

pytestmark = pytest.mark.rule("S8.9")

GET = (
    "http",
    "GET /pets/{id}",
    '{"in": "path", "name": "id", "from": "id"}',
    '{"in": "query", "name": "tag", "from": "tag"}',
    '{"in": "header", "name": "X-Lang", "from": "lang"}',
)
POST = ("http", "POST /pets", '{"in": "body", "name": "application/json", "from": "body"}')


STATUS = {"properties": {"status": {}}}


class Service(BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        split = urlsplit(self.path)
        seen = {
            "method": self.command, "path": split.path, "query": parse_qsl(split.query), "body": self.rfile.read(length).decode(),
            "headers": {key.lower(): value for key, value in self.headers.items()}, "all_headers": self.headers.items(),
        }  # fmt: skip
        self.server.seen.append(seen)
        status, headers, body = (
            self.server.script.pop(0) if self.server.script else (200, {}, json.dumps(seen).encode())
        )
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 (the library's names)

    def log_message(self, *_args):
        pass


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.seen, server.script = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(service, tmp_path):
    def ran(call, given, *, seconds=20.0, max_bytes=1 << 16, **own) -> Result:
        address = f"http://127.0.0.1:{service.server_port}/api"
        binding = Binding("http", "workermd.toml", arrangement={"address": address, **own})
        task = a_task(tmp_path, input={"run_id": "run-1", **given})._replace(
            call=call, run_id="run-1", output_schema=STATUS
        )
        return http.perform(task, binding, Limits(time.monotonic() + seconds, max_bytes))

    return ran


def test_each_argument_stands_in_its_place_and_leads_out_of_none(run, service, monkeypatch):
    monkeypatch.setenv("PET_KEY", "secret")
    result = run(GET, {"id": "../a/b?c#d", "tag": ["x", "y&z"], "lang": "de"}, key_env="PET_KEY")
    answer = json.loads(result.output)["result"]
    assert answer["path"] == "/api/pets/..%2Fa%2Fb%3Fc%23d"
    assert answer["query"] == [["tag", "x"], ["tag", "y&z"]]
    assert answer["headers"]["x-lang"] == "de"
    assert answer["headers"]["authorization"] == "Bearer secret"
    assert answer["headers"]["idempotency-key"] == "run-1"
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "the path needs 'id'"),
        ({"id": ".."}, "would name another path"),
        ({"id": "a", "lang": "a\r\nHost: b"}, "no header can"),
        ({"id": "a", "what": 1}, "'what' is not among"),
        ({"id": {"a": 1}}, "is an object"),
    ],
)
def test_an_input_that_no_request_can_say_is_rejected_before_it_is_sent(run, service, given, said):
    result = run(GET, given)
    assert result.failure is not None
    assert (result.failure["kind"], result.failure["code"]) == ("invalid_request", "input_rejected")
    assert said in result.failure["message"]
    assert service.seen == []


@pytest.mark.parametrize(
    ("call", "status", "headers", "kind", "code"),
    [
        (GET, 404, {}, "invalid_request", "input_rejected"),
        (GET, 401, {}, "refused", "backend_failed"),
        (GET, 403, {}, "refused", "backend_failed"),
        (GET, 429, {"Retry-After": "7"}, "retryable", "rate_limited"),
        (GET, 503, {}, "retryable", "backend_unavailable"),
        (POST, 503, {}, "retryable", "backend_unavailable"),
        (GET, 302, {"Location": "http://127.0.0.1:1/"}, "refused", "backend_failed"),
    ],
)
def test_what_a_service_answers_becomes_an_ending(run, service, call, status, headers, kind, code):
    service.script.append((status, headers, b'{"detail": "so it is"}'))
    result = run(call, {"id": "1"} if call is GET else {"body": {}}, methods=["GET", "POST"])
    assert result.failure is not None
    assert (result.failure["kind"], result.failure["code"]) == (kind, code)
    assert "so it is" in result.failure["message"]
    assert result.failure.get("after") == (7.0 if status == 429 else None)
    assert len(service.seen) == 1  # no redirect is followed, nothing is asked twice


def test_a_post_without_the_runs_key_is_not_repeated(run, service):
    service.script.append((503, {}, b"{}"))
    result = run(POST, {"body": {"name": "x"}}, methods=["POST"], idempotency_header="X-Key")
    assert result.failure is not None
    assert result.failure["kind"] == "refused"
    assert json.loads(service.seen[0]["body"]) == {"name": "x"}


def test_the_input_chooses_what_it_accepts_and_no_key(run, service, monkeypatch):
    monkeypatch.setenv("PET_KEY", "secret")
    names = ("accept", "authorization", "idempotency-key")
    call = ("http", "GET /pets", *(json.dumps({"in": "header", "name": name, "from": name}) for name in names))
    assert run(call, dict.fromkeys(names, "text/csv"), key_env="PET_KEY").output is not None
    sent = service.seen[0]["all_headers"]
    assert [(name.lower(), value) for name, value in sent if name.lower() in names] == [
        ("accept", "text/csv"),
        ("idempotency-key", "run-1"),
        ("authorization", "Bearer secret"),
    ]


def test_methods_are_the_operators_choice(run, service):
    result = run(POST, {"body": {}})
    assert result.failure is not None
    assert "POST is not among the methods allowed, GET" in result.failure["message"]
    assert service.seen == []
    assert run(POST, {"body": {}}, methods=["POST"]).output is not None


def test_it_is_bounded_like_any_task(run, service):
    service.script.append((200, {}, b'"' + b"x" * 100_000 + b'"'))
    large = run(GET, {"id": "1"}, max_bytes=1000)
    assert large.failure is not None
    assert large.failure["code"] == "output_too_large"
    service.script.append((200, {"Content-Length": "10"}, b"{"))
    cut = run(GET, {"id": "1"})
    assert cut.failure is not None
    assert cut.failure["code"] == "backend_unavailable"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late = run(GET, {"id": "1"}, seconds=0.3, address=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert late.failure is not None
    assert late.failure["kind"] == "timeout"


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "http://u:p@x/", "http://x/?a=1", "file:///etc/passwd"])
def test_an_address_that_is_none_is_unusable(address):
    assert "names no address" in http.unusable(Binding("http", "x", arrangement={"address": address}))
