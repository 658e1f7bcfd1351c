"""The formats of `validate`, in one table."""

from collections.abc import Callable

from workermd.report import github, jsonlines, junit, machine, markdown, sarif, text
from workermd.report.outputs import Output, deliver
from workermd.report.record import Report

FORMATS: dict[str, Callable[[Report], bytes]] = {
    "text": text.whole,
    "json": machine.of_report,
    "jsonl": jsonlines.of_report,
    "sarif": sarif.of_report,
    "github": github.of_report,
    "junit": junit.of_report,
    "markdown": markdown.of_report,
}
"""Each shows findings and what could not be checked; none of them reads as clean when something was not."""


def print_all(report: Report, wanted: tuple[Output, ...]) -> None:
    """Standard output has the findings alone in the format text: the rest is said on standard error."""

    def printed(name: str) -> bytes:
        if name != "text":
            return FORMATS[name](report)
        return text.findings(report.findings, report.sources).encode("utf-8", "replace")

    deliver(wanted, lambda name: FORMATS[name](report), printed=printed, read=report.sources)
