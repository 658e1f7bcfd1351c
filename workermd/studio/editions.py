"""The versions of a contract that can be looked at: its file's history in Git, and the registry's entries of its name."""

import os
from typing import NamedTuple

from workermd.config.configuration import Settings
from workermd.contract import revision
from workermd.protocol.errors import WorkermdError
from workermd.registry import lookup
from workermd.studio.shelf import Shelved, shelved

NOW = "now"
_MOST = 20


class Edition(NamedTuple):
    """`key` names it in an address: `now`, `git:REV`, or `registry:NAME@VERSION`."""

    key: str
    words: str
    date: str


def of(each: Shelved, settings: Settings) -> tuple[Edition, ...]:
    """The newest first; the file as it is now is the first of all."""
    kept = [Edition(NOW, "the file as it is now", "")]
    kept += [Edition(f"git:{commit.id}", commit.subject, commit.date) for commit in revision.history(each.path, _MOST)]
    if each.contract is not None:
        kept += [
            Edition(f"registry:{row.word}", f"{row.version} in the registry", row.date)
            for row in _rows(settings)
            if row.name == each.contract.id
        ]
    return tuple(kept)


def text(each: Shelved, key: str, settings: Settings) -> Shelved | None:
    """One version, read; None where there is none of this key."""
    if key == NOW:
        return each
    kind, _, name = key.partition(":")
    try:
        if kind == "git" and any(name == commit.id for commit in revision.history(each.path, _MOST)):
            return shelved(revision.at(each.path, name), f"{each.path} at {name[:10]}")
        if kind == "registry" and any(row.word == name for row in _rows(settings)):
            found = lookup.resolve(name, lookup.folders(settings))
            return shelved(found.data, found.path)
    except WorkermdError:
        return None
    return None


def _rows(settings: Settings) -> tuple[lookup.IndexRow, ...]:
    try:
        return tuple(
            row for folder in lookup.folders(settings) for row in lookup.entries(folder) if os.path.isfile(row.path)
        )
    except WorkermdError:
        return ()
