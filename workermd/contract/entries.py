"""What was worked out before, kept on disk between calls: one JSON file each, found by a SHA-256.

Entries stand in a folder of `$XDG_CACHE_HOME/workermd/` (else `~/.cache/...`) and may be deleted at any time: one that
is missing, damaged or not ours is worked out anew. `WORKERMD_CACHE=off` turns all of this off.
"""
# pathlib would cost every run several milliseconds:

import os
import time

from workermd.digest import sha256

MOST_DAYS = 90

_HEAD = b'{"sha256":"'
_MIDDLE = b'","entry":'
_START = len(_HEAD) + 64 + len(_MIDDLE)


def place(kind: str) -> str | None:
    """Where entries of a kind live; None when there is no such place."""
    if os.environ.get("WORKERMD_CACHE") == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "workermd", kind) if os.path.isabs(base) else None


def fetch(folder: str, key: str) -> bytes | None:
    """The JSON of the entry of `key`, when it is whole and nobody else could have written it."""
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
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content[_START:-1] if content[:_START] == _head(key, content[_START:]) else None


def _head(key: str, rest: bytes) -> bytes:
    """The digest covers the key too: an entry under another name is not taken."""
    return _HEAD + sha256(key.encode() + rest).hex().encode() + _MIDDLE


def keep(folder: str, key: str, entry: bytes) -> None:
    """Write an entry, which is JSON; without a place for it, do without."""
    rest = entry + b"}"
    temporary = os.path.join(folder, f"{key}.{os.getpid()}.tmp")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(_head(key, rest) + rest)
            os.replace(temporary, os.path.join(folder, f"{key}.json"))
        except OSError:
            os.unlink(temporary)
    except OSError:
        return


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
