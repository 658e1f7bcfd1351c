"""`workermd validate`: read contracts, and documents against them, and report what is wrong.

The reader and the rules are loaded where a file has to be read: one that did not change since it was checked needs
neither of them, and they cost more than the rest of a call.
"""

import sys
from collections.abc import Iterator
from typing import NamedTuple

from workermd.bench.naming import SUFFIXES as SUITES
from workermd.bench.naming import is_suite
from workermd.cli import side_by_side
from workermd.cli.contract_paths import each_once
from workermd.cli.documents import input_bytes, stdin_bytes
from workermd.cli.settings import load
from workermd.config.configuration import Settings
from workermd.contract.model import Lines
from workermd.contract.problems import SUFFIX, Problems
from workermd.lint import baseline, folder
from workermd.lint.cache import Checked, CheckedFiles, of_reading
from workermd.lint.selection import Selection, codes, configured
from workermd.protocol.deprecations import OUTPUT_OF_VALIDATE
from workermd.protocol.envelope import EXIT_FINDINGS, EXIT_UNUSABLE
from workermd.protocol.errors import UsageError, WorkermdError
from workermd.protocol.finding import Finding, Severity, ordered
from workermd.registry.contract_files import contract_bytes, contract_named
from workermd.report import formats, outputs, say, text
from workermd.report.record import Report
from workermd.system import files
from workermd.system.text import printable


class ValidateOptions(NamedTuple):
    paths: list[str]
    format: str | None
    report: list[str]
    output: list[str]
    input: str | None
    output_file: str | None
    select: list[str]
    ignore: list[str]
    fail_on: Severity
    strict: bool
    jobs: int | None
    baseline: str | None
    baseline_update: bool
    fix: bool
    diff: bool
    exit_zero: bool
    quiet: bool
    config: str | None
    no_config: bool


LEVELS: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first: `--fail-on` names the last that makes a call fail."""


class Gathered:
    """Takes what was found file by file. Text alone is printed at once and not kept: memory stays flat."""

    def __init__(self, options: ValidateOptions, accepted: baseline.Baseline | None) -> None:
        self.files = 0
        self.counts: dict[Severity, int] = dict.fromkeys(LEVELS, 0)
        self.unchecked: list[WorkermdError] = []
        self._wanted = outputs.outputs(options.format, options.report, formats.FORMATS, older=options.output)
        self._silent = bool(options.diff or options.baseline_update)
        self._streams = self._wanted == (outputs.Output("text", outputs.STDOUT),)
        self._quiet = options.quiet
        self._kept: list[Finding] = []
        self._sources: dict[str, str] = {}
        self._accepted = accepted

    def add(self, findings: tuple[Finding, ...], path: str, source: str, *, hideable: bool = True) -> None:
        """`source` is the text that the findings stand in; a finding that makes a contract unusable is not hideable."""
        if self._accepted is not None and hideable and findings:
            lines = Lines(source)
            findings = tuple(each for each in findings if not self._accepted.covers(each, lines.line_text(each.line)))
        for finding in findings:
            self.counts[finding.severity] += 1
        if self._silent or (self._streams and not findings):
            return
        from workermd.lint.secrets import masked

        if self._streams:
            say.text(text.findings(findings, {path: masked(source)}, say.style(sys.stdout)))
        else:
            self._kept += findings
            self._sources[path] = masked(source)

    def end(self) -> None:
        if not self._silent and not self._streams:
            report = Report(self._sources, ordered(self._kept), tuple(self.unchecked))
            formats.print_all(report, self._wanted)
        for error in self.unchecked:
            say.error(error)
        if not self._quiet:
            errors, warnings, notes = (self.counts[level] for level in LEVELS)
            hidden = self._accepted.hidden if self._accepted is not None else 0
            sys.stderr.write(
                text.summary(errors, warnings, self.files, len(self.unchecked), notes=notes, accepted=hidden)
            )

    def fails(self, threshold: Severity) -> bool:
        return any(self.counts[level] for level in LEVELS[: LEVELS.index(threshold) + 1])


def execute(options: ValidateOptions) -> int:
    """0 clean, 1 with findings of the level that fails, 2 when anything could not be checked."""
    settings = load(options.config, options.no_config)
    paths = options.paths or ["."]
    names, suites = _parted(list(each_once(paths, lambda: settings, (SUFFIX, *SUITES))))
    sides = ((options.input, "input"), (options.output_file, "output"))
    documents = [(path, side) for path, side in sides if path]
    _refuse_contradictions(options, len(names) + len(suites), documents)
    selection = _selection(options, settings)
    if options.output and not options.quiet:
        say.note(OUTPUT_OF_VALIDATE.warning)
    accepted = baseline.load(options.baseline, update=options.baseline_update) if options.baseline else None
    report = Gathered(options, accepted)
    identities = folder.Identities()
    known = CheckedFiles(selection)
    changes = 0
    read: tuple[bytes, str] | None = None
    for found in _looked_at(names, options, selection, known):
        if isinstance(found, WorkermdError):
            report.unchecked.append(found)
            continue
        checked, read = found.checked, found.read or read
        report.files += 1
        changes += found.changed
        identities.add(checked)
        report.add(checked.findings, checked.path, checked.text, hideable=checked.identity is not None)
    known.end()
    _add_clashes(identities, selection, report)
    _add_suites(report, suites, selection)
    for path, side in documents:
        _add_document(report, read, path, side, settings.max_input_bytes)
    if accepted is not None and options.baseline_update:
        files.write(accepted.path, accepted.updated())
    report.end()
    if changes and not options.quiet:
        verb = "would change" if options.diff else "fixed"
        say.note(f"{verb} {changes} file{'' if changes == 1 else 's'}")
    if report.unchecked:
        return EXIT_UNUSABLE
    if options.exit_zero:
        return 0
    if options.diff:
        return EXIT_FINDINGS if changes else 0
    return EXIT_FINDINGS if report.fails(_threshold(options)) else 0


class LookedAt(NamedTuple):
    """A file that was checked. `read` are its bytes and its path, None where another process read it."""

    checked: Checked
    read: tuple[bytes, str] | None
    changed: bool = False


def _looked_at(
    names: list[str | WorkermdError], options: ValidateOptions, selection: Selection, known: CheckedFiles
) -> Iterator[LookedAt | WorkermdError]:
    """Every file in its order. Where many have to be read anew, other processes help with the rest."""
    jobs = 1 if options.fix or options.diff or "-" in names else options.jobs or side_by_side.cores()
    for at, name in enumerate(names):
        if jobs > 1 and known.missed >= side_by_side.WORTH_IT:
            yield from _side_by_side(names[at:], options, selection, known, jobs)
            return
        yield _look_at(name, options, selection, known)


def _side_by_side(
    names: list[str | WorkermdError], options: ValidateOptions, selection: Selection, known: CheckedFiles, jobs: int
) -> Iterator[LookedAt | WorkermdError]:
    def check(name: str | WorkermdError) -> Checked | None:
        found = _look_at(name, options, selection, known)
        return None if isinstance(found, WorkermdError) else found.checked

    for name, checked in zip(names, side_by_side.in_order(names, check, jobs), strict=True):
        # What could not be checked is told by this process.
        yield LookedAt(checked, None) if checked is not None else _look_at(name, options, selection, known)


def _look_at(
    name: str | WorkermdError, options: ValidateOptions, selection: Selection, known: CheckedFiles
) -> LookedAt | WorkermdError:
    try:
        read = _data(name, mended=options.fix)
        data = _mended(*read, options, selection)
    except WorkermdError as error:
        return error
    checked = _checked(data if options.fix else read[0], read[1], selection, known)
    return LookedAt(checked, read, changed=data != read[0])


def _refuse_contradictions(options: ValidateOptions, count: int, documents: list[tuple[str, str]]) -> None:
    if [options.input, options.output_file, *options.paths].count("-") > 1:
        raise UsageError("standard input can be read once, but '-' is given twice", "name a file for one of them")
    if documents and count > 1:
        raise UsageError(f"a document is checked against one contract, found {count}", "name one file")
    if options.jobs is not None and options.jobs < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    if options.baseline_update and not options.baseline:
        raise UsageError("--baseline-update writes a baseline, but none is named", "add --baseline FILE")
    if options.fix and "-" in options.paths:
        raise UsageError("--fix writes files, but standard input is none", "use --diff, or name a file")
    others = [
        f"--{name.replace('_', '-')}"
        for name in ("fix", "baseline_update", "format", "report", "output")
        if getattr(options, name)
    ]
    if options.diff and others:
        raise UsageError(
            f"--diff prints a diff and writes nothing, so {others[0]} beside it has no use", "leave one out"
        )


def _selection(options: ValidateOptions, settings: Settings) -> Selection:
    """The command line's `--select` replaces the configuration's; `--ignore` adds to it."""
    given = configured(settings.lint_select, settings.lint_ignore, settings.origin)
    select = codes(options.select, "--select") or given.select
    return Selection(select, (*given.ignore, *codes(options.ignore, "--ignore")))


def _threshold(options: ValidateOptions) -> Severity:
    """`--strict` is `--fail-on warning`; with both, the one that fails sooner holds."""
    level: Severity = options.fail_on
    return "warning" if options.strict and level == "error" else level


def _data(name: str | WorkermdError, *, mended: bool) -> tuple[bytes, str]:
    """The bytes of what an argument means, and its path. A registry's entry is never mended in place: its digest
    holds it as it is."""
    if isinstance(name, WorkermdError):
        raise name
    if name == "-":
        return stdin_bytes("the contract is '-'", "workermd validate -"), name
    return (contract_bytes(name), name) if mended else contract_named(name)


def _mended(data: bytes, path: str, options: ValidateOptions, selection: Selection) -> bytes:
    """A file with the safe fixes that were asked for: written, or shown as a diff."""
    if not (options.fix or options.diff):
        return data
    from workermd.lint import fixes

    mended = fixes.fixed(data, path, selection)
    if options.diff:
        say.text(fixes.difference(data, mended, printable(path)))
    elif mended != data:
        files.write(path, mended)
    return mended


def _checked(data: bytes, path: str, selection: Selection, known: CheckedFiles) -> Checked:
    found = known.find(data, path)
    if found is None:
        from workermd.contract.reader import read
        from workermd.lint.engine import lint

        reading = read(data, path)
        found = of_reading(reading, lint(reading, selection).findings)
        known.keep(data, found)
    return found


def _add_clashes(identities: folder.Identities, selection: Selection, report: Gathered) -> None:
    """The files that clash are few: they are read again rather than kept."""
    for clash in identities.clashes():
        if not selection.has(clash.code) or clash.path == "-":
            continue
        from workermd.contract.reader import read
        from workermd.lint import ignores
        from workermd.lint.subject import Subject

        try:
            reading = read(contract_bytes(clash.path), clash.path)
        except WorkermdError as error:
            report.unchecked.append(error)
            continue
        subject = Subject(reading)
        if reading.contract is None or clash.code in {each.code for each in ignores.find(subject).listed}:
            continue
        problems = Problems(reading.path, subject.lines)
        fault = folder.fault(clash, subject)
        problems.add(clash.code, fault.span, fault.message, fault.hint)
        report.add(problems.findings(), reading.path, reading.text)


def _parted(names: list[str | WorkermdError]) -> tuple[list[str | WorkermdError], list[str]]:
    """Contracts, and suites of benches."""
    suites = [name for name in names if isinstance(name, str) and is_suite(name)]
    return [name for name in names if name not in suites], suites


def _add_suites(report: Gathered, paths: list[str], selection: Selection) -> None:
    """Suites of benches. Nothing of them is mended, and nothing kept: their cases may stand in other files."""
    for path in paths:
        from workermd.bench.suite import MAX_BYTES
        from workermd.cli.suites import checked_suite

        try:
            data = input_bytes(path, "workermd validate SUITE", MAX_BYTES)
        except WorkermdError as error:
            report.unchecked.append(error)
            continue
        reading = checked_suite(data, path)
        report.files += 1
        report.add(tuple(each for each in reading.findings if selection.has(each.code)), path, reading.text)


def _add_document(report: Gathered, of: tuple[bytes, str] | None, path: str, side: str, cap: int) -> None:
    """`--input` and `--output-file`: a document held against one side of the contract, `of` its bytes and path."""
    from workermd.contract import instance
    from workermd.contract.reader import read

    try:
        contract = read(*of).contract if of is not None else None
        if contract is None:
            raise UsageError(f"{path}: not checked, because the contract cannot be used", "mend the contract first")
        schema, draft = (
            (contract.input_schema, contract.input_draft)
            if side == "input"
            else (contract.output_schema, contract.output_draft)
        )
        data = input_bytes(path, "workermd validate CONTRACT … -", cap)
        if len(data) > cap:
            raise UsageError(f"{path}: larger than max_input_bytes ({cap})", "raise it in workermd.toml")
        source, found = instance.check(data, path, schema, draft)
    except WorkermdError as error:
        report.unchecked.append(error)
        return
    report.files += 1
    report.add(found, path, source, hideable=False)
