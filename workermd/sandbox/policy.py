"""From what an operator wants to a fence: which paths belong to a ledger, and what of a run a task may not change."""

import os

from workermd.sandbox.fence import Fence

BESIDE_A_LEDGER = ("", "-wal", "-shm", "-journal", ".lock", ".runs", ".artifacts")
"""Suffixes of what belongs to a ledger, beside its results."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""Whoever changes the program that runs next has changed everything."""


def fence_around(
    mode: str,
    *,
    ledger: str,
    own: str,
    hidden: tuple[str, ...] = (),
    kept: tuple[str, ...] = (),
    readable: tuple[str, ...] = (),
    writable: tuple[str, ...] = (),
) -> Fence:
    """The fence of one attempt. `own` is the folder of its artifacts, which exists."""
    return Fence(
        mode=mode,
        ledger=ledger,
        results=f"{ledger}.results",
        own=own,
        hidden=(*(ledger + suffix for suffix in BESIDE_A_LEDGER), *map(os.path.realpath, hidden)),
        kept=(_PACKAGE, *map(os.path.realpath, kept)),
        readable=tuple(map(os.path.realpath, readable)),
        writable=tuple(map(os.path.realpath, writable)),
    )
