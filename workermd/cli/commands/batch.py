"""`workermd batch`: a contract and many inputs in, one answer a line out."""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from workermd.batch.brakes import BatchLimits, Brakes, rate_of
from workermd.batch.conduct import Batch, Orders, Put
from workermd.batch.sessions import SharedHosts
from workermd.batch.sources import Line
from workermd.cli import batch_streams
from workermd.cli.batch_streams import Places
from workermd.cli.commands.run import Signals, flags_of, tags_of
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.envelope import EXIT_INTERRUPTED
from workermd.protocol.errors import UsageError
from workermd.registry.contract_files import contract_named
from workermd.report import progress as reports
from workermd.report import say
from workermd.report.live import Live
from workermd.report.outputs import Output
from workermd.report.progress import Progress
from workermd.runner import run_key
from workermd.runner.answers import Answered
from workermd.runner.events import Event, Subscriber, to_all
from workermd.runner.worker import Worker
from workermd.sandbox.fence import STRICT
from workermd.system import files
from workermd.task.binding import Binding
from workermd.task.task import KINDS

EXIT_STOPPED = 8
"""Stopped by a ceiling of the batch, or by `--max-failures`."""

JOBS_OF_CONVERSATIONS = 8
"""Attempts at a time of a kind that waits for a model, where nothing else is said."""


class BatchOptions(NamedTuple):
    spec: str
    inputs: str
    program: list[str]
    jobs: int | None
    limit: int | None
    sample: int | None
    seed: int | None
    input_format: str | None
    encoding: str
    empty: str
    map: list[str]
    set: list[str]
    write: str | None
    errors: str | None
    unordered: bool
    envelope: bool
    rate: str | None
    max_failures: int | None
    fail_fast: bool
    retry_failed: bool
    by: str | None
    batch_max_cost_usd: float | None
    batch_max_tokens: int | None
    cluster: bool
    detach: bool
    queue: str
    engine: str
    isolation: str
    report: list[str]
    backend: str | None
    function: str | None
    model: str | None
    base_url: str | None
    api_key_env: str | None
    setting: list[str]
    vouch: list[str]
    env: list[str]
    secret_env: list[str]
    record: str | None
    replay: str | None
    tag: list[str]
    run_id_from: str | None
    timeout: float | None
    max_attempts: int | None
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: BatchOptions) -> int:
    _refuse_contradictions(options)
    pages = _reports(options)
    flags = flags_of(options)
    text, path = contract_named(options.spec, flags)
    contract, warnings = cache.load(text, path)
    settings = configuration.load(flags)
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    worker = Worker(
        contract,
        binding,
        timeout=options.timeout,
        max_attempts=options.max_attempts,
        sandbox=configuration.sandbox_for(binding, settings, flags),
        text=text,
        tags=tags_of(options.tag),
    )
    _refuse_reuse(options, binding, worker)
    brakes = Brakes(_limits(options), contract.constraints)
    jobs = _jobs(options.jobs, converses=KINDS[binding.kind].converses)
    signals = Signals()
    reading = batch_streams.reading_of(options, contract.input_schema, settings.max_input_bytes)
    key = run_key.chosen(None, options.run_id_from, new=False)
    run_key.refuse_without(contract, key)
    if not options.quiet and warnings:
        count = len(warnings)
        say.note(f"{options.spec}: {count} warning{'s' * (count != 1)}; see: workermd validate {options.spec}")
    signals.catch()
    hosts = SharedHosts(cold=options.isolation == "cold", reuse=options.isolation == "reuse", steady=True)
    try:
        with (
            batch_streams.source(options, reading) as source,
            batch_streams.places(options, contract.output_schema, signals) as places,
            Progress(quiet=options.quiet or options.detach, expected=source.expected) as progress,
        ):
            orders = Orders(
                worker=worker,
                key=key,
                ledger=settings.ledger,
                jobs=jobs,
                max_input_bytes=settings.max_input_bytes,
                answered=_counted(progress, places),
                heard=lambda number: _heard(number, progress, quiet=options.quiet),
                draining=lambda: signals.noted,
                killed=lambda: signals.count > 1,
                brakes=brakes,
                ordered=not options.unordered,
                retried_by=(options.by or "") if options.retry_failed else "",
            )
            lines = _until_interrupted(source.lines, signals)
            if options.cluster:
                from workermd.cli.cluster_batch import carry_out

                carry_out(orders, lines, options)
            else:
                Batch(orders, hosts).carry_out(lines)
    finally:
        hosts.close()
    if pages:
        _write_pages(pages, options, f"{contract.id} {contract.version}: batch", _why(signals, brakes), progress)
    if not options.quiet and not options.detach:
        _say_end(progress, hosts, signals, brakes)
    if signals.noted:
        return EXIT_INTERRUPTED
    return EXIT_STOPPED if brakes.stopped else 1 if progress.tally.numbers().not_ok else 0


def _refuse_contradictions(options: BatchOptions) -> None:
    if options.detach and not options.cluster:
        raise UsageError("--detach goes with --cluster", "add --cluster, or leave --detach out")
    if options.cluster and (options.retry_failed or options.rate or any(_limits(options)[1:])):
        raise UsageError(
            "--cluster excludes --retry-failed, --rate and the ceilings of a batch: nodes carry the runs out",
            "leave them out, or run the batch here",
        )
    if options.retry_failed and not options.by:
        raise UsageError("--retry-failed grants further starts, and nobody is named", "say who grants them: --by NAME")
    if options.by and not options.retry_failed:
        raise UsageError("--by goes with --retry-failed", "add --retry-failed, or leave --by out")
    if options.fail_fast and options.max_failures is not None:
        raise UsageError("--fail-fast is --max-failures 1", "leave one of the two out")
    if options.write and options.errors and os.path.realpath(options.write) == os.path.realpath(options.errors):
        raise UsageError(f"{options.errors}: -o and --errors name one file", "name two")


def _refuse_reuse(options: BatchOptions, binding: Binding, worker: Worker) -> None:
    """What a process is reused for is to save the milliseconds of a fork."""
    if options.isolation == "reuse" and KINDS[binding.kind].converses:
        raise UsageError(
            f"--isolation reuse is for kinds that do not wait for a model, and backend {binding.kind!r} does",
            "leave --isolation out: the fork of a process costs milliseconds, an answer of a model seconds",
        )
    if options.isolation == "reuse" and worker.sandbox.mode == STRICT:
        raise UsageError(
            "--isolation reuse lets an attempt see what the last one left, and --sandbox strict does not",
            "leave one of the two out",
        )


def _limits(options: BatchOptions) -> BatchLimits:
    return BatchLimits(
        rate=rate_of(options.rate) if options.rate is not None else None,
        max_failures=1 if options.fail_fast else options.max_failures,
        max_cost_usd=options.batch_max_cost_usd,
        max_tokens=options.batch_max_tokens,
    )


def _reports(options: BatchOptions) -> tuple[Output, ...]:
    """Raises UsageError before anything is run."""
    if not options.report:
        return ()
    from workermd.report import outputs
    from workermd.report.batch_page import FORMATS

    return tuple(each for each in outputs.outputs("text", options.report, FORMATS) if each.path != outputs.STDOUT)


def _jobs(wanted: int | None, *, converses: bool) -> int:
    if wanted is not None and wanted < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    return wanted or (JOBS_OF_CONVERSATIONS if converses else len(os.sched_getaffinity(0)))


def _counted(progress: Progress, places: Places) -> Callable[[int, Answered], tuple[Put, int]]:
    def answered(number: int, answer: Answered) -> tuple[Put, int]:
        progress.count(number, answer)
        return places.packed(number, answer)

    return answered


def _heard(number: int, progress: Progress, *, quiet: bool) -> tuple[Subscriber, Callable[[], None]]:
    """Log lines of a line's attempts, between two drawings of what goes on."""
    live = Live(quiet=quiet, drawn=False, stream=progress)

    def hear(event: Event) -> None:
        progress.hear(number, event)

    return to_all(live, hear), live.close


def _until_interrupted(found: Iterator[Line], signals: Signals) -> Iterator[Line]:
    """The lines, until there is an interrupt: nobody need write to the pipe for it to be heard."""
    while True:
        signals.break_off = True
        try:
            line = None if signals.noted else next(found, None)
        except KeyboardInterrupt:
            return
        finally:
            signals.break_off = False
        if line is None:
            return
        yield line


def _why(signals: Signals, brakes: Brakes) -> str:
    """Why the batch did not come to its end; empty where it did."""
    return "interrupted" if signals.noted else brakes.stopped


def _say_end(progress: Progress, hosts: SharedHosts, signals: Signals, brakes: Brakes) -> None:
    numbers, why = progress.tally.numbers(), _why(signals, brakes)
    for unused in hosts.unused:
        say.note(
            f"every attempt started a process of its own: backend {unused.kind!r} cannot be forked, {unused.reason}"
        )
    if why:
        say.note(f"{'stopped: ' * (not signals.noted)}{why}; the same command goes on with what is not finished")
    say.note(reports.line(numbers))
    for row in reports.table(numbers):
        say.note(row)


def _write_pages(pages: tuple[Output, ...], options: BatchOptions, title: str, why: str, progress: Progress) -> None:
    from workermd.report.batch_page import page

    for output in pages:
        files.write(output.path, page(title, options.inputs, why, progress.tally.numbers()))
