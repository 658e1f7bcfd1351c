"""What this server answered for and has not settled: written before the answer, gone on with after a crash (S4.14)."""

import time
from typing import NamedTuple

from workermd.contract import cache
from workermd.ledger.records import Acceptance, ContractText, Run, RunChoice
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import UsageError, WorkermdError
from workermd.runner.request import holds_its_input
from workermd.runner.run_key import KeySource
from workermd.runner.session import Session
from workermd.runner.trace import of_traceparent
from workermd.runner.worker import Worker
from workermd.serve.catalogue import Catalogue, Offer
from workermd.serve.jobs import Name, RunCall

PATIENCE = 10.0
"""Seconds to wait for others who write to the ledger."""

_MOST_UNFINISHED = 10_000


def accept(session: Session, name: Name, call: RunCall) -> None:
    """Answer for a run. One that is in the ledger already stands there. Raises LedgerUnavailable."""
    text = call.offer.text
    acceptance = Acceptance(
        *name,
        worker=call.offer.id,
        contract=text.sha256,
        binding=call.worker.binding.kind,
        request=call.data,
        who=call.caller,
        at=time.time_ns() // 1000,
    )
    with session.ledger.transaction(time.monotonic() + PATIENCE) as transaction:
        transaction.accept(acceptance, text)


def withdraw(session: Session, name: Name) -> None:
    """The run will never be settled by us: its input was refused, or a person ended it."""
    if session.ledger.acceptance(*name) is not None:
        with session.ledger.transaction(time.monotonic() + PATIENCE) as transaction:
            transaction.withdraw(*name)


class Unfinished(NamedTuple):
    """What a server finds when it begins: calls to go on with, and how many it cannot carry out."""

    calls: tuple[RunCall, ...]
    foreign: int


def unfinished(session: Session, catalogue: Catalogue) -> Unfinished:
    """Accepted runs, and those that were granted a start which nobody has used, of the contracts that are served."""
    ledger = session.ledger
    calls, foreign, seen = [], 0, set[Name]()
    for acceptance in ledger.accepted():
        seen.add((acceptance.worker_id, acceptance.run_id))
        offer = catalogue.get(acceptance.worker_id)
        call = _accepted_call(ledger, offer, acceptance) if offer is not None else None
        if call is None:
            foreign += 1
        else:
            calls.append(call)
    for row in ledger.runs(RunChoice(status="waiting"), limit=_MOST_UNFINISHED):
        if row.worker_id in catalogue and (row.worker_id, row.run_id) not in seen:
            run = ledger.look(row.worker_id, row.run_id)
            if run is None or not _has_unused_grant(ledger, run):
                continue
            if not holds_its_input(run):
                foreign += 1
            else:
                calls.append(call_of_run(ledger, catalogue[row.worker_id], run, "the server"))
    return Unfinished(tuple(calls), foreign)


def call_of_run(ledger: Ledger, offer: Offer, run: Run, caller: str) -> RunCall:
    """A run that is in the ledger, under the contract that it was begun with. Raises WorkermdError."""
    if not holds_its_input(run):
        raise UsageError(
            f"run {run.run_id!r} has sensitive values, which the ledger does not hold",
            "send its input again under its key",
        )
    worker = _worker(offer, ledger.contract_of(run.id))
    return RunCall(offer, worker, run.input, _key(run.run_id), of_traceparent(""), caller)


def _accepted_call(ledger: Ledger, offer: Offer, acceptance: Acceptance) -> RunCall | None:
    text = None if acceptance.contract is None else ledger.contract(acceptance.contract)
    try:
        worker = _worker(offer, text)
    except WorkermdError:
        return None
    return RunCall(offer, worker, acceptance.request, _key(acceptance.run_id), of_traceparent(""), acceptance.who)


def _key(run_id: str) -> KeySource:
    return KeySource(given=run_id, option="the run")


def _worker(offer: Offer, text: ContractText | None) -> Worker:
    """The worker of a contract as it was then: what performs it is the operator's choice of today."""
    if text is None or text.sha256 == offer.text.sha256:
        return offer.worker
    contract, _ = cache.load(text.text.encode(), offer.path)
    return Worker(contract, offer.worker.binding, sandbox=offer.worker.sandbox, text=text.text.encode())


def _has_unused_grant(ledger: Ledger, run: Run) -> bool:
    reopenings, attempts = ledger.reopenings(run.id), ledger.attempts(run.id)
    return bool(reopenings) and all(each.started_at < reopenings[-1].at for each in attempts)
