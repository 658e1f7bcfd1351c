"""`workermd bench SUITE`: cases, subjects and scores in, runs carried out and compared, a verdict out."""

import os
from typing import Any, NamedTuple

from workermd.bench.cases import Case, Source, load_cases
from workermd.bench.comparison import UNDECIDED
from workermd.bench.conduct import Conduct, carry_out
from workermd.bench.gate import PASSES
from workermd.bench.repetition import Repetition, ScoredRun, repetition
from workermd.bench.results import results
from workermd.bench.scores import Scorer, scorer
from workermd.bench.subjects import BenchSubject, digest_of, flags_for
from workermd.bench.suite import MAX_BYTES, Suite, read_suite
from workermd.cli.commands.run import Signals
from workermd.config import configuration
from workermd.contract import cache
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.protocol.envelope import EXIT_FINDINGS, EXIT_INTERRUPTED, Document
from workermd.protocol.errors import ContractUnusable, UsageError
from workermd.registry.contract_files import contract_named
from workermd.report import say
from workermd.report.bench.formats import FORMATS
from workermd.report.bench.live import BenchLive
from workermd.report.live import Live
from workermd.report.outputs import deliver, outputs
from workermd.runner.events import Subscriber
from workermd.runner.worker import Worker
from workermd.system.bounded import at_most


class BenchOptions(NamedTuple):
    suite: str
    subject: list[str]
    case: list[str]
    tag: list[str]
    repeats: int | None
    series: str | None
    jobs: int | None
    baseline: str | None
    format: str | None
    report: list[str]
    exit_zero: bool
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: BenchOptions) -> int:
    return measured(options, only_known=False)


def measured(options: BenchOptions, *, only_known: bool) -> int:
    """Run, or only score what was run before. 1 where the gate fails or cannot be decided."""
    suite = suite_named(options.suite)
    if options.repeats is not None:
        suite = suite._replace(repeats=options.repeats)
    wanted = outputs(options.format, options.report, FORMATS)
    baseline = _baseline(options.baseline) if options.baseline else None
    flags = configuration.Flags(
        ledger=options.ledger or "",
        config=options.config or "",
        no_config=options.no_config,
        sandbox=options.sandbox or "",
    )
    settings = configuration.load(flags)
    subjects = _subjects(suite, flags, options.subject)
    suite = suite._replace(cases=_chosen(cases_of(suite), options))
    planned = _planned(suite, subjects, options.series or "")
    signals, outcomes = Signals(), list[ScoredRun]()
    live = BenchLive(suite.name, [each.name for each in subjects], len(planned), quiet=options.quiet)

    def told(outcome: ScoredRun) -> None:
        outcomes.append(outcome)
        live.count(outcome)

    conduct = Conduct(
        ledger=settings.ledger,
        jobs=_jobs(options.jobs),
        max_input_bytes=settings.max_input_bytes,
        scorers=_scorers(suite, flags),
        told=told,
        heard=_heard,
        draining=lambda: signals.noted,
        killed=lambda: signals.count > 1,
        only_known=only_known,
    )
    signals.catch()
    with live:
        carry_out(conduct, planned)
    order = {each.run_id: number for number, each in enumerate(planned)}
    outcomes.sort(key=lambda each: order[each.repetition.run_id])
    document = results(suite, subjects, outcomes, baseline)
    deliver(wanted, lambda name: FORMATS[name](document), read=[suite.path])
    if not options.quiet:
        _say_end(live, document, signals)
    if signals.noted:
        return EXIT_INTERRUPTED
    return 0 if options.exit_zero or document["gate"]["verdict"] == PASSES else EXIT_FINDINGS


def _say_end(live: BenchLive, document: Document, signals: Signals) -> None:
    say.note(live.line())
    if signals.noted:
        say.note("interrupted; the same command goes on")
    elif document["gate"]["verdict"] == UNDECIDED:
        say.note("the gate is undecided: too few cases to say that it passes or fails")


def suite_named(path: str) -> Suite:
    """Raises ContractUnusable with everything that is wrong with the suite, ConfigurationError where a part of it needs
    a library that is not installed."""
    try:
        with open(path, "rb") as file:
            data = at_most(file, MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror})", "name a suite, such as NAME.bench.yaml"
        ) from None
    reading = read_suite(data, path)
    if reading.suite is None:
        count = len(reading.findings)
        raise ContractUnusable(
            f"{path}: {count} error{'s' * (count != 1)}, so the suite cannot be used",
            "mend it; see: workermd schema suite",
            reading.findings,
            reading.text,
        )
    if reading.unchecked is not None:  # a bench that began would pay for runs that nothing judges
        raise reading.unchecked
    return reading.suite


def cases_of(suite: Suite) -> tuple[Case, ...]:
    return load_cases(suite.source, suite.folder) if isinstance(suite.source, Source) else suite.cases


def _chosen(cases: tuple[Case, ...], options: BenchOptions) -> tuple[Case, ...]:
    chosen = tuple(
        case
        for case in cases
        if (not options.case or case.id in options.case) and (not options.tag or {*options.tag} & {*case.tags})
    )
    if not chosen:
        raise UsageError("no case is left by --case and --tag", f"ids are, for example: {cases[0].id}")
    return chosen


def _subjects(suite: Suite, flags: configuration.Flags, wanted: list[str]) -> tuple[BenchSubject, ...]:
    unknown = [name for name in wanted if name not in suite.subjects]
    if unknown:
        raise UsageError(f"--subject: there is no {unknown[0][:40]!r}", f"there is: {', '.join(suite.subjects)}")
    return tuple(
        subject_of(name, words, suite.beside(words.get("contract", suite.contract)), suite.folder, flags)
        for name, words in suite.subjects.items()
        if not wanted or name in wanted
    )


def subject_of(name: str, words: Document, contract_path: str, folder: str, base: configuration.Flags) -> BenchSubject:
    """A contract with the binding that a suite's words choose for it."""
    flags = flags_for(words, folder, base)
    settings = configuration.load(flags)
    text, place = contract_named(contract_path, flags)
    contract, _ = cache.load(text, place)
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    worker = Worker(
        contract,
        binding,
        timeout=words.get("timeout"),
        max_attempts=words.get("max_attempts"),
        sandbox=configuration.sandbox_for(binding, settings, flags),
        text=text,
    )
    return BenchSubject(name, worker, digest_of(binding))


def _scorers(suite: Suite, flags: configuration.Flags) -> tuple[Scorer, ...]:
    made: list[Scorer] = []
    for score in suite.scores:
        judge = None
        if score.kind == "contract":
            words, path = score.of.get("subject", {}), suite.beside(score.of["contract"])
            judge = subject_of(score.name, words, path, suite.folder, flags)
        made.append(scorer(score, judge))
    return tuple(made)


def _planned(suite: Suite, subjects: tuple[BenchSubject, ...], series: str) -> list[Repetition]:
    """By number first, then case, then subject: a bench that ends early has some of everything."""
    return [
        repetition(case, subject, n, series, subject.worker.input_checker)
        for n in range(1, suite.repeats + 1)
        for case in suite.cases
        for subject in subjects
    ]


def _jobs(wanted: int | None) -> int:
    if wanted is not None and wanted < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    return wanted or len(os.sched_getaffinity(0))


def _heard() -> tuple[Subscriber, Any]:
    """What tasks say is not shown: the live line stands there."""
    live = Live(quiet=True, drawn=False)
    return live, live.close


def _baseline(path: str) -> Document:
    try:
        with open(path, "rb") as file:
            document = quick.load_bytes(file.read())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})", "write one with --report json=FILE") from None
    except JsonError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("runs"), list) or "subjects" not in document:
        raise UsageError(f"{path}: no result of a bench", "write one with --report json=FILE")
    return document
