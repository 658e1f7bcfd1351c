"""What a contract asks of the backend that is to run it, beyond its bounds."""

from workermd.contract.model import Contract
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding
from workermd.task.task import KINDS

_WITHOUT_PURPOSE = "the contract has no purpose, so the task is told none"
_MEND = "add a paragraph `Purpose: ...` to the contract; see: workermd rule WM713"


def refuse_without_purpose(contract: Contract, binding: Binding) -> None:
    """S8.6: a model that is told nothing answers something. Raises ConfigurationError."""
    if not contract.purpose.strip() and "model" in KINDS[binding.kind].takes:
        raise ConfigurationError(
            f"backend {binding.kind!r} runs no contract without a purpose: its model would not be told what to do",
            _MEND,
        )


def notes(contract: Contract, binding: Binding) -> tuple[str, ...]:
    """What the envelope of every run of this contract by this binding has to say."""
    if contract.purpose.strip() or "model" in KINDS[binding.kind].takes:
        return ()
    return (f"{_WITHOUT_PURPOSE}; the next minor version will refuse it: {_MEND}",)
