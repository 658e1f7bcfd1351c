"""The way to the hosts of a contract's list: an HTTP proxy outside, that listens on a socket handed out from inside.

The kernel bounds addresses and ports; a list has names. So the attempt is alone in a network namespace, and the proxy,
which is not, connects for it: to a name and port of the list, and to nothing else. It resolves no other name, so that
no question to a name server carries anything out. What it relays it does not look into: who is behind a name that is
listed, and what is said there, the list does not bound.

    keeper ── fork ──▶ proxy (the machine's network)
      │ unshare, listen on 127.0.0.1 inside
      └─ hands the listening socket ──▶ accepts, connects outside
"""

import ipaddress
import os
import signal
import socket
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import urlsplit

from workermd.sandbox import kernel
from workermd.sandbox.fence import Proxy

if TYPE_CHECKING:
    import asyncio

MOST_HEAD = 64 << 10
"""Bytes of the head of one request."""

HEAD_SECONDS = 30.0
CONNECT_SECONDS = 30.0
MOST_WAITING = 128
CHUNK = 64 << 10
STANDARD_FDS = 3

_OF_THE_HOP = ("connection:", "proxy-", "keep-alive:", "host:", "te:", "upgrade:")


class NotServed(Exception):
    """Why a request is not served: a status and a line."""


class Asked(NamedTuple):
    """One request's target, and the head that goes on to it; None where the way is opened and nothing is said."""

    host: str
    port: int
    head: bytes | None


class ProxyStart(NamedTuple):
    """The proxy's process before it has a socket."""

    pid: int
    line: socket.socket

    def listening(self) -> Proxy:
        """Listen where this process is now, and hand the socket over. Raises OSError."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as inside:
            inside.bind(("127.0.0.1", 0))
            inside.listen(MOST_WAITING)
            socket.send_fds(self.line, [b"s"], [inside.fileno()])
            return Proxy(self.pid, inside.getsockname()[1], self.line.detach())


def fork(hosts: tuple[str, ...]) -> ProxyStart:
    """Begin, as a child that ends with this process. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        _become(theirs.detach(), frozenset(hosts))
    theirs.close()
    return ProxyStart(pid, ours)


def _become(control: int, hosts: frozenset[str]) -> NoReturn:
    """In the fork: hold nothing of the attempt's, and serve until the keeper has closed its end."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(STANDARD_FDS):
            os.dup2(null, number)
        os.dup2(control, STANDARD_FDS)
        os.closerange(STANDARD_FDS + 1, os.sysconf("SC_OPEN_MAX"))
        kernel.no_new_privileges()
        kernel.hide_memory()
        line = socket.socket(fileno=STANDARD_FDS)
        word, fds, _, _ = socket.recv_fds(line, 1, 1)
        if word and fds:
            import asyncio

            asyncio.run(_serve(socket.socket(fileno=fds[0]), line, hosts))
    finally:
        os._exit(0)


async def _serve(listening: socket.socket, line: socket.socket, hosts: frozenset[str]) -> None:
    import asyncio

    asyncio.get_running_loop().add_reader(line, os._exit, 0)

    async def client(reader: "asyncio.StreamReader", writer: "asyncio.StreamWriter") -> None:
        try:
            await _client(reader, writer, hosts)
        except (OSError, ValueError, EOFError):
            return  # the other side is gone, or said nothing that could be answered
        finally:
            writer.close()

    server = await asyncio.start_server(client, sock=listening, limit=MOST_HEAD)
    await server.serve_forever()


async def _client(reader: "asyncio.StreamReader", writer: "asyncio.StreamWriter", hosts: frozenset[str]) -> None:
    """One connection, which leads to one host: whatever follows the first request goes there too."""
    import asyncio

    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
    try:
        asked = asked_for(head, hosts)
        far_reader, far_writer = await _connected(asked)
    except NotServed as refused:
        writer.write(_answer(str(refused)))
        await writer.drain()
        return
    if asked.head is None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        far_writer.write(asked.head)
    try:
        await asyncio.gather(_copied(reader, far_writer), _copied(far_reader, writer))
    finally:
        far_writer.close()


def asked_for(head: bytes, hosts: frozenset[str]) -> Asked:
    """The target of a request, when it is on the list. Raises NotServed."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise NotServed("400 no request of HTTP/1")
    method, target, version = words
    plain = method != "CONNECT"
    try:
        parts = urlsplit(target if plain else f"//{target}")
        host, port = (parts.hostname or "").lower(), parts.port or (80 if plain else 0)
    except ValueError:
        raise NotServed("400 no address") from None
    if plain and parts.scheme != "http":
        raise NotServed("400 no address of http")
    if f"{host}:{port}" not in hosts:
        raise NotServed("403 the contract's network does not list this host and port")
    if not plain:
        return Asked(host, port, None)
    kept = [line for line in lines[1:] if line and not line.lower().startswith(_OF_THE_HOP)]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    told = [
        f"{method} {path} {version}",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        *kept,
        "Connection: close",
        "",
        "",
    ]
    return Asked(host, port, "\r\n".join(told).encode("latin-1"))


async def _connected(asked: Asked) -> tuple["asyncio.StreamReader", "asyncio.StreamWriter"]:
    """A connection to the first of the name's addresses that may be had and answers. Raises NotServed."""
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(asked.host, asked.port, type=socket.SOCK_STREAM), CONNECT_SECONDS
        )
    except (OSError, TimeoutError):
        raise NotServed("502 the name has no address") from None
    allowed = [address for address in (str(each[4][0]) for each in found) if may_lead(asked.host, address)]
    if not allowed:
        raise NotServed("403 the name leads to this machine or to an address of the link")
    for address in dict.fromkeys(allowed):
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(address, asked.port, limit=MOST_HEAD), CONNECT_SECONDS
            )
        except (OSError, TimeoutError):
            continue
    raise NotServed("502 the host does not answer")


def may_lead(host: str, address: str) -> bool:
    """Whether a name may lead to an address. Whoever owns a name points it anywhere: to what only this machine reaches
    as well. An address that is listed as such, and `localhost`, lead where they say."""
    if host == "localhost" or _is_address(host):
        return True
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or found
    return not (inner.is_loopback or inner.is_link_local or inner.is_unspecified or inner.is_multicast)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _answer(refused: str) -> bytes:
    """A refusal in the words of HTTP."""
    status, _, why = refused.partition(" ")
    body = f"workermd: {why}\n"
    head = [
        f"HTTP/1.1 {status} Refused",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", body]).encode()


async def _copied(reader: "asyncio.StreamReader", writer: "asyncio.StreamWriter") -> None:
    """Everything that comes, until its end, which is passed on too."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
