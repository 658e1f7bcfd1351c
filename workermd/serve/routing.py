"""A path and its deeds by method; whoever uses another method is told which there are."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.serve.problem import HttpProblem

Deed = Callable[[Request], Awaitable[Response]]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def at(path: str, **deeds: Deed) -> Route:
    """`at("/workers", GET=listed)`."""

    async def answer(request: Request) -> Response:
        return await deeds[method_of(request, *deeds)](request)

    return Route(path, answer, methods=METHODS)


def method_of(request: Request, *allowed: str) -> str:
    """The request's method, HEAD taken for GET, where it is allowed. Raises HttpProblem."""
    method = "GET" if request.method == "HEAD" else request.method
    if method not in allowed:
        raise HttpProblem(405, "method_not_allowed", f"This path takes {', '.join(allowed)}.").with_headers(
            Allow=", ".join(allowed)
        )
    return method
