"""The chain of receipts as rows of the ledger."""

from collections.abc import Callable, Sequence
from typing import Any

from workermd.ledger import chain
from workermd.ledger.chain import Happening
from workermd.ledger.records import ReceiptLink

Execute = Callable[[str, Sequence[object]], Any]
"""A statement and its values; the cursor."""

_COLUMNS = "number, at, event, run, n, subject, link, gone"
HEAD = f"SELECT {_COLUMNS} FROM links ORDER BY number DESC LIMIT 1"  # noqa: S608 - our own words
OF_A_RUN = f"SELECT {_COLUMNS} FROM links WHERE run = ? AND gone IS NULL ORDER BY number"  # noqa: S608
FROM_NUMBER = f"SELECT {_COLUMNS} FROM links WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608
GONE_WITH = "SELECT number, link FROM links WHERE gone = ? ORDER BY number"
WITHOUT_RUN = f"""
SELECT {_COLUMNS} FROM links WHERE run IS NOT NULL AND gone IS NULL
AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = links.run) ORDER BY number LIMIT ?
"""  # noqa: S608
_ADD = "INSERT INTO links (number, at, event, run, n, subject, link) VALUES (?, ?, ?, ?, ?, ?, ?)"
_OF_RUN = "SELECT number, link FROM links WHERE run = ? AND gone IS NULL"
_LET_GO = "UPDATE links SET gone = ? WHERE run = ? AND gone IS NULL"


def add(execute: Execute, happening: Happening) -> int:
    """Add a link behind the last one; its number."""
    last = execute("SELECT number, link FROM links ORDER BY number DESC LIMIT 1", ()).fetchone()
    before, link = last or (0, chain.FIRST)
    number: int = before + 1
    execute(_ADD, (number, *happening, chain.link_of(link, number, happening)))
    return number


def let_go(execute: Execute, at: int, event: str, runs: Sequence[int], by: tuple[str, str] = ("", "")) -> None:
    """Say in one link that these runs are no longer there, and who had them removed for which reason. Call it first."""
    links = [tuple(row) for run in runs for row in execute(_OF_RUN, (run,))]
    number = add(execute, Happening(at, event, None, len(runs), chain.gone_subject(links, *by)))
    for run in runs:
        execute(_LET_GO, (number, run))


def read(row: Sequence[Any]) -> ReceiptLink:
    return ReceiptLink(*row)
