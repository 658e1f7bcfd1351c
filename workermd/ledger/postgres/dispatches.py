"""Runs that are handed to nodes: put in, taken by turns, looked after when whoever took them is gone."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from workermd.ledger.postgres.liveness import IS_DEAD
from workermd.ledger.postgres.store import PostgresLedger, PostgresTransaction
from workermd.ledger.records import ContractText, Run

_HAND_OVER = """
INSERT INTO dispatches (run, queue, priority, tenant, not_before) VALUES (?, ?, ?, ?, coalesce(?::timestamptz, '-infinity'))
ON CONFLICT (run) DO NOTHING
"""
_TAKE = """
UPDATE dispatches SET hidden_until = clock_timestamp() + make_interval(secs => ?1) WHERE run IN (
  SELECT run FROM dispatches WHERE due AND hidden_until < clock_timestamp() AND run IN (
    SELECT run FROM (
      SELECT run, priority, row_number() OVER (PARTITION BY tenant ORDER BY priority DESC, run) AS turn FROM dispatches
      WHERE due AND hidden_until < clock_timestamp() AND not_before < clock_timestamp() AND queue = ANY (string_to_array(?2, ','))
    ) waiting ORDER BY priority DESC, turn, run LIMIT 4 * ?3)
  ORDER BY priority DESC, run LIMIT ?3 FOR UPDATE SKIP LOCKED)
RETURNING run
"""
_LATER = "UPDATE dispatches SET hidden_until = clock_timestamp() + make_interval(secs => ?) WHERE run = ? AND due"
_LEFT = f"""
SELECT a.run FROM attempts a JOIN nodes d ON d.id = a.node JOIN dispatches p ON p.run = a.run
WHERE a.outcome IS NULL AND (a.node = ? OR {IS_DEAD}) ORDER BY a.run LIMIT ?
"""  # noqa: S608 - our own words
_AGAIN = """
UPDATE dispatches SET generation = generation + 1, submitted_at = clock_timestamp() WHERE run IN (
  SELECT run FROM dispatches WHERE due AND not_before < clock_timestamp() AND hidden_until < clock_timestamp()
    AND submitted_at < clock_timestamp() - make_interval(secs => ?) ORDER BY run LIMIT ? FOR UPDATE SKIP LOCKED)
RETURNING run, queue, priority, tenant, generation
"""
_KEY = "SELECT worker_id, run_id FROM runs WHERE id = ?"
_DONE = "SELECT id FROM runs WHERE state = 'done' AND id IN (SELECT value FROM json_each(?))"
_NODES = f"""
SELECT d.id, d.name, d.version, d.labels, extract(epoch FROM d.lease_until - clock_timestamp())::float8,
  (SELECT count(*) FROM attempts a WHERE a.node = d.id AND a.outcome IS NULL), {IS_DEAD}
FROM nodes d WHERE d.lease_until > clock_timestamp() - interval '1 day' ORDER BY d.name, d.id
"""  # noqa: S608
_DEPTH = """
SELECT p.queue, count(*) FILTER (WHERE p.due), count(*) FILTER (WHERE r.state = 'running'),
  coalesce(extract(epoch FROM clock_timestamp() - min(p.submitted_at) FILTER (WHERE p.due)), 0)::float8
FROM dispatches p JOIN runs r ON r.id = p.run WHERE r.state <> 'done' GROUP BY p.queue ORDER BY p.queue
"""


class Dispatch(NamedTuple):
    """What an engine is given. `key` is all that it gives back; a run that is given again has a higher `generation`."""

    key: str
    queue: str = "default"
    priority: int = 0
    tenant: str = ""
    not_before: datetime | None = None
    generation: int = 0


class ListedNode(NamedTuple):
    """A machine. `lease_seconds` is what is left of its lease, by the database's clock."""

    id: str
    name: str
    version: str
    labels: str
    lease_seconds: float
    running: int
    dead: bool


class QueueDepth(NamedTuple):
    queue: str
    waiting: int
    running: int
    oldest_seconds: float


def hand_over(transaction: PostgresTransaction, run: Run, dispatch: Dispatch) -> bool:
    """Hand a run to the nodes; False where that was done before."""
    when = None if dispatch.not_before is None else dispatch.not_before.isoformat()
    values = (run.id, dispatch.queue, dispatch.priority, dispatch.tenant, when)
    return bool(transaction.change(_HAND_OVER, values))


def take(ledger: PostgresLedger, queues: str, most: int, hidden_seconds: float) -> list[int]:
    """Runs that wait for an attempt, by priority, tenants by turns. Nobody else is given them for so long."""
    return [row for (row,) in ledger.ask(_TAKE, (hidden_seconds, queues, most))]


def come_later(ledger: PostgresLedger, run: int, seconds: float) -> None:
    ledger.ask(f"{_LATER} RETURNING run", (seconds, run))


def left_behind(ledger: PostgresLedger, most: int) -> list[int]:
    """Runs whose attempt is open on this machine, or on one that is dead."""
    return [row for (row,) in ledger.ask(_LEFT, (ledger.spool.node, most))]


def give_again(ledger: PostgresLedger, after_seconds: float, most: int) -> list[Dispatch]:
    """Runs that wait although an engine was given them so long ago: it may have lost them."""
    found = ledger.ask(_AGAIN, (after_seconds, most))
    return [
        Dispatch(str(run), queue, priority, tenant, None, generation)
        for run, queue, priority, tenant, generation in found
    ]


def run_of(ledger: PostgresLedger, row: int) -> tuple[Run, ContractText | None] | None:
    """A run that was handed over, with the text of its contract."""
    found = ledger.ask(_KEY, (row,))
    run = ledger.look(*found[0]) if found else None
    return None if run is None else (run, ledger.contract_of(row))


def done_among(ledger: PostgresLedger, rows: Iterable[int]) -> set[int]:
    import json

    return {row for (row,) in ledger.ask(_DONE, (json.dumps(list(rows)),))}


def nodes(ledger: PostgresLedger) -> list[ListedNode]:
    return [ListedNode(*row) for row in ledger.ask(_NODES, ())]


def depths(ledger: PostgresLedger) -> list[QueueDepth]:
    return [QueueDepth(*row) for row in ledger.ask(_DEPTH, ())]
