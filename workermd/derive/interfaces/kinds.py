"""The table of kinds, everything found in a repository, and the choice of one by `KIND[:PATH[#NAME]]`."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from workermd.derive.folder import cited
from workermd.derive.interfaces import a2a, action, cli, function, mcp, npm_bin, openapi
from workermd.derive.interfaces.reading import RepositoryReading, Skipped, reading
from workermd.derive.model import Interface, Repository
from workermd.protocol.errors import UsageError
from workermd.system.text import shown

MAX_OF_A_KIND = 200
MAX_LISTED = 8

KINDS: dict[str, Callable[[Repository], Iterator[Interface]]] = {
    "openapi": openapi.find,
    "mcp": mcp.find,
    "a2a": a2a.find,
    "action": action.find,
    "cli": cli.find,
    "function": function.find,
    "npm-bin": npm_bin.find,
}
"""Kinds by their word, those that describe most first."""


class FoundInterfaces(NamedTuple):
    """Interfaces by kind, path and name; and the files that looked like one but were left out, with reasons."""

    interfaces: tuple[Interface, ...]
    skipped: tuple[Skipped, ...]


def survey(repository: Repository, kinds: Iterable[str] = ()) -> FoundInterfaces:
    """What a repository offers, of all kinds or of those named, at most MAX_OF_A_KIND of each."""
    wanted = set(kinds)
    files = reading(repository)
    found: list[Interface] = []
    for kind, find in KINDS.items():
        if not wanted or kind in wanted:
            found.extend(_of_kind(kind, find, files))
    found = [one._replace(path=cited(files, one.path)) for one in found]
    order = list(KINDS)
    found.sort(key=lambda one: (order.index(one.kind), one.path, one.name))
    return FoundInterfaces(tuple(found), files.skipped)


def _of_kind(kind: str, find: Callable[[Repository], Iterator[Interface]], files: RepositoryReading) -> list[Interface]:
    found = list(islice(find(files), MAX_OF_A_KIND + 1))
    if len(found) > MAX_OF_A_KIND:
        files.skip(found.pop().path, f"more than {MAX_OF_A_KIND} interfaces of the kind {kind}; the rest is left out")
    return found


def find_all(repository: Repository, kinds: Iterable[str] = ()) -> tuple[Interface, ...]:
    """The interfaces that `survey` finds: the same repository gives the same answer, in the same order."""
    return survey(repository, kinds).interfaces


def kind_of(wanted: str) -> str:
    """The kind that `KIND[:PATH[#NAME]]` begins with. Raises UsageError for none of KINDS."""
    kind = wanted.partition(":")[0]
    if kind not in KINDS:
        near = _nearest(kind, list(KINDS))
        meant = f"Did you mean {near}? " if near else ""
        raise UsageError(
            f"--interface: {shown(kind)} is no kind of interface", f"{meant}The kinds are {', '.join(KINDS)}."
        )
    return kind


def spelled(interface: Interface) -> str:
    """How an interface is chosen: `KIND:PATH#NAME`."""
    return f"{interface.kind}:{interface.path}#{interface.name}"


def choose(interfaces: Iterable[Interface], wanted: str) -> Interface:
    """The one interface that `KIND[:PATH[#NAME]]` means. Raises UsageError where none or several are meant."""
    every = tuple(interfaces)
    kind = kind_of(wanted)
    of_kind = [one for one in every if one.kind == kind]
    if not of_kind:
        there = ", ".join(dict.fromkeys(one.kind for one in every)) or "none of any kind"
        raise UsageError(f"--interface: nothing of the kind {kind} is found in this repository", f"Found: {there}.")
    if ":" not in wanted:
        meant = of_kind
    else:
        meant = [one for one in of_kind if wanted == spelled(one)]
        meant = meant or [one for one in of_kind if wanted == f"{kind}:{one.path}"]
    if len(meant) == 1:
        return meant[0]
    if meant:
        message = f"--interface: {shown(wanted, 120)} means {len(meant)} interfaces"
        raise UsageError(message, f"Choose one: {_listed(meant)}.")
    near = _nearest(wanted, [spelled(one) for one in of_kind])
    hint = f"Did you mean {near}? " if near else ""
    raise UsageError(f"--interface: {shown(wanted, 120)} is not found", f"{hint}There is: {_listed(of_kind)}.")


def _listed(interfaces: list[Interface]) -> str:
    names = [spelled(one) for one in interfaces[:MAX_LISTED]]
    more = len(interfaces) - len(names)
    return ", ".join(names) + (f", and {more} more" if more else "")


def _nearest(word: str, known: list[str]) -> str | None:
    import difflib

    close = difflib.get_close_matches(word[:300], known, 1, 0.6)
    return close[0] if close else None
