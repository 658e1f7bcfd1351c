"""The one way to an endpoint, held against endpoints that answer with what nobody asked for."""

from __future__ import annotations

import contextlib
import email.utils
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.late import LATE, needs
from workermd.testing import Garbage, Text

if LATE:
    from workermd.backends.agents.refusals import _after

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")


class Raw:
    """A server on loopback that answers every request with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.requests: list[bytes] = []
        self.origin = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = self.origin + "/v1"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self.requests.append(_request(connection))
                connection.sendall(self._answer)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


def _request(connection: socket.socket) -> bytes:
    """Head and body of one request."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def raw() -> Iterator[Any]:
    """Starts a server that answers with a status, headers and a body."""
    servers: list[Raw] = []

    def start(status: int, body: bytes, **headers: bytes) -> Raw:
        told = {b"content-length": str(len(body)).encode(), b"connection": b"close"}
        told |= {name.replace("_", "-").encode(): value for name, value in headers.items()}
        head = f"HTTP/1.1 {status} Word\r\n".encode() + b"".join(b"%s: %s\r\n" % each for each in told.items())
        servers.append(Raw(head + b"\r\n" + body))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def completion(**changed: object) -> Garbage:
    document = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18},
    }
    return Garbage(json.dumps(document | changed).encode())


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 6},
        {"prompt_tokens": 10**400, "completion_tokens": 6},
        {"prompt_tokens": 1.5, "completion_tokens": 6},
        {"prompt_tokens": "12", "completion_tokens": 6},
        {"prompt_tokens": 12},
        [12, 6],
    ],
    ids=["negative", "huge", "fraction", "text", "half", "list"],
)
def test_usage_that_is_no_count_is_none(chat, usage):
    ran = chat([completion(usage=usage)], model={"price": {"input": 1.0, "output": 1.0}})
    assert ran.envelope["status"] == "ok"
    assert ran.envelope["usage"] == {"turns": 1}
    ran = chat([completion(usage=usage)], constraints={"max_tokens": 1000})
    assert ran.envelope["error"]["code"] == "budget_exceeded"


def test_usage_of_nothing_is_a_count(chat):
    ran = chat([completion(usage={"prompt_tokens": 0, "completion_tokens": 0})], constraints={"max_tokens": 10})
    assert ran.envelope["status"] == "ok"
    assert ran.envelope["usage"] == {"turns": 1, "input_tokens": 0, "output_tokens": 0}


BROKEN = {
    "deep": b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not UTF-8": b'{"choices": "\xff\xfe"}',
    "a list": b"[]",
    "a number of many digits": b'{"choices": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_nobody_can_read_is_the_endpoints_fault(chat, body):
    ran = chat([Garbage(body), Text(ANSWER)], constraints={"max_attempts": 2})
    assert [one.get("error", {}).get("code") for one in ran.envelope["attempts"]] == ["backend_unavailable", None]
    assert "Traceback" not in ran.done.err


@pytest.mark.parametrize(
    "changed",
    [{"created": 10**30}, {"created": "soon"}, {"id": 7}, {"model": ["scripted"]}, {"system_fingerprint": {}}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_only_describes_an_answer_ends_none(bound, changed):
    ran = bound([completion(**changed)])
    assert ran.envelope["status"] == "ok", ran.envelope


ERRORS = {
    "a code that is a list": {"code": ["insufficient_quota"], "message": "no"},
    "a code that is an object": {"code": {}, "type": {}, "message": {"deep": "no"}},
    "text": "no",
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_of_another_shape_means_what_its_status_means(chat, raw, error):
    server = raw(401, json.dumps({"error": error}).encode())
    ran = chat([], model={"base_url": server.url})
    assert ran.envelope["error"]["code"] == "backend_failed"
    assert "did not accept the key (HTTP 401)" in ran.envelope["error"]["message"]


def test_headers_that_are_no_text_change_nothing(chat, raw):
    server = raw(200, completion().body, x_strange=b"\xff\xfe\x80", retry_after=b"\xff")
    assert chat([], model={"base_url": server.url}).envelope["status"] == "ok"


@pytest.mark.rule("S6.3")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_key_follows_a_redirect(chat, raw, status):
    elsewhere = raw(200, completion().body)
    server = raw(status, b"", location=elsewhere.url.encode() + b"/chat/completions")
    ran = chat([], model={"base_url": server.url, "api_key_env": "SOME_KEY"}, env={"SOME_KEY": "sk-very-secret"})
    assert (len(server.requests), elsewhere.requests) == (1, [])
    assert ran.envelope["error"]["code"] == "backend_failed"
    assert f"{server.origin} answered with a redirect" in ran.envelope["error"]["message"]


WAITS = {
    "a date": (email.utils.formatdate(time.time() - 60, usegmt=True).encode(), True),
    "the first year": (b"Mon, 01 Jan 0001 00:00:00 -0000", True),
    "nothing finite": (b"inf", True),
    "no number": (b"nan", True),
    "below zero": (b"-5", True),
    "beyond the deadline": (email.utils.formatdate(time.time() + 3600, usegmt=True).encode(), False),
}


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(("after", "again"), WAITS.values(), ids=WAITS)
def test_what_a_provider_asks_to_wait(chat, raw, after, again):
    server = raw(429, b"{}", retry_after=after)
    limits = {"max_attempts": 2, "timeout_seconds": 20}
    ran = chat([], model={"base_url": server.url}, constraints=limits)
    assert len(server.requests) == (2 if again else 1)
    assert ran.envelope["error"]["code"] == "rate_limited"


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({}, None),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers, seconds):
    assert _after(headers) == seconds


@pytest.mark.rule("S3.4")
def test_a_date_to_wait_for_is_the_time_until_then():
    later = email.utils.formatdate(time.time() + 600, usegmt=True)
    assert 590 < _after({"retry-after": later}) <= 600


def test_a_proxy_is_one_where_its_variable_is_passed_on(chat, raw):
    proxy = raw(200, completion().body)
    named, endpoint = {"HTTP_PROXY": proxy.origin}, {"base_url": "http://models.invalid/v1"}
    ran = chat([], model=endpoint, env=named)
    assert (ran.envelope["error"]["code"], proxy.requests) == ("backend_unavailable", [])
    ran = chat([], model=endpoint, env=named, worker={"env": ["HTTP_PROXY"]})
    assert ran.envelope["status"] == "ok"
    assert proxy.requests[0].startswith(b"POST http://models.invalid/v1/chat/completions HTTP/1.1\r\n")
    local = chat([Text(ANSWER)], env={**named, "NO_PROXY": "127.0.0.1"}, worker={"env": ["HTTP_PROXY", "NO_PROXY"]})
    assert (local.envelope["status"], len(proxy.requests)) == ("ok", 1)


@pytest.mark.rule("S6.3")
@pytest.mark.parametrize("address", ["http://me:sk-1@127.0.0.1:1/v1", "http://127.0.0.1:1/v1?key=sk-1", "http:///v1"])
def test_an_address_of_the_flags_is_looked_at_and_not_told(cli, contract, given, address):
    done = cli("run", contract(), given("a"), "--model", "m", "--base-url", address)
    assert done.code == 2
    assert "--base-url" in done.err
    assert "sk-1" not in done.err
