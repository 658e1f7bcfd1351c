"""Results of work that was done before, so that it need not be done again.

A cache holds one kind of results; each is found by what it was made from and by the code that made it, because a
repaired reader must reach what was read before it. An entry is one JSON file of a folder below `$XDG_CACHE_HOME/workermd/` (else `~/.cache/...`), found by a key of 64 hex
digits. Entries may be deleted at any time: one that is missing, damaged, or that somebody else could have written is
not taken. `WORKERMD_CACHE=off` turns all of this off.
"""
# pathlib would cost every run several milliseconds:

import json
import os
import sys
import time
from typing import Any

from workermd import __version__
from workermd.system import files
from workermd.system.digest import sha256

MOST_ENTRIES = 1000
"""Entries of one kind, unless it says otherwise."""

MOST_DAYS = 90

_HEAD = b'{"sha256":"'
_MIDDLE = b'","entry":'
_START = len(_HEAD) + 64 + len(_MIDDLE)


class Cache:
    """Results of one kind, made by the modules of `rooms`. Nothing is found or kept where no cache is wanted.

    `form` is the number of the entries' own form, `most` how many are left by a sweep.
    """

    def __init__(self, kind: str, form: int, rooms: tuple[str, ...], most: int | None = None) -> None:
        self._folder = folder_of(kind)
        self._made_by = f"{form} {code(rooms)}\n".encode() if self._folder else b""
        self._most = most

    def key(self, content: bytes) -> str:
        return sha256(self._made_by + content).hex() if self._folder else ""

    def load(self, key: str) -> Any:
        """None where there is nothing to believe."""
        return load(self._folder, key) if self._folder else None

    def store(self, key: str, value: Any, *, many: bool = False) -> None:
        """`many`: the caller sweeps once, when all is stored."""
        if self._folder:
            store(self._folder, key, value)
            if not many:
                self.sweep()

    def sweep(self) -> None:
        if self._folder:
            sweep(self._folder, MOST_ENTRIES if self._most is None else self._most)


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def code(rooms: tuple[str, ...], package: str = _PACKAGE) -> str:
    """Tells one state of our own code from another: version, Python, and the modules of these rooms by name, size and
    time. The version alone would not: it stays while a reader is repaired. An archive has nothing but its version."""
    modules: list[str] = []
    folders = [os.path.join(package, room) for room in rooms]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as items:
                for item in items:
                    if item.name.endswith(".py"):
                        status = item.stat()
                        modules.append(f"{folder}/{item.name} {status.st_size} {status.st_mtime_ns}")
                    elif item.name != "__pycache__" and item.is_dir():
                        folders.append(item.path)
        except OSError:
            continue
    modules.sort()
    return (
        f"{__version__} {sys.hexversion} {sha256(chr(10).join(modules).encode('utf-8', 'surrogateescape')).hex()[:16]}"
    )


def folder_of(name: str) -> str | None:
    """Where entries of one kind live; None when there is no such place, or none is wanted."""
    if os.environ.get("WORKERMD_CACHE") == "off" or not hasattr(os, "geteuid"):  # Windows: no owner to compare
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "workermd", name) if os.path.isabs(base) else None


def load(folder: str, key: str) -> Any:
    """The value of an entry, when it is whole and nobody else could have written it; None otherwise."""
    try:
        descriptor = os.open(os.path.join(folder, f"{key}.json"), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read()
        if content[:_START] != _head(key, content[_START:]):
            return None
        return json.loads(content[_START:-1])
    except (OSError, ValueError, RecursionError):
        return None
    finally:
        os.close(descriptor)


def store(folder: str, key: str, value: Any) -> None:
    """Write an entry; without a place for it, do without."""
    rest = json.dumps(value, separators=(",", ":")).encode() + b"}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return
        # No sync: an entry that a loss of power damaged is not taken.
        files.replace(os.path.join(folder, f"{key}.json"), _head(key, rest) + rest, mode=0o600, durable=False)
    except OSError:
        return


def _head(key: str, rest: bytes) -> bytes:
    """The digest covers the key too: an entry under another name is not taken."""
    return _HEAD + sha256(key.encode() + rest).hex().encode() + _MIDDLE


def sweep(folder: str, most: int) -> None:
    """Remove entries that are old or more than `most`, and what interrupted writers left."""
    entries = []
    try:
        for item in os.scandir(folder):
            try:
                entries.append((item.stat(follow_symlinks=False).st_mtime, item.path))
            except OSError:
                continue  # another process swept it
    except OSError:
        return
    entries.sort(reverse=True)
    oldest = time.time() - MOST_DAYS * 86400
    for at, (written, path) in enumerate(entries):
        if at >= most or written < oldest:
            try:
                os.unlink(path)
            except OSError:
                continue
