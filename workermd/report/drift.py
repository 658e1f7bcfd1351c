"""What `derive --check` found: text, JSON, SARIF 2.1.0 and Markdown, places counted from 1."""

from collections.abc import Iterable

from workermd.derive.check import DRIFTED, Drift
from workermd.derive.plain import as_code
from workermd.protocol.envelope import Document, encoded
from workermd.report import sarif as log
from workermd.system.text import marked

SCHEMA_VERSION = 1

RULES: dict[str, tuple[str, str]] = {
    "moved": ("WD001", "The cited lines stand elsewhere now."),
    "changed": ("WD002", "The cited lines say something else now."),
    "gone": ("WD003", "The cited lines are not there any more."),
    "new": ("WD004", "The repository says something about its status or licence that the contract does not."),
    "unchecked": ("WD005", "Only the host knows this fact, and a local clone was read."),
}
_LEVELS: dict[str, log.Level] = {"unchecked": "note", "moved": "warning"}


def text(path: str, drifts: Iterable[Drift]) -> str:
    """`path:line: state: sentence`, and the claim below it."""
    lines = []
    for drift in drifts:
        lines.append(f"{path}:{drift.line}: {drift.state}: {drift.message} [{RULES[drift.state][0]}]")
        lines.append(f"  | {marked(drift.text, 120)}")
        if drift.found is not None and drift.found.path:
            lines.append(f"  = {marked(drift.found.permalink, 400)}")
    return "".join(f"{line}\n" for line in lines)


def summary(drifts: tuple[Drift, ...], examined: int) -> str:
    """One line: how many pieces of evidence were looked up, how many of them in which state."""
    counts = {state: sum(drift.state == state for drift in drifts) for state in RULES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    still = examined - sum(drift.state != "new" for drift in drifts)
    return f"{examined} pieces of evidence: {still} still true{', ' if told else ''}{told}\n"


def json(path: str, commit: str, drifts: tuple[Drift, ...], examined: int) -> bytes:
    """`{schema_version, contract, commit, examined, drifted, claims: [{state, code, field, text, line, evidence, found}]}`."""
    listed: list[Document] = [
        {
            "state": drift.state,
            "code": RULES[drift.state][0],
            "field": drift.field,
            "text": drift.text,
            "line": drift.line,
            "evidence": drift.evidence and drift.evidence._asdict(),
            "found": drift.found and drift.found._asdict(),
        }
        for drift in drifts
    ]
    drifted = sum(drift.state in DRIFTED for drift in drifts)
    head: Document = {"schema_version": SCHEMA_VERSION, "contract": path, "commit": commit, "examined": examined}
    return encoded({**head, "drifted": drifted, "claims": listed})


def sarif(path: str, drifts: Iterable[Drift]) -> bytes:
    """One run; the places are those of the claims in the contract, whole lines."""
    rules = [log.SarifRule(code, words, _LEVELS.get(state, "error")) for state, (code, words) in RULES.items()]
    return log.log(rules, [_result(path, drift) for drift in drifts])


def _result(path: str, drift: Drift) -> log.SarifResult:
    code = RULES[drift.state][0]
    properties: Document = {"state": drift.state, "field": drift.field}
    for name, evidence in (("cited", drift.evidence), ("found", drift.found)):
        if evidence is not None:
            properties[name] = evidence.permalink
    message = f"{drift.message}: {marked(drift.text, 120)}"
    return log.SarifResult(
        code, _LEVELS.get(drift.state, "error"), message, log.SarifPlace(path, drift.line, 1, 1), properties=properties
    )


def markdown(path: str, drifts: tuple[Drift, ...], examined: int) -> str:
    """A heading, the summary and a table; words of the repository stand in code spans."""
    lines = [f"## {as_code(path)}", "", summary(drifts, examined).strip(), ""]
    if drifts:
        lines += ["| state | line | what | claim |", "|---|---|---|---|"]
    for drift in drifts:
        cells = (drift.state, str(drift.line), as_code(drift.message, 300), as_code(drift.text, 120))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


FORMATS = ("text", "json", "sarif", "markdown")


def made(name: str, path: str, commit: str, drifts: tuple[Drift, ...], examined: int) -> bytes:
    """The document of one of the formats. In a file the text has the summary too."""
    match name:
        case "json":
            return json(path, commit, drifts, examined)
        case "sarif":
            return sarif(path, drifts)
        case "markdown":
            return markdown(path, drifts, examined).encode("utf-8", "replace")
        case _:
            return (text(path, drifts) + summary(drifts, examined)).encode("utf-8", "replace")
