"""Rules about how a contract is called: who names the run."""

from collections.abc import Iterator

from workermd.lint.subject import Fault, Subject


def key_from_outside(subject: Subject) -> Iterator[Fault]:
    """WM715"""
    if subject.contract.key_in_input:
        return
    message = "no field of the input carries the run's key, so every call has to name its run"
    hint = "Call it with --run-id, --new-run-id or --run-id-from; or add 'run_id' as a required string to the input schema."
    yield Fault(subject.key("/input_schema"), message, hint)
