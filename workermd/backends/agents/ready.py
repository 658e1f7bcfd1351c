"""Whether a kind with models behind it could begin: its models have their keys, its tools can be had."""

from workermd.backends.agents import model_client, person, tools
from workermd.task.binding import Binding


def unusable(binding: Binding) -> str:
    """Why the binding's models cannot be asked, or its tools and people not; empty when nothing speaks against it."""
    if binding.model is None:
        return f"kind {binding.kind} needs a model: --model NAME"
    asks = binding.arrangement.get("ask_user", False)
    if not isinstance(asks, bool):
        return f"{binding.origin}: ask_user is not true or false; write ask_user = true"
    if asks and any(tool.name == person.NAME for tool in binding.tools):
        return (
            f"{binding.origin}: the tool {person.NAME} is there beside ask_user = true, which gives agents one of that "
            "name; give the table of the tool another name"
        )
    reasons = map(model_client.unusable, binding.all_models)
    return next(filter(None, reasons), "") or tools.unusable(binding)
