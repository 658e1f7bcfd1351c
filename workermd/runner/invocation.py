"""The spine: check the input, look the run up, claim, attempt, check the output, settle, answer (S2).

    order    input → key → look-up ─────────────────────────────→ replay or refusal
                             └→ lock → claim (T1) → attempt → verdict → settle (T2) ─→ answer
                                          ↑______ back-off ______|  while the deadline and the attempts last

Nothing here prints. What a caller shows while a run goes on comes through `Watch`; what it prints at the
end is in the `Answered`, and by then it is on disk.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from workermd.attempt.order import Order
from workermd.attempt.spawn import TICK, Ending, Host
from workermd.contract.json import quick, strict
from workermd.contract.model import Constraints, Contract
from workermd.ledger import artifacts, results
from workermd.ledger.records import Key, Run
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol import back_off
from workermd.protocol.envelope import EXIT_INTERRUPTED, Document, Failure, Status, summed
from workermd.protocol.errors import ConfigurationError, Interrupted, LedgerUnavailable, UsageError
from workermd.runner import decisions, requirements, run_key, verdict
from workermd.runner.answers import Answered, Answers
from workermd.runner.run_key import KeySource
from workermd.runner.trace import Trace, of_environment
from workermd.runner.verdict import Verdict
from workermd.system import processes
from workermd.system.crash import point
from workermd.system.digest import sha256
from workermd.system.environment import ACTIVE, ARTIFACTS
from workermd.task.binding import Binding
from workermd.task.journal_reader import JournalReader
from workermd.task.masking import Mask
from workermd.task.task import KINDS, Budget, Limits, Result, Task

SETTLE_GRACE = 10.0
"""Seconds that settling may wait for the ledger after the deadline: losing an answer is worse than being late."""

ENFORCED_BY_US = frozenset({"max_output_bytes"})
"""Bounds that hold whatever the backend does, beside time and attempts."""


class Watch(Protocol):
    """Who is told what goes on. `tick` is called about every 50 ms of waiting."""

    def attempt(self, n: int, most: int, deadline: float) -> None: ...
    def waits(self, what: str, until: float) -> None: ...
    def log(self, data: bytes) -> None: ...
    def event(self, event: Document) -> None: ...
    def ended(self, outcome: str, code: str) -> None: ...
    def tick(self) -> None: ...
    def interrupted(self) -> bool: ...


class Request(NamedTuple):
    """One invocation. `timeout` and `max_attempts` tighten the contract's bounds (S3.7). `key` is where the run's key
    comes from where the input has none."""

    contract: Contract
    binding: Binding
    ledger_path: str
    read_input: Callable[[], bytes]
    watch: Watch
    key: KeySource = KeySource()
    timeout: float | None = None
    max_attempts: int | None = None
    wait: bool = True
    trace: Trace | None = None


def run(request: Request) -> Answered:
    """Carry out one invocation.

    Raises UsageError, ConfigurationError and LedgerUnavailable (exit 2); everything that concerns the run
    itself is an answer.
    """
    bounds = checked_bounds(request)
    refuse_unenforceable(request)
    run_key.refuse_without(request.contract, request.key)
    with RunLock.open(request.ledger_path) as lock:
        with _beside(request.ledger_path, "no attempt can be prepared"):
            folder = results.prepare(request.ledger_path)
            host = Host.start(request.binding, lock.fd, folder)
        invocation = _Invocation(request, bounds, lock, host, folder)
        try:
            return invocation.answer()
        finally:
            invocation.end_host()


class Bounds(NamedTuple):
    """The bounds of this invocation, seconds and starts."""

    timeout: float
    attempt_timeout: float | None
    max_attempts: int


def checked_bounds(request: Request) -> Bounds:
    """The contract's bounds, tightened by the request's. Raises UsageError where one would loosen them (S3.7)."""
    constraints = request.contract.constraints
    if constraints.timeout_seconds is None:
        raise ConfigurationError("the contract has no timeout_seconds", "add a line: - timeout_seconds: 30")
    most = 1 if constraints.max_attempts is None else constraints.max_attempts
    if request.timeout is not None and not 0 < request.timeout <= constraints.timeout_seconds:
        raise UsageError(
            f"--timeout may tighten the contract's timeout_seconds ({constraints.timeout_seconds:g}), not loosen it",
            f"give more than 0 and at most {constraints.timeout_seconds:g}, or change the contract",
        )
    if request.max_attempts is not None and not 1 <= request.max_attempts <= most:
        raise UsageError(
            f"--max-attempts may tighten the contract's max_attempts ({most}), not loosen it",
            f"give 1 to {most}, or change the contract",
        )
    return Bounds(
        request.timeout or constraints.timeout_seconds,
        constraints.attempt_timeout_seconds,
        request.max_attempts or most,
    )


def refuse_unenforceable(request: Request) -> None:
    """A bound that the backend cannot hold is refused before the run, never ignored (S3.6)."""
    bounds = (
        "max_tokens",
        "max_cost_usd",
        "max_tool_calls",
        "max_turns",
        "tools_allowed",
        "rate_limit",
        "max_output_bytes",
    )
    held = ENFORCED_BY_US | KINDS[request.binding.kind].enforces
    loose = [name for name in bounds if getattr(request.contract.constraints, name) is not None and name not in held]
    if loose:
        raise ConfigurationError(
            f"backend {request.binding.kind!r} cannot enforce the contract's {', '.join(loose)}",
            "choose a backend that can, or take the bound out of the contract",
        )
    binding = request.binding
    models = [model for model in (binding.model, *binding.models.values()) if model is not None]
    unpriced = [model.name for model in models if model.input_price is None or model.output_price is None]
    if request.contract.constraints.max_cost_usd is not None and unpriced:
        raise ConfigurationError(
            f"the contract bounds max_cost_usd, but the price of model {unpriced[0]!r} is not known",
            "give it in the configuration: [models.NAME] price = { input = 0.4, output = 1.6 }, US dollars for a million tokens",
        )
    if binding.asks_people and Status.NEEDS_HUMAN.value not in request.contract.statuses:  # S9.6
        raise ConfigurationError(
            f"backend {binding.kind!r} ({binding.origin}) is set up to ask people, and the contract's statuses lack "
            "'needs_human'",
            "add the status to the contract, or bind a backend that asks nobody",
        )


def left_of(constraints: Constraints, binding: Binding, spent: Document) -> Budget:
    """What the attempts so far have left of the run's bounds; the operator may tighten them (S3.6, S3.7)."""

    def left(most: Any, used: float) -> Any:
        return None if most is None else max(0, most - used)

    turns = [most for most in (constraints.max_turns, binding.max_turns) if most is not None]
    return Budget(
        max_tokens=left(constraints.max_tokens, spent.get("input_tokens", 0) + spent.get("output_tokens", 0)),
        max_cost_usd=left(constraints.max_cost_usd, spent.get("cost_usd", 0)),
        max_tool_calls=left(constraints.max_tool_calls, spent.get("tool_calls", 0)),
        max_turns=left(min(turns) if turns else None, spent.get("turns", 0)),
    )


class Earlier(NamedTuple):
    """What the run's closed attempts leave to the next: what was wrong with the last output, all usage,
    and what people decided."""

    feedback: tuple[Document, ...]
    spent: Document
    decisions: tuple[Document, ...]


class Input(NamedTuple):
    """A strictly read input. `key` is None when it has no usable idempotency key, and `problem` says why. `exact` is
    what its hash is made of."""

    value: Any
    exact: Any
    key: Key | None
    run_id: str | None
    problem: str = ""


def read_input(request: Request, bounds: Bounds) -> Input:
    """Read strictly and find the run's key, or put it where it is absent (S2.2).

    Raises JsonError for what is not strict JSON, UsageError where the caller's key contradicts the input's.
    """
    loaded = quick.load_exact(request.read_input())
    found = run_key.keyed(loaded.value, loaded.exact, request.contract, request.key)
    if not found.is_usable or found.run_id is None:
        return Input(found.value, found.exact, None, found.run_id, found.problem)
    canonical = strict.canonical(found.exact)
    contract = bytes.fromhex(request.contract.meaning_sha256)
    key = Key(request.contract.id, found.run_id, sha256(canonical), canonical, contract, bounds.max_attempts)
    return Input(found.value, found.exact, key, found.run_id)


@contextmanager
def _beside(ledger_path: str, what: str) -> Iterator[None]:
    """Errors of the system with our files beside the ledger become LedgerUnavailable in this block."""
    try:
        yield
    except OSError as error:
        raise LedgerUnavailable(
            f"{ledger_path}: {what} beside it ({error.strerror})",
            "free space or correct the folder's permissions, then run the same command again",
        ) from None


class _Stop(Exception):
    """Leaves a transaction without committing it."""

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered


class _Invocation:
    """One call of `run`. It has a host process that may be used up, replaced, or never needed."""

    def __init__(self, request: Request, bounds: Bounds, lock: RunLock, host: Host, folder: str) -> None:
        self.request = request
        self.contract = request.contract
        self.bounds = bounds
        self.lock = lock
        self.host: Host | None = host
        self.folder = folder
        self.trace = request.trace or of_environment()
        self.mask = Mask(request.binding)
        notes = requirements.notes(request.contract, request.binding)
        self.answers = Answers(
            request.contract, request.binding.kind, self.trace.trace_id, request.key.given or None, notes
        )
        self.unsaid = b""
        self.journal: JournalReader | None = None

    # --- the order of a run ---------------------------------------------------------------------------

    def answer(self) -> Answered:
        try:
            given = read_input(self.request, self.bounds)
        except strict.JsonError as error:
            return self.reject(
                "input_schema_mismatch", f"The input is not strict JSON: {error.message}.", None, error.hint
            )
        self.answers.run_id = given.run_id
        with Ledger.open(self.request.ledger_path) as ledger:
            row = ledger.look(given.key.worker_id, given.key.run_id) if given.key else None
            if row is not None and given.key is not None and _is_replay(row, given.key):
                return self.answers.replay(row)
            if (refused := self.check_input(given, ledger)) is not None:
                return refused
            assert given.key is not None
            return self.claim_and_attempt(given, given.key, ledger)

    def check_input(self, given: Input, ledger: Ledger) -> Answered | None:
        from workermd.contract.schema import checker

        mismatches = checker(self.contract.input_schema, self.contract.input_draft).check(given.value)
        if mismatches:
            message = f"The input does not match its schema {verdict.told(mismatches)}."
            hint = (
                run_key.hint(given.value, self.contract) or "see all of it with: workermd validate SPEC --input INPUT"
            )
            return self.reject("input_schema_mismatch", message, ledger, hint)
        if given.key is None:
            return self.reject("input_schema_mismatch", given.problem, ledger)
        return None

    def claim_and_attempt(self, given: Input, key: Key, ledger: Ledger) -> Answered:
        row = ledger.look(key.worker_id, key.run_id)
        if row is not None and (refused := self.answers.refusal(row, key)) is not None:
            return refused
        requirements.refuse_without_purpose(self.contract, self.request.binding)
        try:
            if not self.take_lock(key):
                message = "This run is being executed by another process."
                return self.answers.failed(
                    Status.RETRYABLE_ERROR, Failure("run_in_progress", message, True, "ask again later")
                )
            point("lock_taken")
            row = ledger.look(key.worker_id, key.run_id)
            left = self.left_over(row)
            if self.host is not None and _needs_attempt(row, left):
                self.host.wait_ready(time.monotonic() + self.bounds.timeout, self.tick)
            token = results.new_token()
            row = self.claim(ledger, key, left, token)
            if row.state == "done":
                return self.answers.settled(row) if left is not None else self.answers.replay(row)
        except _Stop as stop:
            return stop.answered
        except Interrupted:
            return self.answers.interrupted(ledger, row, verdict.not_begun())
        return self.attempts(given, row, token, ledger)

    def take_lock(self, key: Key) -> bool:
        offset = run_offset(key.worker_id, key.run_id)
        if self.lock.try_acquire(offset):
            return True
        if not self.request.wait or str(offset) in os.environ.get(ACTIVE, "").split(","):
            return False
        until = time.monotonic() + self.bounds.timeout
        self.request.watch.waits("another process that executes this run", until)
        return self.lock.acquire(offset, until, self.tick)

    def left_over(self, row: Run | None) -> Verdict | None:
        """What a dead attempt left, judged like a fresh one. We hold the lock: nobody writes that file any more."""
        if row is None or row.state != "running" or row.open_token is None:
            return None
        # What its task started may have let go of the lock: it must not go on beside the next attempt.
        processes.end_marked(f"{ARTIFACTS}={artifacts.path_of(self.request.ledger_path, row.open_token)}".encode())
        left = self.judged(row.open_token) or verdict.crashed("was lost")
        return self.with_usage(left, row.open_token)

    def claim(self, ledger: Ledger, key: Key, left: Verdict | None, token: str) -> Run:
        """T1: admit the run, close what a dead attempt left, start an attempt. Committed before anything runs."""
        old_token: str | None = None
        with ledger.transaction(time.monotonic() + self.bounds.timeout) as transaction:
            row = transaction.admit(key)
            if (refused := self.answers.refusal(row, key)) is not None:
                raise _Stop(refused)
            if row.state == "running":
                assert left is not None, "a run can only be left running before the lock was taken"
                old_token = row.open_token
                row = self.close(transaction, row, left, None)
            if row.state != "done":
                row = self.start(transaction, row, token)
        if old_token is not None:
            results.remove(self.folder, old_token)
        return row

    def start(self, transaction: Transaction, row: Run, token: str) -> Run:
        """Claim an attempt. Its folder is made first: an attempt that cannot be had must not be used up."""
        with _beside(self.request.ledger_path, "no attempt can be prepared"):
            artifacts.prepare(self.request.ledger_path, token)
        return transaction.start_attempt(row, token, _owner())

    def attempts(self, given: Input, row: Run, token: str, ledger: Ledger) -> Answered:
        """Attempt until the run is settled, or until no further attempt fits into the deadline."""
        deadline = time.monotonic() + self.bounds.timeout
        while True:
            try:
                judged, duration = self.attempt(given, row, token, deadline, _earlier(ledger, row))
            except Interrupted:
                # A result that was already on disk counts, it is not thrown away.
                judged, duration = self.judged(token) or verdict.cancelled(), None
            judged = self.with_usage(judged, token)
            self.request.watch.ended(judged.outcome, judged.failure.code if judged.failure else "")
            row = self.settle(ledger, row, judged, duration, token)
            if row.state == "done":
                answered = self.answers.settled(row)
                return answered._replace(exit_code=EXIT_INTERRUPTED) if judged.outcome == "cancelled" else answered
            if judged.outcome == "cancelled":
                return self.answers.interrupted(ledger, row, judged)
            next_token = results.new_token()
            try:
                if not self.back_off(row, judged, deadline):
                    return self.answers.unfinished(ledger, row, judged)
                with ledger.transaction(deadline) as transaction:
                    row = self.start(transaction, row, next_token)
            except Interrupted:
                return self.answers.interrupted(ledger, row, verdict.not_begun())
            token = next_token

    def attempt(self, given: Input, row: Run, token: str, deadline: float, earlier: Earlier) -> tuple[Verdict, float]:
        """One attempt from the order to its verdict, and its duration in ms."""
        host = self.host
        assert host is not None
        began = time.monotonic()
        until = deadline if self.bounds.attempt_timeout is None else min(deadline, began + self.bounds.attempt_timeout)
        self.request.watch.attempt(row.attempts, row.max_attempts, until)
        order = self.order(given, row, token, until, earlier)
        self.journal = JournalReader(order.limits.journal)
        point("before_order")
        try:
            host.send(order, until, self.tick)
            ending = host.finish(until, self.tick)
        finally:
            self.end_host()
        point("attempt_ended")
        judged = self.judged(token)
        if judged is None and (ending.by_deadline or time.monotonic() >= until):
            judged = verdict.timed_out(whole_run=until == deadline)
        elif judged is None:
            judged = verdict.crashed(_how(ending))
        return judged, round((time.monotonic() - began) * 1000, 3)

    def order(self, given: Input, row: Run, token: str, until: float, earlier: Earlier) -> Order:
        contract = self.contract
        folder = artifacts.path_of(self.request.ledger_path, token)
        task = Task(
            worker_id=contract.id,
            version=contract.version,
            run_id=row.run_id,
            attempt=row.attempts,
            max_attempts=row.max_attempts,
            seconds_left=round(until - time.monotonic(), 3),
            purpose=contract.purpose,
            mode=contract.mode,
            input=given.value,
            output_schema=contract.output_schema,
            tools_allowed=contract.constraints.tools_allowed,
            feedback=earlier.feedback,
            decisions=earlier.decisions,
            trace=self.trace.document(row.attempts),
            artifacts_dir=folder,
            settings=self.request.binding.settings,
        )
        most = contract.constraints.max_output_bytes
        active = os.environ.get(ACTIVE, "")
        offset = str(run_offset(row.worker_id, row.run_id))
        environment = {
            "WORKERMD_RUN_ID": row.run_id,
            "WORKERMD_ATTEMPT": str(row.attempts),
            ARTIFACTS: folder,
            "TRACEPARENT": str(task.trace["traceparent"]),
            ACTIVE: f"{active},{offset}" if active else offset,
        }
        limits = Limits(
            until,
            verdict.DEFAULT_MAX_OUTPUT_BYTES if most is None else most,
            left_of(contract.constraints, self.request.binding, earlier.spent),
            results.journal_of(self.folder, token),
        )
        return Order(task, limits, environment, self.folder, token)

    def back_off(self, row: Run, judged: Verdict, deadline: float) -> bool:
        """Wait for the next attempt, its process loading meanwhile. False when none would get a useful share."""
        left = deadline - time.monotonic()
        pause = back_off.pause_before(row.attempts + 1, time_left=left, timeout=self.bounds.timeout, after=judged.after)
        if pause is None:
            return False
        with _beside(self.request.ledger_path, "no attempt can be prepared"):
            self.host = Host.start(self.request.binding, self.lock.fd, self.folder)
        until = time.monotonic() + pause
        self.request.watch.waits(f"attempt {row.attempts + 1}/{row.max_attempts}", until)
        while (left := until - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, TICK))
        self.host.wait_ready(deadline, self.tick)
        return time.monotonic() < deadline

    # --- settling -------------------------------------------------------------------------------------

    def settle(self, ledger: Ledger, row: Run, judged: Verdict, duration: float | None, token: str) -> Run:
        """T2. The result file goes only after the commit: until then it is what the next call would adopt."""
        try:
            with ledger.transaction(time.monotonic() + SETTLE_GRACE) as transaction:
                row = self.close(transaction, row, judged, duration)
        except LedgerUnavailable as error:
            hint = f"{error.hint}; the attempt's result is kept: the same command adopts it and starts no attempt"
            raise LedgerUnavailable(error.message, hint) from None
        results.remove(self.folder, token)
        return row

    def close(self, transaction: Transaction, row: Run, judged: Verdict, duration: float | None) -> Run:
        """Close the open attempt: the one way, for a fresh attempt and for one found after a crash."""
        last = judged.transient and row.attempts >= row.max_attempts
        final = verdict.last_word(self.contract, judged) if last else judged
        files = artifacts.kept(self.request.ledger_path, row.open_token or "", judged.result.artifacts)
        detail: Document = {"backend": self.request.binding.kind, "duration_ms": duration}
        if judged.failure is not None:
            detail["error"] = judged.failure.document()
        if judged.result.usage:
            detail["usage"] = judged.result.usage
        if files:
            detail["artifacts"] = list(files)
        if judged.result.model:
            detail["model"] = judged.result.model
        if judged.result.notes:
            detail["notes"] = list(judged.result.notes)
        if judged.feedback:
            detail["feedback"] = list(judged.feedback)
        if final.transient:
            return transaction.close_attempt(row, judged.outcome, detail, None)
        answer, asking = decisions.to_store(self.answers, final, row, transaction.attempts(row.id), detail)
        return transaction.close_attempt(row, judged.outcome, detail, answer, asking)

    def reject(self, code: str, message: str, ledger: Ledger | None, hint: str = "") -> Answered:
        """Refuse before any attempt: noted, but the key stays free (S2.2)."""
        if ledger is None:
            with Ledger.open(self.request.ledger_path) as opened:
                opened.reject(self.contract.id, self.answers.run_id, code, None)
        else:
            ledger.reject(self.contract.id, self.answers.run_id, code, None)
        return self.answers.failed(Status.INVALID_REQUEST, Failure(code, message, False, hint))

    # --- the attempt's surroundings -------------------------------------------------------------------

    def judged(self, token: str) -> Verdict | None:
        """The reply in a result file, checked; None when there is no file.

        Values of the binding's secret variables are masked (S6.3): in the text, for what is quoted from it, and
        in the document, where an escape that is not ours has been read.
        """
        with _beside(self.request.ledger_path, "an attempt's result cannot be read"):
            data = results.read(self.folder, token)
        if data is None:
            return None
        try:
            result = Result.from_json(data.decode())
        except (ValueError, KeyError, TypeError):
            return verdict.crashed("wrote a damaged result")
        assert self.answers.run_id is not None
        if self.mask:
            result = Result(*map(self.mask.value, result))
        judged = verdict.judge(self.contract, self.answers.output_checker, self.answers.run_id, result)
        return judged._replace(document=self.mask.value(judged.document)) if self.mask else judged

    def with_usage(self, judged: Verdict, token: str) -> Verdict:
        """The verdict on an attempt that left no result, with what its journal says that it used."""
        if judged.result.usage is not None:
            return judged
        journal = self.journal or JournalReader(results.journal_of(self.folder, token))
        for _ in journal.events():
            pass
        self.journal = None
        return judged._replace(result=judged.result._replace(usage=journal.usage or None))

    def tick(self) -> None:
        self.pass_log_on()
        self.request.watch.tick()
        if self.request.watch.interrupted():
            raise Interrupted("interrupted", "run the same command again to go on")

    def pass_log_on(self, *, rest: bool = False) -> None:
        """Hand on what the task said, in whole lines, so that no secret is cut in two before it is masked."""
        for event in self.journal.events() if self.journal is not None else ():
            self.request.watch.event(self.mask.value(event))
        while self.host is not None and (data := self.host.log()):
            lines, newline, self.unsaid = (self.unsaid + data).rpartition(b"\n")
            self._say(lines + newline)
        if rest:
            self._say(self.unsaid)
            self.unsaid = b""

    def _say(self, data: bytes) -> None:
        if data:
            self.request.watch.log(self.mask.text(data.decode("utf-8", "replace")).encode())

    def end_host(self) -> None:
        """End the attempt's process if it still runs, and pass on its last words."""
        if self.host is not None:
            self.host.discard()
            self.pass_log_on(rest=True)
            self.host.close_log()
            self.host = None


def _is_replay(row: Run, key: Key) -> bool:
    """Settled, and with this very input under this very contract: that input was checked then."""
    return row.state == "done" and row.input_sha256 == key.input_sha256 and row.contract_sha256 == key.contract_sha256


def _needs_attempt(row: Run | None, left: Verdict | None) -> bool:
    """Whether a further attempt is to be claimed; a finished one is adopted also where none could be made."""
    if row is None or left is None:
        return row is None or row.state != "done"
    return left.transient and row.attempts < row.max_attempts


def _earlier(ledger: Ledger, row: Run) -> Earlier:
    closed = [attempt.detail or {} for attempt in ledger.attempts(row.id) if attempt.outcome is not None]
    feedback = closed[-1].get("feedback", ()) if closed else ()
    spent = summed(detail.get("usage") for detail in closed)
    return Earlier(tuple(feedback), spent, decisions.told(ledger.questions(row.id)))


def _how(ending: Ending) -> str:
    if ending.signal is not None:
        import signal

        return f"was ended by {signal.Signals(ending.signal).name}"
    if ending.exit_code is None:
        return "ended together with the process that it was forked from"
    return f"exited with code {ending.exit_code}"


def _owner() -> str:
    """Boot, process and its start: for people who look at a run that does not end."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        started = file.read().rpartition(")")[2].split()[19]
    return f"{boot}:{os.getpid()}:{started}"
