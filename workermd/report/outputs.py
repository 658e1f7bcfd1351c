"""Where the reports of a call go: one to standard output, any number to files, each in a format of its own."""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from workermd.protocol.errors import UsageError, WorkermdError
from workermd.report import say
from workermd.system import files

STDOUT = "-"


class Output(NamedTuple):
    """One format and the file that it goes to; `-` is standard output."""

    format: str
    path: str


def outputs(
    printed: str | None, reports: Iterable[str], allowed: Iterable[str], *, older: Iterable[str] = ()
) -> tuple[Output, ...]:
    """What `--format` and every `--report FORMAT=FILE` ask for. Text is printed where nothing else is.

    `older` are those of `--output`, the former spelling, where `-` is standard output.
    Raises UsageError for an unknown format and for a file that is wanted twice.
    """
    known = tuple(allowed)
    found = [_report(each, known) for each in reports]
    found += [_split(each, known, "--output") for each in older]
    if printed is not None or all(output.path != STDOUT for output in found):
        found.insert(0, Output(printed or "text", STDOUT))
    seen: set[str] = set()
    for output in found:
        place = output.path if output.path == STDOUT else os.path.realpath(output.path)
        if place in seen:
            what = "standard output is" if place == STDOUT else f"{output.path}: the file is"
            raise UsageError(f"{what} asked for by two reports", "give each format a file of its own")
        seen.add(place)
    return tuple(found)


def _report(wanted: str, allowed: tuple[str, ...]) -> Output:
    output = _split(wanted, allowed, "--report")
    if output.path == STDOUT:
        raise UsageError(
            f"--report {wanted}: a report is a file, but - is standard output", f"write --format {output.format}"
        )
    return output


def _split(wanted: str, allowed: tuple[str, ...], flag: str) -> Output:
    name, sign, path = wanted.partition("=")
    if not sign or not path:
        raise UsageError(f"{flag}: found {wanted[:40]!r}", f"write FORMAT=FILE, such as {allowed[-1]}=FILE")
    if name not in allowed:
        raise UsageError(f"{flag}: found the format {name[:40]!r}", f"allowed: {', '.join(allowed)}")
    return Output(name, path)


def deliver(
    wanted: tuple[Output, ...],
    made: Callable[[str], bytes],
    *,
    printed: Callable[[str], bytes] | None = None,
    read: Iterable[str] = (),
) -> None:
    """Write every file, then print. `made` gives a format's document, `printed` what standard output gets of it.

    `read` are the files that the report is about. Raises UsageError before anything is written, OutputUnwritable after
    the rest.
    """
    kept = {os.path.realpath(path) for path in read}
    for output in wanted:
        if output.path != STDOUT and os.path.realpath(output.path) in kept:
            raise UsageError(f"{output.path}: a report would replace a file that was checked", "name another file")
    failures: list[WorkermdError] = []
    for output in sorted(wanted, key=lambda each: each.path == STDOUT):
        try:
            if output.path == STDOUT:
                say.document((printed or made)(output.format))
            else:
                files.write(output.path, made(output.format))
        except WorkermdError as error:
            failures.append(error)
    for failure in failures[1:]:
        say.error(failure)
    if failures:
        raise failures[0]
