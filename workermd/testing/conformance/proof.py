"""The kit proves itself first: a mistake in a contract of its own would look like a fault of every runtime."""

from collections.abc import Iterable, Iterator

from workermd.contract import reader
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.contract.model import Contract
from workermd.contract.schema import checker
from workermd.protocol.errors import ConfigurationError
from workermd.testing.conformance.cases import Edited, KitCase, KitStep

_PLAIN = {"run", "dry_run", "agent", "program", "http"}
"""The roles whose input is the contract's, where no option makes a request document of it."""


def prove(cases: Iterable[KitCase]) -> None:
    """Raises ConfigurationError, which names the case, for the first that contradicts itself."""
    for case in cases:
        for wrong in _wrong(case):
            raise ConfigurationError(f"the kit's case {case.id}: {wrong}", "mend the kit: no runtime was tried")


def _wrong(case: KitCase) -> Iterator[str]:
    for number, step in enumerate(case.steps, 1):
        edited = step.contract or case.contract
        contract, why = _read(edited)
        if edited.usable != (contract is not None):
            yield f"step {number}: its contract is {'unusable: ' + why if contract is None else 'usable'}"
        if "findings" in step.expect:
            yield from (f"step {number}: {each}" for each in _of_findings(edited, step.expect["findings"]))
        if contract is not None and step.role in _PLAIN and not step.input_path:
            yield from (f"step {number}: {each}" for each in _of_input(contract, step))
    yield from _replies(case)


def _read(edited: Edited) -> tuple[Contract | None, str]:
    reading = reader.read(edited.data(), "kit.worker.md")
    errors = [f"{each.code} {each.message}" for each in reading.findings if each.severity == "error"]
    return reading.contract, "; ".join(errors)


def _of_findings(edited: Edited, wanted: list[dict[str, object]]) -> Iterator[str]:
    """What a reader must find is what ours finds."""
    findings = reader.read(edited.data(), "kit.worker.md").findings
    found = [{"line": each.line, "column": each.column, "code": each.code} for each in findings]
    if found != wanted:
        yield f"its findings are {found}"


def _of_input(contract: Contract, step: KitStep) -> Iterator[str]:
    """An input that must be answered has to match; one that is `invalid_request` from the start may do either."""
    if "request" in step.options or step.expect.get("outcome") not in ("ok", "invalid_output", "retryable_error"):
        return
    try:
        value = quick.load_bytes(step.input or b"")
    except JsonError as error:
        yield f"its input is no JSON: {error.message}"
        return
    for mismatch in checker(contract.input_schema, contract.input_draft).check(value)[:1]:
        yield f"its input does not match: {mismatch.pointer} {mismatch.message}"


def _replies(case: KitCase) -> Iterator[str]:
    """Where every step is answered with ok, the last reply matches the output schema."""
    contract, _ = _read(case.contract)
    reply = case.moves[-1].get("reply") if case.moves else None
    if contract is None or not isinstance(reply, dict) or "outputs" in reply:
        return
    if any(step.expect.get("outcome") != "ok" or step.role != "run" for step in case.steps):
        return
    filled = {"run_id": "r1", "status": "ok", **reply} if contract.reports_status else reply
    for mismatch in checker(contract.output_schema, contract.output_draft).check(filled)[:1]:
        yield f"its last reply does not match: {mismatch.pointer} {mismatch.message}"
