"""A folder of a repository as a repository of its own: one project of a monorepo (`--path DIR`).

Paths within it are those below the folder, so that a README or a manifest is found where a project has it. Evidence cites
whole paths all the same: it is looked up in the repository, not in the folder. Licence files of the root count where the
folder has none, because they cover it.
"""

import posixpath
import re

from workermd.derive.model import Facts, File, Repository
from workermd.protocol.errors import UsageError
from workermd.system.text import shown

_COVERS = re.compile(r"(?:LICEN[CS]E|COPYING|UNLICENSE)(?:[.-][\w.-]*)?", re.IGNORECASE)
MOST_NAMED = 8


class InFolder:
    """What stands below a folder. `facts` are those of the whole repository: the host knows no other."""

    def __init__(self, repository: Repository, folder: str) -> None:
        self.repository = repository
        self.folder = folder
        self.facts: Facts = repository.facts
        self.commit = repository.commit
        self.kept = repository.kept
        below = [file for file in repository.files() if file.path.startswith(f"{folder}/")]
        own = [file._replace(path=file.path[len(folder) + 1 :]) for file in below]
        self._whole = {file.path: f"{folder}/{file.path}" for file in own}
        if not any("/" not in file.path and _COVERS.fullmatch(file.path) for file in own):
            covering = [file for file in repository.files() if _COVERS.fullmatch(file.path)]
            self._whole |= {file.path: file.path for file in covering}
            own += covering
        self._files = tuple(sorted(own))

    def files(self) -> tuple[File, ...]:
        return self._files

    def read(self, path: str) -> bytes:
        return self.repository.read(self.whole(path))

    def permalink(self, path: str, first: int, last: int) -> str:
        return self.repository.permalink(self.whole(path), first, last)

    def whole(self, path: str) -> str:
        """Where it stands in the repository. What is not there is asked for below the folder."""
        return self._whole.get(path, f"{self.folder}/{path}")

    def has(self, path: str) -> bool:
        return path in self._whole

    def close(self) -> None:
        """The repository stays with whoever opened it."""


def named(folder: str) -> str:
    """The folder as paths of a tree name it. Raises UsageError for one that leads elsewhere."""
    plain = posixpath.normpath(folder.strip()).strip("/")
    if not folder.strip() or plain in ("", ".") or plain == ".." or plain.startswith("../") or folder.startswith("/"):
        raise UsageError(
            f"--path: {shown(folder)} is no folder inside the repository", "name one, such as packages/api"
        )
    return plain


def within(repository: Repository, folder: str) -> Repository:
    """The folder of the repository; the repository itself where none is named. Raises UsageError where it is not there."""
    if not folder:
        return repository
    if not any(file.path.startswith(f"{folder}/") for file in repository.files()):
        last = posixpath.basename(folder)
        folders = {posixpath.dirname(file.path) for file in repository.files()}
        near = sorted(each for each in folders if posixpath.basename(each) == last) or sorted(
            {each.partition("/")[0] for each in folders if each}
        )
        hint = f"there is: {', '.join(shown(each) for each in near[:MOST_NAMED])}" if near else "there are no folders"
        raise UsageError(f"--path: nothing stands below {shown(folder)} at the commit", hint)
    return InFolder(repository, folder)


def folder_of(repository: Repository) -> str:
    """The folder that a repository is narrowed to; "" for the whole."""
    return repository.folder if isinstance(repository, InFolder) else ""


def whole_path(repository: Repository, path: str) -> str:
    """The path that evidence cites."""
    inner = getattr(repository, "repository", repository)  # a reading with a memory stands around what it reads
    inner = repository if isinstance(repository, InFolder) else inner
    return inner.whole(path) if isinstance(inner, InFolder) else path


def cited(repository: Repository, path: str) -> str:
    """The path of an interface, which some kinds take from evidence: whole already, or below the folder."""
    inner = getattr(repository, "repository", repository)
    whole = isinstance(inner, InFolder) and not inner.has(path)
    return path if whole else whole_path(repository, path)
