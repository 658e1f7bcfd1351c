"""workermd for Python programs: run a contract, read one, and decide what a run asks.

Nothing here is global: no signal handler is set, no stream is written to, and no folder is changed. A call blocks its
thread; `arun` does not block its event loop.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack

from workermd.config import configuration
from workermd.config.configuration import Flags
from workermd.contract import cache
from workermd.contract.model import Contract, Reading
from workermd.contract.reader import read
from workermd.ledger.opening import open_ledger, open_to_read
from workermd.ledger.records import Question
from workermd.ledger.sqlite.store import Ledger
from workermd.library.happenings import Happenings, RunEvent
from workermd.library.outcome import Outcome
from workermd.library.shared import SharedMeans
from workermd.library.threads import awaited
from workermd.protocol.errors import UsageError
from workermd.registry.contract_files import contract_named
from workermd.runner import decisions, run_key
from workermd.runner import request as requests
from workermd.runner.decisions import Choice
from workermd.runner.events import Event, Ticked
from workermd.runner.invocation import invoke
from workermd.runner.request import InputRefused, Request
from workermd.runner.trace import named, of_environment
from workermd.runner.worker import Worker
from workermd.system.environment import Surroundings

Path = str | os.PathLike[str]

Given = Mapping[str, Any] | bytes
"""An input: a document, or its JSON text."""


class CallOptions(TypedDict, total=False):
    """What a call may say beside contract and input.

    `binding` has the fields of a `[workers.ID]` table: `{"function": "words:run"}`, `{"command": ["./count"]}`; without
    it the configuration says what performs the task. `run_id` names the run where the input does not, `run_id_from` is
    `input` or a JSON Pointer. `timeout`, `max_attempts` and `sandbox` tighten as the options of `workermd run` do.
    `wait=False`: a run that is executed elsewhere is answered at once. `trace` is the id of the caller's trace.
    `on_event` is told what happens, in the thread that carries the run out.
    """

    binding: Mapping[str, Any]
    run_id: str
    run_id_from: str
    timeout: float
    max_attempts: int
    sandbox: str
    wait: bool
    trace: str
    on_event: Callable[[RunEvent], None]


class SessionOptions(TypedDict, total=False):
    """Where runs are kept and what surrounds them; see `CallerSession`."""

    ledger: Path
    config: Path | Literal[False]
    folder: Path
    env: Mapping[str, str]


class CallerSession:
    """Many runs from one program: the ledger stays open and the backends stay loaded between them.

    `ledger` and `config` are files; without `config` one is looked for from `folder` upward, False reads none.
    `folder` (default: the working directory of this moment) is where relative paths, programs and modules are looked
    for; `env` (default: a copy of the variables of this moment) is what the configuration and the tasks may see.
    Threads may share a session. A process that is forked may not use it.
    """

    def __init__(self, **options: Unpack[SessionOptions]) -> None:
        self._means = _means(options, warm=True)

    def run(self, spec: Path, input: Given, **options: Unpack[CallOptions]) -> Outcome:  # noqa: A002 - the field's word
        """Carry out one run of the contract `spec` (a file, NAME or NAME@VERSION) and wait for its answer.

        Raises WorkermdError where the call cannot be carried out as it stands (exit 2 of `workermd run`); everything
        that concerns the run itself is an Outcome.
        """
        return _carried_out(self._means, spec, input, options, lambda: False)

    async def arun(self, spec: Path, input: Given, **options: Unpack[CallOptions]) -> Outcome:  # noqa: A002 - the same
        """The same for an event loop. Cancelled, the attempt is ended and settled first; the run stays resumable."""
        return await awaited(lambda stopped: _carried_out(self._means, spec, input, options, stopped))

    def events(self, spec: Path, input: Given, **options: Unpack[CallOptions]) -> Happenings:  # noqa: A002 - the same
        """The same as an iterator of events, plain or `async`, whose `outcome` is there once it has ended."""

        def carry_out(tell: Callable[[RunEvent], None], stopped: Callable[[], bool]) -> Outcome:
            also = options.get("on_event")

            def both(event: RunEvent) -> None:
                tell(event)
                if also is not None:
                    also(event)

            return _carried_out(self._means, spec, input, {**options, "on_event": both}, stopped)

        return Happenings(carry_out)

    def load(self, spec: Path) -> Reading:
        """The contract and its findings; `contract` is None where one of them is an error. Nothing is run."""
        with self._means.used():
            data, path = contract_named(os.fspath(spec), self._means.flags)
            return read(data, path)

    def pending(self, worker_id: str | None = None) -> tuple[Question, ...]:
        """What runs ask of people and nobody has decided, the oldest first."""
        with self._means.used():
            ledger = open_to_read(self._means.settings.ledger)
            if ledger is None:
                return ()
            with ledger:
                return ledger.pending(worker_id)

    def decide(
        self,
        run_id: str,
        answer: str,
        *,
        by: str,
        worker_id: str | None = None,
        reason: str = "",
        final: bool = False,
        question_id: str = "",
    ) -> Question:
        """Record what a person decided: `approve`, `deny`, one of the options, or words; the next call of the run goes
        on with it. `final` denies for good. Raises UsageError where there is nothing to decide."""
        if final and answer != decisions.DENY:
            raise UsageError("final goes with the answer 'deny' only", "leave final out")
        if not by:
            raise UsageError("nobody is named", "say who decides it: by=NAME")
        with self._means.used(), open_ledger(self._means.settings.ledger) as ledger:
            worker = worker_id or _one_that_asks(ledger, run_id, question_id)
            run, question = decisions.decide(ledger, worker, run_id, Choice(answer, by, reason, final, question_id))
            return next(each for each in ledger.questions(run.id) if each.n == question.n)

    def close(self) -> None:
        """Close the ledger and end the loaded processes."""
        self._means.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _one_that_asks(ledger: Ledger, run_id: str, question_id: str) -> str:
    """Workers in a pipe share a run's id: the one that asks is meant, if there is only one."""
    asking = [each for each in ledger.pending() if each.run_id == run_id and question_id in ("", each.id)]
    workers = dict.fromkeys([each.worker_id for each in asking] or [run.worker_id for run in ledger.find(run_id)])
    if not workers:
        raise UsageError(f"no run {run_id[:80]!r} in this ledger", "see what is there: workermd runs list")
    if len(workers) > 1:
        raise UsageError(
            f"several workers have a run {run_id[:80]!r}: {', '.join(workers)}", "choose one: worker_id=ID"
        )
    return next(iter(workers))


def _means(options: SessionOptions, *, warm: bool) -> SharedMeans:
    folder = os.path.abspath(options.get("folder") or ".")
    if not os.path.isdir(folder):
        raise UsageError(f"folder: {folder} is not a folder", "name one that is there")
    chosen = options.get("config")
    flags = Flags(
        ledger=os.fspath(options.get("ledger") or ""),
        config=os.path.join(folder, os.fspath(chosen)) if chosen else "",
        no_config=chosen is False,
    )
    variables = options.get("env")
    return SharedMeans(flags, Surroundings(dict(os.environ if variables is None else variables), folder), warm=warm)


def _carried_out(
    means: SharedMeans, spec: Path, given: Given, options: CallOptions, stopped: Callable[[], bool]
) -> Outcome:
    with means.used():
        request = _request(means, spec, given, options, stopped)
        with means.session(time.monotonic() + request.worker.bounds.timeout) as session:
            return Outcome.of(invoke(session, request))


def _request(
    means: SharedMeans, spec: Path, given: Given, options: CallOptions, stopped: Callable[[], bool]
) -> Request:
    text, place = contract_named(os.fspath(spec), means.flags)
    contract, _ = cache.load(text, place)
    data = given if isinstance(given, bytes) else json.dumps(given, ensure_ascii=False).encode("utf-8", "surrogatepass")
    key = run_key.chosen(options.get("run_id"), options.get("run_id_from"), new=False)
    trace = of_environment()
    request = Request(
        worker=_worker(means, contract, text, options),
        read_input=lambda: data,
        publish=lambda _: None,
        interrupted=stopped,
        key=key,
        wait=options.get("wait", True),
        trace=named(options["trace"], trace) if "trace" in options else trace,
        max_input_bytes=means.settings.max_input_bytes,
    )
    run_key.refuse_without(contract, key)
    told = options.get("on_event")
    return request if told is None else request._replace(publish=_publisher(told, request))


def _publisher(told: Callable[[RunEvent], None], request: Request) -> Callable[[Event], None]:
    try:
        run_id = requests.read_input(request).run_id
    except InputRefused:
        run_id = request.key.given or None

    def publish(event: Event) -> None:
        if not isinstance(event, Ticked):
            told(RunEvent(run_id, event))

    return publish


def _worker(means: SharedMeans, contract: Contract, text: bytes, options: CallOptions) -> Worker:
    settings, flags = means.settings, means.flags._replace(sandbox=options.get("sandbox", ""))
    fields = options.get("binding")
    given = configuration.binding_of(dict(fields), settings, "binding") if fields is not None else None
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags, given)
    return Worker(
        contract,
        binding,
        timeout=options.get("timeout"),
        max_attempts=options.get("max_attempts"),
        sandbox=configuration.sandbox_for(binding, settings, flags),
        text=text,
    )


class _AllOptions(CallOptions, SessionOptions, total=False):
    """Of the functions below, each of which is a session of one call."""


def run(spec: Path, input: Given, **options: Unpack[_AllOptions]) -> Outcome:  # noqa: A002 - the field's word
    """One run in a session of its own: `CallerSession.run`, with the options of both."""
    return _alone(spec, input, options, lambda: False)


async def arun(spec: Path, input: Given, **options: Unpack[_AllOptions]) -> Outcome:  # noqa: A002 - the field's word
    """One run in a session of its own: `CallerSession.arun`, with the options of both."""
    return await awaited(lambda stopped: _alone(spec, input, options, stopped))


def _alone(spec: Path, given: Given, options: _AllOptions, stopped: Callable[[], bool]) -> Outcome:
    means = _means(options, warm=False)
    try:
        return _carried_out(means, spec, given, options, stopped)
    finally:
        means.close()


def load(spec: Path, **options: Unpack[SessionOptions]) -> Reading:
    """`CallerSession.load` in a session of its own."""
    with CallerSession(**options) as session:
        return session.load(spec)


def pending(worker_id: str | None = None, **options: Unpack[SessionOptions]) -> tuple[Question, ...]:
    """`CallerSession.pending` in a session of its own."""
    with CallerSession(**options) as session:
        return session.pending(worker_id)


def decide(
    run_id: str,
    answer: str,
    *,
    by: str,
    worker_id: str | None = None,
    reason: str = "",
    final: bool = False,
    question_id: str = "",
    **options: Unpack[SessionOptions],
) -> Question:
    """`CallerSession.decide` in a session of its own."""
    with CallerSession(**options) as session:
        return session.decide(
            run_id, answer, by=by, worker_id=worker_id, reason=reason, final=final, question_id=question_id
        )
