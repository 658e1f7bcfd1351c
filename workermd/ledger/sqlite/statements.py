"""The ledger's questions and changes as SQL. Requests of people have theirs in `requests.py`."""

from collections.abc import Mapping

RUN = """
SELECT r.id, r.worker_id, r.run_id, r.input_sha256, r.input, r.contract_sha256, r.hash_version, r.max_attempts,
       r.attempts, r.state, r.status, r.output, r.envelope, r.created_at, r.settled_at, r.answer_sha256, a.token,
       a.key
FROM runs r LEFT JOIN attempts a ON a.run = r.id AND a.n = r.attempts AND a.outcome IS NULL
"""
RUN_BY_KEY = RUN + "WHERE r.worker_id = ? AND r.run_id = ?"
SETTLED_AFTER = RUN + "WHERE r.id > ? AND r.state = 'done' ORDER BY r.id LIMIT ?"
NEWEST = "SELECT max(id) FROM runs"
OPEN_TOKENS = "SELECT token FROM attempts WHERE outcome IS NULL"
WORKERS = """
WITH RECURSIVE worker (id) AS (
  SELECT min(worker_id) FROM runs
  UNION ALL SELECT (SELECT min(worker_id) FROM runs WHERE worker_id > worker.id) FROM worker WHERE worker.id IS NOT NULL)
SELECT id FROM worker
"""
ATTEMPTS = "SELECT n, token, owner, started_at, ended_at, outcome, detail FROM attempts WHERE run = ? ORDER BY n"
ATTEMPTS_AMONG = """
SELECT run, n, token, owner, started_at, ended_at, outcome, detail FROM attempts
WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, n
"""
ADMIT = """
INSERT INTO runs (worker_id, run_id, input_sha256, input, contract_sha256, max_attempts, hash_version, created_at,
                  contract)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (worker_id, run_id) DO NOTHING
"""
CLAIM = """
UPDATE runs SET state = 'running', attempts = attempts + 1
WHERE id = ? AND state = 'waiting' AND attempts = ? AND attempts < max_attempts
"""
START = "INSERT INTO attempts (run, n, token, owner, started_at, key) VALUES (?, ?, ?, ?, ?, ?)"
END = "UPDATE attempts SET outcome = ?, detail = ?, ended_at = ? WHERE run = ? AND n = ? AND outcome IS NULL"
WAIT = "UPDATE runs SET state = 'waiting' WHERE id = ? AND attempts = ? AND state = 'running'"
SETTLE = """
UPDATE runs SET state = 'done', status = ?1, output = ?2, envelope = ?3, settled_at = ?4,
                answer_sha256 = answer_digest(?2, ?3), digest_made = 'settled',
                error_code = iif(?1 = 'ok' OR NOT json_valid(CAST(?3 AS TEXT)), NULL,
                                 json_extract(CAST(?3 AS TEXT), '$.error.code'))
WHERE id = ?5 AND attempts = ?6 AND state = 'running'
"""
NOTE_REOPENING = """
INSERT INTO reopenings (run, n, granted, who, reason, envelope, at)
SELECT r.id, 1 + (SELECT count(*) FROM reopenings o WHERE o.run = r.id), ?, ?, ?, r.envelope, ?
FROM runs r WHERE r.id = ? AND r.worker_id = ? AND r.run_id = ? AND r.state = 'done' AND r.status <> 'ok'
"""
REOPEN = """
UPDATE runs SET max_attempts = max_attempts + ?, state = 'waiting',
                status = NULL, output = NULL, envelope = NULL, settled_at = NULL, answer_sha256 = NULL, digest_made = NULL,
                error_code = NULL
WHERE id = ? AND worker_id = ? AND run_id = ? AND state = 'done' AND status <> 'ok'
"""
LAST_REOPENING = "SELECT n, granted, who, reason, envelope, at FROM reopenings WHERE run = ? ORDER BY n DESC LIMIT 1"
FORGET_CALLS = "DELETE FROM rate_calls WHERE until <= ? OR at > ?"
NEWEST_CALL = "SELECT at FROM rate_calls WHERE scope = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?"
NOTE_CALL = "INSERT INTO rate_calls (scope, at, until, token) VALUES (?, ?, ?, ?)"
REJECT = "INSERT INTO rejections (worker_id, run_id, code, input_sha256, at) VALUES (?, ?, ?, ?, ?)"
FORGET_REJECTIONS = """
DELETE FROM rejections WHERE worker_id = ?1 AND id <= (
  SELECT id FROM rejections WHERE worker_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET 1000)
"""


def where(filters: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    """The conditions whose value is not None, as SQL, and their values."""
    chosen = {condition: value for condition, value in filters.items() if value is not None}
    return " AND ".join(chosen) or "TRUE", tuple(chosen.values())


def encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
