"""Every kind of turn, on both endpoints, at once and as a stream."""

import http.client
import json
import time

import pytest

from tests.testing.client import CHAT, RESPONSES, ask, asking, raw, read_all, request_bytes
from workermd.testing import (
    Call,
    ContentFilter,
    Drop,
    Empty,
    Garbage,
    Hang,
    Problem,
    Refusal,
    Server,
    Slow,
    Text,
    ToolCalls,
    Truncated,
    Usage,
)

SPENT = {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18}

CALLS = ToolCalls((Call("look", {"at": "é"}), Call("go", '{"broken": ', id="mine")), content="Now.")

REPLIES = [
    (Text('{"a": "long enough to be cut into pieces"}'), "stop"),
    (Text(""), "stop"),
    (Text("odd \ud800 text é", finish_reason="length"), "length"),
    (CALLS, "tool_calls"),
    (ToolCalls([Call("go")]), "tool_calls"),
    (Refusal("No, not that."), "stop"),
    (Truncated('{"a": '), "length"),
    (ContentFilter("So far"), "content_filter"),
    (Empty(), "stop"),
    (Empty(""), "stop"),
]


def expected(turn):
    """Content, refusal and calls of a chat message."""
    content = getattr(turn, "content", None)
    calls = [(call.name, call.text) for call in getattr(turn, "calls", ())]
    return (content or None if calls else content), getattr(turn, "text", None), calls


@pytest.mark.parametrize(("turn", "finish_reason"), REPLIES)
def test_a_reply_as_a_chat_completion(turn, finish_reason):
    with Server([turn]) as server:
        answer = ask(server)
    assert answer.status == 200
    choice = answer.body["choices"][0]
    calls = [
        (each["function"]["name"], each["function"]["arguments"]) for each in choice["message"].get("tool_calls", [])
    ]
    assert (choice["message"]["content"], choice["message"]["refusal"], calls) == expected(turn)
    assert choice["finish_reason"] == finish_reason
    assert (answer.body["model"], answer.body["object"]) == ("m", "chat.completion")
    assert answer.body["usage"].items() >= SPENT.items()


@pytest.mark.parametrize(("turn", "finish_reason"), REPLIES)
def test_a_reply_as_chunks_of_a_chat_completion(turn, finish_reason):
    with Server([turn]) as server:
        *chunks, done = ask(server, stream=True, stream_options={"include_usage": True}).events
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    *saying, spent = chunks
    assert spent["choices"] == []
    assert spent["usage"].items() >= SPENT.items()
    deltas = [chunk["choices"][0]["delta"] for chunk in saying]
    assert deltas[0]["role"] == "assistant"
    assert all(chunk["usage"] is None for chunk in saying)
    content = [delta["content"] for delta in deltas if delta.get("content") is not None]
    refusal = [delta["refusal"] for delta in deltas if "refusal" in delta]
    calls: list[list[str]] = []
    for delta in deltas:
        for each in delta.get("tool_calls", []):
            if "name" in each["function"]:
                assert each["id"]
                calls.append([each["function"]["name"], ""])
            calls[each["index"]][1] += each["function"]["arguments"]
    joined = ("".join(content) if content else None, "".join(refusal) or None, [tuple(call) for call in calls])
    assert joined == expected(turn)
    assert [chunk["choices"][0]["finish_reason"] for chunk in saying] == [None] * (len(saying) - 1) + [finish_reason]


INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def check_response(response, turn, finish_reason):
    reason = INCOMPLETE.get(finish_reason)
    assert response["status"] == ("incomplete" if reason else "completed")
    assert response["incomplete_details"] == ({"reason": reason} if reason else None)
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    texts = [part["text"] for part in parts if part["type"] == "output_text"]
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    calls = [(item["name"], item["arguments"]) for item in response["output"] if item["type"] == "function_call"]
    assert ("".join(texts) if texts else None, "".join(refusals) or None, calls) == expected(turn)
    assert response["usage"]["input_tokens"] == 12
    assert response["usage"]["output_tokens"] == 6
    assert response["usage"]["total_tokens"] == 18


@pytest.mark.parametrize(("turn", "finish_reason"), REPLIES)
def test_a_reply_as_a_response(turn, finish_reason):
    with Server([turn]) as server:
        answer = ask(server, RESPONSES, instructions="Be brief.")
    assert answer.status == 200
    assert (answer.body["object"], answer.body["model"]) == ("response", "m")
    assert answer.body["instructions"] == "Be brief."
    check_response(answer.body, turn, finish_reason)


@pytest.mark.parametrize(("turn", "finish_reason"), REPLIES)
def test_a_reply_as_events_of_a_response(turn, finish_reason):
    with Server([turn]) as server:
        answer = ask(server, RESPONSES, stream=True)
    events = answer.events
    named = [line[7:] for line in answer.raw.decode().split("\n") if line.startswith("event: ")]
    assert named == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert named[:2] == ["response.created", "response.in_progress"]
    final = events[-1]
    assert final["type"] == f"response.{final['response']['status']}"
    check_response(final["response"], turn, finish_reason)
    for kind, key in (("output_text", "text"), ("refusal", "refusal"), ("function_call_arguments", "arguments")):
        deltas = "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")
        assert deltas == "".join(event[key] for event in events if event["type"] == f"response.{kind}.done")
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == final["response"]["output"]


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("kind", [Text, Refusal, Truncated])
def test_usage_may_be_missing(path, kind):
    with Server([kind("x", usage=None)] * 2) as server:
        assert "usage" not in ask(server, path).body
        more = {"stream_options": {"include_usage": True}} if path == CHAT else {}
        events = ask(server, path, stream=True, **more).events
    told = [
        event
        for event in events
        if event != "[DONE]" and (event.get("usage") or event.get("response", {}).get("usage"))
    ]
    assert told == []


def test_usage_and_model_are_those_of_the_turn():
    usage = Usage(1000, 200, cached_tokens=900, reasoning_tokens=150)
    with Server([Text("x", usage=usage, model="m-2026-01-01")] * 2) as server:
        chat, response = ask(server).body, ask(server, RESPONSES).body
    assert chat["model"] == response["model"] == "m-2026-01-01"
    assert chat["usage"]["total_tokens"] == response["usage"]["total_tokens"] == 1200
    assert chat["usage"]["prompt_tokens_details"]["cached_tokens"] == 900
    assert chat["usage"]["completion_tokens_details"]["reasoning_tokens"] == 150
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 900}
    assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 150}


def test_a_stream_without_include_usage_tells_none():
    with Server([Text("x")]) as server:
        assert not any("usage" in event for event in ask(server, stream=True).events)


def test_every_call_of_a_tool_has_an_id_of_its_own():
    with Server([CALLS, CALLS]) as server:
        ids = [call["id"] for _ in "ab" for call in ask(server).body["choices"][0]["message"]["tool_calls"]]
    assert ids[1] == ids[3] == "mine"
    assert len({ids[0], ids[2]}) == 2


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 418, 429, 500, 503, 599])
def test_a_problem_has_the_shape_of_the_api(path, stream, status):
    with Server([Problem(status), Problem(status, "Why.", "the_code", param="p")]) as server:
        bare, full = ask(server, path, stream=stream), ask(server, path, stream=stream)
    assert bare.status == full.status == status
    assert bare.body["error"].keys() == {"message", "type", "param", "code"}
    assert bare.body["error"]["message"]
    assert (full.body["error"]["message"], full.body["error"]["code"], full.body["error"]["param"]) == (
        "Why.",
        "the_code",
        "p",
    )
    assert "retry-after" not in bare.headers


@pytest.mark.parametrize(
    ("turn", "headers"),
    [
        (Problem(429, retry_after=1), {"retry-after": "1"}),
        (Problem(429, retry_after=0.5), {"retry-after": "0.5"}),
        (Problem(503, retry_after="Fri, 31 Dec 2027 23:59:59 GMT"), {"retry-after": "Fri, 31 Dec 2027 23:59:59 GMT"}),
        (Problem(429, retry_after_ms=20), {"retry-after-ms": "20"}),
    ],
)
def test_a_problem_says_when_to_come_back(turn, headers):
    with Server([turn]) as server:
        assert ask(server).headers.items() >= headers.items()


@pytest.mark.parametrize("stream", [False, True])
def test_slow_answers_after_its_time(stream):
    with Server([Slow(0.2, Text("x"))]) as server:
        started = time.monotonic()
        assert ask(server, stream=stream).status == 200
        assert time.monotonic() - started >= 0.2


def test_a_slow_stream_waits_between_its_events():
    with Server([Slow(0, Text("x" * 30), between=0.05)]) as server:
        started = time.monotonic()
        sock = raw(server, request_bytes(stream=True))
        with sock:
            sock.recv(65536)
            first = time.monotonic() - started
            while b"[DONE]" not in sock.recv(65536):
                pass
            whole = time.monotonic() - started
    assert whole >= 0.3
    assert first < whole / 2


def test_a_hanging_turn_lets_go_when_the_client_goes():
    with Server([Hang(), Text("x")]) as server:
        sock = raw(server, request_bytes())
        assert server.wait(lambda server: server.played == 1)
        sock.settimeout(0.2)
        for _ in "ab":  # the second time with another request, which is not looked at
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.sendall(request_bytes())
        assert (server.open_connections, server.played) == (1, 1)
        sock.close()
        assert server.wait(lambda server: server.open_connections == 0)
        assert ask(server).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_drop_ends_the_connection_without_a_byte(stream):
    with Server([Drop()]) as server:
        assert read_all(raw(server, request_bytes(stream=stream))) == b""
        assert server.wait(lambda server: server.open_connections == 0)


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("after", [1, 20, 10**9])
def test_a_drop_cuts_an_answer_off_in_its_body(path, after):
    with Server([Drop(after, Text("abc")), Text("abc")]) as server:
        head, _, body = read_all(raw(server, request_bytes(path))).partition(b"\r\n\r\n")
        whole = ask(server, path)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(whole.raw)}".encode() in head
    assert len(body) == min(after, len(whole.raw) - 1)
    with Server([Drop(after)]) as server, pytest.raises(http.client.IncompleteRead):
        ask(server, path)


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("after", [1, 20, 300, 10**9])
def test_a_drop_cuts_a_stream_off(path, after):
    with Server([Drop(after, Text("abc"))]) as server, pytest.raises(http.client.IncompleteRead) as raised:
        ask(server, path, stream=True)
    got = raised.value.partial
    assert got.startswith((b"d", b"e"))
    assert len(got) <= after
    assert not got.endswith(b"[DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_garbage_is_sent_as_it_stands(stream):
    with Server([Garbage(), Garbage(b"data: {\xff\n\n", "text/event-stream")]) as server:
        first, second = ask(server, stream=stream), ask(server, stream=stream)
    assert (first.status, first.raw, first.headers["content-type"]) == (
        200,
        b"<html>not JSON</html>",
        "application/json",
    )
    with pytest.raises(json.JSONDecodeError):
        _ = first.body
    assert (second.raw, second.headers["content-type"]) == (b"data: {\xff\n\n", "text/event-stream")


def test_a_turn_may_be_a_function_of_the_request():
    def echo(request):
        return Text(request.body["messages"][-1]["content"].upper())

    with Server([echo, Slow(0.01, echo), Text("end")]) as server:
        said = [ask(server).body["choices"][0]["message"]["content"] for _ in "abc"]
    assert said == ["HI", "HI", "end"]


def test_a_script_may_be_a_function():
    def answer(request):
        return Text("stream") if request.body.get("stream") else Problem(429)

    with Server(answer) as server:
        assert ask(server).status == 429
        assert ask(server, stream=True).status == 200
        assert (server.played, server.overrun) == (2, 0)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (["text"], "turn 1: found str; allowed: Text, ToolCalls"),
        ([Text("a"), Text], "turn 2: found the class Text"),
        ([Slow(1, None)], "turn 1, inside Slow: found NoneType"),
        ([ToolCalls(Call("x"))], "turn 1: ToolCalls takes a sequence of Call"),
        ([ToolCalls(("x",))], "turn 1: ToolCalls takes a sequence of Call"),
    ],
)
def test_what_is_no_turn_is_refused_at_once(script, message):
    with pytest.raises(TypeError, match=message):
        Server(script)


@pytest.mark.parametrize("raises", [ValueError("secret"), AssertionError("not so")])
def test_what_a_function_raises_is_raised_at_the_end(raises):
    def failing(request):
        raise raises

    with pytest.raises(type(raises)) as raised, Server([failing, Text("on")]) as server:  # noqa: PT012 - its end raises
        answer = ask(server)
        assert answer.status == 410
        assert type(raises).__name__ in answer.body["error"]["message"]
        assert b"secret" not in answer.raw
        assert server.failures == (raises,)
        assert ask(server).status == 200
    assert raised.value is raises


def test_a_function_that_returns_no_turn_is_a_failure():
    with pytest.raises(TypeError, match="a script's function returned: found str"), Server(lambda _: "x") as server:
        assert ask(server).status == 410


def test_the_error_inside_the_block_wins():
    with pytest.raises(KeyError), Server([lambda _: 1 / 0]) as server:  # noqa: PT012 - the same
        ask(server)
        raise KeyError


def test_the_body_asked_for_is_not_changed_by_azures_path():
    with Server([Text("x")]) as server:
        body = {name: value for name, value in asking().items() if name != "model"}
        answer = ask(server, "/openai/deployments/my%20model/chat/completions?api-version=2026-01-01", body=body)
        assert answer.body["model"] == "my model"
        assert server.requests[0].body == body
