"""`workermd submit`: hand a run to the nodes, and print its key, or wait for its answer."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from workermd.cli.cluster import engine_of, submitted_worker
from workermd.cli.commands.run import Signals
from workermd.cli.documents import input_bytes
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.envelope import EXIT_INTERRUPTED, encoded, versioned
from workermd.registry.contract_files import contract_named
from workermd.report import say
from workermd.report.answer import Telling, tell
from workermd.runner import run_key
from workermd.runner import session as sessions
from workermd.runner.answers import Answered
from workermd.runner.request import Request
from workermd.runner.trace import of_environment


class SubmitOptions(NamedTuple):
    spec: str
    input: str
    wait: bool
    run_id: str | None
    run_id_from: str | None
    queue: str
    priority: float
    not_before: float | None
    tenant: str
    engine: str
    envelope: bool
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: SubmitOptions) -> int:
    flags = configuration.Flags(ledger=options.ledger or "", config=options.config or "", no_config=options.no_config)
    text, path = contract_named(options.spec, flags)
    contract, _ = cache.load(text, path)
    settings = configuration.load(flags)
    worker = submitted_worker(contract, text, settings, flags)
    data = input_bytes(options.input, f"workermd submit {options.spec} -", settings.max_input_bytes)
    signals = Signals()
    request = Request(
        worker=worker,
        read_input=lambda: data,
        publish=lambda _: None,
        interrupted=lambda: signals.noted,
        trace=of_environment(),
        key=run_key.chosen(options.run_id, options.run_id_from, new=False),
        max_input_bytes=settings.max_input_bytes,
    )
    run_key.refuse_without(contract, request.key)
    engine = engine_of(options.engine, settings.ledger)
    from workermd.batch.cluster.submitting import Submitter
    from workermd.ledger.postgres.dispatches import Dispatch

    later = None if options.not_before is None else datetime.now(UTC) + timedelta(seconds=options.not_before)
    dispatch = Dispatch("", options.queue, int(options.priority), options.tenant, later)
    with sessions.opened(settings.ledger) as session:
        submitter = Submitter(session, engine, dispatch)
        (outcome,) = submitter.submit([request])
        if isinstance(outcome, Answered):
            return _told(outcome, options, worker.bounds.max_attempts)
        if not options.wait:
            if not options.quiet:
                say.note(f"handed to the nodes; its answer: workermd submit {options.spec} {options.input} --wait")
            say.document(
                encoded(versioned({"accepted": True, "worker_id": outcome.worker_id, "run_id": outcome.run_id}))
            )
            return 0
        signals.catch()
        answered = submitter.wait(request, outcome, lambda: signals.noted)
    if answered is None:
        say.note("interrupted; the run goes on, and the same command waits for it again")
        return EXIT_INTERRUPTED
    return _told(answered, options, worker.bounds.max_attempts)


def _told(answered: Answered, options: SubmitOptions, most: int) -> int:
    tell(answered, Telling(options.quiet, options.envelope, "", "", ()), most)
    return answered.exit_code
