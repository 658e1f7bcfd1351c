"""A socket, an address and the loop: from an application to a server that drains when it is told to end."""

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from workermd.protocol.errors import ConfigurationError
from workermd.serve.connection import bounded
from workermd.serve.desk import Desk

_OTHER_FILES = 1000
HEADER_BYTES = 32 << 10
_WAITING = 2048

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Listening(NamedTuple):
    """Where to listen. `certificate` and `key` are files; `grace` is for runs when the server is told to end."""

    host: str
    port: int
    certificate: str
    key: str
    grace: float
    most_connections: int

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"


def listener(listening: Listening) -> socket.socket:
    """The socket, so that its port is known before anything is said. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # The protocol is named, because asyncio sends small packets at once only on a socket that says so.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((listening.host, listening.port))
        made.listen(_WAITING)  # whoever is told the port may connect at once
    except OSError as error:
        made.close()
        raise ConfigurationError(
            f"{listening.host}:{listening.port}: cannot be listened on ({error.strerror})",
            "choose another --port; 0 takes a free one",
        ) from None
    return made


def check_certificate(listening: Listening) -> None:
    """Raises ConfigurationError where the two files are no certificate with its key."""
    if not listening.certificate and not listening.key:
        return
    if not listening.certificate or not listening.key:
        raise ConfigurationError("HTTPS needs a certificate and its key", "give both: --tls-cert FILE --tls-key FILE")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(listening.certificate, listening.key)
    except OSError as error:
        raise ConfigurationError(
            f"{listening.certificate}, {listening.key}: no certificate with its key ({error.strerror or error})",
            "write both as PEM",
        ) from None


def allow_files(most_connections: int) -> None:
    """As many open files as connections need, and what runs beside them; as many as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most_connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def hosts_of(host: str, port: int) -> frozenset[str]:
    """The values of the Host header that mean us."""
    names = ("127.0.0.1", "localhost", "[::1]") if host in LOOPBACK else (f"[{host}]" if ":" in host else host,)
    return frozenset(f"{name}:{port}" for name in names)


class _Server(uvicorn.Server):
    """Signals are ours: they drain before they end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, desk: Desk, made: socket.socket, listening: Listening, ready: Callable[[], None]) -> None:
    """Until a signal, and then until every run had its grace. A second signal ends at once what is left."""
    config = uvicorn.Config(
        app,
        http=bounded(listening.most_connections),
        h11_max_incomplete_event_size=HEADER_BYTES,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        ssl_certfile=listening.certificate or None,
        ssl_keyfile=listening.key or None,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if told.is_set():
            for job in desk.jobs.values():
                job.cancelled.set()
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    serving = asyncio.create_task(server.serve(sockets=[made]))
    ready()
    ended = asyncio.create_task(told.wait())
    await asyncio.wait([serving, ended], return_when=asyncio.FIRST_COMPLETED)
    if told.is_set():
        await desk.drain(listening.grace)
        server.should_exit = True
    ended.cancel()
    await serving
    await desk.close()
