"""Rules about the constraints: bounds that cannot fit together, names that are no names (S3.8)."""

import re
from collections.abc import Iterator

from workermd.lint.subject import Fault, Subject
from workermd.protocol import tool_pattern
from workermd.protocol.back_off import FIRST_PAUSE, LONGEST_PAUSE
from workermd.system.text import shown

_TOOL = re.compile(r"[@A-Za-z0-9_*?][A-Za-z0-9_.:/@*?-]*")


def attempts_that_do_not_fit(subject: Subject) -> Iterator[Fault]:
    """WM620"""
    bounds = subject.contract.constraints
    attempts, one, whole = bounds.max_attempts, bounds.attempt_timeout_seconds, bounds.timeout_seconds
    if attempts and attempts > 1 and one and whole and one <= whole < attempts * one:
        line = subject.lines.position(subject.where("/constraints/timeout_seconds").start).line
        message = (
            f"{attempts} attempts of {one:g} seconds take {attempts * one:g}, above the timeout_seconds of {whole:g}"
            f" on line {line}"
        )
        hint = "Lower attempt_timeout_seconds or max_attempts, or raise timeout_seconds."
        yield Fault(subject.where("/constraints/attempt_timeout_seconds"), message, hint)


def pauses_that_do_not_fit(subject: Subject) -> Iterator[Fault]:
    """WM621"""
    bounds = subject.contract.constraints
    attempts, whole = bounds.max_attempts or 1, bounds.timeout_seconds
    if whole is None or attempts < 2:
        return
    pauses = _mean_pauses(attempts)
    if pauses >= whole:
        line = subject.lines.position(subject.where("/constraints/timeout_seconds").start).line
        message = (
            f"the pauses between {attempts} attempts take {pauses:g} seconds on average, which the timeout_seconds of"
            f" {whole:g} on line {line} has no room for"
        )
        yield Fault(subject.where("/constraints/max_attempts"), message, "Lower it, or raise timeout_seconds.")


def _mean_pauses(attempts: int) -> float:
    """Full jitter: a pause is half its span on average; the spans double up to the longest."""
    doubling = min(attempts - 1, 12)
    pauses: float = sum(min(FIRST_PAUSE * 2.0**number, LONGEST_PAUSE) / 2 for number in range(doubling))
    return pauses + (attempts - 1 - doubling) * LONGEST_PAUSE / 2


def odd_tools(subject: Subject) -> Iterator[Fault]:
    """WM622"""
    for tool in subject.contract.constraints.tools_allowed or ():
        what = _wrong_with(tool)
        if what:
            message = f"tools_allowed lists {shown(tool)}, {what}: it allows no call"
            hint = (
                "Name a tool by letters, digits and _ . : / @ * ? - and, where it needs bounds, its arguments:"
                " read(path=docs/*)."
            )
            yield Fault(subject.where("/constraints/tools_allowed"), message, hint)


def _wrong_with(tool: str) -> str:
    if not _TOOL.fullmatch(tool.partition("(")[0]):
        return "which is no name"
    try:
        tool_pattern.read(tool)
    except tool_pattern.MalformedPattern as error:
        return f"which is no pattern ({error})"
    return ""


def idle_backoff(subject: Subject) -> Iterator[Fault]:
    """WM623"""
    bounds = subject.contract.constraints
    if bounds.backoff and (bounds.max_attempts or 1) == 1:
        message = "backoff is given, but with one attempt there is nothing to wait for"
        yield Fault(subject.where("/constraints/backoff"), message, "Remove it, or raise max_attempts.")
