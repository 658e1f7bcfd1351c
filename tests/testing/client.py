"""A client of the scripted server that hides nothing: the standard library's, and bare sockets."""

import http.client
import json
import socket
from typing import Any, NamedTuple

from tests.conftest import patience

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def events(self) -> list[Any]:
        """The data of each event of a stream, parsed but for `[DONE]`."""
        assert self.headers["content-type"].startswith("text/event-stream")
        blocks = [block for block in self.raw.decode().split("\n\n") if block]
        data = [line[6:] for block in blocks for line in block.split("\n") if line.startswith("data: ")]
        assert len(data) == len(blocks)
        return [each if each == "[DONE]" else json.loads(each) for each in data]


def asking(path: str = CHAT, **more: Any) -> dict[str, Any]:
    """The least that an endpoint takes."""
    said = {"input": "hi"} if path.endswith("responses") else {"messages": [{"role": "user", "content": "hi"}]}
    return {"model": "m", **said, **more}


def ask(server, path: str = CHAT, *, body: Any = None, method: str = "POST", headers=None, **more: Any) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=patience(10))
    try:
        return over(connection, path, body=body, method=method, headers=headers, **more)
    finally:
        connection.close()


def over(connection, path: str = CHAT, *, body: Any = None, method: str = "POST", headers=None, **more) -> Answered:
    """The same over a connection that stays open."""
    data = body if isinstance(body, bytes) else json.dumps(asking(path, **more) if body is None else body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    connection.request(method, path, data if method == "POST" else None, sent)
    response = connection.getresponse()
    return Answered(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())


def raw(server, data: bytes) -> socket.socket:
    """A socket on which the bytes were sent."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=patience(10))
    sock.sendall(data)
    return sock


def request_bytes(path: str = CHAT, *lines: str, **more: Any) -> bytes:
    body = json.dumps(asking(path, **more)).encode()
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server ends the connection."""
    parts = []
    with sock:
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)
