"""A contract with what performs it, its bounds checked: everything that all runs of one worker share."""

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from workermd.contract.model import Constraints, Contract
from workermd.contract.rate_limit import rate_of
from workermd.ledger.records import ContractText
from workermd.protocol.envelope import Document, Status
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.runner import reach_bounds, requirements
from workermd.sandbox.policy import Sandbox
from workermd.system.digest import sha256
from workermd.task.binding import Binding
from workermd.task.masking import Mask
from workermd.task.task import Budget

if TYPE_CHECKING:
    from workermd.contract.schema import Checker


class Bounds(NamedTuple):
    """The bounds of a run, seconds and starts."""

    timeout: float
    attempt_timeout: float | None
    max_attempts: int


class Worker:
    """Ready to run. `timeout` and `max_attempts` tighten the contract's bounds (S3.7).

    Raises UsageError where they would loosen one, ConfigurationError for a bound that cannot be held.
    """

    def __init__(
        self,
        contract: Contract,
        binding: Binding,
        *,
        timeout: float | None = None,
        max_attempts: int | None = None,
        sandbox: Sandbox | None = None,
        text: bytes = b"",
        tags: tuple[str, ...] = (),
    ) -> None:
        self.contract = contract
        self.text = text_of(contract, text) if text else None
        """The contract's text, which the ledger keeps with its runs."""
        self.binding = binding
        self.bounds = _checked_bounds(contract.constraints, timeout, max_attempts)
        _refuse_unenforceable(contract, binding)
        self.mask = Mask(binding)
        self.tags = tags
        """Words that the runs which are attempted are marked with."""
        self.rate = rate_of(contract.constraints.rate_limit) if contract.constraints.rate_limit else None
        wanted = sandbox or Sandbox()
        bounds = reach_bounds.reach_of(contract.constraints, binding, wanted.mode)
        self.reach = bounds
        self.sandbox = reach_bounds.around_client(wanted, bounds, binding)
        self._input_checker: Checker | None = None
        self._output_checker: Checker | None = None

    def hiding(self, given_input: Any) -> "Worker":
        """The same worker for one run: what is sensitive in its input is masked as well (S6.6)."""
        if not self.binding.sensitive:
            return self
        alone = copy.copy(self)
        alone.mask = Mask(self.binding, given_input)
        return alone

    @property
    def input_checker(self) -> "Checker":
        """Built once, and only where an input has to be judged."""
        if self._input_checker is None:
            from workermd.contract.schema import checker

            self._input_checker = checker(self.contract.input_schema, self.contract.input_draft)
        return self._input_checker

    @property
    def output_checker(self) -> "Checker":
        """Built once, and only where an output has to be judged."""
        if self._output_checker is None:
            from workermd.contract.schema import checker

            self._output_checker = checker(self.contract.output_schema, self.contract.output_draft)
        return self._output_checker

    def budget_after(self, spent: Document) -> Budget:
        """What the attempts so far have left of the run's bounds; the operator may tighten them (S3.6, S3.7)."""
        constraints = self.contract.constraints

        def left(most: Any, used: float) -> Any:
            return None if most is None else max(0, most - used)

        turns = [most for most in (constraints.max_turns, self.binding.max_turns) if most is not None]
        return Budget(
            max_tokens=left(constraints.max_tokens, spent.get("input_tokens", 0) + spent.get("output_tokens", 0)),
            max_cost_usd=left(constraints.max_cost_usd, spent.get("cost_usd", 0)),
            max_tool_calls=left(constraints.max_tool_calls, spent.get("tool_calls", 0)),
            max_turns=left(min(turns) if turns else None, spent.get("turns", 0)),
        )


def text_of(contract: Contract, text: bytes) -> ContractText:
    """The text that a contract was read from, by its digest."""
    return ContractText(sha256(text), contract.id, contract.version, text.decode("utf-8", "replace"))


def _checked_bounds(constraints: Constraints, timeout: float | None, max_attempts: int | None) -> Bounds:
    """The contract's bounds, tightened. Raises UsageError where one would be loosened (S3.7)."""
    if constraints.timeout_seconds is None:
        raise ConfigurationError("the contract has no timeout_seconds", "add a line: - timeout_seconds: 30")
    most = 1 if constraints.max_attempts is None else constraints.max_attempts
    if timeout is not None and not 0 < timeout <= constraints.timeout_seconds:
        raise UsageError(
            f"--timeout may tighten the contract's timeout_seconds ({constraints.timeout_seconds:g}), not loosen it",
            f"give more than 0 and at most {constraints.timeout_seconds:g}, or change the contract",
        )
    if max_attempts is not None and not 1 <= max_attempts <= most:
        raise UsageError(
            f"--max-attempts may tighten the contract's max_attempts ({most}), not loosen it",
            f"give 1 to {most}, or change the contract",
        )
    return Bounds(
        timeout or constraints.timeout_seconds,
        constraints.attempt_timeout_seconds,
        max_attempts or most,
    )


def _refuse_unenforceable(contract: Contract, binding: Binding) -> None:
    """A bound that the backend cannot hold is refused before the run, never ignored (S3.6)."""
    loose = requirements.loose_bounds(contract.constraints, binding)
    if unheld := [name for name in loose if name not in binding.vouched]:
        raise ConfigurationError(
            f"backend {binding.kind!r} cannot enforce the contract's {', '.join(unheld)}",
            requirements.way_out(unheld, binding),
        )
    models = [model for model in (binding.model, *binding.models.values()) if model is not None]
    unpriced = [model.name for model in models if model.input_price is None or model.output_price is None]
    if contract.constraints.max_cost_usd is not None and unpriced:
        raise ConfigurationError(
            f"the contract bounds max_cost_usd, but the price of model {unpriced[0]!r} is not known",
            "give it in the configuration: [models.NAME] price = { input = 0.4, output = 1.6 }, US dollars for a million tokens",
        )
    if binding.asks_people and Status.NEEDS_HUMAN.value not in contract.statuses:  # S9.6
        raise ConfigurationError(
            f"backend {binding.kind!r} ({binding.origin}) is set up to ask people, and the contract's statuses lack "
            "'needs_human'",
            "add the status to the contract, or bind a backend that asks nobody",
        )
