"""The two ways to an MCP server, a program and an address: every byte that comes over them is counted and bounded."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from workermd.backends.agents.transport import route_to
from workermd.system import environment, programs
from workermd.task.binding import OWN_SERVER, Binding, ServerBinding
from workermd.task.task import Refused, Retryable, TaskError

MAX_MESSAGE_BYTES = 16 << 20
"""Of one message of a server."""
MAX_TRAFFIC_BYTES = 64 << 20
"""Of all that a server sends in one attempt."""
MAX_MESSAGES = 20_000
MAX_RESUMPTIONS = 100
"""Requests by which a server lets us come back for the rest of an answer."""

OLDER = "speaks only the older transport of MCP (HTTP with SSE)"
"""What a server is that answers no request by POST, and a GET with an event that names another address."""
_OLDER_STATUSES = (400, 404, 405)
"""By these a server refuses a request that it does not know, as the protocol has it for servers of the older kind."""
_OLDER_SECONDS = 5.0
_ENDPOINT = re.compile(rb"^event:[ ]?endpoint\r?$", re.MULTILINE)
_NO_ID = re.compile(rb'"id"\s*:\s*null')
_LOOK = 0.005
CLOSING_SECONDS = 0.5
"""What a server gets to end by itself once nobody needs it; the same again after it was asked to."""

Message = SessionMessage | Exception
Streams = tuple[Any, Any]

_STATUSES: dict[int, tuple[type[TaskError], str]] = {
    401: (Refused, "did not accept who is asking"),
    403: (Refused, "did not accept who is asking"),
    404: (Refused, "has no MCP server at this address"),
    405: (Refused, "has no MCP server at this address"),
    408: (Retryable, "gave up on the request"),
    425: (Retryable, "is not ready"),
    429: (Retryable, "asked to slow down"),
}
"""What an HTTP status means that is no answer. Other 4xx: refused the request; 5xx: `Retryable`."""


def named(server: ServerBinding) -> str:
    """As messages call a server. An address may hold secrets in its path and query."""
    if server.name != OWN_SERVER:
        return f"server {server.name}"
    if server.command:
        return f"the server {os.path.basename(server.command[0])}"
    url = httpx2.URL(server.url)
    return f"the server at {url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


class Traffic:
    """What a server has sent, and how it ended."""

    def __init__(self) -> None:
        self._bytes = 0
        self._messages = 0
        self.wrong = ""
        self.status = 0
        self.older = False
        self.exit_code: int | None = None

    @property
    def told(self) -> bool:
        return bool(self.wrong) or self.status >= 400 or self.exit_code is not None

    def is_of_http(self, code: int) -> bool:
        """Whether an error is the SDK's word for an HTTP status: a server's own has a code that says more."""
        words = (types.METHOD_NOT_FOUND, types.INVALID_REQUEST) if self.status == 404 else (types.INTERNAL_ERROR,)
        return self.status >= 400 and code in words

    def ending(self, server: ServerBinding) -> TaskError | None:
        """What ended the connection, as far as it can be seen from what passed over it."""
        who = named(server)
        if self.wrong:
            return Refused(f"{who} sent {self.wrong}; nothing more of it is read")
        if self.older:
            return Refused(
                f"{who} {OLDER}; allowed is streamable HTTP; name its address for that, which often ends in /mcp, or "
                'run a program between the two: command = ["mcp-proxy", "ADDRESS"]'
            )
        if self.status >= 400:
            broken = (Retryable, "failed on its side") if self.status >= 500 else (Refused, "refused the request")
            kind, told = _STATUSES.get(self.status, broken)
            message = f"{who} {told} (HTTP {self.status})"
            if self.status in (401, 403):
                names = ", ".join(server.header_env.values())
                message += f"; it was sent {names}" if names else "; name a header's variable in header_env"
            return Retryable(message, code="rate_limited") if self.status == 429 else kind(message)
        if self.exit_code is not None:
            how = f"signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"
            return Retryable(f"{who} ended ({how}) before it had answered; its stderr is in the attempt's log")
        return None

    def count(self, size: int, messages: int = 1) -> None:
        """Raises httpx2.ReadError, which every transport takes for the end, beyond the bounds."""
        self._bytes += size
        self._messages += messages
        if self._bytes > MAX_TRAFFIC_BYTES:
            self.wrong = f"more than {MAX_TRAFFIC_BYTES >> 20} MiB"
        elif self._messages > MAX_MESSAGES:
            self.wrong = f"more than {MAX_MESSAGES} messages"
        if self.wrong:
            raise httpx2.ReadError(self.wrong)


# --- a program ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def to_program(server: ServerBinding, binding: Binding, traffic: Traffic) -> AsyncIterator[Streams]:
    """A server as a process of the attempt's own: its group is ended with the block, its stderr is the log.

    Not the SDK's own transport: that reads lines of any length, and passes variables on that nobody listed.
    """
    own = (*binding.env, *binding.secret_env) if server.name == OWN_SERVER else ()
    try:
        process = await asyncio.create_subprocess_exec(
            *server.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment.chosen((*environment.own(), *server.env, *server.secret_env, *own)),
            process_group=0,
            limit=MAX_MESSAGE_BYTES,
        )
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = programs.REASONS.get(number or 0) or "it could not be started"
        kind = Retryable if number in programs.PASSING else Refused
        raise kind(f"{named(server)}: program {server.command[0]}: {reason}") from None
    to_us, read = anyio.create_memory_object_stream[Message](0)
    write, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    pumps = (asyncio.ensure_future(_read(process, to_us, traffic)), asyncio.ensure_future(_write(process, from_us)))
    try:
        yield read, write
    finally:
        await _ended(process)
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps, timeout=CLOSING_SECONDS)
        for stream in (to_us, read, write, from_us):
            stream.close()


async def _read(process: asyncio.subprocess.Process, to_us: MemoryObjectSendStream[Message], traffic: Traffic) -> None:
    assert process.stdout is not None
    with to_us, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, httpx2.ReadError):
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                traffic.wrong = f"a message of more than {MAX_MESSAGE_BYTES >> 20} MiB"
                return
            if not line:
                break
            traffic.count(len(line))
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                if b'"jsonrpc"' in line and not _NO_ID.search(line):  # whoever waits for it would wait in vain
                    traffic.wrong = "a message that cannot be read"
                    return
                continue  # a banner, a stray print: counted, and not for us
            await to_us.send(SessionMessage(message))
        # Its end is told by how it ended: it may take a moment to be known.
        await _exited(process, CLOSING_SECONDS)
        traffic.exit_code = process.returncode


async def _write(process: asyncio.subprocess.Process, from_us: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert process.stdin is not None
    with from_us, contextlib.suppress(OSError):
        async for item in from_us:
            process.stdin.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Its stdin is closed, then its group is asked to end, then made to."""
    if process.stdin is not None:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if await _exited(process, CLOSING_SECONDS):
            break
        _signal(process, number)
    await _exited(process, CLOSING_SECONDS)
    _signal(process, signal.SIGKILL)  # what it left behind in its group
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()  # a child of it may hold the pipe open


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def _exited(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Not by `wait`, which a grandchild holds up that has the pipe open."""
    for _ in range(int(seconds / _LOOK)):
        if process.returncode is not None:
            break
        await asyncio.sleep(_LOOK)
    return process.returncode is not None


# --- an address -----------------------------------------------------------------------------------------------


def to_address(server: ServerBinding, traffic: Traffic) -> AbstractAsyncContextManager[Streams]:
    headers = {name: os.environ.get(variable, "") for name, variable in server.header_env.items()}
    return _reached(server.url, headers, traffic)


@asynccontextmanager
async def _reached(url: str, headers: dict[str, str], traffic: Traffic) -> AsyncIterator[Streams]:
    transport = _Counting(traffic, route_to(url))
    async with (
        httpx2.AsyncClient(
            transport=transport, headers={"user-agent": "workermd", **headers}, timeout=None, trust_env=False
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES) as streams,
    ):
        yield streams


_OF_A_BODY = frozenset({"accept", "content-length", "content-type", "transfer-encoding"})


class _Counting(httpx2.AsyncBaseTransport):
    """Below the SDK: every byte is counted, statuses are kept, and no stream is opened that only the server fills."""

    def __init__(self, traffic: Traffic, live: httpx2.AsyncHTTPTransport) -> None:
        self._traffic = traffic
        self._live = live
        self._resumptions = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            self._resumptions += 1
            if "last-event-id" not in request.headers or self._resumptions > MAX_RESUMPTIONS:
                return httpx2.Response(405, request=request)
        response = await self._live.handle_async_request(request)
        if request.method == "POST":
            first = not self._traffic.status
            self._traffic.status = response.status_code
            if first and response.status_code in _OLDER_STATUSES:
                self._traffic.older = await self._is_older(request)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Counted(response.stream, self._traffic),
            extensions=response.extensions,
            request=request,
        )

    async def _is_older(self, request: httpx2.Request) -> bool:
        """Whether the address opens a stream that begins by naming another address."""
        kept = {name: value for name, value in request.headers.items() if name not in _OF_A_BODY}
        asked = httpx2.Request("GET", request.url, headers={**kept, "accept": "text/event-stream"})
        with contextlib.suppress(httpx2.HTTPError, OSError, TimeoutError):
            async with asyncio.timeout(_OLDER_SECONDS):
                response = await self._live.handle_async_request(asked)
                try:
                    return response.status_code == 200 and await _begins_older(response)
                finally:
                    await response.aclose()
        return False

    async def aclose(self) -> None:
        await self._live.aclose()


async def _begins_older(response: httpx2.Response) -> bool:
    """Looks at the first KiB."""
    seen = b""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        async for chunk in response.aiter_raw():
            seen += chunk[:1024]
            if _ENDPOINT.search(seen) or len(seen) >= 1024:
                break
    return bool(_ENDPOINT.search(seen))


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, traffic: Traffic) -> None:
        self._stream = stream
        self._traffic = traffic

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._traffic.count(len(chunk), messages=0)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
