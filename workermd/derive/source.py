"""From what the user named to a repository that can be read."""

import os
from collections.abc import Callable, Mapping

from workermd.derive.address import api_of, is_path, parse, shown
from workermd.derive.model import Repository
from workermd.protocol.errors import DeriveError


def _silent(_line: str) -> None:
    """No progress is wanted."""


def open_repository(
    named: str,
    *,
    offline: bool = False,
    progress: Callable[[str], None] = _silent,
    environ: Mapping[str, str] = os.environ,
) -> Repository:
    """The repository behind OWNER/REPO, OWNER/REPO@REF, a GitHub URL, or the folder of a clone (FOLDER@REF too).

    `OWNER/REPO` always means GitHub, whatever folders there are: write `./owner/repo` for a folder. `offline` answers from
    the cache alone; a folder never uses the network. `progress` gets whole lines. Close the repository when it is done
    with. Raises DeriveError.
    """
    place = parse(named, environ)
    if place is None:
        from workermd.derive.clone import open_clone

        folder, ref = _folder_and_ref(named)
        return open_clone(folder, ref, environ, progress)
    if os.path.isdir(named) and "://" not in named:
        progress(f"{shown(named)} is read from {place.host}; write ./{shown(named)} for the folder of that name")
    from workermd.derive.github import open_github

    return open_github(place, api_of(place.host, environ), offline=offline, progress=progress)


def _folder_and_ref(named: str) -> tuple[str, str]:
    """An @ may be part of a folder's name: the longest name that is a folder counts."""
    path = os.path.expanduser(named.removeprefix("file://"))
    if "\0" in path:
        raise DeriveError(f"{shown(named)} is not a path", "Name the folder of a clone.")
    at = len(path)
    while at > 0:
        if os.path.isdir(path[:at]):
            return path[:at], path[at + 1 :]
        at = path.rfind("@", 0, at)
    if is_path(named):
        raise DeriveError(f"{shown(named)}: there is no such folder", "Name the folder of a clone, or OWNER/REPO.")
    raise DeriveError(
        f"{shown(named)} is neither OWNER/REPO, nor a GitHub URL, nor a folder",
        "Name one of them, for example microsoft/autogen or ./autogen.",
    )
