"""One request at a time to one API, through the cache.

    caller → httpx → hishel (key, conditional request) → Door (token, caps) → network

The token joins a request at the door, below the cache and only for the API's own origin: neither a stored answer nor a
redirect can carry it elsewhere.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from workermd import __version__
from workermd.derive.address import Api
from workermd.derive.api_cache import ResponseCache, key_of
from workermd.derive.imports import without
from workermd.derive.response import ApiResponse

with without("httpx._main"):
    import httpx

if TYPE_CHECKING:
    from hishel import CacheOptions

API_VERSION = "2022-11-28"
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
_STORED = {200, 301, 302, 307, 308}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Unreachable(Exception):
    """No whole answer arrived. The text is a reason, without addresses or values; `lasting`: asking again is of no use."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


class ResponseTooLarge(Exception):
    """The answer has more bytes than asked for at most."""


class Door(httpx.BaseTransport):
    """The way to the network: puts the token on, reads an answer within its caps."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api = api
        self._origin = origin_of(httpx.URL(api.base))
        self._clock = clock
        self._transport: httpx.HTTPTransport | None = None

    @property
    def token_is_sent(self) -> bool:
        """Never over plain HTTP, but to this machine."""
        scheme, host, _ = self._origin
        return self._api.token is not None and (scheme == "https" or host in _LOOPBACK or host.startswith("127."))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._api.token is not None and self.token_is_sent and origin_of(request.url) == self._origin:
            headers = httpx.Headers(request.headers)
            headers["Authorization"] = f"Bearer {self._api.token.reveal()}"
            request = httpx.Request(
                request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
            )
        if self._transport is None:
            self._transport = self._connect(request.url)
        response = self._transport.handle_request(request)
        try:
            body = self._body(response, request.extensions["cap"], request.extensions["deadline"])
        finally:
            response.close()
        dropped = {"content-encoding", "content-length", "transfer-encoding"}
        headers = httpx.Headers([pair for pair in response.headers.multi_items() if pair[0] not in dropped])
        if response.status_code not in _STORED and response.status_code != 304:
            headers["cache-control"] = "no-store"
        return httpx.Response(response.status_code, headers=headers, content=body)

    def _body(self, response: httpx.Response, cap: int, deadline: float) -> bytes:
        parts, held = [], 0
        for chunk in response.iter_bytes():
            held += len(chunk)
            if held > cap:
                raise ResponseTooLarge
            if self._clock() > deadline:
                raise httpx.ReadTimeout("the answer took too long")
            parts.append(chunk)
        return b"".join(parts)

    def _connect(self, url: httpx.URL) -> httpx.HTTPTransport:
        """Made for the first request: loading the certificates costs more than an answer from the cache."""
        proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
        with without("anyio", "trio", "h2"):
            return httpx.HTTPTransport(verify=url.scheme == "https" or bool(proxy), proxy=proxy, trust_env=True)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class ApiTransport:
    """GET requests to one API. `answers` None: nothing is kept."""

    def __init__(self, api: Api, answers: ResponseCache | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._cached = answers is not None
        self.door = Door(api, clock)
        transport: httpx.BaseTransport = self.door
        if answers is not None:
            from hishel.httpx import CacheTransport

            transport = CacheTransport(self.door, storage=answers)
        # No httpx.Client: it would add cookies, redirects and authentication, none of which is wanted here.
        self._transport = transport
        self._headers = {
            "User-Agent": f"workermd/{__version__}",
            "X-GitHub-Api-Version": API_VERSION,
            "Accept-Encoding": "gzip",
            "Connection": "keep-alive",
        }

    def get(self, url: str, accept: str, *, lasting: bool, cap: int, deadline: float) -> ApiResponse:
        """`lasting`: what stands at the URL never changes, so a stored answer needs no question.

        Raises Unreachable, ResponseTooLarge.
        """
        # Everything else is asked for again each time: an age of up to a minute is allowed by GitHub, but a derive that
        # follows a push has to see it. The question is conditional, and free for a token when nothing changed.
        headers = self._headers | {"Accept": accept} | ({} if lasting else {"Cache-Control": "no-cache"})
        left = max(deadline - self._clock(), 0.01)
        timeout = httpx.Timeout(min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left))
        extensions: dict[str, object] = {"cap": cap, "deadline": deadline, "timeout": timeout.as_dict()}
        if self._cached:
            options: CacheOptions = {"shared": False, "allow_stale": False, "supported_methods": ["GET"]}
            key = key_of(url, accept, self._api.token)
            extensions["caching"] = {"key": key, "rfc": False if lasting else options}
        try:
            response = self._transport.handle_request(httpx.Request("GET", url, headers=headers, extensions=extensions))
            response.read()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(_reason(error), lasting=_distrusted(error)) from None
        return ApiResponse(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content
        )

    def close(self) -> None:
        self._transport.close()


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port: what a token belongs to."""
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def _distrusted(error: Exception) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _reason(error: Exception) -> str:
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "no connection within the time"),
        (httpx.TimeoutException, "no answer within the time"),
        (httpx.ProxyError, "the proxy refused"),
        (httpx.DecodingError, "the answer's compression is damaged"),
        (httpx.RemoteProtocolError, "the connection broke before the answer was whole"),
        (httpx.ReadError, "the connection broke"),
    )
    for kind, reason in kinds:
        if isinstance(error, kind):
            return reason
    if _distrusted(error):
        return "its certificate does not verify"
    if isinstance(error, httpx.ConnectError):
        return "no connection: the name is unknown, or nothing listens there"
    return f"the request failed ({type(error).__name__})"
