"""A look into the ledger: a connection of its own for each, so that a page never waits for who writes."""

from collections.abc import Callable
from typing import TypeVar

from workermd.ledger.opening import open_to_read
from workermd.ledger.sqlite.store import Ledger

T = TypeVar("T")


def looked(path: str, deed: Callable[[Ledger | None], T]) -> T:
    """What a deed finds in the ledger; it is given None where there is no ledger yet. Raises LedgerUnavailable."""
    ledger = open_to_read(path)
    if ledger is None:
        return deed(None)
    with ledger:
        return deed(ledger)
