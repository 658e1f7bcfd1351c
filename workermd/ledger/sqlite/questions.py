"""What attempts asked of people, and what people decided, as rows of the ledger (S9.1, S9.2).

A request is written by the very transaction that settles its run as `needs_human`. It is open while its run
stands as that attempt left it; a decision is one row beside it, and names the reopening that it grants.
"""

import json
from typing import Any

from workermd.ledger.records import Decision, NewQuestion, Question

_OPEN = "r.state = 'done' AND r.status = 'needs_human' AND r.attempts = q.n AND d.run IS NULL"
_ASKED = f"""
SELECT r.worker_id, r.run_id, q.n, q.id, q.kind, q.question, q.options, q.proposed, q.at, {_OPEN},
       d.answer, d.who, d.reason, d.reopening IS NULL, d.at, d.reopening
FROM requests q JOIN runs r ON r.id = q.run LEFT JOIN decisions d ON d.run = q.run AND d.n = q.n
"""  # noqa: S608 - our own words
OF_A_RUN = _ASKED + "WHERE q.run = ? ORDER BY q.n"
PENDING = _ASKED + f"WHERE {_OPEN} AND (?1 IS NULL OR r.worker_id = ?1) ORDER BY q.number LIMIT ?2"

ASK = """
INSERT INTO requests (run, n, id, kind, question, options, proposed, denied_output, denied_envelope, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DECIDE = """
INSERT INTO decisions (run, n, answer, who, reason, reopening, at)
SELECT ?1, ?2, ?3, ?4, ?5, max(n), ?6 FROM reopenings WHERE run = ?1
"""
DENY = """
INSERT INTO decisions (run, n, answer, who, reason, replaced, at)
SELECT id, attempts, 'deny', ?, ?, envelope, ? FROM runs WHERE id = ? AND attempts = ?
"""
SETTLE_DENIED = """
UPDATE runs SET status = 'invalid_output', settled_at = ?1,
  output = (SELECT denied_output FROM requests WHERE run = ?2 AND n = ?3),
  envelope = (SELECT denied_envelope FROM requests WHERE run = ?2 AND n = ?3),
  answer_sha256 = (SELECT answer_digest(denied_output, denied_envelope) FROM requests WHERE run = ?2 AND n = ?3),
  digest_made = 'settled', error_code = (
    SELECT json_extract(CAST(denied_envelope AS TEXT), '$.error.code') FROM requests
    WHERE run = ?2 AND n = ?3 AND json_valid(CAST(denied_envelope AS TEXT)))
WHERE id = ?2 AND attempts = ?3 AND state = 'done'
"""


def values_of(run_row_id: int, n: int, question: NewQuestion, at: int) -> tuple[Any, ...]:
    """The values of ASK. Raises ValueError for a proposal that is no JSON."""
    proposed = None if question.proposed is None else json.dumps(question.proposed, allow_nan=False)
    words = (question.id, question.kind, question.question, json.dumps(question.options), proposed)
    return (run_row_id, n, *words, question.denied.output, question.denied.envelope, at)


def read(row: tuple[Any, ...]) -> Question:
    """A row of OF_A_RUN or PENDING."""
    worker_id, run_id, n, number, kind, question, options, proposed, at, is_open, *decided, reopening = row
    answer, who, reason, final, decided_at = decided
    return Question(
        worker_id=worker_id,
        run_id=run_id,
        n=n,
        id=number,
        kind=kind,
        question=question,
        options=tuple(json.loads(options)),
        proposed=None if proposed is None else json.loads(proposed),
        at=at,
        open=bool(is_open),
        decision=None if answer is None else Decision(answer, who, reason, bool(final), decided_at),
        reopening=reopening,
    )
