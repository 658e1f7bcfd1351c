"""The ledger's statements as PostgreSQL takes them. They are written once, for SQLite; what differs stands here."""

import re
from functools import cache

from workermd.ledger.sqlite import notes, questions, statements

_DIFFERENT = {
    statements.SETTLE: """
UPDATE runs SET state = 'done', status = ?1, output = ?2, envelope = ?3, settled_at = ?4,
                answer_sha256 = answer_digest(?2, ?3), digest_made = 'settled', error_code = error_code_of(?1, ?3)
WHERE id = ?5 AND attempts = ?6 AND state = 'running'
""",
    questions.SETTLE_DENIED: """
UPDATE runs SET status = 'invalid_output', settled_at = ?1, output = q.denied_output, envelope = q.denied_envelope,
  answer_sha256 = answer_digest(q.denied_output, q.denied_envelope), digest_made = 'settled',
  error_code = error_code_of('invalid_output', q.denied_envelope)
FROM requests q WHERE q.run = ?2 AND q.n = ?3 AND runs.id = ?2 AND runs.attempts = ?3 AND runs.state = 'done'
""",
    questions.PENDING: questions.PENDING.replace("?1 IS NULL", "?1::text IS NULL"),
    notes.ACCEPT: notes.ACCEPT.replace(
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8", "SELECT ?1, ?2, ?3, ?4::bigint, ?5, ?6::bytea, ?7, ?8::bigint"
    ),
    notes.RETAIN: notes.RETAIN.replace("WHERE seconds <>", "WHERE retention.seconds <>"),
}
_MARK = re.compile(r"\?(\d*)")
_ITEMS = ("SELECT value FROM json_each(?)", "SELECT value::bigint FROM json_array_elements_text(?::json)")
_TEXT_OF_BYTES = re.compile(r"CAST\(([\w.]+) AS TEXT\)")
_UNLIMITED = re.compile(r"\bLIMIT (\$\d+)")


@cache
def translated(sql: str) -> str:
    """The statement with PostgreSQL's marks for values. -1 rows at most means no limit; bytes as text are UTF-8."""
    number = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f"${found[1] or number}"

    sql = _MARK.sub(mark, _DIFFERENT.get(sql, sql).replace(*_ITEMS))
    return _UNLIMITED.sub(r"LIMIT nullif(\1, -1)", _TEXT_OF_BYTES.sub(r"convert_from(\1, 'UTF8')", sql))
