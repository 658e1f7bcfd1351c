"""From what an operator wants to a fence: which paths belong to a ledger, and what of a run a task may not change."""

import os
import time
from typing import NamedTuple

from workermd.sandbox.fence import ANY, AUTO, STRICT, Fence
from workermd.system import cache

BESIDE_A_LEDGER = ("", "-wal", "-shm", "-journal", ".lock", ".runs", ".artifacts")
"""Suffixes of what belongs to a ledger, beside its results."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""Whoever changes the program that runs next has changed everything."""


class Reach(NamedTuple):
    """The bounds of S3.12 that hold for a worker: its contract's, tightened by the operator. None and 0: no bound.

    `hosts` are those of the list, and what the operator has bound by address. `files` says that they go by a list;
    `granted` are its paths by name, `written` the names of those that may be written.
    """

    max_memory_mb: int = 0
    max_processes: int = 0
    max_artifact_mb: int | None = None
    network: str = ANY
    hosts: tuple[str, ...] = ()
    files: bool = False
    granted: dict[str, str] = {}  # noqa: RUF012 - a frozen record's default, never mutated
    written: frozenset[str] = frozenset()

    def paths(self, *, writes: bool) -> tuple[str, ...]:
        return tuple(os.path.realpath(path) for name, path in self.granted.items() if (name in self.written) == writes)


class Sandbox(NamedTuple):
    """What all attempts of a worker are held to. `configuration` is a file, or empty; `hidden` are files of secrets."""

    mode: str = AUTO
    configuration: str = ""
    recordings: str = ""
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    reach: Reach = Reach()


def fence_around(
    sandbox: Sandbox,
    *,
    ledger: str,
    own: str,
    journal: str = "",
    conversation: str = "",
    decided: str = "",
    contracts: str | None = None,
) -> Fence:
    """The fence of one attempt. `own` is the folder of its artifacts, which exists. `contracts` are cached ones."""
    contracts = contracts or cache.folder_of("contracts") or ""
    around = _around(sandbox, ledger, contracts)
    return around._replace(own=own, journal=journal, conversation=conversation, decided=decided)


_FRESH_SECONDS = 1.0
"""So old may be what is known of links: a batch asks thousands of times."""


_MOST_KNOWN = 16
_known: dict[tuple[int, str, str], tuple[float, Sandbox, Fence]] = {}


def _around(sandbox: Sandbox, ledger: str, contracts: str) -> Fence:
    """What the attempts of a worker have in common. Threads may both make it: they make the same."""
    key, now = (id(sandbox), ledger, contracts), time.monotonic()
    found = _known.get(key)
    if found is not None and found[1] is sandbox and now - found[0] < _FRESH_SECONDS:
        return found[2]
    made = _made_around(sandbox, ledger, contracts)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[key] = now, sandbox, made
    return made


def _made_around(sandbox: Sandbox, ledger: str, contracts: str) -> Fence:
    kept = [_PACKAGE, *(each for each in (contracts, sandbox.configuration) if each)]
    recordings = os.path.realpath(sandbox.recordings) if sandbox.recordings else ""
    return Fence(
        mode=sandbox.mode,
        ledger=ledger,
        recordings=recordings,
        results=f"{ledger}.results",
        hidden=(
            *(ledger + suffix for suffix in BESIDE_A_LEDGER),
            *filter(None, (recordings,)),
            *map(os.path.realpath, sandbox.hidden),
        ),
        kept=tuple(map(os.path.realpath, kept)),
        readable=(*map(os.path.realpath, sandbox.readable), *sandbox.reach.paths(writes=False)),
        writable=(*map(os.path.realpath, sandbox.writable), *sandbox.reach.paths(writes=True)),
        listed=sandbox.mode == STRICT or sandbox.reach.files,
        network=sandbox.reach.network,
        hosts=sandbox.reach.hosts,
        max_memory_mb=sandbox.reach.max_memory_mb,
        max_processes=sandbox.reach.max_processes,
        max_artifact_mb=-1 if sandbox.reach.max_artifact_mb is None else sandbox.reach.max_artifact_mb,
    )
