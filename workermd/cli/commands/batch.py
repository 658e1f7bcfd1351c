"""`workermd batch`: a contract and many inputs in, one answer a line out."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import BinaryIO, NamedTuple

from workermd.batch.conduct import Batch, Orders
from workermd.batch.lines import lines, on_one_line
from workermd.batch.sessions import SharedHosts
from workermd.cli.commands.run import Signals, flags_of
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.envelope import EXIT_INTERRUPTED, encoded
from workermd.protocol.errors import UsageError
from workermd.registry.contract_files import contract_named
from workermd.report import say
from workermd.report.live import Live
from workermd.report.progress import Progress
from workermd.runner import run_key
from workermd.runner.answers import Answered
from workermd.runner.events import Subscriber
from workermd.runner.worker import Worker
from workermd.system import files


class BatchOptions(NamedTuple):
    spec: str
    inputs: str
    program: list[str]
    jobs: int | None
    limit: int | None
    write: str | None
    envelope: bool
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
    run_id_from: str | None
    timeout: float | None
    max_attempts: int | None
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: BatchOptions) -> int:
    flags = flags_of(options)
    contract, warnings = cache.load(*contract_named(options.spec, flags))
    settings = configuration.load(flags)
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    worker = Worker(
        contract,
        binding,
        timeout=options.timeout,
        max_attempts=options.max_attempts,
        sandbox=configuration.sandbox_for(binding, settings, flags),
    )
    jobs = _jobs(options.jobs)
    signals = Signals()
    progress = Progress(quiet=options.quiet)
    orders = Orders(
        worker=worker,
        key=run_key.chosen(None, options.run_id_from, new=False),
        ledger=settings.ledger,
        jobs=jobs,
        max_input_bytes=settings.max_input_bytes,
        answered=_told(progress, envelope=options.envelope),
        heard=lambda: _heard(quiet=options.quiet),
        draining=lambda: signals.noted,
        killed=lambda: signals.count > 1,
    )
    if not options.quiet and warnings:
        count = len(warnings)
        say.note(f"{options.spec}: {count} warning{'s' * (count != 1)}; see: workermd validate {options.spec}")
    signals.catch()
    hosts = SharedHosts()
    try:
        with _opened(options) as file, _written(options.write, signals) as write, progress:
            found = islice(lines(file, orders.max_input_bytes), options.limit)
            Batch(orders, hosts, write).carry_out(_until_interrupted(found, signals))
    finally:
        hosts.close()
    if not options.quiet:
        _say_end(progress, hosts, signals)
    if signals.noted:
        return EXIT_INTERRUPTED
    return 1 if progress.not_ok else 0


def _jobs(wanted: int | None) -> int:
    if wanted is not None and wanted < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    return wanted or len(os.sched_getaffinity(0))


def _told(progress: Progress, *, envelope: bool) -> Callable[[Answered], bytes]:
    def told(answered: Answered) -> bytes:
        progress.count(answered)
        return on_one_line(encoded(answered.envelope) if envelope else answered.output)

    return told


def _heard(*, quiet: bool) -> tuple[Subscriber, Callable[[], None]]:
    """Log lines of a line's attempts; the one live line of a terminal would be drawn by all threads."""
    live = Live(quiet=quiet, drawn=False)
    return live, live.close


def _opened(options: BatchOptions) -> AbstractContextManager[BinaryIO]:
    if options.inputs != "-":
        if options.write is not None and os.path.realpath(options.write) == os.path.realpath(options.inputs):
            raise UsageError(f"{options.write}: the answers would replace the inputs", "name another file with -o")
        try:
            return open(options.inputs, "rb")
        except OSError as error:
            raise UsageError(
                f"{options.inputs}: cannot be read ({error.strerror})",
                "name a file of JSON Lines, or - for standard input",
            ) from None
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise UsageError(
            f"INPUTS is '-', but standard input is {found}", f"pipe lines in: … | workermd batch {options.spec} -"
        )
    return nullcontext(sys.stdin.buffer)


@contextmanager
def _written(path: str | None, signals: Signals) -> Iterator[Callable[[bytes], None]]:
    """Where answers go: standard output as they come, or a file that is whole or not there at all."""
    if path is not None:
        with files.growing(path, unless=lambda: signals.count > 1) as add:
            yield add
        return

    def printed(line: bytes) -> None:
        if not say.document(line):
            signals.count = max(signals.count, 1)  # nobody reads on: no further line begins

    yield printed


def _until_interrupted(found: Iterator[bytes], signals: Signals) -> Iterator[bytes]:
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


def _say_end(progress: Progress, hosts: SharedHosts, signals: Signals) -> None:
    for unused in hosts.unused:
        say.note(
            f"every attempt started a process of its own: backend {unused.kind!r} cannot be forked, {unused.reason}"
        )
    if signals.noted:
        say.note("interrupted; the same command goes on with what is not finished")
    say.note(progress.line())
