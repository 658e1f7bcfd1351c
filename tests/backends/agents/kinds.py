"""The kinds with models behind them, arranged so that one attempt is one request where nothing else is scripted."""

from typing import Any, NamedTuple

import pytest


class KindUnderTest(NamedTuple):
    """`module` is what has to be installed; `arrangement` is put into the worker's table of the configuration."""

    name: str
    module: str
    arrangement: dict[str, Any] = {}  # noqa: RUF012 - never mutated


KINDS_UNDER_TEST = (
    KindUnderTest("agent-framework", "agent_framework"),
    KindUnderTest("chat", "autogen_agentchat"),
    KindUnderTest("team", "autogen_agentchat", {"pattern": "round-robin", "agents": [{"name": "worker"}]}),
    KindUnderTest("ag2", "ag2"),
)


def kind_of(item: pytest.Item) -> KindUnderTest | None:
    """The kind that a case of a test is tried with."""
    given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return next((value for value in given if isinstance(value, KindUnderTest)), None)
