"""What was derived from a host before: the same commit, facts and choices give the same bytes, so they are made once.

Asking the host whether anything changed stays: commit and facts are part of the key. Only what reads answers that are
kept on disk anyway is kept here.
"""

import contextlib
import json
import os
from collections.abc import Callable
from typing import NamedTuple

from workermd import __version__
from workermd.derive.model import Repository
from workermd.protocol.envelope import Document
from workermd.system import cache
from workermd.system.digest import sha256

FORMAT = 1


class Choices(NamedTuple):
    """What the caller asked for. `interface` as `KIND[:PATH[#NAME]]`; empty or None: not chosen."""

    interface: str | None
    mode: str | None
    quotes: str
    worker_id: str | None


class Derivation(NamedTuple):
    """A contract's text, what `--format json` says of it, and the lines for the person who derives it."""

    text: str
    report: Document
    remarks: tuple[str, ...]


def result_of(repository: Repository, choices: Choices, make: Callable[[], Derivation]) -> Derivation:
    """The result that was kept, else the one that `make` gives, which is then kept. Raises what `make` raises."""
    folder = cache.folder_of("derived") if repository.kept else None
    if folder is None:
        return make()
    key = _key(repository, choices)
    entry = cache.load(folder, key)
    try:
        return Derivation(entry["text"], entry["report"], tuple(entry["remarks"]))
    except (KeyError, TypeError):
        result = make()
    cache.store(folder, key, result._asdict())
    return result


def _key(repository: Repository, choices: Choices) -> str:
    # A permalink stands for what the source adds: which pages it cites.
    where = repository.permalink("README.md", 1, 1)
    parts = [FORMAT, __version__, _code(), repository.commit, repository.facts, where, choices]
    return sha256(json.dumps(parts).encode()).hex()


def _code() -> list[list[object]]:
    """A checkout changes without its version: the modules of this room, by name, time and size. None in an archive."""
    room = os.path.dirname(__file__)
    found: list[list[object]] = []
    for folder in (room, os.path.join(room, "interfaces")):
        with contextlib.suppress(OSError):
            modules = {item.name: item.stat() for item in os.scandir(folder) if item.name.endswith(".py")}
            found += ([name, modules[name].st_mtime_ns, modules[name].st_size] for name in sorted(modules))
    return found
