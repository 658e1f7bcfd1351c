"""A ledger is opened by its name: the path of a file, or the address of a database, whose library is loaded only then."""

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

from workermd.ledger.sqlite.store import Ledger, unix_microseconds
from workermd.protocol.address import is_address
from workermd.protocol.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from workermd.ledger.postgres.store import PostgresLedger


def open_ledger(name: str, *, give_up_at: float | None = None, now: Callable[[], int] = unix_microseconds) -> Ledger:
    """Open a ledger for writing; it is made when missing. Raises LedgerUnavailable, ConfigurationError."""
    if is_address(name):
        return _postgres().connect(name, give_up_at=give_up_at, now=now)
    return Ledger.open(name, give_up_at=give_up_at, now=now)


def open_to_read(name: str) -> Ledger | None:
    """Open a ledger for reading; None when there is none. Raises LedgerUnavailable, ConfigurationError."""
    if is_address(name):
        return _postgres().connect_to_read(name)
    return Ledger.open_read_only(name)


def refuse_address(name: str, command: str, instead: str) -> None:
    """For deeds that concern a file. Raises UsageError."""
    if is_address(name):
        raise UsageError(f"{command} is for a ledger in a file, and this one is in a database", instead)


def refuse_without_library() -> None:
    """Raises ConfigurationError where the database's library is not installed."""
    _postgres()


def _postgres() -> "type[PostgresLedger]":
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigurationError(
            "a ledger in PostgreSQL needs the module 'psycopg', which is not installed",
            "pip install 'workermd[postgres]'",
        )
    from workermd.ledger.postgres.store import PostgresLedger

    return PostgresLedger
