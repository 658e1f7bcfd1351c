"""What an attempt left becomes the run's next state: judge the result file, close the attempt, settle (S2.4, S4.3)."""

import time

from workermd.ledger import artifacts, results
from workermd.ledger.records import Run
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.envelope import Document
from workermd.protocol.errors import LedgerBusy, LedgerUnavailable
from workermd.runner import checkpoint, decisions, verdict
from workermd.runner.answers import Answers
from workermd.runner.heard_events import HeardEvents
from workermd.runner.session import Session
from workermd.runner.verdict import Verdict
from workermd.runner.worker import Worker
from workermd.system.text import shell_word
from workermd.task.journal_reader import JournalReader
from workermd.task.task import Result

SETTLE_GRACE = 10.0
"""Seconds that settling may wait for the ledger at least: losing an answer is worse than being late."""


def asked_a_person(judged: Verdict) -> bool:
    """Whether the run goes on when a person has decided, and so from where it stopped."""
    return bool((judged.result.failure or {}).get("question"))


class Settlement:
    """The end of attempts of one run. A fresh attempt and one that was found after a crash go the same way."""

    def __init__(self, session: Session, worker: Worker, answers: Answers) -> None:
        self._session = session
        self._worker = worker
        self._answers = answers
        self.heard = HeardEvents()
        """What the agents of the attempt did that is to be closed."""

    def judged(self, token: str, key: bytes | None) -> Verdict | None:
        """The reply in a result file, checked; None when there is no file.

        Values of the binding's secret variables are masked (S6.3) after that: masked text would be judged as
        something else than what the task replied.
        """
        with self._session.beside_the_ledger("an attempt's result cannot be read"):
            data = results.read(self._session.results_folder, token, key)
        if data is None:
            return None
        try:
            result = Result.from_json(data.decode())
        except (ValueError, KeyError, TypeError, AttributeError):
            return verdict.crashed("wrote a damaged result")
        worker, run_id = self._worker, self._answers.run_id
        assert run_id is not None
        judged = verdict.judge(worker.contract, worker.output_checker, run_id, result)
        return verdict.masked(judged, worker.mask, worker.output_checker) if worker.mask else judged

    def with_usage(self, judged: Verdict, token: str, journal: JournalReader | None = None) -> Verdict:
        """The verdict on an attempt that left no result, with what its journal says that it used.

        What the journal tells is heard here to its end.
        """
        journal = journal or JournalReader(results.journal_of(self._session.results_folder, token))
        for event in journal.events():
            self.heard.add(self._worker.mask.value(event))
        if judged.result.usage is not None:
            return judged
        return judged._replace(result=judged.result._replace(usage=journal.usage or None))

    def settle(self, row: Run, judged: Verdict, duration: float | None, token: str) -> Run:
        """T2. The result file goes only after the commit: until then it is what the next call would adopt."""
        self.keep_checkpoint(row, token)
        patience = max(SETTLE_GRACE, self._worker.bounds.timeout)
        try:
            with self._session.ledger.transaction(time.monotonic() + patience) as transaction:
                closed = self.close(transaction, row, judged, duration)
        except LedgerUnavailable as error:
            raise self._unsettled(error, row, token) from None
        results.remove(self._session.results_folder, token)
        if closed.state == "done" and not asked_a_person(judged):
            results.forget_progress(self._session.results_folder, row.worker_id, row.run_id)
        return closed

    def keep_checkpoint(self, row: Run, token: str) -> None:
        """Take over what the attempt saved of its work, before the next one can begin (S3.11)."""
        checkpoint.keep(self._session, self._worker.mask, token, row.worker_id, row.run_id)

    def _unsettled(self, error: LedgerUnavailable, row: Run, token: str) -> LedgerUnavailable:
        """The same error, with what the next call will find: only a result that was written is kept."""
        if results.read(self._session.results_folder, token, row.open_key) is None:
            goes_on = "goes on with the next attempt" if row.attempts < row.max_attempts else "says that none is left"
            kept = f"the attempt left no result: the same command {goes_on}"
        else:
            kept = "the attempt's result is kept: the same command adopts it and starts no attempt"
        hint = f"{error.hint}; {kept}; the run's id is {shell_word(row.run_id)}"
        if isinstance(error, LedgerBusy):
            return LedgerBusy(error.message, hint, row.run_id)
        return LedgerUnavailable(error.message, hint)

    def close(self, transaction: Transaction, row: Run, judged: Verdict, duration: float | None) -> Run:
        """Close the open attempt: the one way, for a fresh attempt and for one found after a crash."""
        if (events := self.heard.of_attempt(row.attempts)) is not None:
            transaction.keep_events(row, events)
        last = judged.transient and row.attempts >= row.max_attempts
        final = verdict.last_word(self._worker.contract, judged) if last else judged
        detail = self._detail(row, judged, duration)
        if final.transient:
            return transaction.close_attempt(row, judged.outcome, detail, None)
        answer, question = decisions.to_store(self._answers, final, row, transaction.attempts(row.id), detail)
        return transaction.close_attempt(row, judged.outcome, detail, answer, question)

    def _detail(self, row: Run, judged: Verdict, duration: float | None) -> Document:
        """What the ledger keeps of an attempt beside its outcome. `duration` is in milliseconds."""
        result = judged.result
        files = artifacts.kept(self._session.artifacts_folder, row.open_token or "", result.artifacts)
        detail: Document = {"backend": self._worker.binding.kind, "duration_ms": duration}
        optional = {
            "error": judged.failure.document() if judged.failure is not None else None,
            "usage": result.usage,
            "artifacts": list(files),
            "model": result.model,
            "notes": list(result.notes),
            "feedback": list(judged.feedback),
            "sandbox": judged.sandbox,
            "resumed_from": result.resumed_from,
        }
        return detail | {name: value for name, value in optional.items() if value}
