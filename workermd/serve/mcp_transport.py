"""MCP on this process's standard streams, and over HTTP at /mcp."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from workermd.serve import responses
from workermd.serve.application import Addition
from workermd.serve.desk import Desk
from workermd.serve.mcp_server import server
from workermd.serve.routing import at

PATH = "/mcp"
METADATA = f"/.well-known/oauth-protected-resource{PATH}"
_MOST_SESSIONS = 1000


async def on_standard_streams(desk: Desk, caller: str, ready: Callable[[], None], *, key_by_model: bool) -> None:
    """Until the client closes our standard input. Whoever started the process is who calls."""
    served = server(desk, lambda _context: caller, key_by_model=key_by_model)
    async with stdio_server() as (read, write):
        ready()
        await served.run(read, write, served.create_initialization_options())


class OverHttp:
    """The route, and what has to run beside it. The guard has checked host, origin and token before it is asked."""

    def __init__(self, desk: Desk, most_bytes: int, *, key_by_model: bool = False, issuer: str = "") -> None:
        self._issuer = issuer
        self._manager = StreamableHTTPSessionManager(
            server(desk, _caller, key_by_model=key_by_model),
            max_request_body_size=most_bytes,
            max_sessions=_MOST_SESSIONS,
        )

    @property
    def addition(self) -> Addition:
        return Addition([Route(PATH, self), at(METADATA, GET=self._metadata)], open_paths=[METADATA])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield

    async def _metadata(self, request: Request) -> Response:
        """Protected resource metadata (RFC 9728): where tokens come from, if not from the operator alone."""
        issued = {"authorization_servers": [self._issuer]} if self._issuer else {}
        return responses.of_document(
            {
                "resource": f"{str(request.base_url).rstrip('/')}{PATH}",
                "bearer_methods_supported": ["header"],
                "resource_name": "workermd",
            }
            | issued
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A session belongs to the caller that began it: the SDK compares them."""
        token = AccessToken(token="", client_id=scope["state"]["caller"], scopes=[])
        await self._manager.handle_request({**scope, "user": AuthenticatedUser(token)}, receive, send)


def _caller(context: Any) -> str:
    caller: str = context.request.state.caller
    return caller
