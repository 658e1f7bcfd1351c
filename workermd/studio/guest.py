"""The studio beside a server: its pages and forms, the paths that need no caller, and how a browser is known."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from workermd.serve.application import Addition
from workermd.serve.desk import Desk
from workermd.serve.start import Guest
from workermd.studio import addresses, rendering
from workermd.studio.compare_pages import ComparePages
from workermd.studio.contract_pages import ContractPages
from workermd.studio.deeds import Deeds
from workermd.studio.edit_pages import EditPages
from workermd.studio.frame import PageFrame, StudioRoom
from workermd.studio.pages import RunPages


class Studio:
    """`room` without what only a running server knows; `name` is who the link of the start lets in."""

    def __init__(self, room: StudioRoom, name: str) -> None:
        self._room = room
        self._name = name

    def guest(self) -> Guest:
        return Guest(self.addition, self.greeting)

    def greeting(self, address: str) -> str:
        link = address + self._room.entrance.link(self._name)
        return f"open the studio, once and within ten minutes: {link}"

    def addition(self, desk: Desk) -> Addition:
        def under_way(name: tuple[str, str]) -> dict[str, object] | None:
            job = desk.jobs.get(name)
            return job.document if job is not None else None

        def happening(name: tuple[str, str]) -> list[dict[str, object]]:
            job = desk.jobs.get(name)
            return list(job.feed.documents) if job is not None else []

        frame = PageFrame(self._room._replace(acts=True, under_way=under_way, happening=happening))
        contracts = ContractPages(frame)
        deeds = Deeds(frame, contracts, desk)
        routes: list[BaseRoute] = [
            Route("/", self._home),
            Route("/studio", self._home),
            Route("/studio/enter", self._enter),
            Mount("/studio/static", StaticFiles(directory=rendering.STATIC)),
            *RunPages(frame).routes(),
            *contracts.routes(),
            *deeds.routes(),
            *ComparePages(frame).routes(),
            *EditPages(frame, deeds).routes(),
        ]
        return Addition(routes, ("/studio/enter", "/studio/static/"), (self._room.entrance.recognised,))

    def _home(self, _request: Request) -> Response:
        return RedirectResponse(addresses.HOME, 303)

    def _enter(self, request: Request) -> Response:
        """The link that was shown at the start: a session for its first visitor."""
        key = self._room.entrance.enter(request.query_params.get("code", ""))
        if not key:
            text = "This link was used, or is too old. Start the studio again for a new one.\n"
            return Response(text, 403, rendering.HEADERS, "text/plain; charset=utf-8")
        response = RedirectResponse(addresses.HOME, 303, rendering.HEADERS)
        self._room.entrance.give(response, key, secure=request.url.scheme == "https")
        return response
