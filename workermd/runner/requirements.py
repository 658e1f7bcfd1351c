"""What a contract asks of the backend that is to run it: a purpose to tell it, and bounds that it holds."""

from workermd.contract.model import Constraints, Contract
from workermd.contract.rate_limit import rate_of
from workermd.protocol.bounds import COUNTED
from workermd.protocol.deprecations import WITHOUT_PURPOSE
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding
from workermd.task.task import KINDS

_HELD_BY_KINDS = COUNTED
"""Bounds that not every kind of backend can hold. Time, attempts and `max_output_bytes` hold whatever it does,
and the ledger holds a rate."""


def refuse_without_purpose(contract: Contract, binding: Binding) -> None:
    """S8.6: a model that is told nothing answers something. Raises ConfigurationError."""
    if not contract.purpose.strip() and "model" in KINDS[binding.kind].takes:
        raise ConfigurationError(
            f"backend {binding.kind!r} runs no contract without a purpose: its model would not be told what to do",
            WITHOUT_PURPOSE.instead,
        )


def loose_bounds(constraints: Constraints, binding: Binding) -> list[str]:
    """The bounds that this backend cannot hold (S3.6)."""
    row = KINDS[binding.kind]
    held = row.enforces | (row.reports if binding.reports_usage else frozenset())
    loose = [name for name in _HELD_BY_KINDS if getattr(constraints, name) is not None and name not in held]
    if constraints.rate_limit is not None and rate_of(constraints.rate_limit) is None:
        loose.append("rate_limit")
    return loose


def way_out(loose: list[str], binding: Binding) -> str:
    """What to do about bounds that cannot be held."""
    flags = " ".join(f"--vouch {name}" for name in loose)
    able = [kind for kind, row in KINDS.items() if row.enforces.issuperset(loose) and kind != "replay"]
    ways = [f"choose a backend that can ({', '.join(able)})"] if able else []
    if KINDS[binding.kind].reports.issuperset(loose):
        ways.append("let its replies tell their usage (reports_usage = true in the binding)")
    ways.append(f"answer for {'it' if len(loose) == 1 else 'them'} yourself: {flags}")
    return "; ".join(ways)


def notes(contract: Contract, binding: Binding) -> tuple[str, ...]:
    """What the envelope of every run of this contract by this binding has to say."""
    said = [
        f"the operator vouches for {name}: backend {binding.kind!r} does not hold it"
        for name in loose_bounds(contract.constraints, binding)
        if name in binding.vouched
    ]
    if not contract.purpose.strip() and "model" not in KINDS[binding.kind].takes:
        said.append(WITHOUT_PURPOSE.warning)
    return tuple(said)
