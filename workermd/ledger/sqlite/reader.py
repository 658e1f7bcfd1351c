"""What is read of a ledger. Inside a transaction of the same connection: as that transaction sees it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from workermd.ledger import attempt_logs
from workermd.ledger.records import (
    Acceptance,
    Attempt,
    ContractText,
    Cursor,
    KeptEvent,
    Question,
    ReceiptLink,
    Rejection,
    Reopening,
    Run,
    RunChoice,
    RunsPage,
    RunSummary,
    Tombstone,
)
from workermd.ledger.sqlite import links, listing, notes, questions, removal, statements
from workermd.ledger.sqlite import rows as rows_as
from workermd.ledger.sqlite.opening import refusal

_ALL = RunChoice()


class LedgerReader:
    """The reading half of a ledger. Every method raises LedgerUnavailable when the file cannot be read."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        """Links resolved. The result files of this ledger are in `results_folder`."""
        self.files = path
        """By what its companions on this machine are called: `<files>.runs`, `<files>.results`."""
        self.lease_file = ""
        """Where a machine's lease stands that attempts must not outlive; empty where there is none."""
        self.results_folder = path + ".results"
        self.artifacts_folder = path + ".artifacts"
        self._connection = connection

    def look(self, worker_id: str, run_id: str) -> Run | None:
        """The run as it is now. Inside a transaction: as that transaction sees it."""
        rows = self._select(statements.RUN_BY_KEY, (worker_id, run_id))
        return rows_as.run(self.path, rows[0]) if rows else None

    def held_elsewhere(self, worker_id: str, run_id: str) -> bool:
        """Whether another machine that lives executes the run. A file has but one machine."""
        del worker_id, run_id
        return False

    def find(self, run_id: str) -> tuple[Run, ...]:
        """The runs of this id under all workers, newest first."""
        found = [run for worker in self.workers() if (run := self.look(worker, run_id)) is not None]
        return tuple(sorted(found, key=lambda run: run.id, reverse=True))

    def workers(self) -> tuple[str, ...]:
        """The workers that have runs, by name: one step of an index for each, however many runs they have."""
        return tuple(worker for (worker,) in self._select(statements.WORKERS, ()) if worker is not None)

    def runs(
        self, chosen: RunChoice = _ALL, *, behind: Cursor | None = None, limit: int | None = None
    ) -> tuple[RunSummary, ...]:
        """Runs, newest first: one page, behind the last run of the page before."""
        rows = self._select(*listing.summaries(chosen, behind, limit))
        return tuple(rows_as.record(self.path, RunSummary, row) for row in rows)

    def page(self, chosen: RunChoice = _ALL, *, behind: Cursor | None = None, limit: int = 50) -> RunsPage:
        """A page of runs with what they used, newest first. Its cost does not grow with the ledger."""
        last = self._select(*listing.floor(behind)) if listing.is_bounded(chosen) else []
        floor = Cursor(*last[0]) if last else None
        runs = tuple(map(listing.run, self._select(*listing.listed(chosen, behind, floor, limit + 1))))
        if len(runs) > limit:
            return RunsPage(runs[:limit], Cursor(runs[limit - 1].created_at, runs[limit - 1].id))
        return RunsPage(runs, floor, listing.MOST_LOOKED_AT if floor else 0)

    def newest(self) -> int:
        """The row of the run that was admitted last; 0 where there is none."""
        return int(self._select(statements.NEWEST, ())[0][0] or 0)

    def admitted_after(self, row: int, limit: int) -> tuple[RunSummary, ...]:
        """Runs behind a row, in the order in which they were admitted: a part of them."""
        rows = self._select(listing.ADMITTED_AFTER, (row, limit))
        return tuple(rows_as.record(self.path, RunSummary, each) for each in rows)

    def summaries_among(self, run_row_ids: Sequence[int]) -> dict[int, RunSummary]:
        """Several runs by their rows; those that are gone are not there."""
        rows = self._select(listing.SUMMARIES_AMONG, (json.dumps(list(run_row_ids)),))
        return {row[0]: rows_as.record(self.path, RunSummary, row) for row in rows}

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]:
        """The attempts of a run in their order."""
        return tuple(rows_as.attempt(self.path, row) for row in self._select(statements.ATTEMPTS, (run_row_id,)))

    def attempts_among(self, run_row_ids: Sequence[int]) -> dict[int, list[Attempt]]:
        """The attempts of several runs, each in their order, by the runs' rows."""
        found: dict[int, list[Attempt]] = {}
        for run, *row in self._select(statements.ATTEMPTS_AMONG, (json.dumps(list(run_row_ids)),)):
            found.setdefault(run, []).append(rows_as.attempt(self.path, tuple(row)))
        return found

    def tokens(self) -> set[str]:
        """The tokens of all attempts: what result files and artifacts may be named by."""
        return {token for (token,) in self._select("SELECT token FROM attempts", ())}

    def count_finished(
        self, *, before: int | None = None, worker_id: str | None = None, status: str | None = None
    ) -> int:
        """How many runs `Transaction.prune` would remove with these bounds."""
        where, values = statements.where({"settled_at < ?": before, "worker_id = ?": worker_id, "status = ?": status})
        rows = self._select(f"SELECT count(*) FROM runs WHERE settled_at IS NOT NULL AND {where}", values)  # noqa: S608
        return int(rows[0][0])

    def reopenings(self, run_row_id: int) -> tuple[Reopening, ...]:
        """The reopenings of a run in their order."""
        rows = self._select(
            "SELECT n, granted, who, reason, envelope, at FROM reopenings WHERE run = ? ORDER BY n", (run_row_id,)
        )
        return tuple(rows_as.record(self.path, Reopening, row) for row in rows)

    def questions(self, run_row_id: int) -> tuple[Question, ...]:
        """What the attempts of a run asked of people, in their order, with what was decided."""
        return tuple(questions.read(row) for row in self._select(questions.OF_A_RUN, (run_row_id,)))

    def pending(self, worker_id: str | None = None, limit: int | None = None) -> tuple[Question, ...]:
        """The requests that nobody has decided yet, the oldest first."""
        most = -1 if limit is None else limit
        return tuple(questions.read(row) for row in self._select(questions.PENDING, (worker_id, most)))

    def rejections(self, limit: int | None = None) -> tuple[Rejection, ...]:
        """Refused inputs, newest first."""
        rows = self._select(
            "SELECT worker_id, run_id, code, input_sha256, at FROM rejections ORDER BY id DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return tuple(rows_as.record(self.path, Rejection, row) for row in rows)

    def accepted(self, limit: int | None = None) -> tuple[Acceptance, ...]:
        """Runs that somebody answered for and that are not settled, the oldest first: to go on with after a crash."""
        rows = self._select(notes.ACCEPTED, (-1 if limit is None else limit,))
        return tuple(notes.acceptance(row) for row in rows)

    def acceptance(self, worker_id: str, run_id: str) -> Acceptance | None:
        """The acceptance that stands for this key."""
        rows = self._select(notes.ACCEPTED_ONE, (worker_id, run_id))
        return notes.acceptance(rows[0]) if rows else None

    def contract(self, sha256: bytes) -> ContractText | None:
        """The text of this digest, where it was kept."""
        rows = self._select(notes.CONTRACT, (sha256,))
        return ContractText(*rows[0]) if rows else None

    def contract_of(self, run_row_id: int) -> ContractText | None:
        """The text of the contract that a run was admitted with, where it was kept."""
        rows = self._select(notes.CONTRACT_OF_A_RUN, (run_row_id,))
        return ContractText(*rows[0]) if rows else None

    def events_of(self, run_row_id: int, after: int = 0) -> Iterator[KeptEvent]:
        """What agents did in a run's ended attempts, in order, behind event number `after`."""
        return notes.events_of(self._select(notes.EVENTS, (run_row_id,)), after)

    def log_of(self, token: str) -> bytes:
        """The log of the attempt of this token, masked, its head and tail; empty where it wrote none."""
        return attempt_logs.read(self.artifacts_folder, token)

    def tags(self, run_row_id: int) -> tuple[str, ...]:
        return tuple(tag for (tag,) in self._select(notes.TAGS, (run_row_id,)))

    def retention(self) -> dict[str, int]:
        """For how many seconds the settled runs of workers stay, where that is bounded."""
        return dict(self._select(notes.RETENTION, ()))

    def tombstones(self, worker_id: str, run_id: str) -> tuple[Tombstone, ...]:
        """The runs of this key that were erased."""
        rows = self._select(notes.TOMBSTONES, (removal.key_sha256(worker_id, run_id),))
        return tuple(Tombstone(*row) for row in rows)

    def head(self) -> ReceiptLink | None:
        """The last link of the chain of receipts: kept elsewhere, it shows later whether the chain was cut."""
        rows = self._select(links.HEAD, ())
        return links.read(rows[0]) if rows else None

    def links_of(self, run_row_id: int) -> tuple[ReceiptLink, ...]:
        """The links that speak of a run that is there."""
        return tuple(links.read(row) for row in self._select(links.OF_A_RUN, (run_row_id,)))

    def settled_after(self, row: int, limit: int) -> tuple[Run, ...]:
        """Settled runs whole, in the order of their rows: a part of them."""
        rows = self._select(statements.SETTLED_AFTER, (row, limit))
        return tuple(rows_as.run(self.path, each) for each in rows)

    def gone_with(self, number: int) -> list[tuple[int, bytes]]:
        """Number and link of those links whose runs the link of this number removed."""
        return self._select(links.GONE_WITH, (number,))

    def links_without_run(self, limit: int) -> tuple[ReceiptLink, ...]:
        """Links of runs that are not there, although none says that they were removed."""
        return tuple(links.read(row) for row in self._select(links.WITHOUT_RUN, (limit,)))

    def buried_at(self, at: int) -> tuple[str, str]:
        """Who had a run erased at that moment, and why."""
        rows = self._select("SELECT who, reason FROM tombstones WHERE at = ?", (at,))
        return (rows[0][0], rows[0][1]) if rows else ("", "")

    def links_after(self, number: int, limit: int) -> tuple[ReceiptLink, ...]:
        """The chain, a part of it, in order."""
        return tuple(links.read(row) for row in self._select(links.FROM_NUMBER, (number, limit)))

    def _select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise refusal(self.path, error) from error
        except UnicodeEncodeError:
            return []  # A text that is not Unicode is in no row.
