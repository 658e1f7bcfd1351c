"""What a node does with a key: find the run, its contract and who performs it, and make the invocation that `run` makes."""

from collections.abc import Callable

from workermd.batch.cluster.engine import Dispatched
from workermd.ledger.postgres import dispatches
from workermd.ledger.postgres.store import PostgresLedger
from workermd.ledger.records import ContractText
from workermd.protocol.errors import LedgerUnavailable, WorkermdError
from workermd.runner.events import Subscriber
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.run_key import KeySource
from workermd.runner.session import Session
from workermd.runner.worker import Worker
from workermd.system.digest import sha256

SOON, NOT_HERE = 1.0, 30.0
"""Seconds after which a key is wanted again: where another executes the run, and where this node cannot."""

WorkerOf = Callable[[ContractText], Worker]
"""Who performs a contract on this node. Raises WorkermdError where nobody does."""


class RunExecutor:
    """One for each thread of a node, with its session."""

    def __init__(
        self,
        session: Session,
        worker_of: WorkerOf,
        *,
        interrupted: Callable[[], bool],
        tell: Callable[[str], None],
        heard: Subscriber,
    ) -> None:
        assert isinstance(session.ledger, PostgresLedger)
        self._session = session
        self._ledger = session.ledger
        self._worker_of = worker_of
        self._interrupted = interrupted
        self._tell = tell
        self._heard = heard

    def execute(self, key: str) -> Dispatched:
        """Never raises for what concerns the run: the ledger knows, and somebody asks again."""
        try:
            outcome = self._executed(int(key))
        except LedgerUnavailable as error:
            self._tell(f"run {key}: {error.message}")
            return Dispatched(done=False, seconds=SOON)
        if not outcome.done:
            dispatches.come_later(self._ledger, int(key), outcome.seconds)
        return outcome

    def _executed(self, row: int) -> Dispatched:
        found = dispatches.run_of(self._ledger, row)
        if found is None or found[0].state == "done":
            return Dispatched(done=True)
        run, text = found
        if text is None or sha256(text.text.encode()) != text.sha256:
            self._tell(f"run {run.run_id[:80]!r}: the text of its contract is not in the ledger as it was")
            return Dispatched(done=False, seconds=NOT_HERE)
        try:
            worker = self._worker_of(text)
            answered = invoke(self._session, self._request(worker, run.input, run.run_id))
        except LedgerUnavailable:
            raise
        except WorkermdError as error:
            self._tell(f"{text.worker_id}: {error.message}; {error.hint}")
            return Dispatched(done=False, seconds=NOT_HERE)
        settled = self._ledger.look(run.worker_id, run.run_id)
        if settled is None or settled.state == "done":
            return Dispatched(done=True)
        code = (answered.envelope.get("error") or {}).get("code", "")
        return Dispatched(done=False, seconds=NOT_HERE if code == "contract_changed" else SOON)

    def _request(self, worker: Worker, given: bytes, run_id: str) -> Request:
        return Request(
            worker=worker,
            read_input=lambda: given,
            publish=self._heard,
            interrupted=self._interrupted,
            key=KeySource(given=run_id, option="the run"),
            max_input_bytes=len(given),
            wait=False,
        )
