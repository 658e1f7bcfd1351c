"""The seam to an engine, which brings runs to nodes (entry-point group `workermd.engines`).

An engine is believed of one thing: every key that it was given it hands to `execute` at least once, some day. It may lose
keys, repeat them, hand them to several nodes at once and in any order: the ledger judges, and what is lost is given again.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from workermd.ledger.postgres.dispatches import Dispatch
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError

GROUP = "workermd.engines"
OWN = "ledger"
"""The engine that needs nothing beside the ledger: nodes ask it for what waits."""


class Dispatched(NamedTuple):
    """What became of a key. `later` means that it should be handed over again after so many seconds."""

    done: bool
    seconds: float = 0.0


Execute = Callable[[str], Dispatched]
"""Carries the run of a key out, in any thread, any number of times."""


class Engine(Protocol):
    """Version 1 of the seam. Made from the ledger's address."""

    def prepare(self) -> None:
        """Make what the engine keeps of its own; any number of times."""

    def submit(self, runs: Sequence[Dispatch]) -> None:
        """Take keys over. They are in the ledger already; what raises or is lost is given again."""

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        """Hand keys to `execute`, so many at once, until `stop` says so."""

    def cancel(self, key: str) -> None:
        """Try to take a key back."""

    def health(self) -> Document:
        """What the engine knows of its queues."""


def engine_named(name: str, address: str) -> Engine | None:
    """The engine of this name, or of this module and class; None for the ledger's own. Raises ConfigurationError."""
    if name == OWN:
        return None
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    if ":" in name:
        found[name] = importlib.metadata.EntryPoint(name, name, GROUP)
    if name not in found:
        raise ConfigurationError(
            f"no engine is called {name[:40]!r}", f"choose one of: {', '.join(sorted({OWN, *found}))}"
        )
    try:
        made: Engine = found[name].load()(address)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"engine {name!r} needs the module {error.name!r}, which is not installed",
            f"pip install 'workermd[{name}]'",
        ) from None
    return made
