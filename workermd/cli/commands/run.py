"""`workermd run`: arguments in, one run, its document out."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from workermd.cli.documents import input_bytes
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.envelope import EXIT_INTERRUPTED
from workermd.protocol.errors import UsageError
from workermd.registry.contract_files import contract_named
from workermd.report import say
from workermd.report.answer import Telling, tell
from workermd.report.live import Live
from workermd.report.outputs import Output
from workermd.runner import run_key
from workermd.runner.answers import Answered
from workermd.runner.events import RunFinished, Subscriber, to_all
from workermd.runner.invocation import invoke_alone
from workermd.runner.request import Request
from workermd.runner.trace import Trace, of_environment
from workermd.runner.worker import Worker
from workermd.system.text import shell_word

if TYPE_CHECKING:
    from workermd.cli.commands.batch import BatchOptions
    from workermd.cli.commands.fuzz import FuzzOptions


class RunOptions(NamedTuple):
    spec: str
    input: str | None
    program: list[str]
    backend: str | None
    function: str | None
    model: str | None
    base_url: str | None
    api_key_env: str | None
    setting: list[str]
    set: list[str]
    input_text: str | None
    vouch: list[str]
    env: list[str]
    secret_env: list[str]
    record: str | None
    replay: str | None
    tag: list[str]
    verbose: bool
    events: str | None
    write: str | None
    envelope: bool
    envelope_file: str | None
    report: list[str]
    request: bool
    run_id: str | None
    new_run_id: bool
    run_id_from: str | None
    timeout: float | None
    max_attempts: int | None
    sandbox: str | None
    again: bool
    by: str | None
    scratch: bool
    interactive: bool
    no_wait: bool
    dry_run: bool
    exit_zero: bool
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


_MOST_TAG = 200


def tags_of(words: list[str]) -> tuple[str, ...]:
    """Raises UsageError for what a list could not show."""
    for word in words:
        if not 0 < len(word) <= _MOST_TAG or not word.isprintable():
            raise UsageError(
                f"--tag {word[:40]!r} is no tag", f"write 1 to {_MOST_TAG} printable characters, such as team=red"
            )
    return tuple(dict.fromkeys(words))


def execute(options: RunOptions) -> int:
    if options.interactive:
        from workermd.cli.interactive import refuse_without_terminal

        refuse_without_terminal("-" if _reads_stdin(options) else "")
    _refuse_two_inputs(options)
    granted_by = _granted_by(options)
    reports = _reports(options)
    flags = flags_of(options)
    text, path = contract_named(options.spec, flags)
    contract, warnings = cache.load(text, path)
    settings = configuration.load(flags)
    signals = Signals()
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    key, trace = run_key.chosen(options.run_id, options.run_id_from, new=options.new_run_id), of_environment()
    most, fields = settings.max_input_bytes, contract.input_schema
    read_input = _once(lambda: _read_input(options, fields, most, signals))
    if options.request:
        from workermd.runner.request_document import called

        contract, read_input, key, trace = called(read_input(), contract, key, trace, most)
    live = Live(quiet=options.quiet, verbose=options.verbose)
    publish = to_all(live, *_subscribers(options, trace))
    request = Request(
        worker=Worker(
            contract,
            binding,
            timeout=options.timeout,
            max_attempts=options.max_attempts,
            sandbox=configuration.sandbox_for(binding, settings, flags),
            text=text,
            tags=tags_of(options.tag),
        ),
        read_input=read_input,
        publish=publish,
        interrupted=lambda: signals.noted,
        trace=trace,
        key=key,
        wait=not options.no_wait,
        max_input_bytes=most,
        again_by=granted_by,
        checked_by=_checked_by(options),
    )
    if not options.quiet and warnings:
        count = len(warnings)
        say.note(f"{options.spec}: {count} warning{'s' * (count != 1)}; see: workermd validate {options.spec}")
    if options.dry_run:
        from workermd.runner.dry_run import plan

        return _print(plan(request, settings.ledger), request, options, ())
    signals.catch()
    with _ledger(settings.ledger, scratch=options.scratch) as ledger:
        answered = _answered(request, ledger, live, signals, interactive=options.interactive)
    code = _print(answered, request, options, reports)
    publish(RunFinished(answered.envelope))  # the answer is printed and stands
    return code


@contextmanager
def _ledger(path: str, *, scratch: bool) -> Iterator[str]:
    """The ledger's path; with --scratch one in a folder that is gone afterwards, artifacts included."""
    if not scratch:
        yield path
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="workermd-scratch-") as folder:
        yield os.path.join(folder, "ledger.db")


def _granted_by(options: RunOptions) -> str:
    """Who grants a further start; empty without --again. Raises UsageError."""
    if options.scratch and (options.ledger or options.again):
        other = "--ledger" if options.ledger else "--again"
        raise UsageError(f"--scratch and {other} exclude each other", "leave one of the two out")
    if not options.again:
        if options.by:
            raise UsageError("--by goes with --again", "add --again, or leave it out")
        return ""
    from workermd.system.environment import login

    if who := options.by or login():
        return who
    raise UsageError("nobody is named", "say who grants the start: --by NAME")


def _subscribers(options: RunOptions, trace: Trace) -> list[Subscriber]:
    subscribers: list[Subscriber] = []
    if options.events:
        from workermd.report.events import EventFile

        subscribers.append(EventFile(options.events))
    if any(name.startswith("OTEL_") for name in os.environ):
        from workermd.report import spans

        if spans.wanted():
            subscribers.append(spans.Spans(trace, quiet=options.quiet))
    return subscribers


def _answered(request: Request, ledger_path: str, live: Live, signals: "Signals", *, interactive: bool) -> Answered:
    """Run; with --interactive again after each decision, under a fresh deadline (S9.5)."""
    while True:
        try:
            answered = invoke_alone(ledger_path, request)
        finally:
            live.close()
        if not interactive or "request" not in answered.envelope:
            return answered
        from workermd.cli.interactive import decided

        signals.break_off = True
        try:
            if not decided(answered, request.worker, ledger_path):
                return answered
        except KeyboardInterrupt:  # the answer is on disk, and the request stays open
            return answered._replace(exit_code=EXIT_INTERRUPTED)
        finally:
            signals.break_off = False


def _reports(options: RunOptions) -> tuple[Output, ...]:
    """Raises UsageError before anything is run."""
    if not options.report:
        return ()
    from workermd.report import outputs
    from workermd.report.run_reports import FORMATS

    return tuple(each for each in outputs.outputs("text", options.report, FORMATS) if each.path != outputs.STDOUT)


def _print(answered: Answered, request: Request, options: RunOptions, reports: tuple[Output, ...]) -> int:
    most = request.worker.bounds.max_attempts
    shows_envelope = options.envelope or options.request
    telling = Telling(options.quiet, shows_envelope, options.write or "", options.envelope_file or "", reports)
    tell(answered, telling, most)
    if options.exit_zero and 3 <= answered.exit_code <= 7:
        return 0
    return answered.exit_code


def flags_of(options: "RunOptions | BatchOptions | FuzzOptions") -> configuration.Flags:
    return configuration.Flags(
        backend=options.backend or "",
        function=options.function or "",
        command=tuple(options.program),
        model=options.model or "",
        base_url=options.base_url or "",
        api_key_env=options.api_key_env or "",
        env=tuple(options.env),
        secret_env=tuple(options.secret_env),
        settings=tuple(options.setting),
        vouch=tuple(options.vouch),
        record=options.record or "",
        replay=options.replay or "",
        ledger=options.ledger or "",
        config=options.config or "",
        no_config=options.no_config,
        sandbox=options.sandbox or "",
    )


def _once(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """The same bytes at every call: a run that goes on has the input that it began with."""
    seen: list[bytes] = []

    def given() -> bytes:
        if not seen:
            seen.append(read())
        return seen[0]

    return given


def _checked_by(options: RunOptions) -> str:
    """For a file or standard input alone: fields and request documents are no input of `validate`."""
    if options.input is None or options.request:
        return ""
    return f"workermd validate {shell_word(options.spec)} --input {shell_word(options.input)}"


def _refuse_two_inputs(options: RunOptions) -> None:
    fields = "--set" if options.set else "--input-text" if options.input_text else ""
    if options.input is None and not fields:
        raise UsageError(
            "INPUT is missing",
            "name a JSON file, or - for standard input, or give its fields: --set KEY=VALUE; see: workermd run --help",
        )
    if options.input is not None and fields:
        raise UsageError(f"{fields} makes the input, and {options.input} is one", "leave one of the two out")


def _reads_stdin(options: RunOptions) -> bool:
    return options.input == "-" or options.input_text is not None or any(each.endswith("=@-") for each in options.set)


def _read_input(options: RunOptions, schema: Any, cap: int, signals: "Signals") -> bytes:
    signals.break_off = True
    try:
        if options.input is not None:
            return input_bytes(options.input, f"workermd run {options.spec} -", cap)
        from workermd.cli import input_fields

        return input_fields.made(options.set, options.input_text, schema, f"workermd run {options.spec}")
    finally:
        signals.break_off = False


class Signals:
    """Counts interrupts. A run looks at them while it waits, so that nothing is left half-done.

    While the input is read nothing has begun: `break_off` ends that at once, also where nobody writes to the pipe.
    """

    def __init__(self) -> None:
        self.count = 0
        self.break_off = False

    @property
    def noted(self) -> bool:
        return self.count > 0

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.count += 1
        if self.break_off:
            self.break_off = False
            raise KeyboardInterrupt
