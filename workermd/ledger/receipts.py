"""The chain of receipts checked from its first link to its last, and one run's part of it as a statement (S4.12)."""

from collections.abc import Iterator
from typing import NamedTuple

from workermd.ledger import chain
from workermd.ledger.records import ReceiptLink, Run
from workermd.ledger.sqlite.migrations import answer_digest
from workermd.ledger.sqlite.reader import LedgerReader
from workermd.protocol.envelope import Document
from workermd.system.digest import sha256

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:workermd:receipt:v1"

_AT_A_TIME = 500
_MOST_FAULTS = 100


class Verified(NamedTuple):
    """What was found. `unsealed` runs were settled before there was a chain; `faults` are the first hundred."""

    links: int
    runs: int
    unsealed: int
    faults: tuple[str, ...]


class Head(NamedTuple):
    """A head of the chain that was kept elsewhere."""

    number: int
    link: bytes


def verify(ledger: LedgerReader, kept: Head | None = None) -> Verified:
    """Check every link, every settled run against its link, and the chain against a head that was kept."""
    checking = _Checking(ledger, kept)
    faults: list[str] = []
    for fault in checking.faults():
        faults.append(fault)
        if len(faults) == _MOST_FAULTS:
            break
    return Verified(checking.links, checking.runs, checking.unsealed, tuple(faults))


class _Checking:
    def __init__(self, ledger: LedgerReader, kept: Head | None) -> None:
        self._ledger = ledger
        self._kept = kept
        self.links = self.runs = self.unsealed = 0
        self._first_at: int | None = None

    def faults(self) -> Iterator[str]:
        yield from self._of_the_chain()
        for link in self._ledger.links_without_run(_MOST_FAULTS):
            yield f"link {link.number} ({link.event}) speaks of a run that is not there, and no link says that it was removed"
        yield from self._of_runs()

    def _of_the_chain(self) -> Iterator[str]:
        before, number = chain.FIRST, 0
        while page := self._ledger.links_after(number, _AT_A_TIME):
            for link in page:
                if link.number != number + 1:
                    yield f"links {number + 1} to {link.number - 1} are missing"
                happening = chain.Happening(link.at, link.event, link.run, link.n, link.subject)
                if link.number == number + 1 and chain.link_of(before, link.number, happening) != link.link:
                    yield f"link {link.number} ({link.event}) was changed, or does not follow the one before"
                yield from self._of_a_removal(link)
                if self._kept is not None and self._kept.number == link.number and self._kept.link != link.link:
                    yield f"link {link.number} is not the head that was kept"
                self._first_at = link.at if self._first_at is None else self._first_at
                before, number = link.link, link.number
                self.links += 1
        if self._kept is not None and self._kept.number > number:
            yield f"the chain was cut: it ends with link {number}, and the head that was kept is link {self._kept.number}"

    def _of_a_removal(self, link: ReceiptLink) -> Iterator[str]:
        if link.event not in ("pruned", "erased"):
            return
        by = self._ledger.buried_at(link.at) if link.event == "erased" else ("", "")
        if chain.gone_subject(self._ledger.gone_with(link.number), *by) != link.subject:
            yield f"link {link.number} ({link.event}) lists other links as removed than are marked so"

    def _of_runs(self) -> Iterator[str]:
        row = 0
        while page := self._ledger.settled_after(row, _AT_A_TIME):
            for run in page:
                self.runs += 1
                yield from self._of_a_run(run)
            row = page[-1].id

    def _of_a_run(self, run: Run) -> Iterator[str]:
        name = f"run {run.run_id[:80]!r} of {run.worker_id}"
        link = next((each for each in reversed(self._ledger.links_of(run.id)) if each.event == "settled"), None)
        if link is None:
            self.unsealed += 1
            if self._first_at is not None and (run.settled_at or 0) > self._first_at:
                yield f"{name} has no link, although there was a chain when it was settled"
        elif chain.subject_of(chain.settled(run)) != link.subject:
            yield f"{name} is not the one that link {link.number} settled"
        if run.answer_sha256 != answer_digest(run.output or b"", run.envelope or b""):
            yield f"the answer of {name} is not the one that was settled"


def statement(ledger: LedgerReader, run: Run) -> Document:
    """What the chain says of a settled run, as an in-toto statement."""
    links = ledger.links_of(run.id)
    sealing = next((each for each in reversed(links) if each.event == "settled"), None)
    before = None
    if sealing is not None:
        (previous,) = ledger.links_after(sealing.number - 2, 1) if sealing.number > 1 else (None,)
        before = chain.FIRST if previous is None else previous.link
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": sha256(data or b"").hex()}}
            for name, data in (("output", run.output), ("envelope", run.envelope))
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "settled": chain.settled(run),
            "sealed": sealing is not None,
            "before": None if before is None else before.hex(),
            "links": [_link(each) for each in links],
        },
    }


def _link(link: ReceiptLink) -> Document:
    return {
        "number": link.number,
        "at": link.at,
        "event": link.event,
        "run": link.run,
        "n": link.n,
        "subject": link.subject.hex(),
        "link": link.link.hex(),
    }


def contradiction(statement: Document) -> str:
    """What in a statement does not agree with itself; empty where all does. Raises KeyError, TypeError, ValueError."""
    if statement["_type"] != STATEMENT or statement["predicateType"] != PREDICATE:
        return "it is no receipt of a run"
    predicate = statement["predicate"]
    if not predicate["sealed"]:
        return "the run was settled before there was a chain: nothing seals it"
    sealing = [each for each in predicate["links"] if each["event"] == "settled"][-1]
    if chain.subject_of(predicate["settled"]).hex() != sealing["subject"]:
        return f"link {sealing['number']} is about something else than what the receipt says"
    told = (sealing["at"], sealing["event"], sealing["run"], sealing["n"], bytes.fromhex(sealing["subject"]))
    link = chain.link_of(bytes.fromhex(predicate["before"]), sealing["number"], chain.Happening(*told))
    return "" if link.hex() == sealing["link"] else f"link {sealing['number']} does not follow the one before"
