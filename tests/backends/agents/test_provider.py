"""Models behind other interfaces than OpenAI's: each provider's own wire is played on loopback."""

import importlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.backends.agents.attempts import _task
from tests.backends.agents.conftest import ANSWER
from tests.late import needs
from workermd.task.binding import Binding, Model
from workermd.task.task import KINDS, Budget, Limits

needs("any_llm", "any-llm is not installed: pip install 'workermd[providers]'")

CALL = {"at": "ann"}


def anthropic(turn):
    if turn == "call":
        content = [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": CALL}]
    else:
        content = [{"type": "text", "text": turn}]
    return {
        "id": "m1", "type": "message", "role": "assistant", "model": "model-1", "content": content,
        "stop_reason": "tool_use" if turn == "call" else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 6},
    }  # fmt: skip


def ollama(turn):
    called = [{"function": {"name": "look", "arguments": CALL}}]
    message = {"content": "", "tool_calls": called} if turn == "call" else {"content": turn}
    return {
        "model": "model-1", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", **message},
        "done": True, "done_reason": "stop", "prompt_eval_count": 12, "eval_count": 6,
    }  # fmt: skip


def mistral(turn):
    called = [{"id": "aaaaaaaa1", "type": "function", "function": {"name": "look", "arguments": json.dumps(CALL)}}]
    message = {"content": "", "tool_calls": called} if turn == "call" else {"content": turn}
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "model-1",
        "choices": [{"index": 0, "message": {"role": "assistant", **message},
                     "finish_reason": "tool_calls" if turn == "call" else "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18},
    }  # fmt: skip


WIRES = {"anthropic": anthropic, "mistral": mistral, "ollama": ollama}


@pytest.fixture(params=WIRES)
def asked(request, tmp_path, look):
    """Performs a task against a provider that plays turns: a text, "call", or a status with its headers."""
    provider, asked, script = request.param, [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            turn = script[min(len(asked), len(script)) - 1]
            status, headers = turn if isinstance(turn, tuple) else (200, {})
            body = WIRES[provider](turn) if status == 200 else {"error": {"type": "x", "message": "not like this"}}
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": len(data), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def perform(*turns, budget=None):
        script[:] = turns
        model = Model(
            "model-1",
            f"http://127.0.0.1:{server.server_port}",
            "A_KEY",
            provider=provider,
            input_price=1.0,
            output_price=2.0,
        )
        bound = Binding("chat", "here", model=model, folder=str(tmp_path), tools=(look[0],))
        backend = importlib.import_module(KINDS["chat"].module)
        limits = Limits(time.monotonic() + 60, 1 << 20, budget or Budget(), str(tmp_path / "journal"))
        return backend.perform(_task(tmp_path, None), bound, limits), asked

    perform.called = lambda: look[1].read_text().split() if look[1].exists() else []
    yield perform
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("A_KEY", "sk-of-a-test")


def test_a_tool_is_called_and_tokens_and_cost_are_counted(asked):
    result, requests = asked("call", ANSWER)
    assert result.failure is None, result.failure
    assert json.loads(result.output) == json.loads(ANSWER)
    assert asked.called() == ["ann"]
    assert len(requests) == 2
    usage = {"turns": 2, "input_tokens": 24, "output_tokens": 12, "cost_usd": 0.000048, "tool_calls": 1}
    assert result.usage == usage


@pytest.mark.parametrize(
    ("status", "headers", "kind", "code", "after"),
    [
        (429, {"retry-after": 7}, "retryable", "rate_limited", 7),
        (401, {}, "refused", "backend_failed", None),
        (500, {}, "retryable", "backend_unavailable", None),
        (404, {}, "refused", "backend_failed", None),
    ],
)
def test_a_providers_error_means_what_it_means_elsewhere_and_is_not_repeated(asked, status, headers, kind, code, after):
    result, requests = asked((status, headers))
    assert (result.failure["kind"], result.failure["code"]) == (kind, code), result.failure
    assert len(requests) == 1
    assert result.failure.get("after") in (after, None)
    assert "sk-of-a-test" not in json.dumps(result.failure)


def test_bounds_hold(asked):
    result, requests = asked("call", "call", ANSWER, budget=Budget(max_tokens=18))
    assert result.failure["code"] == "budget_exceeded"
    assert len(requests) == 1


def test_an_endpoint_that_is_not_there_is_unavailable(asked, monkeypatch):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(Model, "__new__", _elsewhere(Model.__new__, port))
        result, requests = asked(ANSWER)
    assert result.failure["code"] == "backend_unavailable", result.failure
    assert requests == []


def _elsewhere(new, port):
    def made(cls, name, _address, *rest, **fields):
        return new(cls, name, f"http://127.0.0.1:{port}", *rest, **fields)

    return made


def test_a_provider_that_is_unknown_or_not_installed_is_said_before_an_attempt(monkeypatch):
    from workermd.backends.agents.provider import missing

    assert missing(Model("m", provider="nobody")) == "model m: any-llm knows no provider 'nobody'"
    assert "pip install 'any-llm-sdk[watsonx]'" in missing(Model("m", provider="watsonx"))
    assert missing(Model("m", provider="anthropic")) == ""
