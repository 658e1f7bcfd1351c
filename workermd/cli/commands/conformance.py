"""`workermd conformance`: hold a command that runs contracts, this one or any other, against the kit's cases."""

import os
from typing import NamedTuple

from workermd.protocol.errors import UsageError
from workermd.report import outputs, say
from workermd.testing.conformance import cases, conduct, proof, results, runtime


class ConformanceOptions(NamedTuple):
    program: list[str]
    runtime: str | None
    claims: list[str]
    case: list[str]
    list_cases: bool
    jobs: int | None
    patience: float | None
    format: str
    report: list[str]
    exit_zero: bool
    quiet: bool


def execute(options: ConformanceOptions) -> int:
    wanted = outputs.outputs(options.format, options.report, results.FORMS)
    known = cases.load()
    held = _runtime(options)
    chosen = _chosen(known, options.case)
    if options.list_cases:
        lines = (f"{case.id}\t{case.level}\t{' '.join(case.rules)}\t{case.title}\n" for case in chosen)
        say.text("".join(lines))
        return 0
    proof.prove(chosen)
    tried = conduct.conduct(chosen, held, jobs=options.jobs or os.cpu_count() or 1, patience=options.patience or 1.0)
    found = []
    for result in tried:
        found.append(result)
        if not options.quiet and result.word != "skipped":
            say.note(f"{result.word} {result.case.id}: {result.case.title}")
    if all(result.word == "skipped" for result in found):
        raise UsageError("no case was tried", "claim a level (--claims core), and see --list-cases for the cases")
    outputs.deliver(wanted, lambda name: results.FORMS[name](found, held))
    return 0 if options.exit_zero or results.is_clean(found) else 1


def _runtime(options: ConformanceOptions) -> runtime.Runtime:
    """What is held: the command behind --, else what the file names, else workermd itself."""
    if not options.program:
        return runtime.claiming(runtime.load(options.runtime or runtime.OURS), options.claims)
    base = runtime.load(options.runtime) if options.runtime else None
    return runtime.of_command(options.program, options.claims, base)


def _chosen(known: tuple[cases.KitCase, ...], names: list[str]) -> tuple[cases.KitCase, ...]:
    if strange := [name for name in names if name not in {case.id for case in known}]:
        raise UsageError(f"--case: there is no case {strange[0][:40]!r}", "see workermd conformance --list-cases")
    return tuple(case for case in known if not names or case.id in names)
