"""Results of work that was done before, so that it need not be done again.

An entry is one JSON file of a folder below `$XDG_CACHE_HOME/workermd/` (else `~/.cache/...`), found by a key of 64 hex
digits. Entries may be deleted at any time: one that is missing, damaged, or that somebody else could have written is
not taken. `WORKERMD_CACHE=off` turns all of this off.
"""
# pathlib would cost every run several milliseconds:

import json
import os
import time
from typing import Any

from workermd.system import files
from workermd.system.digest import sha256

MOST_ENTRIES = 1000
"""Entries of one kind, unless it says otherwise."""

MOST_DAYS = 90

_HEAD = b'{"sha256":"'
_MIDDLE = b'","entry":'
_START = len(_HEAD) + 64 + len(_MIDDLE)


def folder_of(name: str) -> str | None:
    """Where entries of one kind live; None when there is no such place, or none is wanted."""
    if os.environ.get("WORKERMD_CACHE") == "off":
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


def store(folder: str, key: str, value: Any, *, many: bool = False) -> None:
    """Write an entry; without a place for it, do without. Sweeping the folder is left to a caller who writes many."""
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
    if not many:
        sweep(folder, MOST_ENTRIES)


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
