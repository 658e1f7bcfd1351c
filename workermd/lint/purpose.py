"""The rule about the purpose: a task that is told nothing answers something (S8.1)."""

from collections.abc import Iterator

from workermd.contract import document
from workermd.contract.problems import Problems
from workermd.contract.purpose import near_miss
from workermd.lint.subject import Fault, Subject


def missing(subject: Subject) -> Iterator[Fault]:
    """WM713"""
    if subject.contract.purpose.strip():
        return
    bounds = document.bounds(subject.lines, Problems(subject.path, subject.lines))
    assert bounds is not None, "a usable contract has front matter that ends, or none"
    found = near_miss(document.read_body(subject.lines, bounds.body_line, whole=True), subject.lines)
    hint = "Write a paragraph `Purpose: ...` before the schemas, or a section `### Purpose`."
    if found is None:
        yield Fault(
            subject.where("/front_matter"), "the contract has no purpose, so a task is not told what to do", hint
        )
    else:
        yield Fault(found.span, f"the contract has no purpose; this line {found.why}", hint)
