"""The schema of the database: found, brought up to date, or refused."""

from workermd.ledger.postgres.connection import SCHEMA, PostgresConnection, refusing
from workermd.ledger.postgres.migrations import MIGRATIONS
from workermd.protocol.address import masked
from workermd.protocol.errors import LedgerUnavailable
from workermd.system.crash import point

_THERE = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = ? AND c.relname = 'version' AND c.relkind = 'r'
"""
_TURN = 0x776D646C
"""The advisory lock under which one process at a time brings the schema up to date: the letters wmdl."""


def version_of(connection: PostgresConnection) -> int:
    """How many migrations the schema has seen, 0 where there is none. Raises psycopg.Error."""
    # Read from the catalogue's rows: a look-up by name may answer from before the turn that we waited for.
    if connection.execute(_THERE, (SCHEMA,)).fetchone() is None:
        return 0
    row = connection.execute("SELECT number FROM version").fetchone()
    return int(row[0]) if row else 0


def prepare(connection: PostgresConnection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Make the tables, or bring them up to date. Raises LedgerUnavailable.

    A newer schema is used as it is where it says that programs of our version may go on.
    """
    with refusing(connection.address):
        if version_of(connection) < len(migrations):
            _migrate(connection, migrations)
        _refuse_newer(connection, len(migrations))


def _migrate(connection: PostgresConnection, migrations: tuple[str, ...]) -> None:
    """One process at a time, each migration in one transaction with its number. Raises psycopg.Error."""
    while True:
        connection.script("BEGIN")
        try:
            connection.execute("SELECT pg_advisory_xact_lock(?)", (_TURN,))
            version = version_of(connection)
            if version < len(migrations):
                _apply(connection, version + 1, migrations[version])
            connection.script("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.script("ROLLBACK")
            raise
        point("migration_committed")
        if version >= len(migrations):
            return


def _apply(connection: PostgresConnection, number: int, text: str) -> None:
    if number == 1:
        connection.script(
            f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; "
            "CREATE TABLE version (one boolean PRIMARY KEY DEFAULT true CHECK (one), number integer NOT NULL, "
            "least integer NOT NULL DEFAULT 1)"
        )
    connection.script(text)
    connection.execute(
        "INSERT INTO version (number) VALUES (?) ON CONFLICT (one) DO UPDATE SET number = excluded.number", (number,)
    )
    point("migration_open")


def _refuse_newer(connection: PostgresConnection, ours: int) -> None:
    row = connection.execute("SELECT number, least FROM version").fetchone()
    if row is not None and row[1] > ours:
        raise LedgerUnavailable(
            f"the ledger {masked(connection.address)} is of version {row[0]}, for programs from version {row[1]} on; this one "
            f"is of version {ours}",
            "use the newer workermd; nothing was changed",
        )
