"""What happened in a run, from the ledger: the same events with the same numbers as those who watched it were told."""

from workermd.ledger.records import Attempt, KeptEvent, Run
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document
from workermd.report.events import EventDocuments
from workermd.report.runs import parsed
from workermd.runner.events import RunFinished

Numbered = tuple[int, Document]


def told(ledger: Ledger, run: Run) -> list[Numbered]:
    """Every event that is kept; the numbers of those that were left out are left out."""
    events = list(ledger.events_of(run.id))
    number, before, found = 0, 0, list[Numbered]()
    for attempt in ledger.attempts(run.id):
        number += 1
        found.append((number, _begun(run, attempt)))
        for event in events:
            if event.n == attempt.n:
                number, before = number + event.number - before, event.number
                found.append((number, _placed(event)))
        if attempt.outcome is not None:
            number += 1
            found.append((number, _ended(attempt)))
    envelope = parsed(run.envelope)
    if envelope is not None and (end := EventDocuments().of(RunFinished(envelope))) is not None:
        found.append((number + 1, {**end, "at": run.settled_at}))
    return found


def _begun(run: Run, attempt: Attempt) -> Document:
    return {"at": attempt.started_at, "event": "attempt", "max_attempts": run.max_attempts, "attempt": attempt.n}


def _placed(event: KeptEvent) -> Document:
    return {**event.document, "attempt": event.n}


def _ended(attempt: Attempt) -> Document:
    document: Document = {"at": attempt.ended_at, "event": "attempt_ended", "outcome": attempt.outcome}
    code = (attempt.detail or {}).get("error", {}).get("code")
    return document | ({"code": code} if code else {}) | {"attempt": attempt.n}
