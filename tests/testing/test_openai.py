"""The scripted server as OpenAI's own client sees it."""

import asyncio
import json
import time
from collections import deque

import pytest

from tests.conftest import patience
from tests.late import LATE, needs
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

if LATE:
    import openai

needs("openai", "the openai package is not installed (an extra of the agent backends)")

HI = [{"role": "user", "content": "hi"}]
CALLS = ToolCalls((Call("look", {"at": 1}), Call("go", '{"broken": ')))
SCHEMA = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def play():
    """A server with a script, and clients of it, sync and without retries unless said otherwise."""
    servers, clients = [], []

    def make(*turns, retries=0, timeout=10.0, key="k", **options):
        server = Server(turns, **options)
        servers.append(server)
        client = openai.OpenAI(base_url=server.url, api_key=key, max_retries=retries, timeout=timeout)
        clients.append(client)
        return server, client

    yield make
    for client in clients:
        client.close()
    assert all(server.wait(lambda server: server.open_connections == 0) for server in servers)
    for server in servers:
        server.close()


def test_a_text(play):
    _, client = play(Text('{"a": 1}', usage=Usage(20, 10)))
    answer = client.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == '{"a": 1}'
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.usage.total_tokens) == ("m", 30)
    assert answer._request_id == "req_1"


def test_a_text_as_a_stream(play):
    _, client = play(Text("word by word, all of it", usage=Usage(20, 10)))
    options = {"include_usage": True}
    with client.chat.completions.stream(model="m", messages=HI, stream_options=options) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("content.delta") > 2
    assert final.choices[0].message.content == "word by word, all of it"
    assert final.usage.completion_tokens == 10


def test_a_text_as_a_response(play):
    server, client = play(Text("x"), Text("word by word, all of it", usage=Usage(20, 10)))
    assert client.responses.create(model="m", input="hi").output_text == "x"
    with client.responses.stream(model="m", input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == "word by word, all of it"
    assert final.usage.output_tokens == 10
    assert [request.path for request in server.requests] == ["/v1/responses"] * 2


def test_structured_output(play):
    pydantic = pytest.importorskip("pydantic", reason="comes with openai")

    class HttpResponse(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        a: int

    server, client = play(Text('{"a": 1}'), Text('{"a": 2}'), Refusal("No."), strict_schemas=True)
    parsed = (
        client.chat.completions.parse(model="m", messages=HI, response_format=HttpResponse).choices[0].message.parsed
    )
    assert parsed == HttpResponse(a=1)
    assert client.responses.parse(model="m", input="hi", text_format=HttpResponse).output_parsed == HttpResponse(a=2)
    refused = client.chat.completions.parse(model="m", messages=HI, response_format=HttpResponse).choices[0].message
    assert (refused.parsed, refused.refusal) == (None, "No.")
    assert server.requests[0].body["response_format"]["json_schema"]["strict"] is True


def test_calls_of_tools(play):
    _, client = play(CALLS, CALLS, CALLS, CALLS)
    message = client.chat.completions.create(model="m", messages=HI).choices[0].message
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("look", '{"at": 1}'),
        ("go", '{"broken": '),
    ]
    with client.chat.completions.stream(model="m", messages=HI) as stream:
        final = stream.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert [call.function.arguments for call in final.message.tool_calls] == ['{"at": 1}', '{"broken": ']
    response = client.responses.create(model="m", input="hi")
    assert [(item.name, item.arguments) for item in response.output] == [("look", '{"at": 1}'), ("go", '{"broken": ')]
    with client.responses.stream(model="m", input="hi") as stream:
        output = stream.get_final_response().output
    assert [(item.name, item.arguments) for item in output] == [("look", '{"at": 1}'), ("go", '{"broken": ')]


def test_a_conversation_with_a_tool(play):
    server, client = play(ToolCalls((Call("look"),)), Text("seen"), ToolCalls((Call("look"),)), Text("seen"))
    message = client.chat.completions.create(model="m", messages=HI).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "a tree"}
    answer = client.chat.completions.create(model="m", messages=[*HI, message, result])
    assert answer.choices[0].message.content == "seen"
    made = client.responses.create(model="m", input="hi").output[0]
    result = {"type": "function_call_output", "call_id": made.call_id, "output": "a tree"}
    answer = client.responses.create(model="m", input=[*HI, made.to_dict(), result])
    assert answer.output_text == "seen"
    assert server.overrun == 0


def test_other_endings(play):
    _, client = play(Refusal("No."), Truncated("half"), ContentFilter("so"), Empty())
    choices = [client.chat.completions.create(model="m", messages=HI).choices[0] for _ in range(4)]
    assert [(each.finish_reason, each.message.content, each.message.refusal) for each in choices] == [
        ("stop", None, "No."),
        ("length", "half", None),
        ("content_filter", "so", None),
        ("stop", None, None),
    ]


def test_other_endings_of_a_response(play):
    turns = (Refusal("No."), Truncated("half"), ContentFilter("so"), Empty())
    _, client = play(*turns, *turns)
    whole = [client.responses.create(model="m", input="hi") for _ in turns]
    streamed = []
    for _ in turns:
        *_, last = client.responses.create(model="m", input="hi", stream=True)
        streamed.append(last.response)
    for one, two, three, four in (whole, streamed):
        assert one.output[0].content[0].refusal == "No."
        assert (two.status, two.incomplete_details.reason, two.output_text) == (
            "incomplete",
            "max_output_tokens",
            "half",
        )
        assert (three.status, three.incomplete_details.reason) == ("incomplete", "content_filter")
        assert (four.status, four.output) == ("completed", [])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
    ],
)
def test_problems_are_the_clients_errors(play, status, error):
    _, client = play(Problem(status, "Why.", "a_code", param="p"), Problem(status))
    with pytest.raises(getattr(openai, error)) as raised:
        client.chat.completions.create(model="m", messages=HI)
    assert (raised.value.status_code, raised.value.code, raised.value.param) == (status, "a_code", "p")
    assert raised.value.body["message"] == "Why."
    with pytest.raises(getattr(openai, error)):
        client.responses.create(model="m", input="hi", stream=True)


def test_retries_follow_what_the_server_says(play):
    server, client = play(Problem(429, retry_after_ms=300), Problem(500, retry_after=0.3), Text("x"), retries=2)
    assert client.chat.completions.create(model="m", messages=HI).choices[0].message.content == "x"
    first, second, third = (request.at for request in server.requests)
    assert second - first >= 0.3
    assert third - second >= 0.3


def test_nobody_retries_when_the_script_is_over(play):
    server, client = play(Text("x"), retries=5)
    client.chat.completions.create(model="m", messages=HI)
    with pytest.raises(openai.APIStatusError, match="the script is over: 1 turns were played") as raised:
        client.chat.completions.create(model="m", messages=HI)
    assert raised.value.status_code == 410
    assert (len(server.requests), server.overrun) == (2, 1)


def test_the_key(play):
    server, client = play(Text("x"), key="right")
    assert client.chat.completions.create(model="m", messages=HI).choices
    guarded = Server([Text("x")], key="another")
    with guarded, openai.OpenAI(base_url=guarded.url, api_key="right", max_retries=0) as wrong:
        with pytest.raises(openai.AuthenticationError):
            wrong.chat.completions.create(model="m", messages=HI)
        with pytest.raises(openai.AuthenticationError):
            wrong.models.list()
        assert guarded.played == 0
    assert server.requests[0].headers["authorization"] == "Bearer right"


def test_the_models(play):
    _, client = play(models=("small", "large"))
    assert [model.id for model in client.models.list()] == ["small", "large"]


def test_azures_client(play):
    server, _ = play(Text("x"), Text("y"))
    options = {"azure_endpoint": server.origin, "api_key": "k", "api_version": "2026-01-01", "max_retries": 0}
    with openai.AzureOpenAI(**options) as client:
        assert client.chat.completions.create(model="mine", messages=HI).choices[0].message.content == "x"
        assert client.responses.create(model="mine", input="hi").output_text == "y"
    chat, response = server.requests
    assert chat.path == "/openai/deployments/mine/chat/completions"
    assert (chat.query, chat.headers["api-key"]) == ("api-version=2026-01-01", "k")
    assert response.path == "/openai/responses"


@pytest.mark.parametrize("turn", [Hang(), Slow(30, Text("x"))])
def test_a_client_that_gives_up(play, turn):
    server, client = play(turn, timeout=0.2)
    started = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="m", messages=HI)
    assert time.monotonic() - started < patience(5)
    assert len(server.requests) == 1


def test_a_slow_stream_outlives_a_limit_for_each_read(play):
    _, client = play(Slow(0, Text("x" * 60), between=0.1), timeout=0.4)
    started = time.monotonic()
    chunks = list(client.chat.completions.create(model="m", messages=HI, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert time.monotonic() - started > 0.6


@pytest.mark.parametrize("after", [0, 10])
def test_a_dropped_connection(play, after):
    server, client = play(Drop(after), Drop(after), Drop(after))
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="m", messages=HI)
    with pytest.raises(openai.APIConnectionError):
        client.responses.create(model="m", input="hi")
    assert len(server.requests) == 2


def test_a_dropped_stream(play):
    _, client = play(Drop(400, Text("x" * 100)))
    stream = client.chat.completions.create(model="m", messages=HI, stream=True)
    read = []
    with pytest.raises(openai.APIConnectionError):
        deque(map(read.append, stream))
    assert read
    assert all(chunk.choices[0].finish_reason is None for chunk in read)


def test_garbage(play):
    _, client = play(Garbage())
    with pytest.raises((json.JSONDecodeError, openai.APIError)):
        client.chat.completions.create(model="m", messages=HI)


def test_an_endpoint_without_structured_output(play):
    server, client = play(Text('{"a": 1}'), supports={"tools", "stream", "json_object"})
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}
    with pytest.raises(openai.BadRequestError, match="not supported"):
        client.chat.completions.create(model="m", messages=HI, response_format=wanted)
    asked = [{"role": "user", "content": "HttpResponse in JSON."}]
    client.chat.completions.create(model="m", messages=asked, response_format={"type": "json_object"})
    assert (len(server.requests), server.played) == (2, 1)


def test_many_at_once(play):
    server, _ = play(*(Text(str(number)) for number in range(60)))

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            calls = [client.chat.completions.create(model="m", messages=HI) for _ in range(60)]
            return [answer.choices[0].message.content for answer in await asyncio.gather(*calls)]

    said = asyncio.run(all_of_them())
    assert sorted(said, key=int) == [str(number) for number in range(60)]
    assert server.overrun == 0
