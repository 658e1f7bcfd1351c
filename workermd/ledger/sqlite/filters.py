"""A choice of runs as SQL: every look-up goes by an index, and a page costs what it shows."""

from workermd.ledger.records import Cursor, RunChoice, RunSummary

_UNFINISHED = ("waiting", "running")


def conditions(chosen: RunChoice) -> tuple[str, tuple[object, ...]]:
    """What the rows of `runs r` must be like, and the values."""
    words: list[str] = []
    values: list[object] = []

    def add(condition: str, value: object) -> None:
        if value is not None:
            words.append(condition)
            values.append(value)

    add("r.worker_id = ?", chosen.worker_id)
    if chosen.status in _UNFINISHED:
        add("r.status IS NULL AND r.state = ?", chosen.status)
    else:
        add("r.status = ?", chosen.status)
    add("r.error_code = ?", chosen.error_code)
    add("r.created_at >= ?", chosen.since)
    add("r.created_at < ?", chosen.until)
    add("instr(r.run_id, ?) > 0", chosen.text)
    for tag in chosen.tags:
        add("r.id IN (SELECT run FROM tags WHERE tag = ?)", tag)
    return " AND ".join(words) or "1", tuple(values)


def page(chosen: RunChoice, behind: Cursor | None, limit: int | None) -> tuple[str, tuple[object, ...]]:
    """The summaries of a page of runs, the newest first."""
    where, values = conditions(chosen)
    if behind is not None:
        where, values = f"{where} AND (r.created_at, r.id) < (?, ?)", (*values, *behind)
    columns = ", ".join(f"r.{name}" for name in RunSummary._fields)
    order = "ORDER BY r.created_at DESC, r.id DESC LIMIT ?"
    return f"SELECT {columns} FROM runs r WHERE {where} {order}", (*values, -1 if limit is None else limit)  # noqa: S608
