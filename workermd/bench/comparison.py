"""Two subjects over the same cases: who is better, by how much, and whether that can be said at all."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from workermd.bench import statistics as st
from workermd.protocol.envelope import Document

LEVEL = 1 - st.CONFIDENCE
UNDECIDED = "undecided"


class CaseTally(NamedTuple):
    """What a subject did with one case. `costs` and `seconds` are those of its runs, as far as they are known."""

    passed: int
    tried: int
    costs: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()


class Side(NamedTuple):
    """A subject of a comparison, with its cases by their ids."""

    name: str
    cases: dict[str, CaseTally]


def compared(pairs: Sequence[tuple[Side, Side]]) -> list[Document]:
    """Every pair, its p corrected for all of them together."""
    found = [_pair(one, other) for one, other in pairs]
    for document, p in zip(found, st.holm([each["p"] for each in found]), strict=True):
        document["p_holm"] = p
        document["better"] = _better(document, p)
    return found


def _better(document: Document, p: float) -> str:
    """A name only where the corrected test says so; every other difference may be chance."""
    if p >= LEVEL:
        return UNDECIDED
    better: str = document["one"] if document["only_one"] > document["only_other"] else document["other"]
    return better


def _pair(one: Side, other: Side) -> Document:
    """By the case: of one that both tried, the side that passed the larger share of its tries is the better there."""
    common = [name for name in one.cases if name in other.cases]
    rows = [(one.cases[name], other.cases[name]) for name in common]
    rows = [row for row in rows if row[0].tried and row[1].tried]
    shares = [(left.passed / left.tried, right.passed / right.tried) for left, right in rows]
    only_one = sum(left > right for left, right in shares)
    only_other = sum(left < right for left, right in shares)
    differences = [left - right for left, right in shares]
    return {
        "one": one.name,
        "other": other.name,
        "cases": len(rows),
        "only_one": only_one,
        "only_other": only_other,
        "p": st.mcnemar(only_one, only_other),
        "difference": sum(differences) / len(differences) if differences else None,
        "difference_interval": _interval(
            len(rows), lambda drawn: sum(differences[at] for at in drawn) / len(drawn) if drawn else None
        ),
        "cost_ratio": _ratio(rows, lambda tally: tally.costs),
        "time_ratio": _ratio(rows, lambda tally: tally.seconds),
        "cases_to_tell": st.cases_to_tell(only_one, only_other, len(rows)),
    }


def _interval(count: int, measured: Callable[[Sequence[int]], float | None]) -> list[float] | None:
    found = st.bootstrap(count, measured)
    return list(found) if found else None


def _ratio(rows: list[tuple[CaseTally, CaseTally]], of: Callable[[CaseTally], tuple[float, ...]]) -> Document | None:
    """How many times as much the one took as the other, over the cases where both are known."""
    known = [(_mean(of(left)), _mean(of(right))) for left, right in rows if of(left) and of(right)]

    def ratio(drawn: Sequence[int]) -> float | None:
        below = sum(known[at][1] for at in drawn)
        return sum(known[at][0] for at in drawn) / below if below else None

    whole = ratio(range(len(known))) if known else None
    return None if whole is None else {"ratio": whole, "interval": _interval(len(known), ratio)}


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def sides_of(document: Document, *, count_errors: bool) -> dict[str, Side]:
    """The subjects of a report of an earlier bench, by name, from its runs."""
    tallies: dict[str, dict[str, list[Any]]] = {}
    for run in document["runs"]:
        if run["word"] == "missing" or (run["word"] == "error" and not count_errors):
            continue
        entry = tallies.setdefault(run["subject"], {}).setdefault(run["case"], [0, 0, [], []])
        entry[0] += run["word"] == "passed"
        entry[1] += 1
        entry[2] += [run["cost_usd"]] if run.get("cost_usd") is not None else []
        entry[3] += [run["seconds"]] if run.get("seconds") is not None and run["word"] != "error" else []
    return {
        name: Side(name, {case: CaseTally(row[0], row[1], tuple(row[2]), tuple(row[3])) for case, row in cases.items()})
        for name, cases in tallies.items()
    }
