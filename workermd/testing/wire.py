"""HTTP/1.1 on one connection: requests are read, answers written, and waiting ends when the client goes.

A reader of our own: a turn that waits has to see the client go, and to keep what it sent early. That takes
the socket and the bytes already read, which the standard library's handler has behind a buffered file.
"""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from workermd.testing.turns import Received

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request's body."""


class Gone(Exception):
    """The client closed its end, or the server is being closed."""


class MalformedRequest(Exception):
    """What arrived is no request of HTTP/1.1 that this server reads. The connection cannot go on."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class HttpResponse(NamedTuple):
    """`pieces` is the body: in one, or as the events of a stream."""

    status: int
    pieces: Sequence[bytes]
    stream: bool = False
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class ClientConnection:
    """One socket, used by one thread; only `end` may be called from another."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = b""
        self.last = False
        """Whether the client asked for the connection to end with this answer."""

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """The handshake. Raises Gone where the client does not trust us."""
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True)
        except OSError:
            raise Gone from None

    def request(self) -> Received:
        """The next request. Raises Gone or MalformedRequest."""
        head = self._until(b"\r\n\r\n", MAX_HEAD)
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise MalformedRequest(400, "the first line is no request of HTTP")
        if words[2] != "HTTP/1.1":
            raise MalformedRequest(505, "this server speaks HTTP/1.1 only")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise MalformedRequest(400, "a header line is malformed")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.last = headers.get("connection", "").lower() == "close"
        raw = self._body(headers)
        path, _, query = words[1].partition("?")
        return Received(time.monotonic(), words[0], path, query, headers, _parsed(raw), raw)

    def _body(self, headers: dict[str, str]) -> bytes:
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            raise MalformedRequest(400, "Content-Length is no number")
        if int(length) > MAX_BODY:
            raise MalformedRequest(413, f"the body is longer than {MAX_BODY} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._chunks() if chunked else self._exactly(int(length))

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            try:
                size = int(self._until(b"\r\n", 1024).partition(b";")[0], 16)
            except ValueError:
                raise MalformedRequest(400, "the size of a chunk is no hexadecimal number") from None
            total += size
            if size < 0 or total > MAX_BODY:
                raise MalformedRequest(413, f"the body is longer than {MAX_BODY} bytes")
            if size == 0:
                while self._until(b"\r\n", MAX_HEAD):
                    pass  # trailers
                return b"".join(parts)
            parts.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise MalformedRequest(400, "a chunk does not end where it said")

    def _until(self, mark: bytes, limit: int) -> bytes:
        """The bytes before the mark; both are taken."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise MalformedRequest(431, f"the head of the request is longer than {limit} bytes")
            self._buffer += self._received()
        taken, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return taken

    def _exactly(self, size: int) -> bytes:
        parts = [self._buffer]
        missing = size - len(self._buffer)
        while missing > 0:
            parts.append(self._received())
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._buffer = whole[size:]
        return whole[:size]

    def _received(self) -> bytes:
        """At least one byte. Raises Gone, and TimeoutError where the socket has a timeout."""
        try:
            data = self._socket.recv(262_144)
        except TimeoutError:
            raise
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return data

    def wait(self, seconds: float | None) -> None:
        """Return after so many seconds; None waits for ever. Raises Gone as soon as the client has gone."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while until is None or until > time.monotonic():
                self._socket.settimeout(None if until is None else max(until - time.monotonic(), 0.0001))
                data = self._received()
                if until is not None:  # the next request came early
                    self._buffer += data
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(OSError):
                self._socket.settimeout(None)

    def answer(self, answer: HttpResponse, between: float = 0.0) -> None:
        """Send it, in one write where nothing has to wait in between. Raises Gone."""
        head = _head(answer, last=self.last)
        if not answer.stream:
            self.send(head + b"".join(answer.pieces))
            return
        chunks = [*map(_chunk, answer.pieces), b"0\r\n\r\n"]
        if between <= 0:
            self.send(head + b"".join(chunks))
            return
        self.send(head + chunks[0])
        for chunk in chunks[1:]:
            self.wait(between)
            self.send(chunk)

    def answer_partly(self, answer: HttpResponse, size: int) -> None:
        """Send the head and at most `size` bytes of the body, at least one byte less than all; then it is over."""
        left = min(size, sum(map(len, answer.pieces)) - 1)
        sent = [_head(answer, last=self.last)]
        for piece in answer.pieces:
            part, left = piece[:left], left - len(piece)
            sent.append(_chunk(part) if answer.stream else part)
            if left <= 0:
                break
        self.send(b"".join(sent))
        raise Gone

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            raise Gone from None

    def end(self) -> None:
        """Both directions are over: whoever reads, writes or waits on the socket wakes up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        self._socket.close()


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(answer: HttpResponse, *, last: bool) -> bytes:
    try:
        words = HTTPStatus(answer.status).phrase
    except ValueError:
        words = "Unknown"
    body = ("Transfer-Encoding", "chunked")
    if not answer.stream:
        body = ("Content-Length", str(sum(map(len, answer.pieces))))
    fields = [("Content-Type", answer.content_type), body, *answer.headers]
    if last:
        fields.append(("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {answer.status} {words}\r\n{lines}\r\n".encode("latin-1", "replace")
