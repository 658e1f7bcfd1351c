"""The registries that a command looks through, and their entries as it prints them."""

from collections.abc import Iterator

from workermd.cli import settings
from workermd.protocol.errors import ContractUnusable
from workermd.registry import lookup
from workermd.registry.cards import IndexCard, IndexCards
from workermd.registry.lookup import IndexRow
from workermd.report import registry as report
from workermd.report import say


def folders(chosen: str | None, config: str | None, no_config: bool) -> tuple[str, ...]:
    """The one that is named, else the configuration's. Raises ConfigurationError."""
    return (chosen,) if chosen else lookup.folders(settings.load(config, no_config))


def rows(searched: tuple[str, ...]) -> Iterator[tuple[IndexRow, IndexCard | None]]:
    """Entries that cannot be read are given and said, so that one bad file hides no other."""
    for folder in searched:
        cards = IndexCards(folder)
        for entry in lookup.entries(folder):
            card = None
            try:
                card = cards.of(entry)
            except ContractUnusable as error:
                say.error(error)
            yield entry, card
        cards.end()


def print_rows(found: list[tuple[IndexRow, IndexCard | None]], searched: tuple[str, ...], how: str, none: str) -> None:
    if how == "json":
        say.document(report.listed(found, searched))
    else:
        say.text(report.table(found) if found else none)
