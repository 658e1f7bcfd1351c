"""What lists of a registry say of a contract, kept by the contract's digest: ten thousand entries are not read anew each time.

Every file's digest is checked at every call, so a changed file is told like before. All cards of one registry stand in
one entry of the cache.
"""

import os
from typing import Any, NamedTuple

from workermd.contract.cache import READERS
from workermd.contract.model import Contract
from workermd.contract.reader import read
from workermd.registry.lookup import IndexRow, contents
from workermd.system.cache import Cache

_KIND = "registry"
_FORMAT = 1


class IndexCard(NamedTuple):
    """A contract in a list."""

    worker_id: str
    title: str
    mode: str
    tags: Any
    purpose: str


class IndexCards:
    """The cards of one registry: `of` gives one, `end` keeps those that were made new."""

    def __init__(self, folder: str) -> None:
        self._cache = Cache(_KIND, _FORMAT, ("registry", *READERS))
        self._key = self._cache.key(os.fsencode(os.path.realpath(folder)))
        self._kept = self._loaded()
        self._used: dict[str, list[Any] | None] = {}

    def _loaded(self) -> dict[str, Any]:
        found = self._cache.load(self._key) if self._key else None
        return found if isinstance(found, dict) else {}

    def of(self, entry: IndexRow) -> IndexCard | None:
        """None where the file is no usable contract. Raises ContractUnusable for one that is not what was entered."""
        data = contents(entry)
        if entry.digest in self._kept:
            row = self._kept[entry.digest]
        else:
            contract = read(data, entry.path, thorough=False).contract
            row = None if contract is None else list(_card(contract))
        self._used[entry.digest] = row
        return None if row is None else IndexCard(*row)

    def end(self) -> None:
        """Keep the cards of the entries that are there."""
        if self._key and self._used != self._kept:
            self._cache.store(self._key, self._used)


def _card(contract: Contract) -> IndexCard:
    tags = contract.front_matter.get("tags", [])
    return IndexCard(contract.id, contract.name, contract.mode, tags, contract.purpose)
