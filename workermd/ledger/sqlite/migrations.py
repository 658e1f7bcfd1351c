"""The ledger's schema: an append-only list of SQL texts, of which `user_version` says how many are applied."""

import sqlite3
from collections.abc import Iterator

from workermd.system.crash import point
from workermd.system.digest import sha256

APPLICATION_ID = 0x776D646C
"""Marks an SQLite file as a ledger of ours: the letters wmdl."""

MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE runs (
  id           INTEGER PRIMARY KEY,
  worker_id    TEXT NOT NULL CHECK (worker_id <> ''), run_id TEXT NOT NULL CHECK (run_id <> ''),
  input_sha256 BLOB NOT NULL CHECK (length(input_sha256) = 32),           -- of the canonical JSON (RFC 8785)
  input        BLOB NOT NULL,                                             -- that canonical JSON
  contract_sha256 BLOB NOT NULL CHECK (length(contract_sha256) = 32),     -- S4.5
  max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),                -- as admitted; a later contract cannot raise it
  attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND max_attempts),
  state        TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
  status       TEXT CHECK (status <> ''),   -- the five, or a contract's own (S1.6)
  output       BLOB, envelope BLOB,                                       -- output: the exact bytes printed
  created_at   INTEGER NOT NULL, settled_at INTEGER,                      -- Unix microseconds, labels only
  UNIQUE (worker_id, run_id),
  CHECK (state <> 'running' OR attempts > 0), CHECK (state <> 'waiting' OR attempts < max_attempts),
  CHECK ((state = 'done') = (status   IS NOT NULL)), CHECK ((state = 'done') = (output     IS NOT NULL)),
  CHECK ((state = 'done') = (envelope IS NOT NULL)), CHECK ((state = 'done') = (settled_at IS NOT NULL))
) STRICT;
CREATE TABLE attempts (
  run        INTEGER NOT NULL REFERENCES runs (id), n INTEGER NOT NULL CHECK (n >= 1),
  token      TEXT NOT NULL CHECK (length(token) = 32),                    -- 128 random bits, hex: names the result file
  owner      TEXT NOT NULL,                                               -- boot id, pid, pid start time: for people
  started_at INTEGER NOT NULL, ended_at INTEGER,
  outcome    TEXT CHECK (outcome IN ('ok', 'retryable_error', 'invalid_request', 'invalid_output',
                                     'needs_human', 'timeout', 'crashed', 'cancelled')),
  detail     TEXT CHECK (detail IS NULL OR json_valid(detail)),           -- error code, backend, duration, usage
  PRIMARY KEY (run, n), CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_attempt ON attempts (run) WHERE outcome IS NULL;
CREATE TABLE rejections (id INTEGER PRIMARY KEY, worker_id TEXT NOT NULL, run_id TEXT, code TEXT NOT NULL,
  input_sha256 BLOB CHECK (input_sha256 IS NULL OR length(input_sha256) = 32), at INTEGER NOT NULL) STRICT;
CREATE TABLE reopenings (run INTEGER NOT NULL REFERENCES runs (id), n INTEGER NOT NULL CHECK (n >= 1),
  granted INTEGER NOT NULL CHECK (granted >= 1), who TEXT NOT NULL CHECK (who <> ''), reason TEXT NOT NULL,
  envelope BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (run, n)) STRICT, WITHOUT ROWID;   -- envelope: the answer it replaced
CREATE TRIGGER settled_run_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' AND NEW.max_attempts <= OLD.max_attempts
BEGIN SELECT RAISE(ABORT, 'a settled run does not change'); END;
CREATE TRIGGER attempts_count_up BEFORE UPDATE OF attempts ON runs WHEN NEW.attempts <> OLD.attempts + 1 OR NEW.state <> 'running'
BEGIN SELECT RAISE(ABORT, 'attempts go up by one, with a claim'); END;
CREATE TRIGGER key_is_fixed BEFORE UPDATE OF worker_id, run_id, input_sha256, input, contract_sha256 ON runs
BEGIN SELECT RAISE(ABORT, 'the key and the input of a run do not change'); END;
CREATE TRIGGER ended_attempt_is_final BEFORE UPDATE ON attempts WHEN OLD.outcome IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an ended attempt does not change'); END;
CREATE TRIGGER unfinished_run_stays BEFORE DELETE ON runs WHEN OLD.state <> 'done'
BEGIN SELECT RAISE(ABORT, 'an unfinished run is not removed'); END;
""",
    """
CREATE TABLE requests (
  number   INTEGER PRIMARY KEY,                                           -- the order in which they were written
  run      INTEGER NOT NULL, n INTEGER NOT NULL,                          -- the attempt that asks
  id       TEXT NOT NULL CHECK (length(id) = 12),                         -- for people: the start of the attempt's token
  kind     TEXT NOT NULL CHECK (kind IN ('question', 'tool', 'plan', 'stalled')),
  question TEXT NOT NULL CHECK (question <> ''),
  options  TEXT NOT NULL CHECK (json_type(options) = 'array'),
  proposed TEXT CHECK (proposed IS NULL OR json_valid(proposed)),
  denied_output BLOB NOT NULL, denied_envelope BLOB NOT NULL,             -- the answer once somebody denies it for good
  at       INTEGER NOT NULL,
  UNIQUE (run, n), FOREIGN KEY (run, n) REFERENCES attempts (run, n)
) STRICT;
CREATE TABLE decisions (
  run INTEGER NOT NULL, n INTEGER NOT NULL, answer TEXT NOT NULL CHECK (answer <> ''),
  who TEXT NOT NULL CHECK (who <> ''), reason TEXT NOT NULL,
  reopening INTEGER, replaced BLOB,             -- the start that it grants; or, denied for good, the envelope it replaced
  at INTEGER NOT NULL,
  PRIMARY KEY (run, n), UNIQUE (run, reopening),
  CHECK ((reopening IS NULL) = (replaced IS NOT NULL)), CHECK (reopening IS NOT NULL OR answer = 'deny'),
  FOREIGN KEY (run, n) REFERENCES requests (run, n), FOREIGN KEY (run, reopening) REFERENCES reopenings (run, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER request_has_its_answer BEFORE INSERT ON requests WHEN NOT EXISTS
  (SELECT 1 FROM runs WHERE id = NEW.run AND state = 'done' AND status = 'needs_human' AND attempts = NEW.n)
BEGIN SELECT RAISE(ABORT, 'a request belongs to the answer that asks'); END;
CREATE TRIGGER request_is_fixed BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'a request does not change'); END;
CREATE TRIGGER request_stays BEFORE DELETE ON requests WHEN (SELECT state FROM runs WHERE id = OLD.run) <> 'done'
BEGIN SELECT RAISE(ABORT, 'a request of an unfinished run is not removed'); END;
CREATE TRIGGER open_request_is_decided BEFORE INSERT ON decisions WHEN NOT EXISTS
  (SELECT 1 FROM runs WHERE id = NEW.run AND state = 'done' AND status = 'needs_human' AND attempts = NEW.n)
BEGIN SELECT RAISE(ABORT, 'only an open request is decided'); END;
CREATE TRIGGER decision_grants_one_start BEFORE INSERT ON decisions WHEN NEW.reopening IS NOT NULL AND NOT EXISTS
  (SELECT 1 FROM reopenings WHERE run = NEW.run AND n = NEW.reopening AND granted = 1)
BEGIN SELECT RAISE(ABORT, 'a decision grants one start'); END;
CREATE TRIGGER decision_is_fixed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'a decision does not change'); END;
CREATE TRIGGER decision_stays BEFORE DELETE ON decisions WHEN (SELECT state FROM runs WHERE id = OLD.run) <> 'done'
BEGIN SELECT RAISE(ABORT, 'a decision on an unfinished run is not removed'); END;
DROP TRIGGER settled_run_is_final;
CREATE TRIGGER settled_run_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' AND NEW.max_attempts <= OLD.max_attempts
  AND NOT (OLD.status = 'needs_human' AND NEW.status IS 'invalid_output' AND NEW.max_attempts = OLD.max_attempts AND EXISTS
    (SELECT 1 FROM decisions d JOIN requests q ON q.run = d.run AND q.n = d.n WHERE d.run = OLD.id AND d.n = OLD.attempts
     AND d.reopening IS NULL AND NEW.output IS q.denied_output AND NEW.envelope IS q.denied_envelope))
BEGIN SELECT RAISE(ABORT, 'a settled run does not change'); END;
""",
    """
ALTER TABLE runs ADD COLUMN hash_version INTEGER NOT NULL DEFAULT 1;      -- how both hashes of the row were made
ALTER TABLE runs ADD COLUMN answer_sha256 BLOB CHECK (answer_sha256 IS NULL OR length(answer_sha256) = 32);
ALTER TABLE runs ADD COLUMN digest_made TEXT CHECK (digest_made IN ('settled', 'migrated'));
DROP TRIGGER settled_run_is_final;
UPDATE runs SET answer_sha256 = answer_digest(output, envelope), digest_made = 'migrated' WHERE state = 'done';
CREATE TRIGGER settled_run_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' AND NEW.max_attempts <= OLD.max_attempts
  AND NOT (OLD.status = 'needs_human' AND NEW.status IS 'invalid_output' AND NEW.max_attempts = OLD.max_attempts AND EXISTS
    (SELECT 1 FROM decisions d JOIN requests q ON q.run = d.run AND q.n = d.n WHERE d.run = OLD.id AND d.n = OLD.attempts
     AND d.reopening IS NULL AND NEW.output IS q.denied_output AND NEW.envelope IS q.denied_envelope))
BEGIN SELECT RAISE(ABORT, 'a settled run does not change'); END;
DROP TRIGGER key_is_fixed;
CREATE TRIGGER key_is_fixed BEFORE UPDATE OF worker_id, run_id, input_sha256, input, contract_sha256, hash_version ON runs
BEGIN SELECT RAISE(ABORT, 'the key and the input of a run do not change'); END;
""",
    """
CREATE TABLE rate_calls (                 -- the calls that count against a rate limit, until they count no more
  scope BLOB NOT NULL CHECK (length(scope) = 32),   -- of a worker and what its limit is for
  at INTEGER NOT NULL,
  until INTEGER NOT NULL CHECK (until > at),
  token TEXT NOT NULL,
  PRIMARY KEY (scope, at, token)
) WITHOUT ROWID;
CREATE INDEX rate_calls_that_ended ON rate_calls (until);
""",
    """
ALTER TABLE attempts ADD COLUMN key BLOB CHECK (key IS NULL OR length(key) = 32);  -- marks the result file
""",
    """
CREATE TABLE contracts (                  -- the texts that runs were admitted with; none twice, and none without bound
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),                -- of the text
  worker_id TEXT NOT NULL CHECK (worker_id <> ''), version TEXT NOT NULL,
  text TEXT NOT NULL CHECK (length(CAST(text AS BLOB)) <= 1048576),
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE accepted (                   -- runs that somebody answered for before they are settled
  id INTEGER PRIMARY KEY,
  worker_id TEXT NOT NULL CHECK (worker_id <> ''), run_id TEXT NOT NULL CHECK (run_id <> ''),
  worker TEXT NOT NULL, contract INTEGER REFERENCES contracts (id),       -- by what name it is served, and its text
  binding TEXT NOT NULL, request BLOB NOT NULL, who TEXT NOT NULL, at INTEGER NOT NULL,
  UNIQUE (worker_id, run_id), CHECK (worker <> '' OR contract IS NOT NULL)
) STRICT;
CREATE TABLE events (                     -- what an attempt's agents did, capped; secrets are masked
  run INTEGER NOT NULL, n INTEGER NOT NULL,
  kept INTEGER NOT NULL CHECK (kept >= 0), dropped INTEGER NOT NULL CHECK (dropped >= 0),
  lines TEXT NOT NULL,                                                    -- JSON objects, one a line, in their order
  PRIMARY KEY (run, n), FOREIGN KEY (run, n) REFERENCES attempts (run, n)
) STRICT;
CREATE TABLE links (                      -- the chain of receipts: each link covers the one before
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('settled', 'reopened', 'asked', 'decided', 'pruned', 'erased')),
  run INTEGER, n INTEGER,                                                 -- a row of runs; attempt, reopening or request
  subject BLOB NOT NULL CHECK (length(subject) = 32), link BLOB NOT NULL CHECK (length(link) = 32),
  gone INTEGER                                                            -- the link that says that its run was removed
) STRICT;
CREATE INDEX links_of_runs ON links (run) WHERE run IS NOT NULL;
CREATE INDEX links_that_are_gone ON links (gone) WHERE gone IS NOT NULL;
CREATE TRIGGER link_is_fixed BEFORE UPDATE OF number, at, event, run, n, subject, link ON links
BEGIN SELECT RAISE(ABORT, 'a link does not change'); END;
CREATE TRIGGER link_stays BEFORE DELETE ON links
BEGIN SELECT RAISE(ABORT, 'a link is not removed'); END;
CREATE TABLE tombstones (                 -- runs that were erased: that they were there, and nothing of what they held
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, created_at INTEGER NOT NULL,
  worker_id TEXT NOT NULL, key_sha256 BLOB NOT NULL CHECK (length(key_sha256) = 32),
  status TEXT, attempts INTEGER NOT NULL,
  who TEXT NOT NULL CHECK (who <> ''), reason TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX tombstones_of_rows ON tombstones (run);
CREATE INDEX tombstones_of_keys ON tombstones (key_sha256);
CREATE TABLE tags (
  run INTEGER NOT NULL REFERENCES runs (id), tag TEXT NOT NULL CHECK (tag <> ''), PRIMARY KEY (run, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_with_a_tag ON tags (tag, run);
CREATE TABLE retention (                  -- how long the settled runs of a worker stay
  worker_id TEXT PRIMARY KEY CHECK (worker_id <> ''), seconds INTEGER NOT NULL CHECK (seconds > 0), at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE runs ADD COLUMN contract INTEGER;                             -- the text in contracts, where it was kept
ALTER TABLE runs ADD COLUMN error_code TEXT;                              -- of the answer
DROP TRIGGER settled_run_is_final;
UPDATE runs SET error_code = json_extract(CAST(envelope AS TEXT), '$.error.code')
WHERE state = 'done' AND status <> 'ok' AND json_valid(CAST(envelope AS TEXT));
CREATE TRIGGER settled_run_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' AND NEW.max_attempts <= OLD.max_attempts
  AND NOT (OLD.status = 'needs_human' AND NEW.status IS 'invalid_output' AND NEW.max_attempts = OLD.max_attempts AND EXISTS
    (SELECT 1 FROM decisions d JOIN requests q ON q.run = d.run AND q.n = d.n WHERE d.run = OLD.id AND d.n = OLD.attempts
     AND d.reopening IS NULL AND NEW.output IS q.denied_output AND NEW.envelope IS q.denied_envelope))
BEGIN SELECT RAISE(ABORT, 'a settled run does not change'); END;
DROP TRIGGER key_is_fixed;
CREATE TRIGGER key_is_fixed BEFORE UPDATE OF worker_id, run_id, input_sha256, input, contract_sha256, hash_version, contract ON runs
BEGIN SELECT RAISE(ABORT, 'the key and the input of a run do not change'); END;
DROP TRIGGER unfinished_run_stays;
CREATE TRIGGER unfinished_run_stays BEFORE DELETE ON runs WHEN OLD.state <> 'done'
  AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.run = OLD.id AND t.created_at = OLD.created_at)
BEGIN SELECT RAISE(ABORT, 'an unfinished run is not removed'); END;
DROP TRIGGER request_stays;
CREATE TRIGGER request_stays BEFORE DELETE ON requests WHEN EXISTS (SELECT 1 FROM runs r WHERE r.id = OLD.run AND r.state <> 'done'
  AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.run = r.id AND t.created_at = r.created_at))
BEGIN SELECT RAISE(ABORT, 'a request of an unfinished run is not removed'); END;
DROP TRIGGER decision_stays;
CREATE TRIGGER decision_stays BEFORE DELETE ON decisions WHEN EXISTS (SELECT 1 FROM runs r WHERE r.id = OLD.run AND r.state <> 'done'
  AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.run = r.id AND t.created_at = r.created_at))
BEGIN SELECT RAISE(ABORT, 'a decision on an unfinished run is not removed'); END;
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_by_worker ON runs (worker_id, created_at);
CREATE INDEX runs_by_status ON runs (status, created_at);
CREATE INDEX runs_by_error ON runs (error_code, created_at) WHERE error_code IS NOT NULL;
CREATE INDEX runs_by_end ON runs (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX rejections_by_worker ON rejections (worker_id);
CREATE VIEW runs_readable AS
SELECT r.id, r.worker_id, r.run_id, r.state, r.status, r.error_code, r.attempts, r.max_attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.created_at / 1e6, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.settled_at / 1e6, 'unixepoch') AS settled_at,
       CAST(r.input AS TEXT) AS input, CAST(r.output AS TEXT) AS output, CAST(r.envelope AS TEXT) AS envelope,
       lower(hex(r.input_sha256)) AS input_sha256, lower(hex(r.contract_sha256)) AS contract_sha256,
       lower(hex(r.answer_sha256)) AS answer_sha256, c.version AS contract_version, c.text AS contract_text
FROM runs r LEFT JOIN contracts c ON c.id = r.contract;
CREATE VIEW attempts_readable AS
SELECT r.worker_id, r.run_id, a.n, a.outcome,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at / 1e6, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.ended_at / 1e6, 'unixepoch') AS ended_at,
       json_extract(a.detail, '$.duration_ms') AS duration_ms, json_extract(a.detail, '$.backend') AS backend,
       json_extract(a.detail, '$.model') AS model, json_extract(a.detail, '$.usage.input_tokens') AS input_tokens,
       json_extract(a.detail, '$.usage.output_tokens') AS output_tokens,
       json_extract(a.detail, '$.usage.cost_usd') AS cost_usd, json_extract(a.detail, '$.error.code') AS error_code,
       json_extract(a.detail, '$.error.message') AS error_message, a.owner, a.token, e.lines AS events
FROM attempts a JOIN runs r ON r.id = a.run LEFT JOIN events e ON e.run = a.run AND e.n = a.n;
""",
)
"""A statement ends at the end of a line. The triggers guard against faults of our own."""


def answer_digest(output: bytes, envelope: bytes) -> bytes:
    """What a settled answer is checked against when it is given again: SHA-256 over both documents and the first's size."""
    return sha256(len(output).to_bytes(8) + output + envelope)


def know_digests(connection: sqlite3.Connection) -> None:
    """Let the statements of a connection compute digests of answers."""
    connection.create_function("answer_digest", 2, answer_digest, deterministic=True)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen. Raises sqlite3.Error."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> None:
    """Apply what is missing, each migration in one transaction with its number. Raises sqlite3.Error.

    Call it in the write queue. The number is read again inside the transaction, for a foreign process may
    not stand in the queue.
    """
    while (version := version_of(connection)) < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) == version:
                _apply(connection, version + 1, migrations[version])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        point("migration_committed")


def _apply(connection: sqlite3.Connection, number: int, text: str) -> None:
    # Statement by statement: executescript would commit before it starts.
    for statement in statements(text):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {number}")
    point("migration_open")


def statements(text: str) -> Iterator[str]:
    """The statements of an SQL text whose statements end at the end of a line."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
