"""What was derived from a host before: the same commit, facts and choices give the same bytes, so they are made once.

Asking the host whether anything changed stays: commit and facts are part of the key. Only what reads answers that are
kept on disk anyway is kept here.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from workermd.contract.cache import READERS
from workermd.derive.model import Repository
from workermd.protocol.envelope import Document
from workermd.system.cache import Cache

FORMAT = 2
MAKERS = ("derive", "lint", *READERS)


class Choices(NamedTuple):
    """What the caller asked for. `interface` as `KIND[:PATH[#NAME]]`; empty or None: not chosen."""

    interface: str | None
    mode: str | None
    quotes: str
    worker_id: str | None
    folder: str = ""
    registry_url: str = ""


class Derivation(NamedTuple):
    """A contract's text, what `--format json` says of it, and the lines for the person who derives it."""

    text: str
    report: Document
    remarks: tuple[str, ...]


def result_of(repository: Repository, choices: Choices, make: Callable[[], Derivation]) -> Derivation:
    """The result that was kept, else the one that `make` gives, which is then kept. Raises what `make` raises."""
    if not repository.kept:
        return make()
    cache = Cache("derived", FORMAT, MAKERS)
    key = cache.key(_content(repository, choices))
    entry = cache.load(key)
    try:
        return Derivation(entry["text"], entry["report"], tuple(entry["remarks"]))
    except (KeyError, TypeError):
        result = make()
    cache.store(key, result._asdict())
    return result


def _content(repository: Repository, choices: Choices) -> bytes:
    # A permalink stands for what the source adds: which pages it cites.
    where = repository.permalink("README.md", 1, 1)
    return json.dumps([repository.commit, repository.facts, where, choices]).encode()
