"""Results as SARIF 2.1.0 (OASIS), the format that code scanners exchange.

General: a table of rules and results that name them. Lines and columns count from 1, in code points.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from workermd import __version__
from workermd.contract.model import Lines
from workermd.protocol.envelope import Document, encoded
from workermd.protocol.errors import WorkermdError
from workermd.protocol.finding import Finding
from workermd.report.record import Report, of_finding, sentence
from workermd.system.digest import sha256

VERSION = "2.1.0"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Level = Literal["error", "warning", "note"]

LEVELS: dict[str, Level] = {"error": "error", "warning": "warning", "info": "note"}
"""The levels of findings by their severity."""


class SarifRule(NamedTuple):
    """A rule as scanners list it. `help_uri` may be empty."""

    id: str
    summary: str
    level: Level
    help_uri: str = ""


class SarifPlace(NamedTuple):
    """`end_column` is the first column after the marked text; equal to `column` for a point."""

    path: str
    line: int
    column: int
    end_column: int


class SarifResult(NamedTuple):
    """One result of the rule `rule_id`. `related` are places with a sentence each. `fingerprint` says which
    result of another log this one is, when lines have moved; it may be empty."""

    rule_id: str
    level: Level
    message: str
    place: SarifPlace
    related: tuple[tuple[SarifPlace, str], ...] = ()
    properties: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated
    fingerprint: str = ""


def log(
    rules: Iterable[SarifRule],
    results: Iterable[SarifResult],
    *,
    properties: Document | None = None,
    failures: Iterable[WorkermdError] | None = None,
) -> bytes:
    """The bytes of a log with one run. Every result's rule has to be among the rules: ValueError.

    `failures` say what could not be looked at: with any, the invocation was not successful.
    """
    table = list(rules)
    index = {rule.id: number for number, rule in enumerate(table)}
    driver = {
        "name": "workermd",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in table],
    }
    run: Document = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, index) for each in results],
    }
    if failures is not None:
        run["invocations"] = [_invocation(list(failures))]
    if properties:
        run["properties"] = properties
    return encoded({"$schema": SCHEMA, "version": VERSION, "runs": [run]})


def of_report(report: Report) -> bytes:
    """A log whose rules are all those that there are. Scanners take a run without results for clean: what could
    not be checked is told as a notification, and the run as not successful."""
    rules = [SarifRule(code, rule.summary, LEVELS[rule.severity]) for code, rule in report.rules.items()]
    return log(rules, of_findings(report.findings, report.sources), failures=report.unchecked)


def of_findings(findings: Iterable[Finding], sources: Mapping[str, str] | None = None) -> list[SarifResult]:
    """Findings as results: the message with its hint. `sources` are the texts that fingerprints are made from."""
    lines = {path: Lines(text) for path, text in (sources or {}).items()}
    seen: Counter[tuple[str, str]] = Counter()
    results = []
    for finding in findings:
        place = SarifPlace(finding.path, finding.line, finding.column, finding.end_column)
        mark = ""
        if finding.path in lines:
            mark = _fingerprint(finding, lines[finding.path], seen)
        results.append(
            SarifResult(finding.code, LEVELS[finding.severity], of_finding(finding), place, fingerprint=mark)
        )
    return results


def _fingerprint(finding: Finding, lines: Lines, seen: "Counter[tuple[str, str]]") -> str:
    """The rule, the line's text and how often both were met in the file before: no number that an edit moves."""
    key = f"{finding.code}\0{lines.line_text(finding.line).strip()}"
    number = seen[finding.path, key]
    seen[finding.path, key] += 1
    return sha256(f"{key}\0{number}".encode("utf-8", "replace")).hex()[:32]


def _invocation(failures: list[WorkermdError]) -> Document:
    return {
        "executionSuccessful": not failures,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "descriptor": {"id": error.code},
                "message": {"text": _escaped(f"could not be checked: {sentence(error)}")},
            }
            for error in failures
        ],
    }


def _rule(rule: SarifRule) -> Document:
    document: Document = {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": rule.level},
    }
    if rule.help_uri:
        document["helpUri"] = rule.help_uri
    return document


def _result(result: SarifResult, index: dict[str, int]) -> Document:
    if result.rule_id not in index:
        raise ValueError(f"no rule {result.rule_id}")
    document: Document = {
        "ruleId": result.rule_id,
        "ruleIndex": index[result.rule_id],
        "level": result.level,
        "message": {"text": _escaped(result.message)},
        "locations": [{"physicalLocation": _location(result.place)}],
    }
    if result.fingerprint:
        document["partialFingerprints"] = {"lineOfFinding/v1": result.fingerprint}
    if result.related:
        document["relatedLocations"] = [
            {"id": number, "physicalLocation": _location(place), "message": {"text": _escaped(text)}}
            for number, (place, text) in enumerate(result.related)
        ]
    if result.properties:
        document["properties"] = result.properties
    return document


def _location(place: SarifPlace) -> Document:
    region: dict[str, Any] = {"startLine": place.line, "startColumn": place.column, "endColumn": place.end_column}
    return {"artifactLocation": {"uri": uri(place.path)}, "region": region}


def uri(path: str) -> str:
    """A path as a URI reference: a relative one stays relative. A colon in its first part would be a scheme."""
    while path.startswith("./"):  # a log's readers compare the text
        path = path[2:]
    written = quote(os.fsencode(path), safe="/-._~+@=,;!$&'()*:")
    if path.startswith("/"):
        return f"file://{written}"
    return f"./{written}" if ":" in written.partition("/")[0] else written


def _escaped(text: str) -> str:
    r"""Brackets begin a link in a message and braces a placeholder; a backslash and a doubled brace say neither."""
    linked = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return linked.replace("{", "{{").replace("}", "}}")
