"""Rules about how a contract can be called: who names the run, how often, and by which kinds of backend."""

from collections.abc import Iterator

from workermd.contract.rate_limit import rate_of
from workermd.lint.subject import Fault, Subject
from workermd.protocol.bounds import COUNTED, KINDS_THAT_COUNT, USED


def key_from_outside(subject: Subject) -> Iterator[Fault]:
    """WM715"""
    if subject.contract.key_in_input:
        return
    message = "no field of the input carries the run's key, so every call has to name its run"
    hint = "Call it with --run-id, --new-run-id or --run-id-from; or add 'run_id' as a required string to the input schema."
    yield Fault(subject.key("/input_schema"), message, hint)


def rate_in_words(subject: Subject) -> Iterator[Fault]:
    """WM624"""
    rate = rate_of(subject.contract.constraints.rate_limit or "")
    if rate is not None and not rate.is_exact:
        message = f"rate_limit is free text and is read as {rate}, for the worker as a whole"
        hint = f"Write {rate}, or {rate} per /POINTER with the place in the input that it is for."
        yield Fault(subject.where("/constraints/rate_limit"), message, hint)


def kinds_that_hold(subject: Subject) -> Iterator[Fault]:
    """WM625"""
    bounds = subject.contract.constraints
    given = [name for name in COUNTED if getattr(bounds, name) is not None]
    if not given:
        return
    message = f"{', '.join(given)}: held by the backends {', '.join(KINDS_THAT_COUNT)}, and not by function and command"
    ways = " ".join(f"--vouch {name}" for name in given)
    reports = ", or reports_usage = true in the binding" if set(given) <= set(USED) else ""
    yield Fault(subject.where(f"/constraints/{given[0]}"), message, f"With those two it takes {ways}{reports}.")


def held_by_none(subject: Subject) -> Iterator[Fault]:
    """WM626"""
    limit = subject.contract.constraints.rate_limit
    if limit is not None and rate_of(limit) is None:
        message = "rate_limit states no rate, or several, so no kind of backend can run the contract"
        hint = "Write for example 10/min, or 5/s per /tenant; what binds nobody stands in the notes."
        yield Fault(subject.where("/constraints/rate_limit"), message, hint)
