"""What a run prints and stores: documents and envelopes from verdicts, rows and refusals (S5)."""

import time
from typing import NamedTuple

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.ledger import artifacts
from workermd.ledger.records import Answer, Attempt, Run
from workermd.ledger.sqlite.migrations import answer_digest
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol import envelope as envelopes
from workermd.protocol.envelope import AttemptRecord, Document, Failure, Record, Status
from workermd.protocol.errors import LedgerUnavailable
from workermd.runner import requirements, verdict
from workermd.runner.request import Input, means_the_same
from workermd.runner.verdict import Verdict
from workermd.runner.worker import Worker
from workermd.system.environment import login
from workermd.system.text import shell_word


class Answered(NamedTuple):
    """What to print: `output` by default, `envelope` with --envelope. Both are on disk where the run is settled."""

    output: bytes
    envelope: Document
    exit_code: int


class Answers:
    """The answers of one invocation, begun at `started` (`time.monotonic()`).

    `run_id` is None while the input has none that can be read.
    """

    def __init__(
        self, worker: Worker, trace_id: str, run_id: str | None, started: float, artifacts_folder: str = ""
    ) -> None:
        self.run_id = run_id
        self._worker = worker
        self._contract = worker.contract
        self._trace_id = trace_id
        self._started = started
        self._artifacts_folder = artifacts_folder
        self._notes = requirements.notes(worker.contract, worker.binding)

    def to_store(
        self, final: Verdict, attempts: tuple[Attempt, ...], detail: Document, request: Document | None = None
    ) -> Answer:
        """The final answer of a run whose last attempt, still open in the ledger, ended with `detail`.

        `request` is what it asks of a person.
        """
        records = [_record(attempt) for attempt in attempts]
        records[-1] = _with_detail(records[-1]._replace(outcome=final.outcome), detail)
        output, envelope = self._documents(final, tuple(records), request)
        return Answer(final.status, output, envelopes.encoded(envelope))

    def settled(self, row: Run) -> Answered:
        """The stored answer, as stored: the first caller gets the bytes that every later one will get.

        Raises LedgerUnavailable where they are not the bytes that were settled.
        """
        assert row.output is not None
        assert row.envelope is not None
        if row.answer_sha256 != answer_digest(row.output, row.envelope):
            raise self._changed(row)
        try:
            document = quick.load_bytes(row.envelope)
        except JsonError:
            raise self._changed(row) from None
        document = artifacts.located(document, self._artifacts_folder)
        return Answered(row.output, document, document["exit_code"])

    def _changed(self, row: Run) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"the stored answer of run {shell_word(row.run_id)} is not the one that was settled: somebody changed the ledger's file",
            f"compare it with a backup: workermd runs show {shell_word(row.run_id)}; nothing was run",
        )

    def replay(self, row: Run) -> Answered:
        answered = self.settled(row)
        document = {**answered.envelope, "replayed": True}
        if not means_the_same(row, self._contract):  # S4.5
            note = "The contract's meaning changed since this run was settled; its stored answer is unchanged."
            document["notes"] = [*document["notes"], note]
        return answered._replace(envelope=document)

    def refusal(self, row: Run, given: Input) -> Answered | None:
        """Same key, other input or other contract: refused at once, nothing changed (S2.3, S4.5)."""
        if not given.is_that_of(row):
            message = "This key was used before with another input; nothing was run."
            failure = Failure("idempotency_conflict", message, False, "use a new run_id, or the first input")
            return self.failed(Status.INVALID_REQUEST, failure)
        if row.state == "done":
            return self.replay(row)
        if not means_the_same(row, self._contract):
            message = "The contract's meaning changed while this run was unfinished; nothing was run."
            failure = Failure("contract_changed", message, False, "use a new run_id, or the contract it was begun with")
            return self.failed(Status.INVALID_REQUEST, failure)
        return None

    def failed(self, status: Status, failure: Failure, records: tuple[AttemptRecord, ...] = ()) -> Answered:
        """An answer that is not stored."""
        judged = Verdict(status.value, status.value, False, failure)
        output, envelope = self._documents(judged, records)
        return Answered(output, artifacts.located(envelope, self._artifacts_folder), envelope["exit_code"])

    def unfinished(self, ledger: Ledger, row: Run, judged: Verdict) -> Answered:
        """The deadline came, attempts are left: transient, not stored; a later invocation goes on (S3.2)."""
        assert judged.failure is not None
        left = row.max_attempts - row.attempts
        hint = f"run the same command again: {left} of {row.max_attempts} attempts {'is' if left == 1 else 'are'} left"
        failure = judged.failure._replace(retryable=True, hint=hint)
        return self.failed(Status.RETRYABLE_ERROR, failure, tuple(_record(each) for each in ledger.attempts(row.id)))

    def interrupted(self, ledger: Ledger, row: Run | None, judged: Verdict) -> Answered:
        assert judged.failure is not None
        failure = judged.failure._replace(hint="run the same command again to go on")
        attempts = ledger.attempts(row.id) if row is not None else ()
        answered = self.failed(Status.RETRYABLE_ERROR, failure, tuple(map(_record, attempts)))
        return answered._replace(exit_code=envelopes.EXIT_INTERRUPTED)

    def _documents(
        self, final: Verdict, records: tuple[AttemptRecord, ...], request: Document | None = None
    ) -> tuple[bytes, Document]:
        """The bytes printed by default, and the envelope."""
        if final.document is not None:
            envelope = self._envelope(final.status, final.document, final.failure, records, request, output_valid=True)
            return envelopes.encoded(final.document), envelope
        assert final.failure is not None
        document = self._failure_document(final.status, final.failure)
        valid = document is not None and self._worker.output_checker.accepts(document)
        envelope = self._envelope(final.status, document, final.failure, records, request, output_valid=valid)
        return envelopes.encoded(document if document is not None else envelope), envelope

    def _failure_document(self, status: str, failure: Failure) -> Document | None:
        """A failure in the registry's shape (S5.2); None where the status is not part of the output (S5.3)."""
        if not self._contract.reports_status:
            return None
        error = {"code": failure.code, "message": failure.message, "retryable": failure.retryable}
        return {"run_id": self.run_id or "", "status": status, "result": {"error": error}}

    def _envelope(
        self,
        status: str,
        outputs: Document | None,
        failure: Failure | None,
        records: tuple[AttemptRecord, ...],
        request: Document | None,
        *,
        output_valid: bool,
    ) -> Document:
        return envelopes.envelope(
            Record(
                worker_id=self._contract.id,
                version=self._contract.version,
                contract_sha256=self._contract.meaning_sha256,
                run_id=self.run_id,
                status=status,
                exit_code=envelopes.exit_code(status, self._contract.constraints.success_statuses),
                outputs=outputs,
                output_valid=output_valid,
                failure=self._named(failure),
                attempts=records,
                duration_ms=round((time.monotonic() - self._started) * 1000, 3),
                trace_id=self._trace_id,
                backend=self._worker.binding.kind,
                notes=(*self._notes, *(note for record in records for note in record.notes)),
                request=request,
            )
        )

    def _named(self, failure: Failure | None) -> Failure | None:
        """A hint that names the run can be pasted as it stands, also where the environment says nobody's name."""
        if failure is None or verdict.REOPEN not in failure.hint:
            return failure
        line = f"workermd runs reopen {shell_word(self.run_id or '')} --worker {shell_word(self._contract.id)}"
        return failure._replace(hint=failure.hint.replace(verdict.REOPEN, line + (" --by NAME" * (not login()))))


def _record(attempt: Attempt) -> AttemptRecord:
    return _with_detail(
        AttemptRecord(attempt.n, attempt.started_at, attempt.outcome or "running"), attempt.detail or {}
    )


def _with_detail(record: AttemptRecord, detail: Document) -> AttemptRecord:
    return record._replace(
        duration_ms=detail.get("duration_ms"),
        error=detail.get("error"),
        usage=detail.get("usage"),
        artifacts=tuple(detail.get("artifacts", ())),
        notes=tuple(detail.get("notes", ())),
        sandbox=detail.get("sandbox"),
        resumed_from=detail.get("resumed_from"),
    )
