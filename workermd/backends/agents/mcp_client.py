"""Tools of MCP servers, by the official SDK: a session with a server, its list of tools, and calls.

A server is a stranger. Everything that it sends is counted and bounded, whatever it asks of us (to sample a model, to
ask a person, to see folders) is refused, and what it says of its tools is data: cleaned, cut, and without any effect
on which calls are allowed. Its structured results are not checked by the SDK, which would compile the server's own
schema for that; the output is checked where every output is.
"""

import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.client.session import ClientSession, IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from pydantic import TypeAdapter, ValidationError

from workermd import __version__
from workermd.backends.agents.tools import Runner, cut
from workermd.backends.agents.transport import route_to
from workermd.protocol.envelope import Document
from workermd.system import environment, programs
from workermd.system.text import cleaned
from workermd.task.binding import OWN_SERVER, Binding, ServerBinding, ToolBinding
from workermd.task.task import Refused, Retryable, TaskError

MAX_MESSAGE_BYTES = 16 << 20
"""Of one message of a server."""
MAX_TRAFFIC_BYTES = 64 << 20
"""Of all that a server sends in one attempt."""
MAX_MESSAGES = 20_000
MAX_PAGES = 100
MAX_TOOLS = 2_000
MAX_SCHEMA_CHARACTERS = 64 << 10
MAX_DESCRIPTION = 1024
MAX_DEPTH = 32
MAX_RESUMPTIONS = 100
"""Requests by which a server lets us come back for the rest of an answer."""

_NO_ID = re.compile(rb'"id"\s*:\s*null')
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)
_LOOK = 0.005
CLOSING_SECONDS = 0.5
"""What a server gets to end by itself once nobody needs it; the same again after it was asked to."""

Message = SessionMessage | Exception
Streams = tuple[Any, Any]
_Answer = TypeVar("_Answer")

_CALLED: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)

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

ANSWERS: dict[int, tuple[str, str, str]] = {
    types.INVALID_PARAMS: ("invalid_request", "input_rejected", "refused the tool or its arguments as invalid"),
    types.METHOD_NOT_FOUND: ("refused", "backend_failed", "does not know how to call tools"),
    types.INVALID_REQUEST: ("refused", "backend_failed", "refused the request as invalid"),
    types.PARSE_ERROR: ("refused", "backend_failed", "sent or got a message that cannot be read"),
    types.INTERNAL_ERROR: ("retryable", "backend_unavailable", "failed on its side"),
    types.REQUEST_TIMEOUT: ("retryable", "backend_unavailable", "gave up on the request"),
    types.URL_ELICITATION_REQUIRED: ("refused", "backend_failed", "wants a person to visit a page first"),
}
"""What a JSON-RPC error means that a server answers a call with: kind of failure, error code, sentence."""

OTHER_ANSWER = ("refused", "backend_failed", "answered with an error of its own")

for _name in ("client", "mcp"):
    # At INFO the SDK logs session ids, at ERROR tracebacks for each message that cannot be read.
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class CallError(Exception):
    """A server answered a call with an error. `code` is JSON-RPC's; the message is the server's own, cleaned."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ToolOffer(NamedTuple):
    """What a server says of a tool, fit to be shown."""

    name: str
    description: str
    schema: Document


class Medium(NamedTuple):
    """An image or a sound: `kind` says which."""

    kind: str
    media_type: str
    content: bytes


def unusable(server: ServerBinding) -> str:
    """Why a server cannot be had: a program that is not there, a variable that is not set."""
    if server.command:
        reason = programs.why_missing(server.command[0])
        return f"{_named(server)}: {reason}" if reason else ""
    unset = [variable for variable in server.header_env.values() if not os.environ.get(variable)]
    return f"{_named(server)}: the variable {unset[0]} is not set; it has to hold a header's value" if unset else ""


@asynccontextmanager
async def runners(tools: list[ToolBinding], binding: Binding) -> AsyncIterator[tuple[Runner, ...]]:
    """Tools of one server, which is started or reached now and left with the block. Raises `TaskError`."""
    server = binding.servers[tools[0].server]
    async with connected(server, binding) as connection:
        offers = await connection.offers({tool.tool or tool.name for tool in tools})
        yield tuple(_runner(tool, offers[tool.tool or tool.name], connection) for tool in tools)


def _runner(tool: ToolBinding, offer: ToolOffer, connection: "ServerConnection") -> Runner:
    async def call(arguments: Document) -> str:
        try:
            result = await connection.call(offer.name, arguments)
        except CallError as answered:
            return cut(f"error: the server answered with an error ({answered.code}): {answered}")
        text = text_of(result)
        return cut(f"error: the tool reports: {text}" if result.is_error else text)

    return Runner(tool, tool.description or offer.description or tool.name, offer.schema, call)


@asynccontextmanager
async def connected(server: ServerBinding, binding: Binding) -> AsyncIterator["ServerConnection"]:
    """A session with a server, ended with the block. Raises `TaskError` when there can be none."""
    connection = ServerConnection(server, binding)
    try:
        await connection.open()
        yield connection
    finally:
        await connection.close()


class ServerConnection:
    """A session with a server. It lives in a task of its own: the SDK's scopes cancel the task that they are in, and
    what ends a connection must not end the attempt."""

    def __init__(self, server: ServerBinding, binding: Binding) -> None:
        self._server = server
        self._binding = binding
        self._traffic = Traffic()
        self._session: ClientSession | None = None
        self._ready = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises `TaskError`."""
        self._task = asyncio.create_task(self._held())
        await self._until(self._ready.wait())

    async def close(self) -> None:
        """The server gets a moment to end; what is left of it ends with the attempt's process."""
        if self._task is None:
            return
        self._closing.set()
        await asyncio.wait((self._task,), timeout=4 * CLOSING_SECONDS)
        self._task.cancel()
        await asyncio.wait((self._task,), timeout=CLOSING_SECONDS)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # it was told where it mattered

    async def offers(self, wanted: set[str]) -> dict[str, ToolOffer]:
        """What the server says of these tools. Its list is read as far as they need, once.

        Raises `Refused` where it does not have them within the bounds.
        """
        found: dict[str, ToolOffer] = {}
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._asked(self._session_list(cursor))
            for tool in page.tools:
                seen.append(tool.name)
                if tool.name in wanted and tool.name not in found:
                    found[tool.name] = self._offer(tool)
            cursor = page.next_cursor
            if wanted <= found.keys() or cursor is None or len(seen) > MAX_TOOLS:
                break
        absent = sorted(wanted - found.keys())
        if not absent:
            return found
        who = _named(self._server)
        if cursor is not None:
            raise Refused(
                f"{who} lists tools without end: {len(seen)} were read, and {cleaned(absent[0], 80)} was not among them"
            )
        there = ", ".join(cleaned(name, 60) for name in seen[:10]) or "none"
        raise Refused(f"{who} has no tool {cleaned(absent[0], 80)}; it has: {there}{', …' if len(seen) > 10 else ''}")

    async def call(self, tool: str, arguments: Document) -> types.CallToolResult:
        """Raises `CallError` for an error that the server answered, `TaskError` for everything else."""
        params = types.CallToolRequestParams(name=tool, arguments=arguments)
        result = await self._asked(self._session_now.send_request(types.CallToolRequest(params=params), _CALLED))
        if isinstance(result, types.InputRequiredResult):
            raise CallError(
                types.INVALID_REQUEST, "the tool asks for more input while it works, which nobody gives here"
            )
        return result

    # --- inside -------------------------------------------------------------------------------------------

    @property
    def _session_now(self) -> ClientSession:
        assert self._session is not None, "open() has returned"
        return self._session

    async def _session_list(self, cursor: str | None) -> types.ListToolsResult:
        try:
            return await self._session_now.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        except MCPError as error:
            if error.code == types.METHOD_NOT_FOUND:
                return types.ListToolsResult(tools=[])
            raise

    async def _asked(self, request: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            return await self._until(request)
        except MCPError as error:
            if self._is_of_transport(error.code):
                raise self._ending(await self._end() or error) from None
            raise CallError(error.code, cleaned(error.message, 300)) from None
        except (ValidationError, RuntimeError) as error:
            raise self._ending(error) from None

    async def _until(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        """What the work comes to, unless the connection ends before."""
        assert self._task is not None
        doing = asyncio.ensure_future(work)
        try:
            await asyncio.wait((doing, self._task), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
        finally:
            if not doing.done():
                doing.cancel()
        raise self._ending(await self._end())

    async def _end(self) -> BaseException | None:
        """What the connection's task ended by, if it has ended; it gets a moment where nothing else is known."""
        assert self._task is not None
        if not self._traffic.told:
            await asyncio.wait((self._task,), timeout=CLOSING_SECONDS)
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    async def _held(self) -> None:
        async def noticed(message: IncomingMessage) -> None:  # noqa: ARG001 - it changes nothing here: tools are listed once
            self._traffic.count(0)

        transport = (
            _program(self._server, self._binding, self._traffic)
            if self._server.command
            else _address(self._server, self._traffic)
        )
        async with (
            transport as streams,
            ClientSession(*streams, client_info=_US, message_handler=noticed) as session,
        ):
            await _greeted(session)
            self._session = session
            self._ready.set()
            await self._closing.wait()

    def _offer(self, tool: types.Tool) -> ToolOffer:
        schema = _cleaned(tool.input_schema)
        if not isinstance(schema, dict) or len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
            raise Refused(
                f"{_named(self._server)}: the input schema of tool {cleaned(tool.name, 80)} is larger than "
                f"{MAX_SCHEMA_CHARACTERS} characters"
            )
        description = cleaned(tool.description or tool.title or "", MAX_DESCRIPTION)
        return ToolOffer(tool.name, description, {"properties": {}, **schema, "type": "object"})

    def _ending(self, error: BaseException | None) -> TaskError:
        """Why there is no answer, and never will be."""
        if isinstance(error, BaseExceptionGroup):
            leaves = _leaves(error)
            error = next((leaf for leaf in leaves if isinstance(leaf, TaskError)), leaves[0])
        if isinstance(error, TaskError):
            return error
        who = _named(self._server)
        if isinstance(error, MCPError) and not self._is_of_transport(error.code):
            return Refused(f"{who} refused to begin ({error.code}): {cleaned(error.message, 300)}")
        if isinstance(error, ValidationError | RuntimeError):
            return Refused(f"{who} does not keep to the protocol: its answer cannot be read")
        return self._traffic.ending(self._server) or _lost(error, who)

    def _is_of_transport(self, code: int) -> bool:
        return code == types.CONNECTION_CLOSED or self._traffic.is_of_http(code)


def _lost(error: BaseException | None, who: str) -> Retryable:
    if isinstance(error, httpx2.HTTPError | OSError):
        return Retryable(f"{who} cannot be reached ({type(error).__name__})")
    return Retryable(f"{who} closed the connection before it had answered")


_US = types.Implementation(name="workermd", version=__version__)


async def _greeted(session: ClientSession) -> None:
    """By the handshake that servers of every age know; a server that has left it behind says so."""
    try:
        await session.initialize()
    except MCPError as error:
        if error.code not in (types.UNSUPPORTED_PROTOCOL_VERSION, types.METHOD_NOT_FOUND):
            raise
        await session.discover()


class Traffic:
    """What a server has sent, and how it ended."""

    def __init__(self) -> None:
        self._bytes = 0
        self._messages = 0
        self.wrong = ""
        self.status = 0
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
        who = _named(server)
        if self.wrong:
            return Refused(f"{who} sent {self.wrong}; nothing more of it is read")
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
async def _program(server: ServerBinding, binding: Binding, traffic: Traffic) -> AsyncIterator[Streams]:
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
        raise kind(f"{_named(server)}: program {server.command[0]}: {reason}") from None
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


def _address(server: ServerBinding, traffic: Traffic) -> AbstractAsyncContextManager[Streams]:
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
            self._traffic.status = response.status_code
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Counted(response.stream, self._traffic),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        await self._live.aclose()


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


# --- what a server says ---------------------------------------------------------------------------------------


def text_of(result: types.CallToolResult) -> str:
    """A result as text: its texts, else its structured content as JSON; what is no text is named."""
    told = [_told(block) for block in result.content]
    if result.structured_content is not None and not any(
        isinstance(block, types.TextContent) for block in result.content
    ):
        told.insert(0, json.dumps(result.structured_content, ensure_ascii=False))
    return "\n".join(told) or "(the answer is empty)"


def media_of(result: types.CallToolResult) -> tuple[Medium, ...]:
    """The images and sounds of a result; one that cannot be read is left out."""
    found: list[Medium] = []
    for block in result.content:
        if isinstance(block, types.ImageContent | types.AudioContent):
            with contextlib.suppress(ValueError):
                plain = _MEDIA_TYPE.fullmatch(block.mime_type)
                content = base64.b64decode(block.data, validate=True)
                found.append(Medium(block.type, plain[0] if plain else "application/octet-stream", content))
    return tuple(found)


def _told(block: types.ContentBlock) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.ImageContent | types.AudioContent):
        return f"[{block.type}, {cleaned(block.mime_type, 80)}, about {len(block.data) * 3 // 4} bytes]"
    if isinstance(block, types.ResourceLink):
        return f"[resource {cleaned(str(block.uri), 300)}]"
    resource = block.resource
    if isinstance(resource, types.TextResourceContents):
        return resource.text
    return f"[resource {cleaned(str(resource.uri), 300)}, about {len(resource.blob) * 3 // 4} bytes]"


def _cleaned(value: Any, depth: int = 0) -> Any:
    """A schema as a model may be shown it: what describes is cleaned and cut, what is too deep is left open."""
    if depth > MAX_DEPTH:
        return {}
    if isinstance(value, dict):
        return {
            cleaned(key, 200): cleaned(each, MAX_DESCRIPTION)
            if key in ("description", "title", "$comment") and isinstance(each, str)
            else _cleaned(each, depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(each, depth + 1) for each in value]
    return value


def _named(server: ServerBinding) -> str:
    """As messages call a server. An address may hold secrets in its path and query."""
    if server.name != OWN_SERVER:
        return f"server {server.name}"
    if server.command:
        return f"the server {os.path.basename(server.command[0])}"
    url = httpx2.URL(server.url)
    return f"the server at {url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
