"""Contracts that were read before, so that a run need not read them again.

An entry is one JSON file, found by the SHA-256 of the contract's bytes and of our version, in
`$XDG_CACHE_HOME/workermd/contracts/` (else `~/.cache/...`). Only contracts without errors are stored.
Entries may be deleted at any time: one that is missing, damaged or not ours is read anew.
`WORKERMD_CACHE=off` turns all of this off.
"""
# pathlib would cost every run several milliseconds:

import json
import os
import time
from typing import Any

from workermd import __version__
from workermd.contract.model import Constraints, Contract
from workermd.contract.problems import MISNAMED, misnamed
from workermd.digest import sha256
from workermd.errors import ContractUnusable
from workermd.finding import Finding, ordered

ENTRY_FORMAT = 1
MOST_ENTRIES = 1000
MOST_DAYS = 90

_HEAD = b'{"sha256":"'
_MIDDLE = b'","entry":'
_START = len(_HEAD) + 64 + len(_MIDDLE)
_TUPLES = ("status_enum", "success_statuses", "tools_allowed")


def load(data: bytes, path: str) -> tuple[Contract, tuple[Finding, ...]]:
    """The contract in `data`, and its warnings. `path` is the name for messages.

    Raises ContractUnusable, which carries all findings, when there are errors.
    """
    key = sha256(f"{ENTRY_FORMAT} {__version__}\n".encode() + data).hex()
    folder = _folder()
    if folder:
        stored = _stored(folder, key, path)
        if stored:
            return stored
    from workermd.contract.reader import read

    reading = read(data, path, thorough=False)
    if reading.contract is None:
        raise _unusable(path, reading.findings, reading.text)
    if folder:
        _store(folder, key, reading.contract, reading.findings)
    return reading.contract, reading.findings


def _unusable(path: str, findings: tuple[Finding, ...], text: str) -> ContractUnusable:
    errors = [finding for finding in findings if finding.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"at {first.line}:{first.column}, {first.message} [{first.code}]{more}"
    return ContractUnusable(f"{path}: the contract cannot be used: {where}", first.hint, findings, text)


def _folder() -> str | None:
    """Where entries live; None when there is no such place."""
    if os.environ.get("WORKERMD_CACHE") == "off":
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "workermd", "contracts") if os.path.isabs(base) else None


def _stored(folder: str, key: str, path: str) -> tuple[Contract, tuple[Finding, ...]] | None:
    """The entry of `key`, when it is whole and nobody else could have written it."""
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
        entry = json.loads(content[_START:-1])
        return _contract(entry["contract"]), _findings(entry["warnings"], path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    finally:
        os.close(descriptor)


def _head(key: str, rest: bytes) -> bytes:
    """The digest covers the key too: an entry under another name is not taken."""
    return _HEAD + sha256(key.encode() + rest).hex().encode() + _MIDDLE


def _contract(fields: dict[str, Any]) -> Contract:
    bounds = fields["constraints"]
    for name in _TUPLES:
        if bounds[name] is not None:
            bounds[name] = tuple(bounds[name])
    fields["constraints"] = Constraints(**bounds)
    fields["statuses"] = tuple(fields["statuses"])
    return Contract(**fields)


def _findings(rows: list[list[Any]], path: str) -> tuple[Finding, ...]:
    return ordered([*(Finding(path, *row) for row in rows), *misnamed(path)])


def _store(folder: str, key: str, contract: Contract, findings: tuple[Finding, ...]) -> None:
    """Write an entry; without a place for it, do without."""
    # The name is checked anew for every path: it is no part of the content.
    warnings = [list(finding[1:]) for finding in findings if finding.code != MISNAMED]
    fields = contract._asdict()
    fields["constraints"] = contract.constraints._asdict()
    rest = json.dumps({"contract": fields, "warnings": warnings}, separators=(",", ":")).encode() + b"}"
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
            return
        _sweep(folder)
    except OSError:
        return


def _sweep(folder: str) -> None:
    """Remove entries that are old or too many, and what interrupted writers left."""
    entries = []
    for item in os.scandir(folder):
        try:
            entries.append((item.stat(follow_symlinks=False).st_mtime, item.path))
        except OSError:
            continue  # another process swept it
    entries.sort(reverse=True)
    oldest = time.time() - MOST_DAYS * 86400
    for at, (written, path) in enumerate(entries):
        if at >= MOST_ENTRIES or written < oldest:
            try:
                os.unlink(path)
            except OSError:
                continue
