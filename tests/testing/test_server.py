"""Connections, paths, keys, the order of turns and the end of it all."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT, loaded_by, patience
from tests.testing.client import CHAT, RESPONSES, ask, asking, over, raw, read_all, request_bytes
from workermd.testing import Drop, Hang, Problem, Server, Slow, Text


@pytest.fixture(autouse=True)
def no_descriptor_and_no_thread_is_left():
    before, threads = set(Path("/proc/self/fd").iterdir()), set(threading.enumerate())
    yield
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert set(threading.enumerate()) == threads


def content(answer):
    return answer.body["choices"][0]["message"]["content"]


def test_every_request_is_kept():
    with Server([Text("a"), Text("b")]) as server:
        before = time.monotonic()
        ask(server, CHAT + "?x=1&y", headers={"X-Name": "Value", "Authorization": "Bearer k"})
        ask(server, RESPONSES, body=b"{broken")
        ask(server, "/v1/models", method="GET")
        after = time.monotonic()
        chat, broken, models = server.requests
    assert before <= chat.at <= broken.at <= models.at <= after
    assert (chat.method, chat.path, chat.query) == ("POST", CHAT, "x=1&y")
    assert chat.headers["x-name"] == "Value"
    assert chat.headers["authorization"] == "Bearer k"
    assert chat.body == asking()
    assert json.loads(chat.raw) == asking()
    assert (broken.body, broken.raw) == (None, b"{broken")
    assert (models.method, models.body, models.raw) == ("GET", None, b"")
    assert b"messages" in chat.raw
    assert "messages" not in repr(broken)


def test_the_server_is_on_loopback_alone():
    with Server([]) as server, Server([]) as other:
        assert server.url == f"http://127.0.0.1:{server.port}/v1"
        assert server.port != other.port
        assert server._listener.getsockname()[0] == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            Server([], port=server.port)


def test_a_port_may_be_chosen_and_taken_again():
    with Server([Text("x")]) as server:
        port = server.port
        ask(server)
    with Server([Text("y")], port=port) as server:
        assert content(ask(server)) == "y"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/name/chat/completions?api-version=2026-01-01",
        "/v1/responses",
        "/openai/v1/responses?api-version=preview",
        "/openai/responses",
    ],
)
def test_where_a_turn_is_played(path):
    with Server([Text("x")]) as server:
        assert ask(server, path.partition("?")[0]).status == 200
        assert (server.played, server.overrun) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CHAT),
        ("POST", "/v1/models"),
        ("POST", "/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("DELETE", "/v1/responses"),
        ("GET", "/"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/openai/deployments//chat/completions"),
    ],
)
def test_anything_else_is_not_found_and_takes_no_turn(method, path):
    with Server([Text("x")]) as server:
        answer = ask(server, path, method=method)
        assert answer.status == 404
        assert answer.body["error"]["code"] == "unknown_url"
        assert f"{method} {path}" in answer.body["error"]["message"]
        assert (server.played, len(server.requests)) == (0, 1)


def test_the_models_are_listed():
    with Server([], models=("small", "large")) as server:
        listed = ask(server, "/v1/models", method="GET").body
        assert (server.played, server.overrun) == (0, 0)
    assert [model["id"] for model in listed["data"]] == ["small", "large"]
    assert {model["object"] for model in listed["data"]} == {"model"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer right-é".encode()}, 200),
        ({"authorization": "bearer right-é".encode()}, 200),
        ({"api-key": "right-é".encode()}, 200),
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic right-é".encode()}, 401),
        ({"Authorization": "right-é".encode()}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"api-key": ""}, 401),
    ],
)
def test_a_key_is_asked_for(headers, status):
    with Server([Text("x")], key="right-é") as server:
        answer = ask(server, headers=headers)
        assert answer.status == status
        assert server.played == (status == 200)
        assert ask(server, "/v1/models", method="GET", headers=headers).status == status
    assert b"wrong" not in answer.raw
    if status == 401:
        assert answer.body["error"]["code"] == "invalid_api_key"


def test_a_connection_is_used_again():
    with Server([Text("a"), Problem(500), Text("c")]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=patience(10))
        connection.connect()
        sock = connection.sock
        said = [over(connection), over(connection, stream=True), over(connection, stream=True)]
        assert connection.sock is sock
        assert [each.status for each in said] == [200, 500, 200]
        assert server.open_connections == 1
        connection.close()
        assert server.wait(lambda server: server.open_connections == 0)


def test_requests_may_come_before_their_answers():
    with Server([Slow(0.5, Text("a")), Text("b"), Text("c")]) as server:
        sock = raw(server, request_bytes())
        assert server.wait(lambda server: server.played == 1)
        sock.sendall(request_bytes() + request_bytes(CHAT, "Connection: close"))
        whole = read_all(sock).decode()
    said = [json.loads(part[: part.rindex("}") + 1]) for part in whole.split("\r\n\r\n")[1:]]
    assert [each["choices"][0]["message"]["content"] for each in said] == ["a", "b", "c"]
    assert whole.count("Connection: close") == 1


def test_a_body_may_come_in_chunks_and_in_single_bytes():
    body = json.dumps(asking()).encode()
    chunks = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    with Server([Text("x"), Text("x")]) as server:
        assert b" 200 OK" in read_all(raw(server, head + chunks + b"0\r\nTrailer: x\r\n\r\n"))
        sock = raw(server, b"")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for each in request_bytes(CHAT, "Connection: close"):
            sock.sendall(bytes([each]))
        assert b" 200 OK" in read_all(sock)
        assert [request.raw for request in server.requests] == [body, body]


def test_a_client_may_wait_for_leave_to_send_its_body():
    body = json.dumps(asking()).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with Server([Text("x")]) as server:
        sock = raw(server, head.encode())
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert read_all(sock).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.0\r\n\r\n", 505),
        (b"GET /v1/models HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nName : x\r\n\r\n", 400),
        (b"POST /v1/responses HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/responses HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST /v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST /v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 413),
        (b"POST /v1/responses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
        (b"GET /v1/models HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_ended(data, status):
    with Server([Text("x")]) as server:
        head, _, body = read_all(raw(server, data)).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert json.loads(body)["error"]["message"]
        assert server.requests == ()
        assert ask(server).status == 200


def test_the_script_is_over():
    with Server([Text("a")]) as server:
        assert ask(server).status == 200
        over_it = [ask(server), ask(server, RESPONSES, stream=True)]
        assert server.overrun == 2
        assert server.played == 1
    for answer in over_it:
        assert answer.status == 410
        assert answer.body["error"]["message"] == "the script is over: 1 turns were played"
    with Server([], loop=True) as server:
        assert ask(server).status == 410


def test_a_script_may_start_again():
    with Server(iter([Text("a"), Text("b")]), loop=True) as server:
        assert [content(ask(server)) for _ in range(5)] == ["a", "b", "a", "b", "a"]
        assert (server.played, server.overrun) == (5, 0)


def test_requests_at_once_get_one_turn_each():
    turns = [Text(str(number)) for number in range(200)]
    with Server(turns) as server:

        def some(_):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=patience(10))
            said = [content(over(connection)) for _ in range(10)]
            connection.close()
            return said

        with ThreadPoolExecutor(20) as pool:
            said = [each for part in pool.map(some, range(20)) for each in part]
        assert sorted(said, key=int) == [turn.content for turn in turns]
        assert len(server.requests) == 200


def test_a_slow_answer_holds_up_nobody_else():
    with Server([Slow(600, Text("slow")), Text("quick")]) as server:
        sock = raw(server, request_bytes())
        assert server.wait(lambda server: server.played == 1)
        started = time.monotonic()
        assert content(ask(server)) == "quick"
        assert time.monotonic() - started < patience(2)
        sock.close()


def test_closing_ends_whatever_hangs_at_once():
    turns = [Hang(), Slow(60, Text("x")), Slow(0, Text("x" * 100), between=60), Drop(1, Slow(60, Text("x")))]
    server = Server(turns)
    socks = [raw(server, request_bytes(stream=True)) for _ in turns]
    socks += [raw(server, b""), raw(server, b"POST ")]
    assert server.wait(lambda server: server.played == 4 and server.open_connections == 6)
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < patience(1)
    assert server.open_connections == 0
    for sock in socks:
        read_all(sock)  # ends
    server.close()
    with pytest.raises(ConnectionRefusedError):
        raw(server, b"")


def test_closing_ends_a_write_that_nobody_reads():
    with Server([Text("x" * 30_000_000)]) as server:
        sock = raw(server, request_bytes())
        assert server.wait(lambda server: server.played == 1)
        time.sleep(0.1)
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < patience(1)
        sock.close()


def test_a_function_may_close_its_own_server():
    def ending(_):
        server.close()
        return Text("never sent")

    server = Server(ending)
    assert read_all(raw(server, request_bytes())) == b""
    assert server.wait(lambda server: server.open_connections == 0)
    server._acceptor.join(5)


def test_a_function_that_blocks_does_not_hold_the_block_open():
    held, entered = threading.Event(), threading.Event()

    def blocking(_):
        entered.set()
        held.wait(patience(30))
        return Text("late")

    with Server(blocking) as server:
        sock = raw(server, request_bytes())
        assert entered.wait(patience(5))
        started = time.monotonic()
    assert time.monotonic() - started < 10
    held.set()
    assert server.wait(lambda server: server.open_connections == 0)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)
    sock.close()


def test_waiting_ends_when_its_time_is_over():
    with Server([]) as server:
        started = time.monotonic()
        assert not server.wait(lambda server: server.played > 0, seconds=0.1)
        assert 0.1 <= time.monotonic() - started < patience(5)
        assert server.wait(lambda _: True, seconds=0)


def test_a_time_without_free_descriptors_passes():
    """In a process of its own: the limit counts for all that it opens, and client and server share it."""
    code = """
import resource, socket
from tests.testing.client import ask
from workermd.testing import Server, Text
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
with Server([Text("x")]) as server:
    clients = []
    try:
        while True:
            clients.append(socket.create_connection(("127.0.0.1", server.port)))
    except OSError:
        pass
    assert not server.wait(lambda server: server.open_connections == len(clients), seconds=0.2)
    for client in clients:
        client.close()
    assert server.wait(lambda server: server.open_connections == 0)
    assert ask(server).status == 200
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_who_watches_sees_each_request_and_its_turn():
    seen = []
    with Server(lambda _: Text("made"), watch=lambda request, turn: seen.append((request.path, turn))) as server:
        ask(server)
        ask(server, "/v1/models", method="GET")
        ask(server, "/nowhere")
    assert [path for path, _ in seen] == [CHAT, "/v1/models", "/nowhere"]
    assert seen[0][1] == Text("made")
    assert seen[1][1] is None
    assert seen[2][1].status == 404


def test_a_watch_that_fails_is_a_failure():
    with pytest.raises(ZeroDivisionError), Server([Text("x")], watch=lambda *_: 1 / 0) as server:
        assert ask(server).status == 410


def bodies():
    said = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]}
    user, tool = {"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "c1", "content": "seen"}
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    made = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "seen"}
    message = {"role": "user", "content": "hi"}
    return [
        # path, what the body has instead, the parameter that the answer names, or "" where nothing is wrong
        (CHAT, {"model": None}, "model"),
        (CHAT, {"model": ""}, "model"),
        (CHAT, {"messages": None}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        (CHAT, {"messages": ["x"]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": "user"}]}, "messages[0].content"),
        (CHAT, {"messages": [user, tool]}, "messages[1].role"),
        (CHAT, {"messages": [user, said]}, "messages"),
        (CHAT, {"messages": [user, said, user]}, "messages[2]"),
        (CHAT, {"messages": [user, said, tool, tool]}, "messages[3].role"),
        (CHAT, {"messages": [user, said, tool]}, ""),
        (CHAT, {"messages": [user, said | {"tool_calls": []}]}, "messages[1].tool_calls"),
        (CHAT, {"messages": [user, {"role": "assistant", "content": "ok"}, user]}, ""),
        (CHAT, {"n": 2}, "n"),
        (CHAT, {"n": 1}, ""),
        (CHAT, {"stream_options": {"include_usage": True}}, "stream_options"),
        (CHAT, {"tools": {}}, "tools"),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (CHAT, {"tools": [{"type": "function"}]}, "tools[0].function.name"),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "a", "parameters": loose}}]}, ""),
        (CHAT, {"response_format": {"type": "text"}}, ""),
        (CHAT, {"response_format": {"type": "yaml"}}, "response_format.type"),
        (CHAT, {"response_format": {"type": "json_object"}}, "messages"),
        (CHAT, {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "JSON"}]}, ""),
        (CHAT, {"response_format": {"type": "json_schema"}}, "response_format"),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "response_format"),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "é", "schema": {}}}}, "response_format"),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}, ""),
        (RESPONSES, {"model": 1}, "model"),
        (RESPONSES, {"input": None}, "input"),
        (RESPONSES, {"input": None, "previous_response_id": "resp_1"}, ""),
        (RESPONSES, {"input": [message]}, ""),
        (RESPONSES, {"input": [message, made, result]}, ""),
        (RESPONSES, {"input": [message, result]}, "input"),
        (RESPONSES, {"input": [result], "previous_response_id": "resp_1"}, ""),
        (RESPONSES, {"input": [message, made]}, "input"),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}, "input"),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}, "instructions": "HttpResponse in JSON."}, ""),
        (RESPONSES, {"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format"),
        (RESPONSES, {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}}, ""),
        (RESPONSES, {"tools": [{"type": "function"}]}, "tools[0].name"),
        (RESPONSES, {"tools": [{"type": "web_search"}]}, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "more", "param"), bodies())
def test_a_body_that_real_endpoints_refuse_is_refused(path, more, param):
    body = {name: value for name, value in (asking(path) | more).items() if value is not None}
    with Server([Text("x")]) as server:
        answer = ask(server, path, body=body)
        assert server.played == (not param)
    if not param:
        assert answer.status == 200
        return
    assert answer.status == 400
    assert answer.body["error"]["param"] == param
    assert answer.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(path, body):
    with Server([Text("x")]) as server:
        answer = ask(server, path, body=body)
    assert answer.status == 400
    assert "could not be parsed" in answer.body["error"]["message"]


WANTED = {
    "json_schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}},
    ),
    "json_object": (
        {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "json"}]},
        {"text": {"format": {"type": "json_object"}}, "input": "json"},
    ),
    "tools": (
        {"tools": [{"type": "function", "function": {"name": "a"}}]},
        {"tools": [{"type": "function", "name": "a"}]},
    ),
    "stream": ({"stream": True}, {"stream": True}),
}


@pytest.mark.parametrize("feature", WANTED)
def test_an_endpoint_may_lack_a_feature(feature):
    with Server([Text("x")] * 2, supports=frozenset(WANTED) - {feature}) as server:
        for path, more in zip((CHAT, RESPONSES), WANTED[feature], strict=True):
            answer = ask(server, path, **more)
            assert answer.status == 400
            assert "support" in answer.body["error"]["message"]
        for other in set(WANTED) - {feature}:
            assert ask(server, CHAT, **WANTED[other][0]).status in {200, 410}
        assert server.played + server.overrun == 3


def test_a_feature_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match=r"found \['vision'\]; allowed: json_object, json_schema, stream, tools"):
        Server([], supports={"vision"})


def closed(properties, **more):
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [*properties],
        **more,
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (closed({}), ""),
        (closed({"a": TEXT, "b": closed({"c": TEXT})}), ""),
        (closed({"a": {"type": "array", "items": closed({"c": TEXT})}}), ""),
        (closed({"a": {"anyOf": [TEXT, {"type": "null"}]}}), ""),
        (TEXT, 'the schema itself must have the type "object"'),
        (closed({}, anyOf=[]), 'the schema itself must have the type "object"'),
        ({"type": "object", "properties": {}}, 'at "": "additionalProperties" is required'),
        (closed({"a": TEXT}, additionalProperties=True), 'at "": "additionalProperties" is required'),
        (closed({"a": TEXT, "b": TEXT}, required=["a"]), 'missing: "b"'),
        (closed({"a": TEXT}, required=["a", "b"]), '"b", which is no property'),
        (closed({"a": closed({"b": TEXT}, required=[])}), 'at "/properties/a": "required" has to list'),
        (closed({"a": {"type": "array", "items": {"type": "object"}}}), 'at "/properties/a/items"'),
        (closed({"a": {"anyOf": [TEXT, {"type": ["object", "null"]}]}}), 'at "/properties/a/anyOf/1"'),
        (closed({"a": {"$ref": "#/$defs/x"}}, **{"$defs": {"x": {"type": "object"}}}), 'at "/$defs/x"'),
        (closed({"a": {"oneOf": [TEXT]}}), 'at "/properties/a": "oneOf" is not permitted'),
    ],
)  # fmt: skip
def test_a_strict_schema_is_held_to_its_rules(schema, fault):
    def asked(strictly):
        formatted = {"name": "a", "schema": schema, "strict": strictly}
        function = {"name": "a", "parameters": schema, "strict": strictly}
        yield CHAT, {"response_format": {"type": "json_schema", "json_schema": formatted}}
        yield CHAT, {"tools": [{"type": "function", "function": function}]}
        yield RESPONSES, {"text": {"format": {"type": "json_schema", **formatted}}}
        yield RESPONSES, {"tools": [{"type": "function", **function}]}

    with Server(lambda _: Text("x"), strict_schemas=True) as strict, Server(lambda _: Text("x")) as lenient:
        for path, more in asked(strictly=True):
            answer = ask(strict, path, **more)
            assert answer.status == (400 if fault else 200)
            assert fault in (answer.body["error"]["message"] if fault else "")
            assert ask(lenient, path, **more).status == 200
        assert all(ask(strict, path, **more).status == 200 for path, more in asked(strictly=False))


def test_a_schema_without_end_is_refused():
    schema = TEXT
    for _ in range(200):
        schema = closed({"a": schema})
    more = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}}
    with Server([Text("x")], strict_schemas=True) as server:
        assert "more than 64 levels" in ask(server, **more).body["error"]["message"]


def test_the_standard_library_is_enough():
    heavy = {"yaml", "jsonschema", "openai", "httpx", "autogen_core", "asyncio", "rich", "typer", "jsonschema_rs"}
    assert loaded_by("import workermd.testing").isdisjoint(heavy)
