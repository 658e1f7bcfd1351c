"""Runs and all that is kept of them are removed, row by row: pruned, or erased."""

from collections.abc import Sequence

from workermd.ledger.sqlite.links import Execute
from workermd.system.digest import sha256

REJECTIONS = "DELETE FROM rejections WHERE worker_id = ? AND run_id = ?"

_BELONGINGS = ("decisions", "requests", "events", "tags", "attempts", "reopenings")
"""What names a run, in the order in which it may go."""


def finished(where: str, by: str) -> str:
    """The rows of settled runs that match, the oldest first by a time that an index has with the conditions."""
    return f"SELECT id FROM runs WHERE settled_at IS NOT NULL AND {where} ORDER BY {by} LIMIT ?"  # noqa: S608


def tokens(execute: Execute, runs: Sequence[int]) -> tuple[str, ...]:
    """The tokens of all attempts of these runs: what their files are called by."""
    found: list[str] = []
    for run in runs:
        found += (token for (token,) in execute("SELECT token FROM attempts WHERE run = ?", (run,)))
    return tuple(found)


def remove(execute: Execute, runs: Sequence[int]) -> None:
    """Remove the rows. Whether they may go is for the triggers to say."""
    for run in runs:
        for table in _BELONGINGS:
            execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - our own words
        execute("DELETE FROM runs WHERE id = ?", (run,))


def key_sha256(worker_id: str, run_id: str) -> bytes:
    """By what a tombstone is found: the key itself may be somebody's name."""
    return sha256(f"{worker_id}\0{run_id}".encode("utf-8", "surrogatepass"))
