"""`workermd fmt`: contracts in their one layout, or in the registry's shape."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.contract_paths import each_once
from workermd.cli.documents import stdin_bytes
from workermd.contract.conversion import NotConvertible, to_registry
from workermd.contract.layout import laid_out
from workermd.contract.model import Reading
from workermd.contract.reader import read
from workermd.protocol.envelope import EXIT_FINDINGS, EXIT_UNUSABLE
from workermd.protocol.errors import ContractUnusable, UsageError, WorkermdError
from workermd.registry.contract_files import contract_bytes
from workermd.report import say, text
from workermd.report.record import count
from workermd.system import files
from workermd.system.text import printable


class FmtOptions(NamedTuple):
    paths: list[str]
    check: bool
    diff: bool
    to: str | None
    quiet: bool
    config: str | None
    no_config: bool


_MARK = b"\xef\xbb\xbf"


class Laid(NamedTuple):
    """A file as it is and as it should be."""

    path: str
    before: bytes
    after: bytes


def execute(options: FmtOptions) -> int:
    """0 done or nothing to do, 1 with `--check` when something would change, 2 when a file could not be laid out."""
    if "-" in options.paths and len(options.paths) > 1:
        raise UsageError("standard input is laid out alone", "name files, or - without any")
    layout = to_registry if options.to else laid_out
    laid: list[Laid] = []
    refused: list[WorkermdError] = []
    for path in each_once(options.paths, lambda: settings.load(options.config, options.no_config)):
        try:
            if isinstance(path, WorkermdError):
                raise path
            one = _laid(path, layout)
            if not options.check and not options.diff:
                _write(one)
            laid.append(one)
        except WorkermdError as error:
            refused.append(error)
    changed = [one for one in laid if one.after != one.before]
    if options.diff:
        say.text("".join(map(_difference, changed)))
    elif options.check:
        say.text("".join(f"would change: {printable(one.path)}\n" for one in changed))
    _say(refused, changed, laid, options)
    if refused:
        return EXIT_UNUSABLE
    return EXIT_FINDINGS if changed and options.check else 0


def _laid(path: str, layout: Callable[[Reading], str]) -> Laid:
    """Raises UsageError for a file that cannot be read, ContractUnusable for one that has errors."""
    data = stdin_bytes("the contract is '-'", "workermd fmt -") if path == "-" else contract_bytes(path)
    reading = read(data, path)
    if reading.contract is None:
        errors = tuple(finding for finding in reading.findings if finding.severity == "error")
        raise ContractUnusable(f"{path}: has errors and was left as it is", f"see: workermd validate {path}", errors)
    try:
        after = layout(reading)
    except NotConvertible as reason:
        raise UsageError(f"{path}: cannot be converted: {reason}", "change it, or convert it by hand") from None
    return Laid(path, data, (_MARK if data.startswith(_MARK) else b"") + after.encode())


def _write(one: Laid) -> None:
    if one.path == "-":
        say.document(one.after)
    elif one.after != one.before:
        files.write(one.path, one.after)


def _difference(one: Laid) -> str:
    import difflib

    before, after = (data.decode().split("\n") for data in (one.before, one.after))
    name = one.path.lstrip("/")
    shown = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in shown)


def _say(refused: list[WorkermdError], changed: list[Laid], laid: list[Laid], options: FmtOptions) -> None:
    for error in refused:
        if isinstance(error, ContractUnusable) and error.findings and not options.quiet:
            sys.stderr.write(text.findings(error.findings, None, say.style(sys.stderr)))
        say.error(error)
    if not options.quiet:
        would = "would change" if options.check or options.diff else "changed"
        missed = f"; {count(len(refused), 'path')} left alone" if refused else ""
        sys.stderr.write(
            f"{count(len(changed), 'file')} {would}, {len(laid) - len(changed)} as they should be{missed}\n"
        )
