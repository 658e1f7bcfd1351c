"""`workermd batch --cluster`: the lines are handed to nodes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workermd.batch.conduct import Orders
from workermd.batch.sources import Line
from workermd.cli.cluster import engine_of
from workermd.report import say
from workermd.runner import session as sessions
from workermd.runner.request import Request

if TYPE_CHECKING:
    from workermd.cli.commands.batch import BatchOptions


def carry_out(orders: Orders, lines: Iterator[Line], options: "BatchOptions") -> None:
    """Raises as `Batch.carry_out` does, UsageError for a ledger in a file."""
    engine = engine_of(options.engine, orders.ledger)
    from workermd.batch.cluster.submitting import Submitter
    from workermd.batch.cluster.waiting_batch import WaitingBatch, input_of
    from workermd.ledger.postgres.dispatches import Dispatch

    def request_of(line: Line) -> Request:
        return Request(
            worker=orders.worker,
            read_input=input_of(line),
            publish=lambda _: None,
            interrupted=orders.killed,
            key=orders.key,
            max_input_bytes=orders.max_input_bytes,
        )

    with sessions.opened(orders.ledger) as session:
        submitter = Submitter(session, engine, Dispatch("", options.queue))
        batch = WaitingBatch(submitter, request_of, orders.answered, orders.draining, ordered=orders.ordered)
        if not options.detach:
            batch.carry_out(lines)
            return
        handed = batch.hand_over(lines)
    if not options.quiet:
        say.note(
            f"{handed.accepted} runs are with the nodes, {handed.answered} had their answer, {handed.refused} were refused; "
            "the same command without --detach prints all answers"
        )
