"""What every request passes first: is it for this server, from a page of ours, by whom, and not too much.

In this order: the Host header (421), the Origin (403), the token (401), the caller's rate (429), the body's size and time
(413, 408). A route behind it finds who calls as `request.state.caller`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workermd.serve.callers import KnowsCallers
from workermd.serve.observation import Observation
from workermd.serve.problem import HttpProblem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

Recognised = Callable[[HTTPConnection], str]
"""Who a browser is, by a cookie; empty where it is nobody's."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of every response that does not set them itself."""


class Access(NamedTuple):
    """Who is let in. `hosts` are the allowed values of Host, `origins` the addresses of our own pages.

    `open_paths` need no caller; one that ends with `/` stands for all below it. `recognised` knows browsers by a cookie:
    such a caller changes something only from one of the `origins`. `calls_per_minute` is for each caller. `described` is
    the path, without its first slash, that says how to get a token (RFC 9728). `log` gets a line for
    every request.
    """

    callers: KnowsCallers
    hosts: frozenset[str]
    origins: frozenset[str]
    max_body_bytes: int
    body_seconds: float = 30.0
    calls_per_minute: int = 6000
    open_paths: tuple[str, ...] = ("/healthz", "/readyz")
    recognised: Sequence[Recognised] = ()
    described: str = ""
    log: Callable[[str], None] | None = None

    def opened(self, paths: Sequence[str], recognised: Sequence[Recognised]) -> "Access":
        """The same with more open paths and more ways to know a browser."""
        return self._replace(open_paths=(*self.open_paths, *paths), recognised=(*self.recognised, *recognised))


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, access: Access, observation: Observation) -> None:
        self._app = app
        self._access = access
        self._observation = observation
        self._budgets: dict[str, _Budget] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # nothing else is served
            return
        answer, began = _Answer(send), time.monotonic()
        try:
            self._admit(HTTPConnection(scope), scope)
            await self._app(scope, self._bounded(scope, receive), answer)
        except HttpProblem as problem:
            await answer.refuse(problem, scope, receive)
        finally:
            self._observation.note(scope, answer.status, began)

    def _admit(self, connection: HTTPConnection, scope: Scope) -> None:
        headers, access = connection.headers, self._access
        if headers.getlist("host") not in ([host] for host in access.hosts):
            raise HttpProblem(
                421, "foreign_host", "The Host header names another server.", "use the address that is served"
            )
        origin = headers.get("origin")
        if origin is not None and origin not in access.origins:
            raise HttpProblem(403, "foreign_origin", "A page of another origin may not call this server.")
        caller = self._caller(connection, origin)
        scope.setdefault("state", {})["caller"] = caller
        if caller and not self._budgets.setdefault(caller, _Budget(access.calls_per_minute)).take():
            raise HttpProblem(
                429, "too_many_requests", f"{caller} may send {access.calls_per_minute} requests a minute."
            ).with_headers(Retry_After="1")

    def _caller(self, connection: HTTPConnection, origin: str | None) -> str:
        """Who calls; empty on an open path. Raises HttpProblem."""
        access = self._access
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (name := access.callers.named(token.strip())):
            return name
        name = next(filter(None, (recognised(connection) for recognised in access.recognised)), "")
        if name:
            if connection.scope["method"] not in SAFE_METHODS and origin is None:
                raise HttpProblem(
                    403, "foreign_origin", "A browser says where a form comes from; this request does not."
                )
            return name
        if _is_open(connection.url.path, access.open_paths):
            return ""
        challenge = 'Bearer realm="workermd"' + (', error="invalid_token"' if scheme else "")
        challenge += (
            f', resource_metadata="{connection.base_url}{described}"' if (described := access.described) else ""
        )
        raise HttpProblem(
            401, "unauthorized", "A token is needed.", "send it: Authorization: Bearer TOKEN"
        ).with_headers(WWW_Authenticate=challenge)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        most, until, seen = self._access.max_body_bytes, time.monotonic() + self._access.body_seconds, 0
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)
        whole = False

        async def bounded() -> Message:
            nonlocal seen, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                raise HttpProblem(408, "body_too_slow", "The body did not come in time.").with_headers(
                    Connection="close"
                ) from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > most:
                raise _too_large(most)
            return message

        return bounded


class _Answer:
    """Sends on, with the headers of every response."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def refuse(self, problem: HttpProblem, scope: Scope, receive: Receive) -> None:
        if not self.status:
            await problem.response()(scope, receive, self)


class _Budget:
    """A bucket of requests that fills up evenly."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._left = float(per_minute)
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _is_open(path: str, open_paths: tuple[str, ...]) -> bool:
    return any(path == each or (each.endswith("/") and path.startswith(each)) for each in open_paths)


def _too_large(most: int) -> HttpProblem:
    return HttpProblem(413, "body_too_large", f"A body has at most {most} bytes here.").with_headers(Connection="close")
