"""Rules about several contracts at once: who a contract says it is has to tell it from the others.

Only a digest of each file is kept, so that memory does not grow with what the files hold.
"""

from collections.abc import Iterator
from typing import NamedTuple

from workermd.lint.cache import Checked
from workermd.lint.subject import Fault, Subject
from workermd.system.digest import sha256

SAME_NAME = "WM910"
SAME_BUT_FOR_CASE = "WM911"
FOLDER_CODES = (SAME_NAME, SAME_BUT_FOR_CASE)


class Clash(NamedTuple):
    """A file whose identity clashes with another's, told by `code`."""

    path: str
    code: str
    other: str


class Identities:
    """The identities seen so far: `add` each file, then ask for the clashes."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], dict[bytes, str]] = {}
        self._spellings: dict[str, dict[str, str]] = {}

    def add(self, checked: Checked) -> None:
        if checked.identity is None:
            return
        digest = sha256(checked.text.encode("utf-8", "surrogatepass"))[:16]
        name = checked.identity[0]
        self._files.setdefault(checked.identity, {}).setdefault(digest, checked.path)
        self._spellings.setdefault(name.lower(), {}).setdefault(name, checked.path)

    def clashes(self) -> Iterator[Clash]:
        """Every file that clashes, each with one other, in the order in which they were added."""
        for paths in self._files.values():
            yield from _each(list(paths.values()), SAME_NAME)
        for spellings in self._spellings.values():
            yield from _each(list(spellings.values()), SAME_BUT_FOR_CASE)


def _each(paths: list[str], code: str) -> Iterator[Clash]:
    for path in paths if len(paths) > 1 else ():
        yield Clash(path, code, paths[0] if path != paths[0] else paths[1])


def fault(clash: Clash, subject: Subject) -> Fault:
    contract = subject.contract
    name = next((key for key in ("id", "worker_id") if key in contract.front_matter), "id")
    place = subject.where(f"/front_matter/{name}")
    if clash.code == SAME_NAME:
        message = f"{clash.other} has the same id and version, {contract.id} {contract.version}, and differs"
        return Fault(place, message, "Raise the version of one of them, or give it an id of its own.")
    message = f"{clash.other} has the same id but for upper and lower case"
    return Fault(place, message, "Spell both alike, or choose another id.")
