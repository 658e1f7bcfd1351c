"""What a run came to, for a program that called it."""

from typing import Any, NamedTuple, Self

from workermd.protocol.envelope import Document
from workermd.runner.answers import Answered


class Outcome(NamedTuple):
    """The answer of one run (S5).

    `output` is the output document, or None where the answer has none; `envelope` is the record of the run.
    `exit_code` is what `workermd run` ends with, `replayed` says that nothing was run: the answer was in the ledger.
    `printed` is what `workermd run` prints, byte for byte.
    """

    status: str
    output: Any
    envelope: Document
    exit_code: int
    replayed: bool
    printed: bytes

    @classmethod
    def of(cls, answered: Answered) -> Self:
        envelope = answered.envelope
        return cls(
            envelope["status"],
            envelope["outputs"],
            envelope,
            answered.exit_code,
            bool(envelope["replayed"]),
            answered.output,
        )

    @property
    def ok(self) -> bool:
        """Whether the status is `ok`, or one of the contract's `success_statuses`."""
        return self.exit_code == 0

    @property
    def run_id(self) -> str | None:
        """The run's key. None: the input had none that could be read."""
        run_id: str | None = self.envelope["run_id"]
        return run_id

    @property
    def error(self) -> Document | None:
        """`{code, message, retryable, hint?}` where the run failed."""
        return self.envelope.get("error")

    @property
    def question(self) -> Document | None:
        """`{id, kind, question, options, proposed?}` where a person has to decide (S9): see `workermd.decide`."""
        return self.envelope.get("request")

    def raise_for_status(self) -> Self:
        """This outcome where it is `ok`. Raises OutcomeError."""
        if not self.ok:
            raise OutcomeError(self)
        return self


class OutcomeError(Exception):
    """A run ended with another status than `ok`. `outcome` is its answer, `retryable` whether the same call may help."""

    def __init__(self, outcome: Outcome) -> None:
        error = outcome.error or {"code": outcome.status, "message": "The answer has this status.", "retryable": False}
        name = f"run {outcome.run_id[:80]!r}" if outcome.run_id else "the run"
        super().__init__(f"{name} ended with {outcome.status}: {error['message']} [{error['code']}]")
        self.outcome = outcome
        self.code = str(error["code"])
        self.retryable = bool(error["retryable"])
