"""From what an operator wants to a server that listens."""

import asyncio
import contextlib
import functools
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from workermd.protocol.errors import UsageError
from workermd.runner.worker import Worker
from workermd.serve import callers, listen
from workermd.serve.application import Addition, application
from workermd.serve.catalogue import Catalogue, Offer, catalogue
from workermd.serve.desk import Capacity, CarriesOut, Desk
from workermd.serve.guard import Access
from workermd.system.text import folded

MOST_CONNECTIONS = 1000


class Wanted(NamedTuple):
    """The operator's choices; empty texts are not made. `name` is whose the generated token is."""

    host: str
    port: int
    jobs: int
    queue: int
    tokens: str
    issuer: str
    name: str
    public: tuple[str, ...]
    certificate: str
    key: str
    calls_per_minute: int
    grace: float
    log: bool
    a2a: bool
    mcp: str
    key_by_model: bool
    ledger: str
    max_input_bytes: int
    carry_out: CarriesOut | None = None


class Guest(NamedTuple):
    """What another room serves beside us: what it adds to a desk, and what it says of the address once we listen."""

    addition: Callable[[Desk], Addition]
    greeting: Callable[[str], str]


MOST_PORT = 65535


def serve(
    workers: Sequence[tuple[Worker, bytes, str]],
    wanted: Wanted,
    say: Callable[[str], None],
    guest: Guest | None = None,
) -> None:
    """Until a signal ends it. Raises UsageError and ConfigurationError before anything listens."""
    if wanted.port > MOST_PORT:
        raise UsageError(
            f"--port {wanted.port}: a port is a number up to {MOST_PORT}", "choose one, or 0 for a free one"
        )
    _log_in_one_line(say)
    offers = catalogue([Offer(*each) for each in workers])
    if wanted.mcp == "stdio":
        _on_standard_streams(offers, wanted, say)
        return
    listening = listen.Listening(
        wanted.host, wanted.port, wanted.certificate, wanted.key, wanted.grace, MOST_CONNECTIONS
    )
    listen.check_certificate(listening)
    listen.allow_files(MOST_CONNECTIONS)
    public = [_public(address) for address in wanted.public]
    known, token = (callers.read(wanted.tokens), "") if wanted.tokens else callers.generated(wanted.name)
    with listen.listener(listening) as made:
        port = made.getsockname()[1]
        hosts = listen.hosts_of(wanted.host, port)
        own = f"{listening.scheme}://{_shown(wanted.host)}:{port}"
        address = public[0][1] if public else own
        access = Access(
            _with_issued(known, wanted.issuer, [own, *(origin for _, origin in public)]),
            hosts | {host for host, _ in public},
            frozenset(f"{listening.scheme}://{host}" for host in hosts) | {origin for _, origin in public},
            wanted.max_input_bytes,
            calls_per_minute=wanted.calls_per_minute,
            log=_print_line if wanted.log else None,
        )

        def ready() -> None:
            say(f"serving {len(offers)} contracts at {own}")
            if guest is not None:
                say(guest.greeting(address))
            elif token:
                say(f"the token of {wanted.name}, shown this once: {token}")

        async def run() -> None:
            desk = Desk(
                offers, wanted.ledger, Capacity(wanted.jobs, wanted.queue, wanted.max_input_bytes), wanted.carry_out
            )
            await _go_on(desk, say)
            additions = (guest.addition(desk),) if guest is not None else ()
            async with contextlib.AsyncExitStack() as beside:
                app = await _built(desk, access, wanted, address, beside, guests=additions)
                await listen.serve(app, desk, made, listening, ready)

        asyncio.run(run())


def _with_issued(known: callers.Callers, issuer: str, addresses: list[str]) -> callers.KnowsCallers:
    """Whoever an authorization server lets in, too. Its tokens are for one of our addresses, with or without MCP's path."""
    if not issuer:
        return known
    from workermd.serve.issued_tokens import IssuedTokens

    audiences = [address + path for address in addresses for path in ("", "/", "/mcp")]
    return callers.EitherCallers(known, IssuedTokens(issuer, audiences))


async def _go_on(desk: Desk, say: Callable[[str], None]) -> None:
    unfinished = await desk.go_on_with_unfinished()
    if unfinished.calls:
        say(f"going on with {len(unfinished.calls)} runs that were accepted before")
    if unfinished.foreign:
        say(f"{unfinished.foreign} accepted runs are of contracts that are not served here, and stay")


async def _built(
    desk: Desk,
    access: Access,
    wanted: Wanted,
    address: str,
    beside: contextlib.AsyncExitStack,
    *,
    guests: Sequence[Addition] = (),
) -> ASGIApp:
    """The application with what the operator wants of it; `beside` is what runs as long as it does."""
    additions = list(guests)
    if wanted.mcp == "http":
        from workermd.serve.mcp_transport import METADATA, OverHttp

        tools = OverHttp(desk, wanted.max_input_bytes, key_by_model=wanted.key_by_model, issuer=wanted.issuer)
        await beside.enter_async_context(tools.running())
        additions.append(tools.addition)
        access = access._replace(described=METADATA.removeprefix("/"))
    if wanted.a2a:
        from workermd.serve import a2a_server

        additions.append(a2a_server.addition(desk, address))
    return application(desk, access, *additions)


def _on_standard_streams(offers: Catalogue, wanted: Wanted, say: Callable[[str], None]) -> None:
    from workermd.serve.mcp_transport import on_standard_streams

    async def run() -> None:
        desk = Desk(
            offers, wanted.ledger, Capacity(wanted.jobs, wanted.queue, wanted.max_input_bytes), wanted.carry_out
        )
        ready = functools.partial(say, f"{len(offers)} tools on standard input and output")
        try:
            await on_standard_streams(desk, wanted.name, ready, key_by_model=wanted.key_by_model)
            await desk.drain(wanted.grace)
        finally:
            await desk.close()

    asyncio.run(run())


def _public(address: str) -> tuple[str, str]:
    """Host and origin of an address under which a proxy shows us."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise UsageError(
            f"--public {address[:80]}: no address of a server", "write for example https://runs.example.org"
        )
    return parts.netloc, f"{parts.scheme}://{parts.netloc}"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _OneLine(logging.Handler):
    """A fault that a library logs, as one line; where it happened is told with WORKERMD_TRACEBACK."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        if "WORKERMD_TRACEBACK" in os.environ and record.exc_info:
            sys.stderr.write("".join(traceback.format_exception(record.exc_info[1])))
        self._say(f"a fault of workermd itself ({kind.__name__ if kind else folded(record.getMessage())[:200]})")


def _log_in_one_line(say: Callable[[str], None]) -> None:
    for name in ("uvicorn", "asyncio", "mcp"):
        logger = logging.getLogger(name)
        logger.addHandler(_OneLine(say))
        logger.propagate = False


def _print_line(line: str) -> None:
    """Standard error is where a service manager takes a log from."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
