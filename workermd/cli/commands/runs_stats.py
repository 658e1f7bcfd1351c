"""`workermd runs stats`: what runs came to, how long they took, what they cost, why they failed."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.run_filters import chosen
from workermd.ledger.opening import open_to_read
from workermd.ledger.records import RunChoice
from workermd.ledger.statistics import RunStatistics, statistics
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import outputs, say, stats, stats_page
from workermd.report.moments import zone_of
from workermd.report.outputs import STDOUT
from workermd.system import files


class RunsStatsOptions(NamedTuple):
    worker: str | None
    status: str | None
    error: str | None
    since: str | None
    until: str | None
    match: str | None
    tag: list[str]
    tz: str | None
    format: str
    report: list[str]
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsStatsOptions) -> int:
    pages = outputs.outputs("text", options.report, stats_page.FORMATS)
    wanted, zone = chosen(options), None if options.tz is None else zone_of(options.tz)
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(f"{masked(path)}: there is no ledger yet", "run something, or name another --ledger")
    with ledger:
        found = statistics(ledger, wanted, zone)
    shown = options.tz or "local time"
    for page in pages:
        if page.path != STDOUT:
            files.write(page.path, _page(page.format, found, _about(wanted), shown))
    if options.format == "json":
        say.document(encoded(versioned({"ledger": masked(path), **stats.document(found, shown)})))
    else:
        say.text(stats.csv(found) if options.format == "csv" else stats.text(found, shown))
    return 0


def _page(form: str, found: RunStatistics, about: str, zone: str) -> bytes:
    if form == "svg":
        return stats_page.picture(found, about)
    return stats_page.page(found, about, zone) if form == "html" else stats.text(found, zone).encode()


def _about(wanted: RunChoice) -> str:
    """Which runs are meant, in words."""
    words = {
        "worker": wanted.worker_id,
        "status": wanted.status,
        "error": wanted.error_code,
        "id with": wanted.text,
        "tags": ", ".join(wanted.tags),
    }
    told = [f"{name} {value}" for name, value in words.items() if value]
    told += ["within the time that was asked for"] if wanted.since is not None or wanted.until is not None else []
    return "runs of " + ", ".join(told) if told else "all runs"
