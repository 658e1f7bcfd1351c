"""What a person does in the browser: each is one form, held against its session, and one deed of the server's desk."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workermd.contract.instance import check
from workermd.ledger.records import Run
from workermd.protocol.errors import WorkermdError
from workermd.runner.answers import Answered
from workermd.runner.decisions import DENY, Choice
from workermd.runner.request import means_the_same
from workermd.runner.run_key import KeySource
from workermd.runner.trace import of_traceparent
from workermd.serve.catalogue import Offer
from workermd.serve.desk import Desk
from workermd.serve.jobs import Job, RunCall
from workermd.serve.problem import HttpProblem
from workermd.studio import addresses, entrance, offers, rendering
from workermd.studio.contract_pages import ContractPages
from workermd.studio.entrance import BrowserSession
from workermd.studio.frame import PageFrame, PageProblem, RunName
from workermd.studio.open_ledger import looked
from workermd.studio.shelf import Shelved

Form = dict[str, str]
Deed = Callable[[Request, BrowserSession, Form], Awaitable[Response]]


class Deeds:
    """The forms of runs: start, decide, cancel, go on, reopen. Whoever sends one is known by the session, never by a field."""

    def __init__(self, frame: PageFrame, contracts: ContractPages, desk: Desk) -> None:
        self._room = frame.room
        self._frame = frame
        self._contracts = contracts
        self._desk = desk

    def routes(self) -> list[Route]:
        deeds = {
            "decide": self._decide,
            "cancel": self._cancel,
            "go-on": self._go_on,
            "reopen": self._reopen,
            "start": self._start,
        }
        return [self.route(name, deed) for name, deed in deeds.items()]

    def route(self, name: str, deed: Deed) -> Route:
        """A form: refused without its session's token, and every refusal a page that leads back."""

        async def sent(request: Request) -> Response:
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
            session = self._room.entrance.session(request)
            if session is None or not entrance.is_of(session, form.get("csrf", "")):
                message, hint = (
                    "It does not bear the mark of your session.",
                    "load the page again, and send it once more",
                )
                return await self.refused(request, 403, PageProblem("This form is too old", message, hint))
            try:
                return await deed(request, session, form)
            except HttpProblem as problem:
                return await self.refused(
                    request, problem.status, PageProblem("That cannot be done", problem.detail, problem.hint)
                )
            except WorkermdError as error:
                return await self.refused(request, 409, PageProblem("That cannot be done", error.message, error.hint))

        return Route(f"/studio/{name}", sent, methods=["POST"])

    async def refused(self, request: Request, status: int, told: PageProblem) -> Response:
        """A refusal as a page with the way back."""
        back = request.headers.get("referer", "")
        told = told._replace(back=back if "/studio/" in back else "")
        return await run_in_threadpool(self._frame.problem, request, status, told)

    # --- runs -------------------------------------------------------------------------------------------

    async def _decide(self, _request: Request, session: BrowserSession, form: Form) -> Response:
        answer = form.get("answer", "")
        answer = form.get("words", "") if answer == "answer" and "words" in form else answer
        name, _ = await self._served(form)
        final = answer == DENY and form.get("final") == "yes"
        choice = Choice(answer, session.name, form.get("reason", ""), final, form.get("request", ""))
        job = await self._desk.decide(name, choice, session.name)
        if job is not None:
            self._hear(job)
        return self._to_run(name, "decided" if job is not None else "ended")

    async def _cancel(self, _request: Request, _session: BrowserSession, form: Form) -> Response:
        name = _name(form)
        return self._to_run(name, "cancelled" if self._desk.cancel(name) else "nothing")

    async def _go_on(self, _request: Request, session: BrowserSession, form: Form) -> Response:
        name, run = await self._served(form)
        self._hear(await self._desk.go_on(run, session.name))
        return self._to_run(name, "going")

    async def _reopen(self, _request: Request, session: BrowserSession, form: Form) -> Response:
        name, _ = await self._served(form)
        self._hear(await self._desk.reopen(name, 1, session.name, form.get("reason", "")))
        return self._to_run(name, "going")

    async def _start(self, request: Request, session: BrowserSession, form: Form) -> Response:
        shelved = await run_in_threadpool(self._room.shelf.of, form.get("worker", ""))
        if shelved is None or shelved.contract is None:
            raise HttpProblem(404, "no_such_worker", "No usable contract of this id is open here.")
        data = form.get("input", "").encode("utf-8", "replace")
        contract = shelved.contract
        _, findings = await run_in_threadpool(check, data, "input", contract.input_schema, contract.input_draft)
        if findings:
            typed = form.get("input", "")
            return await run_in_threadpool(self._contracts.one, request, shelved, typed, findings, 422)
        offer = await self._offered(shelved)
        key = form.get("key", "").strip()
        call = RunCall(
            offer,
            offer.worker,
            data,
            KeySource(given=key, option="the run's id") if key else KeySource(),
            of_traceparent(""),
            session.name,
        )
        found = await self._desk.start(call)
        if isinstance(found, Answered):
            run_id = str(found.envelope["run_id"] or "")
            if found.envelope.get("replayed"):
                return self._to_run((contract.id, run_id), "replayed")
            error = found.envelope.get("error", {})
            raise HttpProblem(409, "refused", error.get("message", ""), error.get("hint", ""))
        self._hear(found)
        return self._to_run(found.name, "begun")

    async def _served(self, form: Form) -> tuple[RunName, Run]:
        """The run that a form names, its contract offered as the run was begun with it. Raises HttpProblem before anything
        is decided that could not go on."""
        name = _name(form)
        run = await self._desk.look(name)
        if run is None:
            raise HttpProblem(404, "no_such_run", "This ledger has no run of this name.")
        shelved = await run_in_threadpool(self._begun_with, run)
        if shelved is None:
            raise HttpProblem(
                409,
                "contract_not_served",
                f"The contract that this run was begun with is not at hand: {name[0]!r} is missing or means something else now.",
                "open the studio with that contract, or give the same command in a terminal",
            )
        await self._offered(shelved)
        return name, run

    def _begun_with(self, run: Run) -> Shelved | None:
        """The contract of a run: a file that means the same still, else the text that the ledger kept of it."""
        if (shelved := self._room.shelf.of_run(run)) is not None:
            return shelved
        text = looked(self._room.ledger, lambda ledger: ledger.contract_of(run.id) if ledger is not None else None)
        kept = self._room.shelf.kept(text) if text is not None else None
        return kept if kept is not None and kept.contract is not None and means_the_same(run, kept.contract) else None

    async def _offered(self, shelved: Shelved) -> Offer:
        """A contract as its file and the configuration are now, offered to all who call. Raises ConfigurationError,
        UsageError."""
        offer = Offer(*await run_in_threadpool(offers.of, self._room, shelved))
        self._desk.catalogue[offer.id] = offer
        return offer

    def _hear(self, job: Job) -> None:
        """Why a run could not even begin is told on its page: the ledger knows nothing of it."""
        job.answer.add_done_callback(lambda done: self._room.failures.note(job.name, done.exception()))

    def _to_run(self, name: RunName, said: str) -> Response:
        address = addresses.of("run", worker=name[0], run=name[1], said=said)
        return RedirectResponse(address, 303, rendering.HEADERS)


def _name(form: Form) -> RunName:
    return form.get("worker", ""), form.get("run", "")
