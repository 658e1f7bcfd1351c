"""What an attempt may reach of the machine, as words: `network`, `files`, and which of two is narrower (S3.12)."""

import re
from typing import NamedTuple

NONE, LOOPBACK = "none", "loopback"

Network = str | tuple[str, ...]
"""`none`, `loopback`, or `host:port` of each host that may be reached beside the attempt's own loopback."""

Files = str | tuple[str, ...]
"""`none`, or `read(name)` and `write(name)` of each need."""

COUNTS = ("max_memory_mb", "max_processes", "max_artifact_mb")
NAMES = (*COUNTS, "network", "files")

MOST_PORT = 65535
_LONGEST_HOST = 253
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*):([1-9][0-9]{{0,4}})")
_NEED = re.compile(r"(read|write)\(([a-z][a-z0-9_-]{0,63})\)")


class Need(NamedTuple):
    """A file or folder that a contract needs, by the name under which an operator grants it."""

    name: str
    writes: bool


def host_of(word: str) -> str | None:
    """`host:port` in small letters; None for what is none, such as a pattern, an address with a scheme, no port."""
    found = _HOST.fullmatch(word)
    if found is None or int(word.rpartition(":")[2]) > MOST_PORT or len(word.rpartition(":")[0]) > _LONGEST_HOST:
        return None
    return word.lower()


def need_of(word: str) -> Need | None:
    """A need as a contract writes it; None for what is none."""
    found = _NEED.fullmatch(word)
    return None if found is None else Need(found[2], found[1] == "write")


def needs(files: Files) -> tuple[Need, ...]:
    """The needs of a constraint `files`."""
    return () if isinstance(files, str) else tuple(filter(None, map(need_of, files)))


def network_covers(wide: Network | None, narrow: Network | None) -> bool:
    """Whether everything that `narrow` reaches is reached by `wide` too. None reaches all."""
    if wide is None or narrow == NONE:
        return True
    if narrow is None or wide == NONE:
        return False
    if narrow == LOOPBACK:
        return True
    return not isinstance(wide, str) and set(narrow) <= set(wide)


def narrower(first: Network | None, second: Network | None) -> Network | None:
    """What both reach."""
    if network_covers(first, second):
        return second
    if network_covers(second, first):
        return first
    return tuple(host for host in first or () if host in (second or ())) or LOOPBACK
