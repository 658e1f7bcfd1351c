"""Partial results merged into one document, with every conflict named and completeness measured."""

from typing import Any, NamedTuple

from workermd.protocol.envelope import Document, Status
from workermd.task.task import Task
from workermd.workers.answer import failed, settings_of
from workermd.workers.pointer import escaped, value_at

SHOWN = 5


class SourceShare(NamedTuple):
    """One source's share. `rank` orders sources in a conflict: the higher one wins."""

    source: str
    rank: tuple[float, float]
    data: Any


class Conflict(NamedTuple):
    """Where sources differ. `chosen` is the source whose value was kept; None when the value was left out."""

    pointer: str
    sources: list[str]
    chosen: str | None


def run(task: Task) -> Document:
    """A conflict under `strict` is `invalid_request`, code `merge_conflict`: the same parts will conflict
    again, so it is final and not retried. Two parts of one source are `duplicate_source`."""
    settings_of(task, {})
    order = task.input
    parts = [_part(part) for part in order["parts"]]
    sources = [part.source for part in parts]
    if len(set(sources)) != len(sources):
        message = "parts: two parts bear the same source; merge them first, or name them apart"
        return failed(Status.INVALID_REQUEST, "duplicate_source", message)
    conflicts: list[Conflict] = []
    merged = _merge(parts, "", conflicts)
    if conflicts and order["merge_policy"] == "strict":
        return failed(Status.INVALID_REQUEST, "merge_conflict", _conflict_message(conflicts))
    missing, completeness = _completeness(order.get("expected", {}), merged, sources)
    return {
        "status": Status.OK.value,
        "result": {
            "merged": merged,
            "conflicts": [conflict._asdict() for conflict in conflicts],
            "completeness": completeness,
            "missing": missing,
            "sources": sources,
        },
    }


def _part(part: Document) -> SourceShare:
    rank = (float(part.get("priority", 0)), float(part.get("confidence", 0)))
    return SourceShare(part["source"], rank, part["data"])


_LEFT_OUT = object()


def _merge(parts: list[SourceShare], pointer: str, conflicts: list[Conflict]) -> Any:
    """The one value that `parts` have at `pointer`. Objects are merged member by member; everything else,
    arrays included, is one value."""
    if all(isinstance(part.data, dict) for part in parts):
        return _merge_objects(parts, pointer, conflicts)
    if all(same(part.data, parts[0].data) for part in parts[1:]):
        return parts[0].data
    chosen = _choose(parts)
    sources = [part.source for part in parts]
    conflicts.append(Conflict(pointer, sources, chosen.source if chosen else None))
    return chosen.data if chosen else _LEFT_OUT


def _merge_objects(parts: list[SourceShare], pointer: str, conflicts: list[Conflict]) -> Document:
    merged: Document = {}
    for key in dict.fromkeys(key for part in parts for key in part.data):
        having = [part._replace(data=part.data[key]) for part in parts if key in part.data]
        value = _merge(having, f"{pointer}/{escaped(key)}", conflicts)
        if value is not _LEFT_OUT:
            merged[key] = value
    return merged


def _choose(parts: list[SourceShare]) -> SourceShare | None:
    """The part of the highest rank; None when parts of that rank differ among themselves."""
    best = max(part.rank for part in parts)
    leading = [part for part in parts if part.rank == best]
    agree = all(same(part.data, leading[0].data) for part in leading[1:])
    return leading[0] if agree else None


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, true and 1 are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _completeness(expected: Document, merged: Any, sources: list[str]) -> tuple[list[str], float]:
    """What of the expected is missing, and the share that is there, from 0 to 1 (1 when nothing is expected)."""
    pointers, names = expected.get("pointers", []), expected.get("sources", [])
    missing = [pointer for pointer in pointers if value_at(merged, pointer) is None]
    missing += [name for name in names if name not in sources]
    total = len(pointers) + len(names)
    # Rounded down, so that 1 is said only where nothing is missing.
    return missing, (total - len(missing)) * 10_000 // total / 10_000 if total else 1.0


def _conflict_message(conflicts: list[Conflict]) -> str:
    shown = ", ".join(conflict.pointer[:200] or "the whole document" for conflict in conflicts[:SHOWN])
    more = f" and {len(conflicts) - SHOWN} more" if len(conflicts) > SHOWN else ""
    return (
        f"{len(conflicts)} conflict(s) under strict, at {shown}{more}; "
        "mend a source, or merge with best_effort to see what would be chosen"
    )
