"""`workermd registry search`: the contracts whose id, name, tags or purpose hold a text."""

from typing import NamedTuple

from workermd.cli.registries import folders, print_rows, rows
from workermd.registry.cards import IndexCard
from workermd.registry.lookup import IndexRow


class RegistrySearchOptions(NamedTuple):
    text: str
    format: str
    registry: str | None
    config: str | None
    no_config: bool


def execute(options: RegistrySearchOptions) -> int:
    searched = folders(options.registry, options.config, options.no_config)
    found = [(entry, card) for entry, card in rows(searched) if _holds(entry, card, options.text)]
    print_rows(found, searched, options.format, "no contract holds that text\n")
    return 0


def _holds(entry: IndexRow, card: IndexCard | None, text: str) -> bool:
    words = [entry.name]
    if card is not None:
        words += [
            card.worker_id,
            card.title,
            card.purpose,
            *(card.tags if isinstance(card.tags, list) else [str(card.tags)]),
        ]
    return any(text.casefold() in word.casefold() for word in words)
