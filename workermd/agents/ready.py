"""Whether a kind with models behind it could begin: its models have their keys, its tools can be had."""

from workermd.agents import tools
from workermd.agents.wire import unreachable_key
from workermd.binding import Binding


def unusable(binding: Binding) -> str:
    """Why the binding's models cannot be asked or its tools not be called; empty when nothing speaks against it."""
    if binding.model is None:
        return f"kind {binding.kind} needs a model: --model NAME"
    reasons = (unreachable_key(model) for model in (binding.model, *binding.models.values()))
    return next(filter(None, reasons), "") or tools.unusable(binding)
