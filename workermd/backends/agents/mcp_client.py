"""Tools of MCP servers, by the official SDK: a session with a server, its list of tools, and calls.

A server is a stranger. Everything that it sends is counted and bounded, whatever it asks of us (to sample a model, to
ask a person, to see folders) is refused, and what it says of its tools is data: cleaned, cut, and without any effect
on which calls are allowed. Its structured results are not checked by the SDK, which would compile the server's own
schema for that; the output is checked where every output is.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import httpx2
from mcp import types
from mcp.client.session import ClientSession, IncomingMessage
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from workermd import __version__
from workermd.backends.agents.mcp_said import MAX_DESCRIPTION, cleaned_schema, text_of
from workermd.backends.agents.mcp_streams import CLOSING_SECONDS, Traffic, named, to_address, to_program
from workermd.backends.agents.tools import Runner, cut
from workermd.protocol.envelope import Document
from workermd.system import programs
from workermd.system.text import cleaned
from workermd.task.binding import Binding, ServerBinding, ToolBinding
from workermd.task.task import Refused, Retryable, TaskError

MAX_PAGES = 100
MAX_TOOLS = 2_000
MAX_SCHEMA_CHARACTERS = 64 << 10

_Answer = TypeVar("_Answer")

_CALLED: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)

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


def unusable(server: ServerBinding) -> str:
    """Why a server cannot be had: a program that is not there, a variable that is not set."""
    if server.command:
        reason = programs.why_missing(server.command[0])
        return f"{named(server)}: {reason}" if reason else ""
    unset = [variable for variable in server.header_env.values() if not os.environ.get(variable)]
    return f"{named(server)}: the variable {unset[0]} is not set; it has to hold a header's value" if unset else ""


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
        who = named(self._server)
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
            to_program(self._server, self._binding, self._traffic)
            if self._server.command
            else to_address(self._server, self._traffic)
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
        schema = cleaned_schema(tool.input_schema)
        if not isinstance(schema, dict) or len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
            raise Refused(
                f"{named(self._server)}: the input schema of tool {cleaned(tool.name, 80)} is larger than "
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
        who = named(self._server)
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


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
