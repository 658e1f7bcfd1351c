"""Who lives: leases of machines by the database's clock, and who may be judged dead (S4.2).

lease     every process that makes attempts renews its machine's lease, eight times in its length
judged    a machine is dead when its lease is over by the database's clock, and, after a start of the database server,
          when the grace has passed since somebody first met that start: leases could not be renewed meanwhile
fence     an attempt that was closed for its machine takes no result any more
"""

import contextlib
import threading
import time
from typing import NamedTuple

import psycopg

from workermd import __version__
from workermd.ledger import lease as lease_file
from workermd.ledger.postgres.connection import PostgresConnection, refusing
from workermd.ledger.postgres.spool import Spool
from workermd.protocol.errors import LedgerUnavailable

IS_DEAD = """(clock_timestamp() > greatest(d.lease_until, (SELECT max(seen_at) FROM epochs) + (SELECT grace FROM liveness))
 AND EXISTS (SELECT 1 FROM epochs WHERE started = pg_postmaster_start_time()))"""
"""Of a node `d`: nobody may execute anything there any more."""

HAS_LEASE = (
    "EXISTS (SELECT 1 FROM nodes WHERE id = ? AND lease_until > clock_timestamp() + (SELECT margin FROM liveness))"
)
MEET_EPOCH = "INSERT INTO epochs (started) VALUES (pg_postmaster_start_time()) ON CONFLICT DO NOTHING"
_RENEW = """
INSERT INTO nodes (id, name, lease_until, version, labels)
VALUES (?1, ?2, clock_timestamp() + (SELECT lease FROM liveness), ?3, ?4)
ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, name = excluded.name, version = excluded.version,
  labels = CASE WHEN ?5::boolean THEN excluded.labels ELSE nodes.labels END
RETURNING (SELECT (extract(epoch FROM lease) * 1e9)::bigint FROM liveness),
          (SELECT (extract(epoch FROM margin) * 1e9)::bigint FROM liveness)
"""
_PARTS = 8
_RENEW_PATIENCE = 2.0


class Lease(NamedTuple):
    """How long a lease is, and how much earlier this machine takes it for over, in nanoseconds."""

    length: int
    margin: int


class LeaseKeeper:
    """Renews a machine's lease from a thread and a connection of its own. Others of the machine may do the same."""

    def __init__(self, address: str, spool: Spool, labels: str = "") -> None:
        self._address = address
        self._spool = spool
        self._labels = labels
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: PostgresConnection | None = None

    def begin(self, give_up_at: float) -> None:
        """Have a lease, and keep it from now on. Raises LedgerUnavailable."""
        if self._thread is not None:
            return
        connection = self._connection = PostgresConnection(self._address, give_up_at)
        with refusing(self._address):
            lease = connection.insist(lambda: self._renew(connection), give_up_at)
        self._thread = threading.Thread(target=self._keep, args=(lease,), name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Renew it no longer. It runs out; what runs on this machine without us is ended by then."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=_RENEW_PATIENCE)
        if self._connection is not None:
            self._connection.close()

    def _keep(self, lease: Lease) -> None:
        assert self._connection is not None
        while not self._ended.wait(lease.length / _PARTS / 1e9):
            with contextlib.suppress(psycopg.Error, LedgerUnavailable, OSError):
                self._connection.restore(time.monotonic() + _RENEW_PATIENCE)
                lease = self._renew(self._connection)

    def _renew(self, connection: PostgresConnection) -> Lease:
        """This machine's clock is read before the statement: its view of the lease ends before the database's."""
        began = lease_file.boot_clock()
        connection.execute(MEET_EPOCH)
        values = (self._spool.node, self._spool.name, __version__, self._labels or "{}", bool(self._labels))
        row = connection.execute(_RENEW, values).fetchone()
        assert row is not None
        lease = Lease(*row)
        lease_file.write(self._spool.lease, began + lease.length - lease.margin)
        return lease
