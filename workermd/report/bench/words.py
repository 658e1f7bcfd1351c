"""Numbers of a bench in words, the same in every report."""

from collections.abc import Sequence

from workermd.protocol.envelope import Document


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.1%} to {ends[1]:.1%}"


def money(value: float | None) -> str:
    return "-" if value is None else f"${value:.4f}" if value < 1 else f"${value:.2f}"


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def ratio(found: Document | None) -> str:
    if found is None:
        return "-"
    ends = found["interval"]
    return f"x{found['ratio']:.2f}" + (f" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else "")


def compared(document: Document) -> str:
    """One sentence about a pair: who is better, or that it cannot be told, and what would tell."""
    counts = (
        f"{document['one']} passes more in {document['only_one']} of {document['cases']} cases, "
        f"{document['other']} in {document['only_other']}"
    )
    p = f"p {document['p_holm']:.3g}"
    if document["better"] != "undecided":
        return f"{document['better']} is better: {counts}; {p}"
    need = document["cases_to_tell"]
    more = f"; about {need} such cases would tell" if need else ""
    return f"{document['one']} or {document['other']}: undecided; {counts}; {p}{more}"


def fails_of(document: Document) -> list[Document]:
    """The runs that did not pass, the errors first."""
    order = {"error": 0, "missing": 1, "failed": 2}
    return sorted((run for run in document["runs"] if run["word"] != "passed"), key=lambda run: order[run["word"]])


def why(run: Document) -> str:
    """Why a run did not pass: what its first failing score said, or its own failure."""
    for each in run["scores"]:
        if each["weight"] > 0 and (each["value"] is None or each["value"] < 1):
            return f"{each['name']}: {each['told'] or 'not met'}"
    if run["word"] == "missing":
        return "never run"
    return f"{run.get('error') or run.get('status', '')}: {run.get('told', '')}".strip(": ")
