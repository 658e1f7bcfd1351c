"""The chain of receipts: one link for each event of a ledger, each covering the link before (S4.12).

A link says that something happened to a run, and has the digest of what; the documents themselves stay where they are.
So a chain can be checked after runs were removed, and a run against its link as long as it is there.
"""

import json
from typing import NamedTuple

from workermd.ledger.records import Decision, NewQuestion, Question, Reopening, Run
from workermd.protocol.envelope import Document
from workermd.system.digest import sha256

FIRST = bytes(32)
"""What the first link covers in place of one before."""


class Happening(NamedTuple):
    """What a link is to say: an event, the row of its run, the attempt or other number in it, and the digest of what."""

    at: int
    event: str
    run: int | None
    n: int | None
    subject: bytes


def link_of(before: bytes, number: int, happening: Happening) -> bytes:
    """The link of this number, which follows `before`."""
    *told, subject = happening
    return sha256(before + json.dumps([number, *told]).encode() + subject)


def subject_of(document: Document) -> bytes:
    """The digest of what happened. The document holds texts, whole numbers, truths and nothing."""
    return sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


def gone_subject(links: list[tuple[int, bytes]], who: str = "", reason: str = "") -> bytes:
    """Of a removal: which links speak of runs that are no longer there."""
    listed = [[number, link.hex()] for number, link in sorted(links)]
    return subject_of({"links": listed} | ({"who": who, "reason": reason} if who else {}))


def _key(run: Run) -> Document:
    return {"worker_id": run.worker_id, "run_id": run.run_id}


def settled(run: Run) -> Document:
    """A run was given its answer."""
    return _key(run) | {
        "attempts": run.attempts,
        "status": run.status,
        "input_sha256": run.input_sha256.hex(),
        "contract_sha256": run.contract_sha256.hex(),
        "hash_version": run.hash_version,
        "answer_sha256": (run.answer_sha256 or b"").hex(),
        "settled_at": run.settled_at,
    }


def reopened(run: Run, reopening: Reopening) -> Document:
    """A run was granted further starts; the envelope of the answer that it had is kept with that."""
    told = reopening._asdict() | {"envelope": sha256(reopening.envelope).hex()}
    return _key(run) | told


def asked(run: Run, question: NewQuestion | Question, n: int, at: int) -> Document:
    """An attempt asked a person."""
    return _key(run) | {
        "attempt": n,
        "id": question.id,
        "kind": question.kind,
        "question": question.question,
        "options": list(question.options),
        "proposed": None if question.proposed is None else json.dumps(question.proposed, sort_keys=True),
        "at": at,
    }


def decided(run: Run, n: int, decision: Decision) -> Document:
    """A person decided what an attempt had asked."""
    return _key(run) | {"attempt": n} | decision._asdict()
