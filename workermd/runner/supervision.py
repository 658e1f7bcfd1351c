"""The attempts of one run as processes: ordered, watched, ended at their deadline, and started again after a pause."""

import os
import signal
import time

from workermd.attempt.order import Order
from workermd.attempt.spawn import TICK, Ending, Host
from workermd.contract.model import Contract
from workermd.ledger import results
from workermd.ledger.attempt_logs import AttemptLog
from workermd.ledger.records import Run
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.protocol import back_off
from workermd.protocol.call import KEY as CALL
from workermd.protocol.envelope import Document, Status, summed
from workermd.protocol.errors import Interrupted
from workermd.runner import checkpoint, decisions, reach_bounds, verdict
from workermd.runner.claims import AttemptName, ClaimedAttempt
from workermd.runner.events import AgentActed, AttemptStarted, Logged, Ticked, Waiting
from workermd.runner.heard_events import HeardEvents
from workermd.runner.log_lines import LogLines
from workermd.runner.request import Request
from workermd.runner.session import Session
from workermd.runner.settlement import Settlement
from workermd.runner.trace import Trace
from workermd.runner.verdict import Verdict
from workermd.runner.worker import Worker
from workermd.system import environment as caller
from workermd.system.crash import point
from workermd.system.environment import ACTIVE, ARTIFACTS, CHECKPOINT
from workermd.task.journal_reader import JournalReader
from workermd.task.task import Limits, Task

RESUMED = frozenset({"crashed", "cancelled", "timeout", "retryable_error", "needs_human"})
"""Outcomes after which the next attempt goes on where this one stopped (S3.10). After any other its models are to
answer anew."""

MOST_WORDS_A_TICK = 1 << 20
MOST_LAST_WORDS = 1 << 24
"""Bytes of an attempt's log that are handed on at one look, and after its end. The rest is not shown."""


def order_of(session: Session, worker: Worker, claim: ClaimedAttempt, until: float, trace: Trace) -> Order:
    """All that an attempt's process is told. The attempt ends at `until` (`time.monotonic()`)."""
    contract, row = worker.contract, claim.row
    first = row.attempts == 1  # nothing came before it that the ledger could know of
    attempts = () if first else session.ledger.attempts(row.id)
    closed = [attempt for attempt in attempts if attempt.outcome is not None]
    earlier = [attempt.detail or {} for attempt in closed]
    folder = os.path.join(session.artifacts_folder, claim.token)
    budget = worker.budget_after(summed(detail.get("usage") for detail in earlier))
    task = Task(
        worker_id=contract.id,
        version=contract.version,
        run_id=row.run_id,
        attempt=row.attempts,
        max_attempts=row.max_attempts,
        seconds_left=round(until - time.monotonic(), 3),
        purpose=contract.purpose,
        mode=contract.mode,
        input=claim.input.value,
        output_schema=contract.output_schema,
        tools_allowed=contract.constraints.tools_allowed,
        feedback=tuple(earlier[-1].get("feedback", ()) if earlier else ()),
        decisions=() if first else decisions.told(session.ledger.questions(row.id)),
        trace=trace.document(row.attempts),
        artifacts_dir=folder,
        settings=worker.binding.settings,
        budget={name: most for name, most in budget._asdict().items() if most is not None},
        call=_call_of(contract),
        reach=reach_bounds.told(worker.reach),
        checkpoint=checkpoint.load(session, row.worker_id, row.run_id) if row.attempts > 1 else None,
    )
    most = contract.constraints.max_output_bytes
    active = caller.variables().get(ACTIVE, "")
    offset = str(run_offset(row.worker_id, row.run_id))
    environment = {
        "WORKERMD_RUN_ID": row.run_id,
        "WORKERMD_ATTEMPT": str(row.attempts),
        ARTIFACTS: folder,
        CHECKPOINT: checkpoint.written(session, claim.token),
        "TRACEPARENT": str(task.trace["traceparent"]),
        ACTIVE: f"{active},{offset}" if active else offset,
    }
    limits = Limits(
        until,
        verdict.DEFAULT_MAX_OUTPUT_BYTES if most is None else most,
        budget,
        results.journal_of(session.results_folder, claim.token),
        asks_people=Status.NEEDS_HUMAN.value in contract.statuses,
        answers_since=max((attempt.n + 1 for attempt in closed if attempt.outcome not in RESUMED), default=1),
    )
    return Order(task, limits, environment, session.results_folder, claim.token, session.ledger.lease_file)


class Supervisor:
    """Whoever waits for the attempts of one run. Its process may be used up, replaced, or never needed."""

    def __init__(self, session: Session, request: Request, settlement: Settlement, lock: RunLock, trace: Trace) -> None:
        self._session = session
        self._request = request
        self._worker = request.worker
        self._settlement = settlement
        self._lock = lock
        self._trace = trace
        self._host: Host | None = None
        self._journal: JournalReader | None = None
        self._name = AttemptName()
        self._attempted = False
        self._log_kept = AttemptLog()
        self._lines = LogLines(request.worker.mask)

    def start_host(self, run_id: str) -> None:
        """Let a process load the backend, for the attempt to come. Raises LedgerUnavailable.

        The attempt's folder is made first: it is all of the ledger's that the process will see, and an attempt that
        cannot be had must not be used up.
        """
        self._name = AttemptName(results.new_token(), results.new_key())
        self._log_kept, self._attempted = AttemptLog(), False
        self._session.prepare_artifacts(self._name.token)
        self._host = self._session.start_host(self._worker, self._lock, self._name.token, run_id)

    @property
    def name(self) -> AttemptName:
        """The attempt that the process was started for."""
        return self._name

    def wait_ready(self, until: float) -> None:
        """Wait for the backend. Raises ConfigurationError when it cannot be loaded, Interrupted."""
        assert self._host is not None
        self._host.wait_ready(until, self.tick)

    def attempt(self, claim: ClaimedAttempt, deadline: float) -> tuple[Verdict, float | None]:
        """One attempt from the order to its verdict, and its duration in ms (None when it was cancelled)."""
        self._settlement.heard = HeardEvents()
        self._attempted = True
        try:
            judged, duration = self._carried_out(claim, deadline)
        except Interrupted:
            # A result that was already on disk counts, it is not thrown away.
            judged, duration = self._settlement.judged(claim.token, claim.key) or verdict.cancelled(), None
        journal, self._journal = self._journal, None
        return self._settlement.with_usage(judged, claim.token, journal), duration

    def _carried_out(self, claim: ClaimedAttempt, deadline: float) -> tuple[Verdict, float | None]:
        host, row = self._host, claim.row
        assert host is not None
        began = time.monotonic()
        most = self._worker.bounds.attempt_timeout
        until = deadline if most is None else min(deadline, began + most)
        self._request.publish(AttemptStarted(row.attempts, row.max_attempts, until))
        order = order_of(self._session, self._worker, claim, until, self._trace)
        self._journal = JournalReader(order.limits.journal)
        point("before_order")
        try:
            host.send(order, until, self.tick, claim.key)
            ending = host.finish(until, self.tick)
        finally:
            self.end_host()
        point("attempt_ended")
        judged = self._settlement.judged(claim.token, claim.key)
        if judged is None and (ending.by_deadline or time.monotonic() >= until):
            judged = verdict.timed_out(whole_run=until == deadline)
        elif judged is None:
            judged = verdict.crashed(_how(ending))
        if judged.outcome != Status.OK.value:
            host.give_up()
        return judged._replace(sandbox=self._held(host)), round((time.monotonic() - began) * 1000, 3)

    def _held(self, host: Host) -> Document:
        held = {name: by for name, by in host.held.items() if by} | reach_bounds.contained(
            self._worker.binding, self._worker.reach
        )
        document: Document = {"mode": self._worker.sandbox.mode, "held": held}
        return document | {"isolation": "reuse"} if host.stays else document

    def pause(self, row: Run, judged: Verdict, deadline: float) -> bool:
        """Wait for the next attempt, its process loading meanwhile. False when none would get a useful share.

        Raises Interrupted.
        """
        away = judged.failure is not None and judged.failure.code == "backend_unavailable"
        seconds = back_off.pause_before(
            row.attempts + 1,
            time_left=deadline - time.monotonic(),
            timeout=self._worker.bounds.timeout,
            after=judged.after,
            spread_over=row.max_attempts - row.attempts if away else 0,
        )
        if seconds is None:
            return False
        self.start_host(row.run_id)
        until = time.monotonic() + seconds
        self._request.publish(Waiting(f"attempt {row.attempts + 1}/{row.max_attempts}", until))
        self.wait(until)
        self.wait_ready(deadline)
        return time.monotonic() < deadline

    def wait(self, until: float) -> None:
        """Wait with open ears. Raises Interrupted."""
        while (left := until - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, TICK))

    def tick(self) -> None:
        """Called while waiting. Raises Interrupted when the caller wants the run to end."""
        self._pass_words_on()
        self._request.publish(Ticked())
        if self._request.interrupted():
            raise Interrupted("interrupted", "run the same command again to go on")

    def end_host(self) -> None:
        """End the attempt's process if it still runs, and pass on its last words."""
        if self._host is not None:
            self._host.discard()
            self._session.drop_artifacts(self._name.token)
            self._pass_words_on(MOST_LAST_WORDS)
            self._log(self._lines.rest())
            self._host.close_log()
            if self._attempted:
                self._log_kept.keep(self._session.artifacts_folder, self._name.token)
            self._host = None

    def _pass_words_on(self, most: int = MOST_WORDS_A_TICK) -> None:
        """Hand on what the task said, in whole lines, so that no secret is cut in two before it is masked.

        A task can write faster than anybody reads: only so much is handed on before the clock is looked at again.
        """
        for event in self._journal.events() if self._journal is not None else ():
            masked = self._worker.mask.value(event)
            self._settlement.heard.add(masked)
            self._request.publish(AgentActed(masked))
        while most > 0 and self._host is not None and (data := self._host.log()):
            most -= len(data)
            self._log(self._lines.add(data))

    def _log(self, data: bytes) -> None:
        if data:
            self._log_kept.add(data)
            self._request.publish(Logged(data))


def _how(ending: Ending) -> str:
    if ending.signal is not None:
        return f"was ended by {signal.Signals(ending.signal).name}"
    if ending.exit_code is None:
        return "ended together with the process that it was forked from"
    return f"exited with code {ending.exit_code}"


def _call_of(contract: Contract) -> tuple[str, ...]:
    """How the contract says that its interface is called."""
    listed = contract.front_matter.get(CALL, ())
    return tuple(listed) if isinstance(listed, list | tuple) else ()
