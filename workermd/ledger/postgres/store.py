"""The ledger in PostgreSQL: the same records, deeds and statements as in a file, and what many machines need beside them.

Rows are locked where a file's writers stand in a queue: a run is locked before it is looked at, the chain of receipts before
a link is added. Only this machine's attempts, and those of a machine that is dead (`liveness`), are closed from here.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from workermd.ledger.postgres.connection import PostgresConnection, refusal, refusing
from workermd.ledger.postgres.liveness import HAS_LEASE, IS_DEAD, MEET_EPOCH, LeaseKeeper
from workermd.ledger.postgres.schema import prepare, version_of
from workermd.ledger.postgres.spool import Spool, open_spool
from workermd.ledger.records import Answer, ContractText, Key, NewQuestion, Run
from workermd.ledger.sqlite import notes, rows, statements
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger, unix_microseconds
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document
from workermd.protocol.errors import LedgerBusy
from workermd.system.crash import point

_OPEN_SECONDS = 5.0
_READ_SECONDS = 10.0
_CHAIN = 0x776D6C6B
"""The advisory lock of the chain of receipts: the letters wmlk."""

_LOCK_KEY = "SELECT 1 FROM runs WHERE worker_id = ? AND run_id = ? FOR UPDATE"
_LOCK_RUN = "SELECT 1 FROM runs WHERE id = ? FOR UPDATE"
_START = f"""
INSERT INTO attempts (run, n, token, owner, started_at, key, node) SELECT ?, ?, ?, ?, ?, ?, ?::text WHERE {HAS_LEASE}
"""
_HOLDER = f"""
SELECT a.node = ?, {IS_DEAD}, d.name FROM attempts a JOIN nodes d ON d.id = a.node
WHERE a.run = ? AND a.n = ? AND a.outcome IS NULL
"""  # noqa: S608
_ENDED = "SELECT token, outcome FROM attempts WHERE run = ? AND n = ?"
_ELSEWHERE = f"""
SELECT 1 FROM runs r JOIN attempts a ON a.run = r.id AND a.n = r.attempts AND a.outcome IS NULL JOIN nodes d ON d.id = a.node
WHERE r.worker_id = ? AND r.run_id = ? AND r.state = 'running' AND a.node <> ? AND NOT {IS_DEAD}
"""  # noqa: S608
_OWN_TOKENS = "SELECT token FROM attempts WHERE outcome IS NULL AND node = ?"


class PostgresTransaction(Transaction):
    """As on a file, with rows locked."""

    def __init__(
        self, path: str, connection: PostgresConnection, now: Callable[[], int], ledger: "PostgresLedger"
    ) -> None:
        super().__init__(path, connection, now)  # type: ignore[arg-type]
        self._database = connection
        self._ledger = ledger

    def admit(self, key: Key, contract: ContractText | None = None) -> Run:
        """The row is locked until the end of the transaction: whoever else admits this key waits."""
        self._execute(statements.ADMIT, (*key, self._now(), self._kept_contract(contract)))
        self._execute(_LOCK_KEY, (key.worker_id, key.run_id))
        row = self._execute(statements.RUN_BY_KEY, (key.worker_id, key.run_id)).fetchone()
        return rows.run(self._path, row)

    def start_attempt(self, run: Run, token: str, owner: str, key: bytes | None = None) -> Run:
        """A machine without a lease takes nothing: LedgerBusy."""
        n, node = run.attempts + 1, self._ledger.leased_node()
        if self._execute(statements.CLAIM, (run.id, run.attempts)).rowcount != 1:
            raise self._not_waiting(run)
        values = (run.id, n, token, owner, self._now(), key, node, node)
        if self._execute(_START, values).rowcount != 1:
            self._broken = True
            raise LedgerBusy(
                f"the ledger {self._path}: this machine's lease is over, so it may begin nothing",
                "see that the database can be reached from here all the time; then run the same command again",
            )
        self._kind = "t1"
        return run._replace(state="running", attempts=n, open_token=token, open_key=key)

    def _not_waiting(self, run: Run) -> LedgerBusy | LedgerFault:
        """Between two attempts another machine may have gone on with the run."""
        found = self._again(run)
        if found.attempts > run.attempts:
            self._broken = True
            return LedgerBusy("another machine has gone on with this run", "run the same command again")
        return self._fault("a change of one row found 0")

    def take_call(self, scope: bytes, calls: int, seconds: int, token: str) -> float:
        """One transaction at a time counts calls of a scope."""
        self._execute("SELECT pg_advisory_xact_lock(?)", (int.from_bytes(scope[:8], signed=True),))
        return super().take_call(scope, calls, seconds, token)

    def close_attempt(
        self, run: Run, outcome: str, detail: Document, answer: Answer | None, question: NewQuestion | None = None
    ) -> Run:
        """Only of this machine, or of a dead one. Raises LedgerBusy for an attempt that was closed for us, or lives elsewhere."""
        self._execute(_LOCK_RUN, (run.id,))
        holder = self._execute(_HOLDER, (self._ledger.spool.node, run.id, run.attempts)).fetchone()
        if holder is None:
            ended = self._execute(_ENDED, (run.id, run.attempts)).fetchone()
            if ended is not None and ended == (run.open_token, "crashed"):
                raise self._refused("it was given up when this machine's lease was over, so its result comes too late")
        elif not (holder[0] or holder[1]):
            raise self._refused(f"it is being executed on {holder[2]}")
        return super().close_attempt(run, outcome, detail, answer, question)

    def change(self, sql: str, values: Sequence[object]) -> int:
        """A change of a table beside the ledger's own; how many rows it changed."""
        return int(self._execute(sql, values).rowcount)

    def _refused(self, reason: str) -> LedgerBusy:
        self._broken = True
        return LedgerBusy(f"the attempt of this run is not ours to close: {reason}", "run the same command again")

    def _kept_contract(self, contract: ContractText | None) -> int | None:
        if contract is None:
            return None
        if len(contract.text.encode()) <= notes.MOST_CONTRACT_BYTES:
            self._execute(f"{notes.KEEP_CONTRACT} ON CONFLICT (sha256) DO NOTHING", (*contract, self._now()))
        row = self._execute(notes.CONTRACT_ID, (contract.sha256,)).fetchone()
        return None if row is None else int(row[0])

    def _link(self, event: str, run: Run, n: int, document: Document, now: int) -> None:
        self._lock_chain()
        super()._link(event, run, n, document, now)

    def _lock_chain(self) -> None:
        """Links stand one behind the other, so transactions that add one end one behind the other."""
        self._execute("SELECT pg_advisory_xact_lock(?)", (_CHAIN,))

    def prune(self, **chosen: Any) -> Any:
        self._lock_chain()
        return super().prune(**chosen)

    def erase(self, run: Run, who: str, reason: str) -> Any:
        self._lock_chain()
        return super().erase(run, who, reason)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        kind = self._kind
        self._execute("SAVEPOINT part", ())
        try:
            yield
        except BaseException:
            if self._database.in_transaction and not self._ended:
                self._database.script("ROLLBACK TO part; RELEASE part")
                self._broken, self._kind = False, kind
            raise
        self._execute("RELEASE part", ())

    def commit(self) -> None:
        """A connection that is lost in here leaves the outcome unknown: nothing is begun then (S4.2)."""
        if self._broken:
            raise LedgerFault("a transaction in which something was refused is not committed")
        if self._kind:
            point(self._kind + "_open")
        self._execute("COMMIT", ())
        if self._kind:
            point(self._kind + "_committed")

    def end(self) -> None:
        self._ended = True
        if not self._database.lost and self._database.in_transaction:
            with contextlib.suppress(psycopg.Error):
                self._database.script("ROLLBACK")

    def _execute(self, sql: str, values: Sequence[object]) -> Any:
        if self._ended:
            raise LedgerFault("this transaction is over")
        try:
            return self._database.execute(sql, values)
        except psycopg.Error as error:
            self._broken = True
            raise refusal(self._ledger.address, error) from error


class PostgresLedger(Ledger):
    """One connection to one ledger, for one thread at a time. `path` is the address as it may be shown."""

    def __init__(self, address: str, connection: PostgresConnection, spool: Spool, now: Callable[[], int]) -> None:
        super().__init__(masked(address), connection, None, now)  # type: ignore[arg-type]
        self.address = address
        self.spool = spool
        self.files = spool.base
        self.lease_file = spool.lease
        self.results_folder = f"{spool.base}.results"
        self.artifacts_folder = f"{spool.base}.artifacts"
        self._database = connection
        self._lease: LeaseKeeper | None = None
        self._closed = False

    @classmethod
    def connect(
        cls, address: str, *, give_up_at: float | None = None, now: Callable[[], int] = unix_microseconds
    ) -> "PostgresLedger":
        """Open a ledger for writing; its tables are made when missing. Raises LedgerUnavailable, ConfigurationError."""
        give_up_at = time.monotonic() + _OPEN_SECONDS if give_up_at is None else give_up_at
        spool = open_spool(address)
        connection = PostgresConnection(address, give_up_at)
        try:
            connection.insist(lambda: prepare(connection), give_up_at)
            ledger = cls(address, connection, spool, now)
            with refusing(address):
                connection.insist(lambda: connection.execute(MEET_EPOCH), give_up_at)
            os.makedirs(os.path.dirname(spool.base), mode=0o700, exist_ok=True)
            ledger._sweep_if_due()()
        except BaseException:
            connection.close()
            raise
        return ledger

    @classmethod
    def connect_to_read(cls, address: str) -> "PostgresLedger | None":
        """Open a ledger for reading; None where the database has no tables of ours. Raises LedgerUnavailable."""
        connection = PostgresConnection(address, time.monotonic() + _OPEN_SECONDS)
        try:
            with refusing(address):
                there = version_of(connection)
        except BaseException:
            connection.close()
            raise
        if not there:
            connection.close()
            return None
        return cls(address, connection, open_spool(address), unix_microseconds)

    def close(self) -> None:
        self._closed = True
        if self._lease is not None:
            self._lease.end()
            self._lease = None
        self._database.close()

    def leased_node(self) -> str:
        """This machine's name as a node, its lease kept from now on. Raises LedgerUnavailable."""
        if self._lease is None:
            self._lease = LeaseKeeper(self.address, self.spool)
            self._lease.begin(time.monotonic() + _OPEN_SECONDS)
        return self.spool.node

    def held_elsewhere(self, worker_id: str, run_id: str) -> bool:
        return bool(self._select(_ELSEWHERE, (worker_id, run_id, self.spool.node)))

    def ask(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """A statement of a table beside the ledger's own, by itself; its rows."""
        return self._select(sql, values)

    def look(self, worker_id: str, run_id: str) -> Run | None:
        """In a transaction the run is locked: what follows finds it as it was looked at."""
        if self._transaction is not None:
            self._select(_LOCK_KEY, (worker_id, run_id))
        return super().look(worker_id, run_id)

    @contextmanager
    def transaction(self, give_up_at: float) -> Iterator[Transaction]:
        """As on a file; a connection that was lost is made again first. Whoever waits for a row waits until `give_up_at`."""
        if self._transaction is not None or self._closed:
            raise LedgerFault("a transaction needs a ledger that is open for writing and has none under way")
        transaction = self._begun(give_up_at)
        try:
            yield transaction
            transaction.commit()
        finally:
            transaction.end()
            self._transaction = None

    def _begun(self, give_up_at: float) -> PostgresTransaction:
        while True:
            self._database.restore(give_up_at)
            left = max(1, int((give_up_at - time.monotonic()) * 1000))
            try:
                self._database.script(f"BEGIN; SET LOCAL lock_timeout = {min(left, 2**31 - 1)}")
            except psycopg.Error as error:
                # A connection that had been lost unnoticed: nothing was begun on it.
                if self._database.lost and time.monotonic() < give_up_at:
                    continue
                raise refusal(self.address, error) from error
            transaction = PostgresTransaction(self.path, self._database, self._now, self)
            self._transaction = transaction
            return transaction

    def give_space_back(self, pages: int) -> None:
        """The server does that itself."""

    def forget(self) -> None:
        """Take what was removed out of the tables' files. The server's log and its backups keep it for their time."""
        with refusing(self.address):
            self._database.script(
                "VACUUM runs, attempts, events, requests, decisions, reopenings, rejections, accepted, tags"
            )

    def _open_tokens(self) -> set[str]:
        """Those of this machine: its folder holds no others."""
        return {token for (token,) in self._select(_OWN_TOKENS, (self.spool.node,))}

    def _select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        give_up_at = time.monotonic() + _READ_SECONDS
        while True:
            try:
                return self._database.execute(sql, values).fetchall()
            except psycopg.Error as error:
                if not self._database.lost or self._closed or self._transaction or time.monotonic() > give_up_at:
                    raise refusal(self.address, error) from error
                self._database.restore(give_up_at)
            except UnicodeEncodeError:
                return []  # A text that is not Unicode is in no row.
