"""A connection to the database of a ledger: how it is made, what of it is demanded, and its errors in plain words."""

import ipaddress
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo, errors
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumper

from workermd.ledger.postgres.dialect import translated
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.protocol.address import masked
from workermd.protocol.errors import ConfigurationError, LedgerBusy, LedgerUnavailable

Made = TypeVar("Made")

SCHEMA = "workermd"
"""The tables lie in a schema of their own: an engine may have its own beside it in the same database."""

_CONNECT_SECONDS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_WATCHED = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000"}
_TOO_OLD = 130000
_BUSY = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable, errors.QueryCanceled)
_FAULTS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.ProgrammingError,
    errors.RaiseException,
    psycopg.InterfaceError,
)


class _Text(StrDumper):
    """A text for a column of texts, which holds no zero character."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\N{SYMBOL FOR NULL}") if "\0" in obj else obj)


def refusal(address: str, error: psycopg.Error) -> LedgerUnavailable | LedgerFault:
    """What to raise in place of an error of the database: its cause in plain words, or a fault of ours."""
    shown = masked(address)
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, _BUSY):
        return LedgerBusy(f"the ledger {shown} is busy: {said[:200]}", "run the same command again")
    if isinstance(error, errors.InsufficientPrivilege):
        return LedgerUnavailable(
            f"the ledger {shown} may not be used: {said[:200]}",
            "let the owner of the tables grant this user what it needs, or name another user in the address",
        )
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
        return _not_made(shown)
    if isinstance(error, _FAULTS):
        return LedgerFault(f"the ledger {shown} refused a change: {said}")
    return LedgerUnavailable(
        f"the ledger {shown} cannot be used: {said[:300]}",
        "see that the database runs and can be reached from here, then run the same command again",
    )


def _not_made(shown: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"the ledger {shown} has no tables yet", f"make them: workermd ledger init --ledger {shown}"
    )


@contextmanager
def refusing(address: str) -> Iterator[None]:
    """Errors of the database become LedgerUnavailable (or LedgerFault) in this block."""
    try:
        yield
    except psycopg.Error as error:
        raise refusal(address, error) from error


def _is_here(host: str) -> bool:
    """Whether a host is this machine: a socket's folder, a name of the loopback, or an address of it."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parameters(address: str) -> dict[str, Any]:
    """How to connect. What crosses a network is encrypted, and the server proves its name. Raises ConfigurationError."""
    try:
        wanted: dict[str, Any] = dict(conninfo.conninfo_to_dict(address))
    except psycopg.ProgrammingError as error:
        reason = " ".join(masked(str(error)).split())
        raise ConfigurationError(
            f"the address of the ledger cannot be read: {reason[:200]}",
            "write postgresql://USER@HOST:PORT/DATABASE, or postgresql:///?service=NAME",
        ) from None
    hosts = f"{wanted.get('host') or os.environ.get('PGHOST', '')},{wanted.get('hostaddr') or ''}".split(",")
    if not all(map(_is_here, hosts)):
        mode = wanted.get("sslmode") or "verify-full"
        if mode != "verify-full":
            _refuse_mode(address, mode)
        wanted["sslmode"] = mode
        if not (wanted.get("sslrootcert") or os.path.exists(os.path.expanduser("~/.postgresql/root.crt"))):
            wanted["sslrootcert"] = "system"
    return _WATCHED | {"connect_timeout": _CONNECT_SECONDS, "application_name": "workermd"} | wanted


def _refuse_mode(address: str, mode: str) -> None:
    raise ConfigurationError(
        f"the ledger {masked(address)} is on another machine, and sslmode is {mode!r}",
        "use sslmode=verify-full, and name the authority's certificate with sslrootcert=FILE where the system does not know it",
    )


class PostgresConnection:
    """One connection, made anew when it was lost. Statements are written for SQLite and translated."""

    def __init__(self, address: str, give_up_at: float) -> None:
        """Raises LedgerUnavailable when it was not had by `give_up_at`, ConfigurationError."""
        self.address = address
        self._parameters = parameters(address)
        self._closed = False
        self._raw = self._made(give_up_at)

    def execute(self, sql: str, values: Sequence[object] = ()) -> "psycopg.Cursor[tuple[Any, ...]]":
        """Raises psycopg.Error, UnicodeEncodeError."""
        return self._raw.execute(translated(sql), values)

    def script(self, sql: str) -> None:
        """Statements without values, in one round. Raises psycopg.Error."""
        self._raw.execute(sql.encode())

    @property
    def in_transaction(self) -> bool:
        return self._raw.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def lost(self) -> bool:
        return self._raw.closed

    def restore(self, give_up_at: float) -> None:
        """Connect again where the connection was lost. Raises LedgerUnavailable when it was not had in time."""
        if self._raw.closed and not self._closed:
            self._raw = self._made(give_up_at)

    def insist(self, deed: Callable[[], Made], give_up_at: float) -> Made:
        """Do what may be done twice, from its beginning again where the connection was lost in it. Raises as `deed` does."""
        while True:
            try:
                return deed()
            except (psycopg.Error, LedgerUnavailable):
                if not self.lost or time.monotonic() >= give_up_at:
                    raise
                self.restore(give_up_at)

    def close(self) -> None:
        self._closed = True
        self._raw.close()

    def _made(self, give_up_at: float) -> "psycopg.Connection[tuple[Any, ...]]":
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._connected()
            except psycopg.OperationalError as error:
                left = give_up_at - time.monotonic()
                if left <= 0 or not _may_pass(error):
                    raise refusal(self.address, error) from None
                time.sleep(min(pause, left))
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        made = psycopg.Connection.connect("", autocommit=True, cursor_factory=psycopg.RawCursor, **self._parameters)
        try:
            self._set_up(made)
        except BaseException:
            made.close()
            raise
        return made

    def _set_up(self, made: "psycopg.Connection[tuple[Any, ...]]") -> None:
        if not _is_here(made.info.host) and made.info.get_parameters().get("sslmode") != "verify-full":
            _refuse_mode(
                self.address, made.info.get_parameters().get("sslmode", "prefer")
            )  # a service's own file says so
        if made.info.server_version < _TOO_OLD:
            raise LedgerUnavailable(
                f"the ledger {masked(self.address)} is on PostgreSQL {made.info.server_version // 10000}",
                "use PostgreSQL 13 or newer",
            )
        made.adapters.register_dumper(str, _Text)
        made.execute(_SETTINGS)


_SETTINGS = (
    b"SELECT set_config('search_path', '" + SCHEMA.encode() + b"', false), set_config('synchronous_commit', "
    b"CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false), "
    b"set_config('default_transaction_isolation', 'read committed', false)"
)
"""An acknowledged answer is on disk, and on every standby that the server waits for (P3)."""


def _may_pass(error: psycopg.OperationalError) -> bool:
    """Whether trying again may help: the server starts, restarts, or cannot be reached just now."""
    code = error.sqlstate
    if code is not None:
        return code.startswith(("57P", "08", "53"))
    said = str(error)
    for_good = ("password", "does not exist", "certificate", "no pg_hba", "support SSL", "authentication")
    return not any(words in said for words in for_good)  # a server that stops speaks of SSL too: "unexpected eof"
