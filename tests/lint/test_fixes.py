"""A fix leaves what a contract means as it is, and edits never run into each other."""

import pytest

from tests.conftest import contract_text
from workermd.contract.model import Span
from workermd.lint.engine import Check, lint
from workermd.lint.fixes import applied, fixed
from workermd.lint.selection import Selection
from workermd.lint.subject import Edit, Fault

TEXT = contract_text()


def replacing(old, new):
    """A rule that wants one text in place of another."""

    def find(subject):
        at = subject.text.find(old)
        if at >= 0:
            yield Fault(Span(at, at + len(old)), "found", "do", (Edit(at, at + len(old), new),))

    return Check("WM303", find)


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("# echo\n", "# Echo\n", True),
        ("Answer one question.", "Answer two questions.", False),
        ("timeout_seconds: 20", "timeout_seconds: 30", False),
        ("id: echo", "id: other", False),
        ("version: 1.0.0", "version: 1.0.1", False),
        ("### Constraints", "### Other", False),
    ],
)
def test_a_fix_that_would_change_the_meaning_is_not_made(monkeypatch, old, new, made):
    """Whatever a rule believes of its own edit."""
    monkeypatch.setitem(lint.__kwdefaults__, "checks", (replacing(old, new),))
    assert fixed(TEXT.encode(), "a.worker.md", Selection()).decode() == (TEXT.replace(old, new, 1) if made else TEXT)


@pytest.mark.parametrize(
    ("edits", "result"),
    [
        ([(0, 2, "A"), (2, 4, "B")], "AB45"),
        ([(0, 3, "A"), (2, 4, "B")], "A345"),
        ([(2, 4, "B"), (0, 3, "A")], "A345"),
        ([(1, 1, "x"), (1, 1, "x")], "0x12345"),
    ],
    ids=["side by side", "overlapping", "given backwards", "given twice"],
)
def test_of_two_edits_that_overlap_the_first_holds(edits, result):
    assert applied("012345", [Edit(*edit) for edit in edits]) == result
