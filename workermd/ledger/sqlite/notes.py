"""What is kept beside runs, as SQL: contracts' texts, accepted runs, attempts' events, tags, retention, tombstones."""

import json
from collections.abc import Iterator
from typing import Any

from workermd.ledger.records import Acceptance, AttemptEvents, KeptEvent

MOST_CONTRACT_BYTES = 1 << 20
"""A longer text is not kept; its digest of meaning is."""

CONTRACT_ID = "SELECT id FROM contracts WHERE sha256 = ?"
KEEP_CONTRACT = "INSERT INTO contracts (sha256, worker_id, version, text, at) VALUES (?, ?, ?, ?, ?)"
CONTRACT = "SELECT sha256, worker_id, version, text FROM contracts WHERE sha256 = ?"
CONTRACT_OF_A_RUN = """
SELECT c.sha256, c.worker_id, c.version, c.text FROM runs r JOIN contracts c ON c.id = r.contract WHERE r.id = ?
"""
ACCEPT = """
INSERT INTO accepted (worker_id, run_id, worker, contract, binding, request, who, at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM runs WHERE worker_id = ?1 AND run_id = ?2)
ON CONFLICT (worker_id, run_id) DO NOTHING
"""
_ACCEPTED = """
SELECT a.worker_id, a.run_id, a.worker, c.sha256, a.binding, a.request, a.who, a.at, coalesce(r.attempts, 0)
FROM accepted a LEFT JOIN contracts c ON c.id = a.contract
LEFT JOIN runs r ON r.worker_id = a.worker_id AND r.run_id = a.run_id
"""
ACCEPTED_ONE = _ACCEPTED + "WHERE a.worker_id = ? AND a.run_id = ?"
ACCEPTED = _ACCEPTED + "ORDER BY a.id LIMIT ?"
WITHDRAW = "DELETE FROM accepted WHERE worker_id = ? AND run_id = ?"

KEEP_EVENTS = "INSERT INTO events (run, n, kept, dropped, lines) VALUES (?, ?, ?, ?, ?)"
EVENTS = "SELECT n, dropped, lines FROM events WHERE run = ? ORDER BY n"

TAG = "INSERT INTO tags (run, tag) VALUES (?, ?) ON CONFLICT DO NOTHING"
UNTAG = "DELETE FROM tags WHERE run = ? AND tag = ?"
TAGS = "SELECT tag FROM tags WHERE run = ? ORDER BY tag"

RETAIN = """
INSERT INTO retention (worker_id, seconds, at) VALUES (?, ?, ?)
ON CONFLICT (worker_id) DO UPDATE SET seconds = excluded.seconds, at = excluded.at WHERE seconds <> excluded.seconds
"""
RETAIN_FOR_EVER = "DELETE FROM retention WHERE worker_id = ?"
RETENTION = "SELECT worker_id, seconds FROM retention ORDER BY worker_id"

BURY = """
INSERT INTO tombstones (run, created_at, worker_id, key_sha256, status, attempts, who, reason, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
TOMBSTONES = """
SELECT worker_id, key_sha256, status, attempts, who, reason, created_at, at FROM tombstones WHERE key_sha256 = ? ORDER BY id
"""


def acceptance(row: tuple[Any, ...]) -> Acceptance:
    return Acceptance(*row)


def lines_of(events: AttemptEvents) -> str:
    """The events as they are kept: one JSON object a line."""
    return "".join(json.dumps(each, allow_nan=False) + "\n" for each in events.documents)


def events_of(rows: list[tuple[Any, ...]], after: int) -> Iterator[KeptEvent]:
    """The events of EVENTS behind number `after`. What was left out counts, and a note stands for it."""
    number = 0
    for n, dropped, lines in rows:
        for line in lines.splitlines():
            document = json.loads(line)
            number += dropped if document.get("event") == "left_out" else 1
            if number > after:
                yield KeptEvent(number, n, document)
