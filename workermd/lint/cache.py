"""What was found in files that were checked before, so that a file that did not change need not be read again.

An entry of `kept.py` is found by the SHA-256 of the file's bytes and name, of what was chosen, and of our
version and code; it holds no text of the contract but what messages quote.
"""

import os
from typing import Any, NamedTuple

import workermd
from workermd.contract.model import Reading
from workermd.lint.selection import Selection
from workermd.protocol.finding import Finding
from workermd.system import cache
from workermd.system.digest import sha256

KIND = "findings"
ENTRY_FORMAT = 1
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


class Known:
    """Files checked before under the same choice of rules: `find` one, `keep` one, and `end` when all are done."""

    def __init__(self, selection: Selection) -> None:
        self._folder = cache.folder_of(KIND)
        self._chosen = f"{ENTRY_FORMAT} {workermd.__version__} {_code()} {selection!r}\n".encode()
        self._kept = False

    def _key(self, data: bytes, path: str) -> str:
        name = os.fsencode(path.rpartition("/")[2])
        return sha256(b"%s%d %s\n%s" % (self._chosen, len(name), name, data)).hex()

    def find(self, data: bytes, path: str) -> Checked | None:
        entry: Any = cache.load(self._folder, self._key(data, path)) if self._folder else None
        if entry is None:
            return None
        try:
            findings = tuple(Finding(path, *row) for row in entry["findings"])
            identity = tuple(entry["identity"]) if entry["identity"] else None
            return Checked(path, data.decode().removeprefix("\ufeff"), findings, identity)
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, data: bytes, checked: Checked) -> None:
        """Only of files that could be read to their end: of any other the text would be missing."""
        if self._folder is None or data.removeprefix(_MARK) != checked.text.encode():
            return
        entry = {"identity": checked.identity, "findings": [list(finding[1:]) for finding in checked.findings]}
        cache.store(self._folder, self._key(data, checked.path), entry, many=True)
        self._kept = True

    def end(self) -> None:
        if self._kept and self._folder:
            cache.sweep(self._folder, MOST_ENTRIES)


def _code() -> str:
    """Tells one state of our own code from another: a rule may change without a new version while it is written."""
    root = os.path.dirname(workermd.__file__)
    files = [item for room in ("", "contract", "lint") for item in os.scandir(os.path.join(root, room))]
    newest = [(item.name, item.stat().st_mtime_ns, item.stat().st_size) for item in files if item.name.endswith(".py")]
    return sha256(repr(sorted(newest)).encode()).hex()[:16]
