"""A suite as `validate` sees it: the file itself, and its cases against the contract's input schema."""

from workermd.bench.cases import Case
from workermd.bench.suite import Suite, SuiteReading, read_suite
from workermd.cli.commands.bench import cases_of
from workermd.contract import cache
from workermd.contract.model import Contract, Lines, Span
from workermd.contract.problems import Problems
from workermd.contract.schema import checker
from workermd.contract.yaml_values import read
from workermd.protocol.errors import WorkermdError
from workermd.protocol.finding import Finding, ordered
from workermd.registry.contract_files import contract_named

CODE = "WM804"


def checked_suite(data: bytes, path: str) -> SuiteReading:
    """A suite with everything that is wrong with it, its cases included. Raises nothing: what is wrong are findings."""
    reading = read_suite(data, path)
    if reading.suite is None:
        return reading
    found = _of_cases(reading, reading.suite)
    return reading._replace(findings=tuple(ordered((*reading.findings, *found))))


def _of_cases(reading: SuiteReading, suite: Suite) -> tuple[Finding, ...]:
    problems = Problems(reading.path, Lines(reading.text))
    places = read(reading.text).places
    try:
        contract, _ = cache.load(*contract_named(suite.beside(suite.contract)))
        cases = cases_of(suite)
    except WorkermdError as error:
        at = "/contract" if "contract" in error.code or suite.source is None else "/cases"
        problems.add(CODE, Span(*places.get(at, (0, 0))), f"{error.message}.", error.hint)
        return problems.findings()
    judge = checker(contract.input_schema, contract.input_draft)
    for number, case in enumerate(cases):
        for mismatch in judge.check(_as_run(case, contract))[:3]:
            place = next((each for each in _upward(f"/cases/{number}/input{mismatch.pointer}") if each in places), "")
            said = f"The case {case.id!r}: {mismatch.pointer or 'the input'} {mismatch.message}."
            problems.add(CODE, Span(*places[place]), said, "Correct the case, or the contract.")
    return problems.findings()


def _as_run(case: Case, contract: Contract) -> dict[str, object]:
    """The input as a run of the bench has it: with a key, where the contract wants one in the input."""
    name = contract.constraints.idempotency_key
    return {**case.input, name: "bench"} if contract.key_in_input else case.input


def _upward(pointer: str) -> list[str]:
    parts = pointer.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
