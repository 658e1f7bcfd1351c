"""The contracts at hand: files, read again as soon as they change, and the texts that the ledger kept."""

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from workermd.contract.model import MAX_BYTES, Contract, Reading
from workermd.contract.reader import read
from workermd.ledger.records import ContractText, Run
from workermd.lint.engine import lint
from workermd.protocol.finding import Finding
from workermd.runner.request import means_the_same
from workermd.system.bounded import at_most
from workermd.system.digest import sha256

_MOST_KEPT = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Shelved(NamedTuple):
    """One contract's file as it is now. `digest` is of its bytes (hex); `findings` are those of `validate`."""

    path: str
    data: bytes
    digest: str
    reading: Reading
    findings: tuple[Finding, ...]

    @property
    def contract(self) -> Contract | None:
        return self.reading.contract

    @property
    def id(self) -> str:
        """Of a contract that cannot be used what stands there, so that its page is still found; else its file's name."""
        if self.contract is not None:
            return self.contract.id
        place = self.reading.places.get("/front_matter/id")
        written = self.reading.text[place.start : place.end].strip(" \"'") if place is not None else ""
        return written if _ID.fullmatch(written) else os.path.basename(self.path)


def shelved(data: bytes, path: str) -> Shelved:
    """A text as a contract, with all that is wrong with it."""
    reading = read(data, path)
    return Shelved(path, data, sha256(data).hex(), reading, lint(reading).findings)


class Shelf:
    """`paths` says which files there are; it is asked for every page, so that a new file is seen at once."""

    def __init__(self, paths: Callable[[], list[str]]) -> None:
        self._paths = paths
        self._read: dict[tuple[str, str], Shelved] = {}

    def all(self) -> tuple[Shelved, ...]:
        """Every contract, by its id."""
        found = (self._at(path) for path in self._paths())
        return tuple(sorted((each for each in found if each is not None), key=lambda each: (each.id, each.path)))

    def of(self, worker_id: str) -> Shelved | None:
        """The contract of a worker, or the file of that name which is none yet."""
        return next((each for each in self.all() if each.id == worker_id), None)

    def of_run(self, run: Run) -> Shelved | None:
        """The contract that a run was admitted under, where its text is at hand."""
        for each in self.all():
            if each.contract is not None and each.id == run.worker_id and means_the_same(run, each.contract):
                return each
        return None

    @staticmethod
    def kept(text: ContractText) -> Shelved:
        """The text that the ledger kept of a contract."""
        return shelved(text.text.encode(), f"{text.worker_id}.worker.md")

    def _at(self, path: str) -> Shelved | None:
        try:
            with open(path, "rb") as file:
                data = at_most(file, MAX_BYTES)
        except OSError:
            return None
        key = (path, sha256(data).hex())
        if key not in self._read:
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            self._read[key] = shelved(data, path)
        return self._read[key]
