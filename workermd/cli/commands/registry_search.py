"""`workermd registry search`: the contracts whose id, name, tags or purpose hold a text."""

from typing import NamedTuple

from workermd.cli.registries import folders, print_rows, rows
from workermd.contract.model import Contract
from workermd.registry.lookup import IndexRow


class RegistrySearchOptions(NamedTuple):
    text: str
    format: str
    registry: str | None
    config: str | None
    no_config: bool


def execute(options: RegistrySearchOptions) -> int:
    searched = folders(options.registry, options.config, options.no_config)
    found = [(entry, contract) for entry, contract in rows(searched) if _holds(entry, contract, options.text)]
    print_rows(found, searched, options.format, "no contract holds that text\n")
    return 0


def _holds(entry: IndexRow, contract: Contract | None, text: str) -> bool:
    words = [entry.name]
    if contract is not None:
        tags = contract.front_matter.get("tags", [])
        words += [contract.id, contract.name, contract.purpose, *(tags if isinstance(tags, list) else [str(tags)])]
    return any(text.casefold() in word.casefold() for word in words)
