"""A run is handed to the nodes: the same checks and refusals as of a run that is made here, then one transaction."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from workermd.batch.cluster.engine import Engine
from workermd.ledger.postgres import dispatches
from workermd.ledger.postgres.dispatches import Dispatch
from workermd.ledger.postgres.store import PostgresLedger, PostgresTransaction
from workermd.ledger.records import Run
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.runner.answers import Answered, Answers
from workermd.runner.invocation import before_an_attempt
from workermd.runner.request import Request
from workermd.runner.session import Session
from workermd.runner.trace import of_environment

PATIENCE = 30.0
"""Seconds to wait for the ledger."""

LOOK_SECONDS = 0.2
"""How often whoever waits asks whether a run is settled."""


class Submitted(NamedTuple):
    """A run that the nodes have: its row is what an engine is given."""

    row: int
    worker_id: str
    run_id: str


def ledger_of(session: Session) -> PostgresLedger:
    """Raises UsageError for a ledger that other machines cannot reach."""
    if not isinstance(session.ledger, PostgresLedger):
        raise UsageError(
            "nodes share a ledger in PostgreSQL, and this one is in a file", "name one with --ledger postgresql://…"
        )
    return session.ledger


class Submitter:
    """Hands runs of one worker over, many in one transaction."""

    def __init__(self, session: Session, engine: Engine | None, dispatch: Dispatch) -> None:
        self._session = session
        self._ledger = ledger_of(session)
        self._engine = engine
        self._dispatch = dispatch

    def submit(self, requests: Sequence[Request]) -> list[Answered | Submitted]:
        """Of each the answer that needs no attempt, or the run as the nodes have it. Raises as `invoke` does."""
        outcomes: list[Answered | Submitted] = []
        fresh: list[Dispatch] = []
        with self._ledger.transaction(time.monotonic() + PATIENCE) as transaction:
            assert isinstance(transaction, PostgresTransaction)
            for request in requests:
                outcome = self._handed_over(transaction, request, fresh)
                outcomes.append(outcome)
        if self._engine is not None and fresh:
            with contextlib.suppress(
                Exception
            ):  # the runs stand in the ledger: what an engine does not take is given again
                self._engine.submit(fresh)
        return outcomes

    def _handed_over(
        self, transaction: PostgresTransaction, request: Request, fresh: list[Dispatch]
    ) -> Answered | Submitted:
        found = before_an_attempt(self._session, request)
        if isinstance(found, Answered):
            return found
        assert found.key is not None
        text = request.worker.text
        if text is None:
            raise ConfigurationError("a contract without its text cannot travel to a node", "name the contract's file")
        answers = answers_of(request, found.key.run_id)
        row = transaction.admit(found.key, text)
        if (refused := answers.refusal(row, found)) is not None:
            return refused
        if row.state == "done":
            return answers.replay(row)
        dispatch = self._dispatch._replace(key=str(row.id))
        if dispatches.hand_over(transaction, row, dispatch):
            fresh.append(dispatch)
        return Submitted(row.id, row.worker_id, row.run_id)

    def answered(self, request: Request, submitted: Submitted) -> Answered | None:
        """The answer of a run that was handed over; None while it has none."""
        row = self._ledger.look(submitted.worker_id, submitted.run_id)
        return None if row is None or row.state != "done" else self.answer_of(request, row)

    def answer_of(self, request: Request, row: Run) -> Answered:
        return answers_of(request, row.run_id).settled(row)

    def wait(self, request: Request, submitted: Submitted, left: Callable[[], bool]) -> Answered | None:
        """Until it is settled; None when whoever waits has left."""
        while not left():
            if (answered := self.answered(request, submitted)) is not None:
                return answered
            time.sleep(LOOK_SECONDS)
        return None

    def done_among(self, rows: Sequence[int]) -> set[int]:
        return dispatches.done_among(self._ledger, rows)


def answers_of(request: Request, run_id: str) -> Answers:
    trace = request.trace or of_environment()
    return Answers(request.worker, trace.shown, run_id, time.monotonic())
