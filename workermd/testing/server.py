"""The server: connections in, the turns of a script out, every request kept."""

import contextlib
import gzip
import hmac
import json
import re
import selectors
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from workermd.testing import chat, demands, responses
from workermd.testing.turns import (
    Compressed,
    Drop,
    Garbage,
    Hang,
    Problem,
    Received,
    Reply,
    Script,
    Slow,
    Streamed,
    Turn,
    checked,
    said,
)
from workermd.testing.wire import ClientConnection, Gone, HttpResponse, MalformedRequest

_CHAT = re.compile(r"(?:/openai)?/v1/chat/completions|/openai/deployments/([^/]+)/chat/completions")
_RESPONSES = re.compile(r"(?:/openai)?/v1/responses|/openai/responses")
_MODELS = re.compile(r"(?:/openai)?/v1/models")

_LEAVE = 2.0
"""Seconds that `close` gives its threads. Only a script's own function can take longer."""

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_WORDS = {
    400: ("The request is invalid.", None),
    401: ("Incorrect API key provided.", "invalid_api_key"),
    403: ("This key may not do that.", None),
    404: ("The model or path does not exist.", "model_not_found"),
    429: ("Rate limit reached: too many requests.", "rate_limit_exceeded"),
    500: ("The server had an error while processing the request.", None),
    503: ("The engine is overloaded; try again later.", None),
}


class _Exchange(NamedTuple):
    """One request on its way to an answer. `number` counts all requests from 1."""

    connection: ClientConnection
    request: Received
    number: int


class Server:
    """An OpenAI-compatible server on 127.0.0.1, at a port that the kernel chooses, which plays a script.

    It listens from the moment it is made until `close`, or to the end of a `with` block. Chat completions and
    responses take the next turn of the script; requests that get 400, 401 or 404 from the server itself take none.

    `script`      turns in their order, or a function of the request for everything
    `key`         when given, a request without it in `Authorization: Bearer` or `api-key` gets 401
    `supports`    what the endpoint can do; a request for more gets 400
    `refuses`     what chat completions refuse that most endpoints take, of `DIALECTS`
    `refuses_with`  the answer to a request that is refused for either, instead of a 400 that says why
    `certificate` a file with a certificate and its key: the server speaks TLS, and its addresses begin with https
    `strict_schemas`  check schemas sent with `strict: true` as strict endpoints do
    `loop`        start the script again when it is over
    `models`      the names that `GET /v1/models` lists; requests may name any
    `port`        0 for any that is free
    `watch`       called with each request and its turn (None: the list of models), one at a time, before the answer

    Raises TypeError for a turn that is none, ValueError for an unknown feature, OSError for a port that is taken.
    """

    def __init__(
        self,
        script: Script,
        key: str = "",
        *,
        supports: AbstractSet[str] = demands.FEATURES,
        refuses: AbstractSet[str] = frozenset(),
        refuses_with: Problem | None = None,
        certificate: str = "",
        strict_schemas: bool = False,
        loop: bool = False,
        models: Iterable[str] = ("scripted",),
        port: int = 0,
        watch: Callable[[Received, Turn | None], None] | None = None,
    ) -> None:
        unknown = set(supports) - demands.FEATURES
        if unknown:
            raise ValueError(f"supports: found {sorted(unknown)}; allowed: {', '.join(sorted(demands.FEATURES))}")
        self._function = script if callable(script) else None
        self._turns = () if callable(script) else tuple(checked(turn, f"turn {n}") for n, turn in enumerate(script, 1))
        self._key = key
        self._supports = frozenset(supports)
        if strange := set(refuses) - demands.DIALECTS:
            raise ValueError(f"refuses: found {sorted(strange)}; allowed: {', '.join(sorted(demands.DIALECTS))}")
        self._refuses = frozenset(refuses)
        self._refuses_with = refuses_with
        self._tls = _speaking(certificate) if certificate else None
        self._strict = strict_schemas
        self._loop = loop
        self._models = tuple(models)
        self._watch = watch
        self._watching = threading.Lock()
        self._changed = threading.Condition()
        self._requests: list[Received] = []
        self._played = 0
        self._overrun = 0
        self._failures: list[BaseException] = []
        self._connections: dict[ClientConnection, threading.Thread] = {}
        self._closed = False
        with contextlib.ExitStack() as opened:
            self._listener = opened.enter_context(socket.create_server(("127.0.0.1", port), backlog=512))
            self._listener.setblocking(False)
            self._wake, woken = map(opened.enter_context, socket.socketpair())
            self._ready = opened.enter_context(selectors.DefaultSelector())
            self._ready.register(self._listener, selectors.EVENT_READ)
            self._ready.register(woken, selectors.EVENT_READ)
            self._opened = opened.pop_all()
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"workermd.testing:{self.port}", daemon=True)
        self._acceptor.start()

    @classmethod
    def from_file(cls, path: str, key: str = "", **options: Any) -> Self:
        """A server that plays a script file. Raises ConfigurationError as `load` does."""
        from workermd.testing.script import load

        return cls(load(path), key, **options)

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT` (`https` with a certificate), which is what Azure's clients take as their endpoint."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What OpenAI's clients take as `base_url`."""
        return f"{self.origin}/v1"

    @property
    def requests(self) -> tuple[Received, ...]:
        """Every request so far, in the order in which they took their turns."""
        with self._changed:
            return tuple(self._requests)

    @property
    def open_connections(self) -> int:
        """Sockets open right now. A client's leaving is seen within milliseconds; `wait` for it."""
        with self._changed:
            return len(self._connections)

    @property
    def played(self) -> int:
        """Turns taken so far."""
        with self._changed:
            return self._played

    @property
    def overrun(self) -> int:
        """Requests that came when the script was over."""
        with self._changed:
            return self._overrun

    @property
    def failures(self) -> tuple[BaseException, ...]:
        """What the script's own functions raised. The end of a `with` block raises the first of them."""
        with self._changed:
            return tuple(self._failures)

    def wait(self, condition: Callable[["Server"], bool], seconds: float = 5.0) -> bool:
        """Whether the condition holds, waiting at most so long for it; it is looked at after each change."""
        until = time.monotonic() + seconds
        with self._changed:
            while not condition(self):
                if not self._changed.wait(max(until - time.monotonic(), 0)):
                    return condition(self)
            return True

    def close(self) -> None:
        """End all sockets and threads at once, hanging ones too. May be called again."""
        with self._changed:
            first, self._closed = not self._closed, True
            threads = dict(self._connections)
        if not first:
            return
        self._wake.close()
        for connection in threads:
            connection.end()
        until = time.monotonic() + _LEAVE
        for thread in (self._acceptor, *threads.values()):
            if thread is not threading.current_thread():  # a script's function may close its own server
                thread.join(max(until - time.monotonic(), 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.failures:
            raise self.failures[0]

    def _accept(self) -> None:
        with self._opened:
            while True:
                self._ready.select()
                if self._closed:
                    return
                try:
                    sock, _ = self._listener.accept()
                except BlockingIOError:
                    continue
                except OSError:  # no descriptor is free: another connection may end
                    time.sleep(0.01)
                    continue
                self._open(sock)

    def _open(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = ClientConnection(sock)
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        with self._changed:
            if self._closed:
                connection.close()
                return
            self._connections[connection] = thread
            thread.start()  # under the lock: `close` joins only what has started
            self._changed.notify_all()

    def _serve(self, connection: ClientConnection) -> None:
        try:
            if self._tls is not None:
                connection.speak_tls(self._tls)
            while not connection.last:
                self._exchange(connection, connection.request())
        except MalformedRequest as error:
            connection.last = True
            with contextlib.suppress(Gone):
                connection.answer(_problem(Problem(error.status, error.message), 0))
        except Gone:
            pass
        finally:
            connection.close()
            with self._changed:
                del self._connections[connection]
                self._changed.notify_all()

    def _exchange(self, connection: ClientConnection, request: Received) -> None:
        refused = self._refused(request)
        models = request.method == "GET" and bool(_MODELS.fullmatch(request.path))
        with self._changed:
            self._requests.append(request)
            exchange = _Exchange(connection, request, len(self._requests))
            turn = None if models and not refused else refused or self._next()
            self._changed.notify_all()
        turn = self._watched(request, turn and self._made(turn, request))
        if turn is None:
            connection.answer(_json(200, _listed(self._models), exchange.number))
        else:
            self._play(exchange, turn)

    def _next(self) -> Turn:
        """The turn of this request. The caller holds the lock."""
        if self._function is None and (not self._turns or (self._played >= len(self._turns) and not self._loop)):
            self._overrun += 1
            return Problem(410, f"the script is over: {self._played} turns were played", "script_over")
        turn = self._function or self._turns[self._played % len(self._turns)]
        self._played += 1
        return turn

    def _made(self, turn: Turn, request: Received) -> Turn:
        """What a function makes of the request; any other turn is itself."""
        try:
            while callable(turn):
                turn = checked(turn(request), "a script's function returned")
        except BaseException as error:  # noqa: BLE001 - kept, and raised at the end of the with block
            return self._failed(error, "the script's function")
        return turn

    def _watched(self, request: Received, turn: Turn | None) -> Turn | None:
        """The turn, once it has been watched."""
        if self._watch is None:
            return turn
        try:
            with self._watching:
                self._watch(request, turn)
        except BaseException as error:  # noqa: BLE001 - the same
            return self._failed(error, "the function that watches")
        return turn

    def _failed(self, error: BaseException, who: str) -> Problem:
        with self._changed:
            self._failures.append(error)
            self._changed.notify_all()
        return Problem(410, f"{who} raised {type(error).__name__}", "script_failed")

    def _play(self, exchange: _Exchange, turn: Turn, between: float = 0.0, cut: int | None = None) -> None:
        turn = self._made(turn, exchange.request)
        connection = exchange.connection
        match turn:
            case Slow():
                connection.wait(turn.seconds)
                self._play(exchange, turn.turn, turn.between, cut)
            case Hang():
                connection.wait(None)
            case Compressed():
                connection.answer(_compressed(_answer(turn.turn, exchange), turn.encoding))
            case Drop():
                if turn.after_bytes <= 0:
                    raise Gone
                self._play(exchange, turn.turn, between, turn.after_bytes)
            case _:
                answer = _answer(turn, exchange)
                if cut is None:
                    connection.answer(answer, between)
                else:
                    connection.answer_partly(answer, cut)

    def _refused(self, request: Received) -> Problem | None:
        """What the server says by itself, before any turn: 401, 404, 400."""
        if self._key and not self._admitted(request.headers):
            return Problem(401)
        if request.method == "GET" and _MODELS.fullmatch(request.path):
            return None
        chatting = _CHAT.fullmatch(request.path)
        if request.method != "POST" or not (chatting or _RESPONSES.fullmatch(request.path)):
            return Problem(404, f"Unknown request: {request.method} {request.path}", "unknown_url")
        body = request.body
        if chatting and chatting[1] and isinstance(body, dict):  # Azure's path names the deployment
            body = {"model": unquote(chatting[1])} | body
        refused = self._demanded(body, chat=bool(chatting), supports=self._supports, refuses=self._refuses)
        if refused is not None and self._refuses_with is not None:
            wrong = self._demanded(body, chat=bool(chatting), supports=demands.FEATURES, refuses=frozenset())
            return wrong or self._refuses_with
        return refused

    def _demanded(
        self, body: Any, *, chat: bool, supports: AbstractSet[str], refuses: AbstractSet[str]
    ) -> Problem | None:
        if chat:
            return demands.chat(body, supports, strict=self._strict, refuses=refuses)
        return demands.responses(body, supports, strict=self._strict)

    def _admitted(self, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = (token if scheme.lower() == "bearer" else "", headers.get("api-key", ""))
        return any(hmac.compare_digest(each.encode("latin-1"), self._key.encode()) for each in given)


def _answer(turn: Turn, exchange: _Exchange) -> HttpResponse:
    if isinstance(turn, Problem):
        return _problem(turn, exchange.number)
    if isinstance(turn, Garbage):
        return HttpResponse(200, (turn.body,), content_type=turn.content_type, headers=_named(exchange.number))
    return _reply(turn, exchange)  # type: ignore[arg-type]  # every other kind was played before


def _speaking(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _compressed(answer: HttpResponse, encoding: str) -> HttpResponse:
    """In one piece, whether it was a stream or not."""
    whole = b"".join(answer.pieces)
    packed = gzip.compress(whole) if encoding == "gzip" else zlib.compress(whole)
    headers = (*answer.headers, ("Content-Encoding", encoding))
    return answer._replace(pieces=(packed,), stream=False, headers=headers)


def _reply(turn: Reply | Streamed, exchange: _Exchange) -> HttpResponse:
    asked: dict[str, Any] = exchange.request.body
    if isinstance(turn, Streamed):
        turn, asked = turn.turn, asked | {"stream": True}
    reply, number, created = said(turn), exchange.number, int(time.time())
    chatting = _CHAT.fullmatch(exchange.request.path)
    if not chatting:
        if not asked.get("stream"):
            return _json(200, responses.response(reply, asked, number, created), number)
        events = responses.events(reply, asked, number, created)
        return _stream([f"event: {event['type']}\ndata: {_text(event)}\n\n" for event in events], number)
    model = asked.get("model") or unquote(chatting[1])
    if not asked.get("stream"):
        return _json(200, chat.completion(reply, model, number, created), number)
    include_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    chunks = chat.chunks(reply, model, number, created, include_usage=include_usage)
    return _stream([*(f"data: {_text(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"], number)


def _problem(problem: Problem, number: int) -> HttpResponse:
    words, code = _WORDS.get(problem.status, ("The request failed.", None))
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    error: dict[str, Any] = {"message": problem.message or words, "type": kind, "param": problem.param}
    error["code"] = problem.status if problem.inside_200 else problem.code or code
    answer = _json(200 if problem.inside_200 else problem.status, {"error": error}, number)
    waits = (("Retry-After", problem.retry_after), ("retry-after-ms", problem.retry_after_ms))
    return answer._replace(
        headers=(*answer.headers, *((name, _figure(each)) for name, each in waits if each is not None))
    )


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _listed(models: tuple[str, ...]) -> dict[str, Any]:
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "workermd.testing"} for name in models]
    return {"object": "list", "data": data}


def _named(number: int) -> tuple[tuple[str, str], ...]:
    return (("x-request-id", f"req_{number}"),)


def _json(status: int, value: dict[str, Any], number: int) -> HttpResponse:
    return HttpResponse(status, (_text(value).encode(),), headers=_named(number))


def _stream(events: list[str], number: int) -> HttpResponse:
    pieces = [event.encode() for event in events]
    return HttpResponse(
        200, pieces, stream=True, content_type="text/event-stream; charset=utf-8", headers=_named(number)
    )


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
