"""Findings that were there before and are accepted: a file of fingerprints that do not move with lines.

A fingerprint covers the file's path (from the baseline's folder), the rule's code and the text of the line
that was found, without its indent: not its number. The file holds no text of a contract.
"""

import os
from typing import Any

from workermd.contract.json.quick import load_bytes
from workermd.contract.json.strict import JsonError
from workermd.protocol.envelope import encoded
from workermd.protocol.errors import UsageError
from workermd.protocol.finding import Finding
from workermd.system.bounded import at_most
from workermd.system.digest import sha256

SCHEMA_VERSION = 1


class Baseline:
    """Counts down what is accepted, and counts what is found for the next one."""

    def __init__(self, path: str, accepted: dict[str, int], *, update: bool = False) -> None:
        self.path = path
        self.hidden = 0
        self._folder = os.path.dirname(os.path.abspath(path))
        self._accepted = accepted
        self._update = update
        self._found: dict[tuple[str, str, str], int] = {}

    def covers(self, finding: Finding, line: str) -> bool:
        """True for a finding that is accepted. Each entry covers as many as it counts; an update covers all."""
        name = finding.path
        if name != "-":
            name = os.path.relpath(os.path.abspath(name), self._folder).replace(os.sep, "/")
            name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        mark = sha256(f"{name}\0{finding.code}\0{line.strip()}".encode("utf-8", "replace")).hex()[:32]
        place = (name, finding.code, mark)
        self._found[place] = self._found.get(place, 0) + 1
        if not self._update:
            if self._accepted.get(mark, 0) == 0:
                return False
            self._accepted[mark] -= 1
        self.hidden += 1
        return True

    def updated(self) -> bytes:
        """The file that accepts what was found, sorted."""
        listed: list[Any] = [
            {"path": name, "code": code, "fingerprint": mark, "count": count}
            for (name, code, mark), count in sorted(self._found.items())
        ]
        return encoded({"schema_version": SCHEMA_VERSION, "findings": listed})


MAX_BYTES = 16 << 20


def load(path: str, *, update: bool) -> Baseline:
    """Read a baseline; with `update` there may be none yet, and all that is found is accepted. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            data = at_most(file, MAX_BYTES)
    except FileNotFoundError:
        if update:
            return Baseline(path, {}, update=True)
        raise UsageError(f"{path}: no such baseline", "write one with --baseline-update") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})", "check the path and its permissions") from None
    accepted = _accepted(path, data)
    return Baseline(path, accepted, update=update)


def _accepted(path: str, data: bytes) -> dict[str, int]:
    """Raises UsageError for a file that is no baseline: it is not overwritten either."""
    try:
        document = load_bytes(data)
        listed: Any = document["findings"] if document["schema_version"] == SCHEMA_VERSION else None
        accepted: dict[str, int] = {}
        for each in listed:
            accepted[str(each["fingerprint"])] = accepted.get(str(each["fingerprint"]), 0) + int(each["count"])
    except (JsonError, KeyError, TypeError, ValueError):
        message = f"{path}: no baseline of version {SCHEMA_VERSION}"
        raise UsageError(message, "name another file, or remove it and use --baseline-update") from None
    return accepted
