"""The routes of runs: one request, one deed of the desk."""

import asyncio
import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.ledger.records import Run
from workermd.protocol.envelope import Document, timestamp
from workermd.protocol.errors import UsageError
from workermd.report.runs import parsed
from workermd.runner.answers import Answered
from workermd.runner.run_key import KeySource
from workermd.runner.trace import of_traceparent
from workermd.serve import responses
from workermd.serve.catalogue import Offer
from workermd.serve.desk import Desk
from workermd.serve.jobs import Job, Name, RunCall
from workermd.serve.problem import HttpProblem

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,5})\"?")


def routes(desk: Desk) -> list[Route]:
    runs = Runs(desk)
    return [
        Route("/workers/{worker}/runs", runs.start, methods=["POST"]),
        Route("/workers/{worker}/runs/{run:path}", runs.look, methods=["GET"]),
    ]


class Runs:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def start(self, request: Request) -> Response:
        """POST: the answer, or 202 where it is not to be waited for."""
        offer = self._offer(request)
        _need_json(request)
        data = await request.body()
        _need_key(offer, data, _key(request))
        call = RunCall(
            offer.worker, data, _key(request), of_traceparent(request.headers.get("traceparent", "")), _by(request)
        )
        try:
            found = await self._desk.start(call)
        except UsageError as error:
            raise HttpProblem(400, error.code, error.message, error.hint) from None
        return await self._answer(request, call, found)

    async def _answer(self, request: Request, call: RunCall, found: Answered | Job) -> Response:
        if isinstance(found, Answered):
            return responses.of_answer(found, call)
        seconds, applied = _preference(request)
        link = _address(found.name)
        if seconds is None or seconds > 0:
            waiting = asyncio.shield(asyncio.wrap_future(found.answer))
            try:
                answered = await asyncio.wait_for(waiting, seconds)
                return responses.of_answer(answered, call, {"Link": f'<{link}>; rel="self"'})
            except TimeoutError:
                pass
        more = {"Preference_Applied": applied} if applied else {}
        return responses.of_document(found.document, 202, Location=link, Retry_After=responses.RETRY_AFTER, **more)

    async def look(self, request: Request) -> Response:
        """GET: the envelope of a settled run; how it stands before that."""
        name = (self._offer(request).id, request.path_params["run"])
        job, run = self._desk.jobs.get(name), await self._desk.look(name)
        if run is not None and run.state == "done":
            envelope = parsed(run.envelope)
            assert envelope is not None
            return responses.of_envelope(envelope)
        if run is None and job is None:
            raise HttpProblem(404, "no_such_run", "There is no such run.")
        document = job.document if job is not None else {}
        return responses.of_document(
            document | (summary(run) if run is not None else {}), 202, Retry_After=responses.RETRY_AFTER
        )

    def _offer(self, request: Request) -> Offer:
        offer = self._desk.catalogue.get(request.path_params["worker"])
        if offer is None:
            raise HttpProblem(404, "no_such_worker", "No contract of this id is served here.", "see GET /workers")
        return offer


def summary(run: Run) -> Document:
    return {
        "worker_id": run.worker_id,
        "run_id": run.run_id,
        "state": run.state,
        "attempts": run.attempts,
        "max_attempts": run.max_attempts,
        "created_at": timestamp(run.created_at),
    }


def _address(name: Name) -> str:
    return f"/workers/{quote(name[0], safe='')}/runs/{quote(name[1], safe='')}"


def _by(request: Request) -> str:
    caller: str = request.state.caller
    return caller


def _key(request: Request) -> KeySource:
    """The Idempotency-Key: bare, or in quotes as a structured field has it."""
    given = request.headers.get("idempotency-key", "").strip()
    if len(given) > 1 and given[0] == given[-1] == '"':
        given = given[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return KeySource(given=given, option="Idempotency-Key") if given else KeySource()


def _need_key(offer: Offer, data: bytes, key: KeySource) -> None:
    """An object that lacks its key is told so, before anything about its schema. Raises HttpProblem."""
    contract = offer.worker.contract
    name = contract.constraints.idempotency_key
    if key.given:
        return
    try:
        value = quick.load_exact(data).value if contract.key_in_input else {}
    except JsonError:
        return
    if isinstance(value, dict) and name not in value:
        where = f"put {name!r} into the input, or send" if contract.key_in_input else "send"
        raise HttpProblem(400, "run_key_missing", "Nothing names the run.", f"{where} the header Idempotency-Key")


def _need_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != responses.JSON:
        raise HttpProblem(
            415, "not_json", "The body has to be application/json.", "send Content-Type: application/json"
        )


def _preference(request: Request) -> tuple[float | None, str]:
    """Seconds to wait, None for as long as it takes; and what to say of it (RFC 7240)."""
    words = [word.strip().lower() for header in request.headers.getlist("prefer") for word in header.split(",")]
    waits = [found for word in words if (found := _WAIT.fullmatch(word))]
    if waits:
        return float(waits[0][1]), f"wait={waits[0][1]}"
    return (0.0, "respond-async") if "respond-async" in words else (None, "")
