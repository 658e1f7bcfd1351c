"""The reports of a bench, in one table."""

from collections.abc import Callable

from workermd.protocol.envelope import Document
from workermd.report.bench import ci, html, inspect_log, text

FORMATS: dict[str, Callable[[Document], bytes]] = {
    "text": text.of_results,
    "json": ci.json_of,
    "junit": ci.junit_of,
    "markdown": ci.markdown_of,
    "html": html.of_results,
    "inspect": inspect_log.of_results,
}
