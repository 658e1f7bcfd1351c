"""Ignores in a contract: `<!-- workermd: ignore WM320 the reason -->`, alone on a line outside code fences.

An ignore holds for the whole file: most findings stand in the front matter or in JSON, where no comment can
be beside them. It names one code in full, and says why.
"""

import re
from typing import NamedTuple

from workermd.contract.model import Span
from workermd.contract.rules import RULES
from workermd.lint.selection import nearest_code
from workermd.lint.subject import Edit, Fault, Subject

FAULTY = "WM920"
UNUSED = "WM921"

_IGNORE = re.compile(r"[ \t]{0,3}<!--[ \t]*workermd:[ \t]*(.*?)[ \t]*-->[ \t]*")
_WORDS = re.compile(r"ignore[ \t]+(\S+)(?:[ \t]+(.*))?")


class Ignore(NamedTuple):
    code: str
    span: Span
    line: Span


class Ignores(NamedTuple):
    """`listed` hold; `faulty` are findings."""

    listed: tuple[Ignore, ...] = ()
    faulty: tuple[Fault, ...] = ()


def find(subject: Subject) -> Ignores:
    if "workermd:" not in subject.text:
        return Ignores()
    listed: list[Ignore] = []
    faulty: list[Fault] = []
    for line in subject.prose:
        comment = _IGNORE.fullmatch(line.text)
        if comment is None:
            continue
        span = Span(line.start, line.start + len(line.text))
        words = _WORDS.fullmatch(comment[1])
        if words is None:
            form = "Write <!-- workermd: ignore WM123 the reason -->."
            faulty.append(Fault(span, "a comment for workermd that is no ignore with a code and a reason", form))
        elif words[1] not in RULES:
            message = f"the ignore names {words[1][:40]!r}, which is no rule's code"
            faulty.append(Fault(span, message, f"Name one code in full; {nearest_code(words[1].upper())}."))
        elif not words[2]:
            faulty.append(Fault(span, f"the ignore of {words[1]} gives no reason, so it does not hold", "Say why."))
        else:
            end = min(span.end + 1 + subject.text.startswith("\r\n", span.end), len(subject.text))
            listed.append(Ignore(words[1], span, Span(line.start, end)))
    return Ignores(tuple(listed), tuple(faulty))


def unused(ignore: Ignore) -> Fault:
    message = f"nothing in this file breaks {ignore.code}, so the ignore has no use"
    return Fault(ignore.span, message, "Remove the comment.", (Edit(ignore.line.start, ignore.line.end, ""),))
