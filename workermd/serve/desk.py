"""The deeds that HTTP, MCP, A2A and the pages share: start a run, look at it, cancel, decide, reopen.

Everything of `Desk` belongs to the loop's thread, but for what its threads carry out: the clerks' quick looks into the
ledger, and the attempts of runs. Whoever waits for a run only waits: nobody's leaving ends it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

from workermd.batch.sessions import SharedHosts
from workermd.ledger.records import Run
from workermd.protocol.envelope import Status
from workermd.protocol.errors import UsageError
from workermd.report.events import EventDocuments
from workermd.runner import decisions
from workermd.runner.answers import Answered
from workermd.runner.decisions import Choice
from workermd.runner.events import Event, Subscriber
from workermd.runner.invocation import before_an_attempt, invoke
from workermd.runner.request import Request
from workermd.runner.session import Session
from workermd.serve import promises, told_events
from workermd.serve.catalogue import Catalogue
from workermd.serve.crew import Crew
from workermd.serve.feed import Feed
from workermd.serve.jobs import Job, Name, RunCall
from workermd.serve.problem import HttpProblem

T = TypeVar("T")

CLERKS = 4
"""Threads that look into the ledger while attempts hold theirs."""


CarriesOut = Callable[[Session, Request], Answered]
"""Runs a request to its answer: in a process of this machine, or on the nodes of a cluster. Raises as `invoke` does."""


def _here(session: Session, request: Request) -> Answered:
    return invoke(session, request)


class Capacity(NamedTuple):
    """`jobs` runs at a time and `queue` that wait for their turn; bytes of an input."""

    jobs: int
    queue: int
    max_input_bytes: int


class Desk:
    """One ledger and the contracts that are served on it. Made inside the running loop; `close` ends its threads."""

    def __init__(
        self, catalogue: Catalogue, ledger: str, bounds: Capacity, carry_out: CarriesOut | None = None
    ) -> None:
        self.catalogue = catalogue
        self.ledger = ledger
        self.bounds = bounds
        self.jobs: dict[Name, Job] = {}
        self.draining = False
        self.ended: Counter[tuple[str, str]] = Counter()
        """Answers by worker and status, since the start."""
        self._invoke = carry_out or _here
        self._loop = asyncio.get_running_loop()
        self._hosts = SharedHosts()
        self._clerks = Crew("clerk", CLERKS, lambda: self._hosts.session(ledger))
        self._crew = Crew("attempt", bounds.jobs, lambda: self._hosts.session(ledger))

    # --- runs -------------------------------------------------------------------------------------------

    async def start(self, call: RunCall) -> Answered | Job:
        """The answer that needs no attempt, or the run on its way. Raises HttpProblem, and WorkermdError as `invoke` does."""
        found = await self.ask(lambda session: before_an_attempt(session, self._request(call)))
        if isinstance(found, Answered):
            return found
        assert found.key is not None
        name = (found.key.worker_id, found.key.run_id)
        job = self.jobs.get(name)
        if job is None:
            self._refuse_more()
            job = self.jobs[name] = Job(name, found.key.input_sha256, call, Feed(self._loop))
            job.promised = asyncio.create_task(self._promise(job))
        elif job.input_sha256 != found.key.input_sha256:
            raise HttpProblem(422, "idempotency_conflict", "This key is in use with another input; nothing was run.")
        await asyncio.shield(job.promised)
        return job

    async def _promise(self, job: Job) -> None:
        """The run is on disk before anybody is told of it, and before it begins."""
        try:
            await self.ask(lambda session: promises.accept(session, job.name, job.call))
        except BaseException as error:
            del self.jobs[job.name]
            job.feed.end()
            job.answer.set_exception(error)
            raise
        self._enter(job)

    async def go_on_with_unfinished(self) -> promises.Unfinished:
        """At the start: what a server before this one had answered for. However many they are, they have their turn."""
        unfinished = await self.ask(lambda session: promises.unfinished(session, self.catalogue))
        for call in unfinished.calls:
            await self._go_on_with(call, (call.offer.id, call.key.given))
        return unfinished

    async def _go_on_with(self, call: RunCall, name: Name) -> None:
        found = await self.ask(lambda session: before_an_attempt(session, self._request(call)))
        if isinstance(found, Answered):
            await self.ask(lambda session: promises.withdraw(session, name))
        elif name not in self.jobs and found.key is not None:
            job = self.jobs[name] = Job(name, found.key.input_sha256, call, Feed(self._loop))
            job.promised.set_result(None)
            self._enter(job)

    def _refuse_more(self) -> None:
        if self.draining:
            raise HttpProblem(503, "draining", "The server ends and begins no further run.").with_headers(
                Retry_After="5"
            )
        if len(self.jobs) >= self.bounds.jobs + self.bounds.queue:
            raise HttpProblem(
                429,
                "queue_full",
                f"{self.bounds.jobs} runs are on their way and {self.bounds.queue} wait for their turn.",
                "ask again later",
            ).with_headers(Retry_After="1")

    def _enter(self, job: Job) -> None:
        done = self._crew.submit(lambda session: self._carry_out(session, job))
        done.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._leave, job, done))

    def _carry_out(self, session: Session, job: Job) -> Answered:
        job.begun = True
        run = session.ledger.look(*job.name)
        if run is not None:
            job.feed.begin(told_events.told(session.ledger, run))
        answered = self._invoke(session, self._request(job.call, job))
        if answered.envelope["status"] == Status.INVALID_REQUEST or (job.cancelled.is_set() and not self.draining):
            promises.withdraw(session, job.name)
        return answered

    def _leave(self, job: Job, done: "Future[Answered]") -> None:
        """Its answer is on disk: from now on the ledger tells of it, and then whoever waits."""
        del self.jobs[job.name]
        if (error := done.exception()) is not None:
            job.feed.end()
            job.answer.set_exception(error)
            return
        answered = done.result()
        self.ended[job.name[0], answered.envelope["status"]] += 1
        job.feed.finish(answered.envelope)
        job.answer.set_result(answered)

    def _request(self, call: RunCall, job: Job | None = None) -> Request:
        return Request(
            worker=call.worker,
            read_input=lambda: call.data,
            publish=_nobody if job is None else _told(job.feed),
            interrupted=lambda: job is not None and job.cancelled.is_set(),
            trace=call.trace,
            key=call.key,
            wait=False,  # a run that another process carries out is said to be in progress
            max_input_bytes=self.bounds.max_input_bytes,
        )

    async def ask(self, deed: Callable[[Session], T]) -> T:
        """What a clerk's quick look into the ledger finds."""
        return await asyncio.wrap_future(self._clerks.submit(deed))

    async def look(self, name: Name) -> Run | None:
        return await self.ask(lambda session: session.ledger.look(*name))

    async def told(self, name: Name) -> tuple[list[told_events.Numbered], bool] | None:
        """What the ledger has of a run's events, and whether the run has ended; None where there is no such run."""

        def found(session: Session) -> tuple[list[told_events.Numbered], bool] | None:
            run = session.ledger.look(*name)
            return None if run is None else (told_events.told(session.ledger, run), run.state == "done")

        return await self.ask(found)

    # --- people -----------------------------------------------------------------------------------------

    def cancel(self, name: Name) -> bool:
        """End a run that this server carries out; what is left of its attempts stays. False where there is none."""
        job = self.jobs.get(name)
        if job is not None:
            job.cancelled.set()
        return job is not None

    async def decide(self, name: Name, choice: Choice, caller: str) -> Job | None:
        """Record a decision and go on at once; None where it ended the run for good. Raises UsageError."""
        run, _ = await self.ask(lambda session: decisions.decide(session.ledger, *name, choice))
        return None if run.state == "done" else await self.go_on(run, caller)

    async def reopen(self, name: Name, attempts: int, caller: str, reason: str) -> Job:
        """Grant a settled run further starts and go on at once. Raises UsageError."""

        def granted(session: Session) -> Run:
            with session.ledger.transaction(time.monotonic() + decisions.PATIENCE) as transaction:
                run = session.ledger.look(*name)
                if run is None or run.state != "done" or run.status == "ok":
                    found = "is not there" if run is None else f"is {run.status or run.state}"
                    raise UsageError(f"run {name[1][:80]!r} {found}", "only a settled run that is not ok is reopened")
                return transaction.reopen(run, attempts, caller, reason)

        return await self.go_on(await self.ask(granted), caller)

    async def go_on(self, run: Run, caller: str) -> Job:
        """Carry on a run that is in the ledger, with the input that it has there. Raises HttpProblem, UsageError."""
        offer = self.catalogue.get(run.worker_id)
        if offer is None:
            raise HttpProblem(
                409, "contract_not_served", f"No contract of the worker {run.worker_id!r} is served here."
            )
        call = await self.ask(lambda session: promises.call_of_run(session.ledger, offer, run, caller))
        found = await self.start(call)
        if isinstance(found, Answered):
            error = found.envelope.get("error", {})
            raise HttpProblem(
                409, error.get("code", "not_open"), error.get("message", "There is nothing to go on with.")
            )
        return found

    # --- the end ----------------------------------------------------------------------------------------

    async def drain(self, grace: float) -> None:
        """Begin nothing further; wait for what is on its way, then end it: the next start goes on with it."""
        self.draining = True
        if self.jobs:
            await asyncio.wait([asyncio.wrap_future(job.answer) for job in self.jobs.values()], timeout=grace)
        for job in self.jobs.values():
            job.cancelled.set()

    async def close(self) -> None:
        for job in self.jobs.values():
            job.cancelled.set()
        await asyncio.to_thread(self._crew.close)
        await asyncio.to_thread(self._clerks.close)
        self._hosts.close()


def _told(feed: Feed) -> Subscriber:
    documents = EventDocuments()

    def told(event: Event) -> None:
        document = documents.of(event)
        if document is not None:
            feed.add(document)

    return told


def _nobody(_event: Event) -> None:
    """Nobody listens."""
