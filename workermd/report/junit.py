"""Findings as JUnit XML: one test case for each file, so that a file that was checked is seen to have passed."""

import re
from collections.abc import Iterable

from workermd.protocol.finding import Finding
from workermd.report import text
from workermd.report.record import Report, sentence

_NO_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and the control characters that it can hold but no terminal should get."""


def of_report(report: Report) -> bytes:
    """A file with errors has failed; what could not be checked is an error. Warnings stand in `system-out`."""
    by_path: dict[str, list[Finding]] = {path: [] for path in report.sources}
    for finding in report.findings:
        by_path.setdefault(finding.path, []).append(finding)
    cases = [_case(path, found, report) for path, found in by_path.items()]
    cases += [
        _testcase(
            sentence(error),
            f"      <error type={attribute(error.code)} message={attribute(f'could not be checked: {sentence(error)}')}/>\n",
        )
        for error in report.unchecked
    ]
    failures = len({finding.path for finding in report.findings if finding.severity == "error"})
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{len(report.unchecked)}" skipped="0" time="0"'
    document = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="workermd" {counts}>\n  <testsuite name="workermd validate" {counts}>\n'
        f"{''.join(cases)}  </testsuite>\n</testsuites>\n"
    )
    return document.encode()


def _case(path: str, found: list[Finding], report: Report) -> str:
    errors = [finding for finding in found if finding.severity == "error"]
    others = [finding for finding in found if finding.severity != "error"]
    body = ""
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        first = errors[0]
        message = f"{count}; the first: {first.line}:{first.column}: {first.message} [{first.code}]"
        body += f'      <failure type="{first.code}" message={attribute(message)}>{_shown(errors, report)}</failure>\n'
    if others:
        body += f"      <system-out>{_shown(others, report)}</system-out>\n"
    return _testcase(path, body)


def _testcase(name: str, body: str) -> str:
    head = f'    <testcase classname="workermd" name={attribute(name)} time="0"'
    return f"{head}>\n{body}    </testcase>\n" if body else f"{head}/>\n"


def _shown(found: Iterable[Finding], report: Report) -> str:
    from xml.sax.saxutils import escape  # loads what speaks HTTP: 20 ms that no other format needs

    return escape(_NO_XML.sub("\ufffd", text.findings(found, report.sources)))


def attribute(value: str) -> str:
    """A quoted attribute of XML, with what XML cannot hold replaced."""
    from xml.sax.saxutils import quoteattr

    return quoteattr(_NO_XML.sub("\ufffd", value))
