"""Which cases `make test` leaves to `make deep`.

A test that says `@pytest.mark.deep`; and of a test that is tried with every kind of agents (the fixtures `bound` and
`attempt`) all kinds but one. The kinds take turns over the tests and their scripts, so that each meets a part of them.
Where a kind's own code is what is proved, `@pytest.mark.every_kind` keeps all kinds, for one case or for a whole test.

A test that is named on the command line (`FILE::TEST`), a choice by `-m`, and WORKERMD_EXAMPLES=deep leave nothing out.
"""

import zlib

import pytest

from tests.properties import DEEP


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is deep; take it out of the run where nobody asked for it."""
    for item in items:
        if _has_its_turn_elsewhere(item):
            item.add_marker(pytest.mark.deep)
    if config.option.markexpr or DEEP or any("::" in word for word in config.args):
        return
    left = [item for item in items if item.get_closest_marker("deep")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]


def _has_its_turn_elsewhere(item: pytest.Item) -> bool:
    """By the test's name and its script: the choice is the same whichever part of the suite is run."""
    from tests.backends.agents.kinds import KINDS_UNDER_TEST, kind_of

    kind = kind_of(item)
    if kind is None or item.get_closest_marker("every_kind"):
        return False
    case = item.nodeid.replace(f"[{kind.name}", "[", 1)
    return KINDS_UNDER_TEST[zlib.crc32(case.encode()) % len(KINDS_UNDER_TEST)] != kind
