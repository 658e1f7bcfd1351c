"""Safe fixes: edits that leave the meaning of a contract as it is."""

import difflib
from collections.abc import Iterable

from workermd.contract.model import Reading
from workermd.contract.reader import read
from workermd.lint.engine import lint
from workermd.lint.selection import Selection
from workermd.lint.subject import Edit, Fix

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MARKED = "WM102"

_MOST_ROUNDS = 4


def fixed(data: bytes, path: str, selection: Selection) -> bytes:
    """The file with every safe fix made; the same bytes where there is none.

    A fix that would change what the contract means, or how usable it is, is not made.
    """
    before = read(data, path)
    if before.text.encode() != data.removeprefix(BYTE_ORDER_MARK):
        return data  # not all of it could be read
    result = data.removeprefix(BYTE_ORDER_MARK) if selection.has(MARKED) else data
    for _ in range(_MOST_ROUNDS):
        reading = read(result, path)
        edits = [edit for fix in lint(reading, selection).fixes for edit in fix.edits]
        if not edits:
            break
        mark = BYTE_ORDER_MARK if result.startswith(BYTE_ORDER_MARK) else b""
        changed = mark + applied(reading.text, edits).encode()
        if not _means_the_same(before, read(changed, path)):
            break
        result = changed
    return result


def is_safe(fix: Fix, reading: Reading) -> bool:
    """Whether a fix, made alone, leaves what the contract means as it is."""
    return _means_the_same(reading, read(applied(reading.text, fix.edits).encode(), reading.path))


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text after the edits; of two that overlap the first one holds."""
    parts: list[str] = []
    at = 0
    for edit in sorted(set(edits)):
        if edit.start >= at:
            parts += [text[at : edit.start], edit.text]
            at = edit.end
    return "".join([*parts, text[at:]])


def _means_the_same(before: Reading, after: Reading) -> bool:
    first, second = before.contract, after.contract
    if first is None or second is None:
        return first is second
    return (first.id, first.version, first.meaning_sha256) == (second.id, second.version, second.meaning_sha256)


def difference(before: bytes, after: bytes, path: str) -> str:
    """The unified diff of two versions of a file; empty where they are the same."""
    old, new = (_with_ends(data.decode(errors="replace")) for data in (before, after))
    lines = difflib.unified_diff(old, new, path, path)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _with_ends(text: str) -> list[str]:
    """Lines with their ends; LF alone ends one, as for every tool that applies a diff."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
