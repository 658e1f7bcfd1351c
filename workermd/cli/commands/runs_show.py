"""`workermd runs show`: one run and its attempts."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import existing, one, summary
from workermd.ledger.records import Attempt
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document, encoded, timestamp, versioned
from workermd.report import people, say
from workermd.report import runs as report


class RunsShowOptions(NamedTuple):
    run_id: str
    log: bool
    conversation: bool
    worker: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsShowOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    with existing(path, options.run_id) as ledger:
        row = one(ledger, options.run_id, options.worker)
        attempts = ledger.attempts(row.id)
        reopenings = ledger.reopenings(row.id)
        requests = ledger.questions(row.id)
        contract = ledger.contract_of(row.id)
        events = tuple(ledger.events_of(row.id)) if options.conversation else ()
        told = report.Told(row, attempts, reopenings, requests, events, ledger.tags(row.id), ledger.artifacts_folder)
        if options.log:
            return _print_logs(ledger, attempts)
    if options.format == "json":
        document = summary(row) | {
            "attempts_made": [_attempt(each) for each in attempts],
            "reopenings": [
                {"granted": each.granted, "who": each.who, "reason": each.reason, "at": timestamp(each.at)}
                for each in reopenings
            ],
            "requests": [people.request(each) for each in requests],
            "input": report.parsed(row.input),
            "output": report.parsed(row.output),
            "envelope": told.envelope,
            "contract": None if contract is None else {"version": contract.version, "text": contract.text},
            "tags": list(told.tags),
        }
        if options.conversation:
            document["events"] = [{"attempt": each.n, **each.document} for each in events]
        say.document(encoded(versioned(document)))
    else:
        say.text(report.timeline(told))
    return 0


def _print_logs(ledger: Ledger, attempts: tuple[Attempt, ...]) -> int:
    """What the attempts wrote, one after the other; a line before each where there are several."""
    for each in attempts:
        log = ledger.log_of(each.token)
        if len(attempts) > 1:
            say.text(f"--- attempt {each.n}: {each.outcome or 'running'}\n")
        say.document(log if not log or log.endswith(b"\n") else log + b"\n")
    return 0


def _attempt(attempt: Attempt) -> Document:
    return {
        "n": attempt.n,
        "started_at": timestamp(attempt.started_at),
        "ended_at": None if attempt.ended_at is None else timestamp(attempt.ended_at),
        "outcome": attempt.outcome,
        "owner": attempt.owner,
        "detail": attempt.detail,
    }
