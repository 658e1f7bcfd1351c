"""The application: routes of ours and of others behind one guard."""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from workermd.protocol.errors import WorkermdError
from workermd.serve import offers, responses, runs
from workermd.serve.desk import Desk
from workermd.serve.guard import Access, Guard, Recognised
from workermd.serve.observation import MEDIA_TYPE, Observation
from workermd.serve.problem import HttpProblem, of_error
from workermd.serve.routing import at


class Addition(NamedTuple):
    """What another room adds: its routes, the paths among them that need no caller, and how it knows a browser."""

    routes: Sequence[BaseRoute] = ()
    open_paths: Sequence[str] = ()
    recognised: Sequence[Recognised] = ()


def application(desk: Desk, access: Access, *additions: Addition) -> ASGIApp:
    """Everything that is served. Ours comes first: nobody can stand before it."""
    for addition in additions:
        access = access.opened(addition.open_paths, addition.recognised)
    observation = Observation(access.log, tuple(path for path in access.open_paths if path.endswith("/")))

    async def measured(_request: Request) -> Response:
        return Response(observation.metrics(desk), media_type=MEDIA_TYPE)

    inner = Starlette(
        routes=[
            at("/metrics", GET=measured),
            at("/healthz", GET=_healthy),
            at("/readyz", GET=_Ready(desk).answer),
            *offers.routes(desk.catalogue),
            *runs.routes(desk),
            *(route for addition in additions for route in addition.routes),
        ],
        exception_handlers={
            404: _not_found,
            405: _not_allowed,
            HttpProblem: _refused,
            WorkermdError: _failed,
            Exception: _our_fault,
        },
    )
    return Guard(inner, access, observation)


async def _healthy(_request: Request) -> Response:
    return responses.of_document({"status": "ok"})


class _Ready:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, _request: Request) -> Response:
        """Whether a new run would be taken: not while the server ends, nor without its ledger."""
        if self._desk.draining:
            raise HttpProblem(503, "draining", "The server ends.").with_headers(Retry_After="5")
        await self._desk.ask(lambda session: session.ledger.runs(limit=1))
        return responses.of_document({"status": "ready"})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    return error.response()


async def _failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WorkermdError)
    return of_error(error).response()


async def _our_fault(_request: Request, error: Exception) -> Response:
    """The server says on standard error what it was."""
    return HttpProblem(500, "internal_error", f"A fault of workermd itself ({type(error).__name__}).").response()


async def _not_found(_request: Request, _error: Exception) -> Response:
    return HttpProblem(404, "not_found", "Nothing is served at this path.", "see GET /openapi.json").response()


async def _not_allowed(_request: Request, error: Exception) -> Response:
    problem = HttpProblem(405, "method_not_allowed", "This path does not take this method.")
    problem.headers = dict(getattr(error, "headers", None) or {})
    return problem.response()
