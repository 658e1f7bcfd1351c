"""`run --dry-run`: everything but the attempt, and what would happen."""

from workermd.ledger.opening import open_to_read
from workermd.ledger.records import Run
from workermd.protocol import envelope as envelopes
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document, Status
from workermd.runner.answers import Answered
from workermd.runner.request import Input, InputRefused, Request, means_the_same, read_input
from workermd.runner.requirements import refuse_without_purpose
from workermd.runner.run_key import refuse_without
from workermd.runner.trial import refuse_unready
from workermd.task.task import KINDS


def plan(request: Request, ledger_path: str) -> Answered:
    """Say what `run` would do with this request now. No attempt is made, and nothing is created or stored.

    The document's `would` is `attempt`, `replay` or `refuse`; a refusal has the exit code that the run would have. An
    attempt's backend is loaded as the run would, so that a binding which cannot be loaded is found: ConfigurationError.
    """
    contract = request.worker.contract
    refuse_without(contract, request.key)
    document: Document = {
        "would": "attempt",
        "worker_id": contract.id,
        "version": contract.version,
        "contract_sha256": contract.meaning_sha256,
        "run_id": request.key.given or None,
        "backend": _backend(request),
        "bounds": request.worker.bounds._asdict(),
        "ledger": masked(ledger_path),
    }
    try:
        given = read_input(request)
    except InputRefused as refused:
        return _refused(document, refused.code, [refused.message])
    document["run_id"] = given.run_id
    mismatches = request.worker.input_checker.check(given.value)
    if mismatches or given.key is None:
        problems = [f"{each.pointer or '/'}: {each.message}" for each in mismatches] or [given.problem]
        return _refused(document, "input_schema_mismatch", problems)
    ledger = open_to_read(ledger_path)
    if ledger is not None:
        with ledger:
            row = ledger.look(given.key.worker_id, given.key.run_id)
        if row is not None:
            return _of_row(document, row, given, request)
    refuse_without_purpose(contract, request.worker.binding)
    refuse_unready(request.worker)
    document["attempts_left"] = request.worker.bounds.max_attempts
    return _answered(document, 0)


def _backend(request: Request) -> Document:
    binding = request.worker.binding
    what: Document = {"kind": binding.kind, "chosen_by": binding.origin, "module": KINDS[binding.kind].module}
    if binding.function:
        what["function"] = binding.function
    if binding.command:
        what["program"] = binding.command[0]
        what["arguments"] = len(binding.command) - 1
    return what


def _of_row(document: Document, row: Run, given: Input, request: Request) -> Answered:
    if not given.is_that_of(row):
        return _refused(document, "idempotency_conflict", ["this key was used before with another input"])
    if row.state == "done":
        document |= {"would": "replay", "status": row.status}
    elif not means_the_same(row, request.worker.contract):
        return _refused(document, "contract_changed", ["the contract's meaning changed while this run was unfinished"])
    else:
        refuse_unready(request.worker)
    document["attempts_left"] = row.max_attempts - row.attempts
    return _answered(document, 0)


def _refused(document: Document, code: str, problems: list[str]) -> Answered:
    document |= {"would": "refuse", "status": Status.INVALID_REQUEST.value, "code": code, "problems": problems}
    return _answered(document, Status.INVALID_REQUEST.exit_code)


def _answered(document: Document, code: int) -> Answered:
    said = envelopes.versioned(document)
    return Answered(envelopes.encoded(said), said, code)
