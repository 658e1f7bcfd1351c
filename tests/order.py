"""In which order the processes of `pytest -n 4 --dist worksteal` get the tests.

Each process gets a quarter of the tests at the start, one run of them after another, and the end of a quarter goes to whoever
has nothing left. A framework that all four load costs four times its import, in the tests' process and in the host that its
attempts are forked from. So the tests of AutoGen stand at the head of one quarter and those of the other frameworks at the
head of the next; what waits long stands at the head of the third, where it holds nobody up at the end.
"""

import os
from itertools import islice

import pytest

OTHER_FRAMEWORKS = (
    "agents/test_ag2.py",
    "agents/test_agent_framework.py",
    "serve/test_clients.py",
    "library/test_tools.py",
)
WAITING = ("tests/cluster/", "tests/test_integrations.py", "studio/test_browser.py", "ledger/test_disk.py", "fuzz/test_planted.py")  # fmt: skip


def spread(items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers < 4:
        return
    lanes: dict[str, list[pytest.Item]] = {"autogen": [], "others": [], "waiting": [], "": []}
    for item in items:
        lanes[_lane(item)].append(item)
    rest = iter(lanes.pop(""))
    quarter = len(items) // workers
    ordered: list[pytest.Item] = []
    for lane in lanes.values():
        ordered += lane
        ordered += islice(rest, max(0, quarter - len(lane)))
    items[:] = [*ordered, *rest]


def _lane(item: pytest.Item) -> str:
    from tests.backends.agents.kinds import kind_of

    place = item.nodeid.partition("::")[0]
    if place.endswith(OTHER_FRAMEWORKS):
        return "others"
    if "backends/agents/" in place:
        kind = kind_of(item)
        return "others" if kind is not None and kind.name in ("ag2", "agent-framework") else "autogen"
    return "waiting" if any(word in place for word in WAITING) else ""
