"""A ledger with as many settled runs as are wanted, written row by row past the program: seconds for a million.

python -m tests.benchmarks.large_ledger FILE RUNS
"""

import json
import random
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workermd.ledger.sqlite.migrations import answer_digest, know_digests
from workermd.ledger.sqlite.store import Ledger

FIRST = 1_764_000_000_000_000
"""Microseconds: when the first run was admitted."""
WORKERS = ("ticket-triage", "data-validation", "summary", "route-order", "=risky")
MODELS = ("small-1", "large-2")
FAILURES = (
    ("retryable_error", "timeout"),
    ("retryable_error", "backend_unavailable"),
    ("invalid_output", "output_schema_mismatch"),
    ("needs_human", "needs_human"),
)
_RUNS = """
INSERT INTO runs (id, worker_id, run_id, input_sha256, input, contract_sha256, hash_version, max_attempts, attempts, state,
                  status, output, envelope, created_at, settled_at, answer_sha256, digest_made, error_code)
VALUES (?, ?, ?, ?, ?, ?, 1, 3, 1, 'done', ?, ?, ?, ?, ?, ?, 'settled', ?)
"""
_ATTEMPTS = """
INSERT INTO attempts (run, n, token, owner, started_at, ended_at, outcome, detail) VALUES (?, 1, ?, 'bench', ?, ?, ?, ?)
"""


def run_id_of(n: int) -> str:
    return f"r{n}"


def rows(runs: int, days: float, seed: int, first: int = 1) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """A run and its attempt, in the order in which they were admitted."""
    chance = random.Random(seed)
    step = int(days * 86_400_000_000 / runs)
    for n in range(first, first + runs):
        worker, at = WORKERS[n % len(WORKERS)], FIRST + n * step
        took = int(chance.lognormvariate(7.0, 1.0) * 1000)
        status, code = FAILURES[n % len(FAILURES)] if chance.random() < 0.07 else ("ok", None)
        usage = {"input_tokens": 300 + n % 700, "output_tokens": 40 + n % 90, "cost_usd": 0.0004 + n % 7 / 10_000}
        model = MODELS[n % 2] if worker != "data-validation" else None
        output = json.dumps({"run_id": f"r{n}", "status": status, "n": n}).encode()
        envelope: dict[str, Any] = {"usage": usage, "backend": "chat" if model else "function"}
        detail: dict[str, Any] = {"duration_ms": took / 1000, **envelope}
        if model:
            detail["model"] = model
        if code:
            envelope["error"] = detail["error"] = {"code": code, "message": "it did not come to an end"}
        kept = json.dumps(envelope).encode()
        digest = answer_digest(output, kept)
        yield (
            (
                n,
                worker,
                run_id_of(n),
                bytes(32),
                b'{"n": 1}',
                bytes(32),
                status,
                output,
                kept,
                at,
                at + took,
                digest,
                code,
            ),
            (n, f"{n:032x}", at, at + took, "timeout" if code == "timeout" else status, json.dumps(detail)),
        )


def fill(path: Path, runs: int, days: float = 30, seed: int = 1) -> None:
    """Make the ledger; rows go in by the ten thousand."""
    Ledger.open(str(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    know_digests(connection)
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA foreign_keys = OFF")
    left = rows(runs, days, seed)
    while part := [row for _, row in zip(range(10_000), left, strict=False)]:
        connection.execute("BEGIN")
        connection.executemany(_RUNS, [run for run, _ in part])
        connection.executemany(_ATTEMPTS, [attempt for _, attempt in part])
        connection.execute("COMMIT")
    for _, sql in indexes:  # sorted once, which takes a fraction of what each row would
        connection.execute(sql)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
