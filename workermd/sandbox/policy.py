"""From what an operator wants to a fence: which paths belong to a ledger, and what of a run a task may not change."""

import os
from typing import NamedTuple

from workermd.sandbox.fence import AUTO, Fence
from workermd.system import cache

BESIDE_A_LEDGER = ("", "-wal", "-shm", "-journal", ".lock", ".runs", ".artifacts")
"""Suffixes of what belongs to a ledger, beside its results."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""Whoever changes the program that runs next has changed everything."""


class Sandbox(NamedTuple):
    """What all attempts of a worker are held to. `configuration` is a file, or empty; `hidden` are files of secrets."""

    mode: str = AUTO
    configuration: str = ""
    recordings: str = ""
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


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
    kept = [_PACKAGE, *(each for each in (contracts, sandbox.configuration) if each)]
    recordings = os.path.realpath(sandbox.recordings) if sandbox.recordings else ""
    return Fence(
        mode=sandbox.mode,
        ledger=ledger,
        journal=journal,
        conversation=conversation,
        recordings=recordings,
        decided=decided,
        results=f"{ledger}.results",
        own=own,
        hidden=(
            *(ledger + suffix for suffix in BESIDE_A_LEDGER),
            *filter(None, (recordings,)),
            *map(os.path.realpath, sandbox.hidden),
        ),
        kept=tuple(map(os.path.realpath, kept)),
        readable=tuple(map(os.path.realpath, sandbox.readable)),
        writable=tuple(map(os.path.realpath, sandbox.writable)),
    )
