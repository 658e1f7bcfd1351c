"""Runs that the nodes of a cluster carry out: this server hands them over, and waits for their answers in the ledger."""

from typing import TYPE_CHECKING

from workermd.batch.cluster.submitting import Submitter
from workermd.ledger.postgres.dispatches import Dispatch
from workermd.protocol.errors import Interrupted
from workermd.runner.answers import Answered
from workermd.runner.request import Request
from workermd.runner.session import Session

if TYPE_CHECKING:
    from workermd.batch.cluster.engine import Engine


class Elsewhere:
    """`queue` is what nodes take them from. Whoever cancels stops waiting: what a node has begun, it ends."""

    def __init__(self, engine: "Engine | None", queue: str) -> None:
        self._engine = engine
        self._queue = queue

    def __call__(self, session: Session, request: Request) -> Answered:
        """Raises Interrupted when the server ends or the run is cancelled before its answer is there."""
        submitter = Submitter(session, self._engine, Dispatch("", self._queue))
        (outcome,) = submitter.submit([request])
        if isinstance(outcome, Answered):
            return outcome
        answered = submitter.wait(request, outcome, request.interrupted)
        if answered is None:
            raise Interrupted(
                "this server waits no more for the run; a node goes on with it",
                "ask for the run at its own address later",
            )
        return answered
