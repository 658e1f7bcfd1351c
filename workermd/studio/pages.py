"""The pages that only read: each is made anew from the ledger and the contracts for every request."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from workermd import __version__
from workermd.ledger import artifacts
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document
from workermd.serve.responses import of_file
from workermd.studio import rendering, run_view, runs_view
from workermd.studio.conversation import SaidWords, conversation
from workermd.studio.frame import PageFrame, PageProblem, RunName
from workermd.studio.open_ledger import looked

_TICK = 1.0
"""Seconds between two looks of a page that follows the ledger."""


class RunPages:
    """Runs, one run, its report, decisions; and the events by which an open page follows the ledger."""

    def __init__(self, frame: PageFrame) -> None:
        self._room = frame.room
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            Route("/studio/", self.runs),
            Route("/studio/run", self.run),
            Route("/studio/report", self.report),
            Route("/studio/artifact", self.artifact),
            Route("/studio/live", self.live),
            Route("/studio/pending", self.pending),
        ]

    # --- runs -------------------------------------------------------------------------------------------

    def runs(self, request: Request) -> Response:
        view = looked(self._room.ledger, lambda ledger: runs_view.view(ledger, request.query_params))
        ids = dict.fromkeys([each.id for each in self._room.shelf.all()] + [row.worker_id for row in view.rows])
        return self._frame.page("runs.html", request, "", view=view, workers=sorted(ids))

    def run(self, request: Request) -> Response:
        view = self._run(request.query_params)
        if view is None:
            return self._not_in_the_ledger(request)
        return self._frame.page("run.html", request, "run", view=view, failure=self._room.failures.of(_name(request)))

    def _not_in_the_ledger(self, request: Request) -> Response:
        """A run that is on its way and not there yet, one that could not begin, or none."""
        name = _name(request)
        failure, job = self._room.failures.of(name), self._room.under_way(name)
        if failure is None and job is None:
            return self._missing(request)
        return self._frame.page("preparing.html", request, "run", worker_id=name[0], run_id=name[1], failure=failure)

    def _missing(self, request: Request) -> Response:
        return self._frame.problem(request, 404, PageProblem("No such run", "This ledger has no run of this name."))

    def _run(self, query: Mapping[str, str]) -> run_view.RunView | None:
        def read(ledger: Ledger | None) -> run_view.RunView | None:
            found = run_view.kept(ledger, query.get("worker", ""), query.get("run", "")) if ledger else None
            if ledger is None or found is None:
                return None
            text = ledger.contract_of(found.run.id)
            shelved = self._room.shelf.of_run(found.run) or (self._room.shelf.kept(text) if text is not None else None)
            reading = shelved.reading if shelved is not None else None
            said, logs = _told(ledger, found)
            said = self._said_now(found) | said
            return run_view.view(found, reading, said, logs, time.time_ns() // 1000)

        return looked(self._room.ledger, read)

    def _said_now(self, found: run_view.KeptRun) -> dict[int, tuple[SaidWords, ...]]:
        """What is being said in attempts that have not ended: the ledger has it when they do."""
        return _conversations(self._room.happening((found.run.worker_id, found.run.run_id)))

    def artifact(self, request: Request) -> Response:
        """A file that an attempt left, to keep and never to show."""
        name, digest = _name(request), request.query_params.get("sha256", "")

        def looked_for(ledger: Ledger | None) -> tuple[str, BinaryIO] | None:
            run = ledger.look(*name) if ledger is not None else None
            return artifacts.found(ledger, run.id, digest) if ledger is not None and run is not None else None

        found = looked(self._room.ledger, looked_for)
        if found is None:
            told = PageProblem("No such file", "This run has no file of this digest any more.")
            return self._frame.problem(request, 404, told)
        return of_file(*found)

    def report(self, request: Request) -> Response:
        """The run as one file that needs no server, no network and no script."""
        view = self._run(request.query_params)
        if view is None:
            return self._missing(request)
        values = {"view": view, "style": rendering.style(), "version": __version__, "now": time.time_ns() // 1000}
        name = "".join(
            each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in view.run.run_id
        )
        headers = {**rendering.HEADERS, "Content-Disposition": f'attachment; filename="run-{name[:80]}.html"'}
        return Response(self._frame.templates.text("report.html", values), 200, headers, "text/html")

    def pending(self, request: Request) -> Response:
        questions = looked(self._room.ledger, lambda ledger: ledger.pending() if ledger else ())
        return self._frame.page("pending.html", request, "pending", questions=questions)

    # --- following --------------------------------------------------------------------------------------

    async def live(self, request: Request) -> Response:
        """Events of a page that follows the ledger: its mark whenever it changed, and the end of what cannot change."""
        query = request.query_params
        if "run" in query:
            mark = self._mark_of_run(_name(request))
        else:
            mark = self._mark_of_runs(dict(parse_qsl(query.get("page", "").removeprefix("?"))))
        events = _events(lambda: run_in_threadpool(looked, self._room.ledger, mark))
        return StreamingResponse(events, 200, rendering.HEADERS, "text/event-stream")

    def _mark_of_runs(self, query: Mapping[str, str]) -> Callable[[Ledger | None], str | None]:
        return lambda ledger: runs_view.view(ledger, query).mark

    def _mark_of_run(self, name: RunName) -> Callable[[Ledger | None], str | None]:
        def mark(ledger: Ledger | None) -> str | None:
            found = run_view.kept(ledger, *name) if ledger is not None else None
            if found is None:
                return "preparing" if self._room.under_way(name) is not None else None
            if found.run.state == "done":
                return None
            return f"{run_view.mark(found)}.{run_view.words(self._said_now(found))}"

        return mark


def _told(ledger: Ledger, found: run_view.KeptRun) -> tuple[dict[int, tuple[SaidWords, ...]], dict[int, str]]:
    """What was said in each attempt, and what each wrote to its log."""
    events = [{**event.document, "attempt": event.n} for event in ledger.events_of(found.run.id)]
    logs = {each.n: ledger.log_of(each.token).decode("utf-8", "replace") for each in found.attempts}
    return _conversations(events), {n: text for n, text in logs.items() if text}


def _conversations(events: list[Document]) -> dict[int, tuple[SaidWords, ...]]:
    """By attempt."""
    of_attempts: dict[int, list[Document]] = {}
    for event in events:
        of_attempts.setdefault(event.get("attempt", 0), []).append(event)
    return {n: said for n, each in of_attempts.items() if (said := conversation(each))}


def _name(request: Request) -> RunName:
    return request.query_params.get("worker", ""), request.query_params.get("run", "")


async def _events(mark: Callable[[], Any]) -> AsyncIterator[str]:
    """The stream of a page; a comment keeps a silent one open."""
    told, silent = "", 0.0
    while True:
        found = await mark()
        if found is None:
            yield "event: end\ndata:\n\n"
            return
        if found != told or silent >= 5:
            told, silent = found, 0.0
            yield f"event: mark\ndata: {found}\n\n"
        await asyncio.sleep(_TICK)
        silent += _TICK
