"""What a registry holds and what is wrong with it, as text and as JSON."""

import sys
from collections.abc import Callable, Iterable

from workermd.protocol.envelope import Document, encoded
from workermd.registry.cards import IndexCard
from workermd.registry.lookup import KEYS, IndexRow, RegistryFault
from workermd.report.table import table as drawn
from workermd.system.text import printable

SCHEMA_VERSION = 1

_HEAD = ("NAME", "WORKER", "DATE", "SOURCE")

Rows = Iterable[tuple[IndexRow, IndexCard | None]]
"""Entries, each with the card of its contract; None where the file cannot be used."""


def table(rows: Rows) -> str:
    """A line for each entry: what it is called, its day, its source; where it is read by programs, its worker too.

    A name mostly says the worker's id already, and 80 columns have no room for both; OWNER/REPO is what `derive` takes.
    """
    narrow = sys.stdout.isatty()
    cells = ((entry.word, card.worker_id if card else "unusable", entry.date, entry.source) for entry, card in rows)
    if not narrow:
        return drawn(_HEAD, cells, frozenset())
    shown = (
        (word, date, source.removeprefix("https://github.com/") if worker != "unusable" else "unusable")
        for word, worker, date, source in cells
    )
    return drawn((_HEAD[0], *_HEAD[2:]), shown, frozenset({"NAME", "SOURCE"}))


def listed(rows: Rows, folders: Iterable[str]) -> bytes:
    """`{schema_version, registries, entries: [{name, version, digest, file, source, commit, date, registry, worker_id,
    title, mode, tags, purpose}]}`; the last five only where the file can be used."""
    made: list[Document] = []
    for entry, card in rows:
        row: Document = {key: getattr(entry, key) for key in KEYS} | {"registry": entry.folder}
        if card:
            row |= card._asdict()
        made.append(row)
    return encoded({"schema_version": SCHEMA_VERSION, "registries": list(folders), "entries": made})


def faults(found: Iterable[RegistryFault]) -> str:
    return "".join(
        printable(f"{each.path}: {f'{each.word}: ' if each.word else ''}{each.message}") + "\n" for each in found
    )


def verified(found: Iterable[RegistryFault], entries: int) -> bytes:
    """`{schema_version, entries, findings: [{word, path, message}]}`."""
    return encoded(
        {"schema_version": SCHEMA_VERSION, "entries": entries, "findings": [each._asdict() for each in found]}
    )


def summary(found: tuple[RegistryFault, ...], entries: int) -> str:
    return f"{len(found)} finding{'s' * (len(found) != 1)} in {entries} entr{'y' if entries == 1 else 'ies'}\n"


def _text(found: tuple[RegistryFault, ...], entries: int) -> bytes:
    return (faults(found) + summary(found, entries)).encode("utf-8", "replace")


VERIFIED: dict[str, Callable[[tuple[RegistryFault, ...], int], bytes]] = {"text": _text, "json": verified}
"""The formats of `registry verify`. In a file the text has the summary, which a terminal gets on standard error."""
