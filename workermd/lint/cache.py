"""What was found in files that were checked before, so that a file that did not change need not be read again.

An entry is found by the file's bytes and name, by what was chosen and by the code of the rules; it holds no text of
the contract but what messages quote.
"""

import os
from typing import Any, NamedTuple

from workermd.contract.cache import READERS
from workermd.contract.model import Reading
from workermd.lint.selection import Selection
from workermd.protocol.finding import Finding
from workermd.system.cache import Cache

KIND = "findings"
ENTRY_FORMAT = 2
RULES = ("lint", *READERS)
MOST_ENTRIES = 20_000

_MARK = b"\xef\xbb\xbf"


class Checked(NamedTuple):
    """What is to be said of a file. `identity` is its id and version; None where it is no usable contract."""

    path: str
    text: str
    findings: tuple[Finding, ...]
    identity: tuple[str, str] | None


def of_reading(reading: Reading, findings: tuple[Finding, ...]) -> Checked:
    contract = reading.contract
    identity = None if contract is None else (contract.id, contract.version)
    return Checked(reading.path, reading.text, findings, identity)


class CheckedFiles:
    """Files checked before under the same choice of rules: `find` one, `keep` one, and `end` when all are done."""

    def __init__(self, selection: Selection) -> None:
        self._cache = Cache(KIND, ENTRY_FORMAT, RULES, MOST_ENTRIES)
        self._chosen = f"{selection!r}\n".encode()
        self._kept = False
        self.missed = 0
        """Files of which nothing was known."""

    def _key(self, data: bytes, path: str) -> str:
        name = os.fsencode(path.rpartition("/")[2])
        return self._cache.key(b"%s%d %s\n%s" % (self._chosen, len(name), name, data))

    def find(self, data: bytes, path: str) -> Checked | None:
        entry: Any = self._cache.load(self._key(data, path))
        try:
            findings = tuple(Finding(path, *row) for row in entry["findings"])
            identity = tuple(entry["identity"]) if entry["identity"] else None
            return Checked(path, data.decode().removeprefix("\ufeff"), findings, identity)
        except (ValueError, KeyError, TypeError):
            self.missed += 1
            return None

    def keep(self, data: bytes, checked: Checked) -> None:
        """Only of files that could be read to their end: of any other the text would be missing."""
        if data.removeprefix(_MARK) != checked.text.encode():
            return
        entry = {"identity": checked.identity, "findings": [list(finding[1:]) for finding in checked.findings]}
        self._cache.store(self._key(data, checked.path), entry, many=True)
        self._kept = True

    def end(self) -> None:
        if self._kept:
            self._cache.sweep()
