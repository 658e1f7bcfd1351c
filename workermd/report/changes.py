"""What changed between two contracts, as text, JSON, SARIF and Markdown."""

from collections import Counter
from collections.abc import Callable

from workermd.contract.diff import KINDS, Change, Difference, Spot
from workermd.protocol.envelope import Document, encoded
from workermd.report import sarif
from workermd.report.markdown import cell

SCHEMA_VERSION = 1

_LEVELS: dict[str, sarif.Level] = {"breaking": "error", "unknown": "warning", "compatible": "note"}


def as_text(found: Difference) -> str:
    """One block per change: `path:line:col: verdict: reason [kind]`, then the other place and the bump it takes."""
    return "".join(_block(change) for change in found.changes)


def _block(change: Change) -> str:
    here, there, word = _sides(change)
    return (
        f"{here.path}:{here.line}:{here.column}: {change.verdict}: {change.reason} [{change.kind}]\n"
        f"  = {change.pointer or '/'}, {word} {there.path}:{there.line}:{there.column}; it takes a {change.requires} bump of the version\n"
    )


def _sides(change: Change) -> tuple[Spot, Spot, str]:
    """The place to show first, the other one and its word. What was removed is shown where it stood."""
    if change.new.place != change.pointer and change.old.place == change.pointer:
        return change.old, change.new, "now"
    return change.new, change.old, "before"


def summary(found: Difference) -> str:
    """One sentence: counts, the bump that is needed and the one that was made."""
    return f"{_counted(found)}; {_bumps(found)}\n"


def _counted(found: Difference) -> str:
    if not found.changes:
        return "no change in meaning"
    counts = Counter(change.verdict for change in found.changes)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("breaking", "unknown", "compatible"))


def _bumps(found: Difference) -> str:
    versions = f"{found.old_version} to {found.new_version}"
    made = "is no bump" if found.made == "none" else f"is a {found.made} bump"
    if found.required == "none":
        return f"{versions} {made}, none is needed"
    return f"{versions} {made}, a {found.required} bump is needed{'' if found.is_bump_missing else ': fine'}"


def as_json(found: Difference) -> bytes:
    """`{schema_version, old_id, new_id, old_version, new_version, required, made, is_bump_missing, changes: […]}`."""
    document: Document = {"schema_version": SCHEMA_VERSION, **found._asdict(), "is_bump_missing": found.is_bump_missing}
    document["changes"] = [
        {**change._asdict(), "old": change.old._asdict(), "new": change.new._asdict()} for change in found.changes
    ]
    return encoded(document)


def as_sarif(found: Difference) -> bytes:
    """A log whose rules are all kinds of change."""
    rules = [sarif.SarifRule(name, kind.why, _LEVELS[kind.verdict]) for name, kind in KINDS.items()]
    versions: Document = {"requiredBump": found.required, "madeBump": found.made}
    return sarif.log(rules, map(_result, found.changes), properties=versions)


def _result(change: Change) -> sarif.SarifResult:
    related = ((_place(change.old), "Before the change."),)
    properties: Document = {"verdict": change.verdict, "requires": change.requires, "pointer": change.pointer}
    return sarif.SarifResult(
        change.kind,
        _LEVELS[change.verdict],
        f"{change.pointer}: {change.reason}.",
        _place(change.new),
        related,
        properties,
    )


def _place(spot: Spot) -> sarif.SarifPlace:
    """Scanners know files by their path in the repository: a Git reference is cut down to it."""
    path = spot.path.split(":", 2)[2] if spot.path.startswith("git:") else spot.path
    return sarif.SarifPlace(path, spot.line, spot.column, spot.end_column)


def as_markdown(found: Difference) -> str:
    """A comment for a pull request: a headline, the two bumps, a table. Text of the contracts is escaped."""
    state = "needs a larger bump" if found.is_bump_missing else "is fine"
    lines = [f"### Contract `{found.new_id}`: the version {state}", "", f"{_counted(found)}; {_bumps(found)}.", ""]
    if found.changes:
        lines += ["| verdict | change | before | now | bump |", "|---|---|---|---|---|"]
        lines += [
            f"| {change.verdict} | {cell(f'{change.pointer}: {change.reason}')} (`{change.kind}`) "
            f"| line {change.old.line} | line {change.new.line} | {change.requires} |"
            for change in found.changes
        ]
        lines.append("")
    return "\n".join(lines)


FORMATS: dict[str, Callable[[Difference], bytes]] = {
    "text": lambda found: (as_text(found) + summary(found)).encode("utf-8", "replace"),
    "json": as_json,
    "sarif": as_sarif,
    "markdown": lambda found: as_markdown(found).encode("utf-8", "replace"),
}
"""The formats of `diff`. In a file the text has the summary, which a terminal gets on standard error."""
