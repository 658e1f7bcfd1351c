"""The routes of runs: one request, one deed of the desk."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.ledger import artifacts
from workermd.ledger.records import Run, RunChoice, RunSummary
from workermd.protocol.envelope import Document, timestamp
from workermd.protocol.errors import UsageError
from workermd.report import people
from workermd.report.runs import parsed
from workermd.runner.answers import Answered
from workermd.runner.decisions import DENY, Choice
from workermd.runner.run_key import OF_INPUT, KeySource
from workermd.runner.session import Session
from workermd.runner.trace import of_traceparent
from workermd.serve import reading, responses, stream
from workermd.serve.catalogue import Offer
from workermd.serve.desk import Desk
from workermd.serve.jobs import Job, Name, RunCall
from workermd.serve.offers import found as found_offer
from workermd.serve.problem import HttpProblem
from workermd.serve.routing import METHODS, at, method_of

MOST_LISTED = 500
MOST_LINES = 1000
MOST_GRANTED = 100


def routes(desk: Desk) -> list[Route]:
    runs = Runs(desk)
    return [
        at("/workers/{worker}/runs", GET=runs.listed, POST=runs.start),
        at("/workers/{worker}/batches", POST=runs.batch),
        Route("/workers/{worker}/runs/{rest:path}", runs.of_one, methods=METHODS),
        at("/pending", GET=runs.pending),
    ]


class Runs:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._deeds: dict[str, dict[str, Callable[[Request, Name], Awaitable[Response]]]] = {
            "": {"GET": self._look},
            "events": {"GET": self._events},
            "artifacts": {"GET": self._artifact},
            "cancel": {"POST": self._cancel},
            "decisions": {"POST": self._decide},
            "reopenings": {"POST": self._reopen},
        }

    async def of_one(self, request: Request) -> Response:
        """A deed on one run. The path is split before it is decoded: a run's id may hold a slash, as %2F."""
        worker = found_offer(self._desk.catalogue, request).id
        run_id, deed = reading.run_and_deed(request)
        if deed not in self._deeds:
            raise HttpProblem(404, "not_found", "Nothing is served at this path.", "see GET /openapi.json")
        return await self._deeds[deed][method_of(request, *self._deeds[deed])](request, (worker, run_id))

    async def start(self, request: Request) -> Response:
        """POST: the answer, or 202 where it is not to be waited for."""
        offer = found_offer(self._desk.catalogue, request)
        reading.need_json(request)
        data = await request.body()
        reading.need_key(offer, data, reading.key(request))
        call = RunCall(
            offer,
            offer.worker,
            data,
            reading.key(request),
            of_traceparent(request.headers.get("traceparent", "")),
            reading.by(request),
        )
        try:
            found = await self._desk.start(call)
        except UsageError as error:
            raise HttpProblem(400, error.code, error.message, error.hint) from None
        return await self._answer(request, call, found)

    async def _answer(
        self, request: Request, call: RunCall, found: Answered | Job, preference: tuple[float | None, str] | None = None
    ) -> Response:
        if isinstance(found, Answered):
            return responses.of_answer(found, call)
        seconds, applied = preference or reading.preference_of(request)
        link = responses.address(found.name)
        if seconds is None or seconds > 0:
            waiting = asyncio.shield(asyncio.wrap_future(found.answer))
            try:
                answered = await asyncio.wait_for(waiting, seconds)
                return responses.of_answer(answered, call, {"Link": f'<{link}>; rel="self"'})
            except TimeoutError:
                pass
        more = {"Preference_Applied": applied} if applied else {}
        return responses.of_document(found.document, 202, Location=link, Retry_After=responses.RETRY_AFTER, **more)

    async def _look(self, _request: Request, name: Name) -> Response:
        """GET: the envelope of a settled run; how it stands before that."""
        job, run = self._desk.jobs.get(name), await self._desk.look(name)
        if run is not None and run.state == "done":
            envelope = parsed(run.envelope)
            assert envelope is not None
            return responses.of_envelope(envelope)
        if run is None and job is None:
            raise reading.no_such_run()
        document = job.document if job is not None else {}
        return responses.of_document(
            document | (summary(run) if run is not None else {}), 202, Retry_After=responses.RETRY_AFTER
        )

    async def listed(self, request: Request) -> Response:
        """GET: the newest runs of a contract."""
        worker, query = found_offer(self._desk.catalogue, request).id, request.query_params
        limit = query.get("limit", "50")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_LISTED):
            raise HttpProblem(400, "usage", f"limit is a number from 1 to {MOST_LISTED}.")
        rows = await self._desk.ask(
            lambda session: session.ledger.runs(RunChoice(worker, query.get("status")), limit=int(limit))
        )
        return responses.of_document({"runs": [summary(row) for row in rows]})

    async def pending(self, _request: Request) -> Response:
        """GET: what waits for a person, of the contracts that are served here."""
        found = await self._desk.ask(lambda session: session.ledger.pending())
        requests = [
            {"worker_id": each.worker_id, "run_id": each.run_id} | people.request(each)
            for each in found
            if each.worker_id in self._desk.catalogue
        ]
        return responses.of_document({"requests": requests})

    async def _events(self, request: Request, name: Name) -> Response:
        seen = stream.number_of(request.headers.get("last-event-id", ""))
        job = self._desk.jobs.get(name)
        if job is not None:
            return stream.of_feed(job.feed, seen)
        told = await self._desk.told(name)
        if told is None:
            raise reading.no_such_run()
        return stream.of_ledger(lambda: self._desk.told(name), told, seen)

    async def _artifact(self, request: Request, name: Name) -> Response:
        """GET: a file that an attempt left, by its digest, as the envelope names it."""
        digest = request.query_params.get("sha256", "")

        def looked_for(session: Session) -> tuple[str, BinaryIO] | None:
            run = session.ledger.look(*name)
            return None if run is None else artifacts.found(session.ledger, run.id, digest)

        found = await self._desk.ask(looked_for)
        if found is None:
            raise HttpProblem(404, "no_such_artifact", "This run has no file of this digest.", "see its envelope")
        return responses.of_file(*found)

    async def _cancel(self, _request: Request, name: Name) -> Response:
        """POST: what runs here ends soon; the attempts that are left stay."""
        if not self._desk.cancel(name):
            if await self._desk.look(name) is None:
                raise reading.no_such_run()
            raise HttpProblem(409, "not_running", "This server does not carry out this run now.")
        return responses.of_document({"worker_id": name[0], "run_id": name[1], "state": "ending"}, 202)

    async def _decide(self, request: Request, name: Name) -> Response:
        """POST: a person's decision, under the name of their token. The run goes on at once."""
        fields = await reading.fields_of(request, answer=str, reason=str, final=bool, request_id=str)
        if await self._desk.look(name) is None:
            raise reading.no_such_run()
        if not fields.get("answer"):
            raise HttpProblem(400, "usage", "There is no answer.", 'send {"answer": "approve"}, or another')
        if fields.get("final") and fields["answer"] != DENY:
            raise HttpProblem(409, "usage", f"Only the answer {DENY} is final.")
        choice = Choice(
            fields["answer"],
            reading.by(request),
            fields.get("reason", ""),
            fields.get("final", False),
            fields.get("request_id", ""),
        )
        job = await self._desk.decide(name, choice, reading.by(request))
        return await self._look(request, name) if job is None else await self._gone_on(request, job)

    async def _reopen(self, request: Request, name: Name) -> Response:
        """POST: further starts for a settled run, which goes on at once."""
        fields = await reading.fields_of(request, attempts=int, reason=str)
        attempts = fields.get("attempts", 1)
        if not 1 <= attempts <= MOST_GRANTED:
            raise HttpProblem(400, "usage", f"attempts is a number from 1 to {MOST_GRANTED}.")
        if await self._desk.look(name) is None:
            raise reading.no_such_run()
        job = await self._desk.reopen(name, attempts, reading.by(request), fields.get("reason", ""))
        return await self._gone_on(request, job)

    async def _gone_on(self, request: Request, job: Job) -> Response:
        """A person waits for the end only where they ask to."""
        seconds, applied = reading.preference_of(request)
        return await self._answer(request, job.call, job, (seconds or 0.0, applied))

    async def batch(self, request: Request) -> Response:
        """POST: many inputs; for each what became of it, in their order. The same body again goes on."""
        offer = found_offer(self._desk.catalogue, request)
        items = await reading.inputs_of(request)
        if len(items) > MOST_LINES:
            raise HttpProblem(422, "too_many_inputs", f"A batch has at most {MOST_LINES} inputs.")
        return responses.of_document({"items": [await self._item(request, offer, item) for item in items]})

    async def _item(self, request: Request, offer: Offer, line: bytes) -> Document:
        source = KeySource() if offer.worker.contract.key_in_input else KeySource(derived=OF_INPUT, option="the batch")
        call = RunCall(offer, offer.worker, line, source, of_traceparent(""), reading.by(request))
        try:
            found = await self._desk.start(call)
        except HttpProblem as problem:
            return {"status": problem.status, "code": problem.code, "detail": problem.detail}
        if isinstance(found, Job):
            return {"status": 202, "run_id": found.name[1], "location": responses.address(found.name)}
        status, document = responses.status_of(found.envelope), found.envelope
        error = document.get("error", {})
        told = {"code": error["code"], "detail": error["message"]} if status >= 400 else {}
        place = {"location": responses.address((offer.id, document["run_id"]))} if status < 400 else {}
        return {"status": status, "run_id": document["run_id"]} | place | told


def summary(run: Run | RunSummary) -> Document:
    return {
        "worker_id": run.worker_id,
        "run_id": run.run_id,
        "state": run.state,
        "status": run.status,
        "attempts": run.attempts,
        "max_attempts": run.max_attempts,
        "created_at": timestamp(run.created_at),
    }
