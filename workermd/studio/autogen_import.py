"""What AutoGen Studio exported, as far as a binding may take it from a browser: who takes part and how they take turns.

Models, tools and code of the file are left out: they are the operator's to name. `component =` in the configuration opens the
same file whole.
"""

from typing import Any, NamedTuple

from workermd.backends.autogen import components, studio
from workermd.backends.autogen.components import Unfit, config_of, provider_of
from workermd.protocol.errors import UsageError

_PATTERNS = {
    components.ROUND_ROBIN: "round-robin",
    components.SELECTOR: "selector",
    components.SWARM: "swarm",
    components.MAGENTIC: "magentic",
}
_HINT = "paste one team as AutoGen Studio exports it"


class ImportedTeam(NamedTuple):
    """`left_out` says in words what the file has and a browser may not choose."""

    pattern: str
    agents: tuple[dict[str, str], ...]
    left_out: tuple[str, ...]


def imported(text: str) -> ImportedTeam:
    """Raises UsageError for what is no team of AutoGen's."""
    try:
        team = studio.read(text.encode("utf-8", "replace"), "")
    except Unfit as unfit:
        raise UsageError(f"this is no team: {str(unfit).partition(';')[0]}", _HINT) from None
    config = config_of(team)
    if not isinstance(config.get("participants"), list):
        raise UsageError("this is no team: it has no participants", _HINT)
    left_out: list[str] = []
    agents = tuple(_agent(each, left_out) for each in config["participants"] if isinstance(each, dict))
    left_out += ["its termination condition"] if config.get("termination_condition") else []
    left_out += ["the selector's model"] if config.get("model_client") else []
    left_out += ["its graph"] if config.get("graph") else []
    return ImportedTeam(_PATTERNS.get(provider_of(team), "round-robin"), agents, tuple(dict.fromkeys(left_out)))


def _agent(node: dict[str, Any], left_out: list[str]) -> dict[str, str]:
    config = config_of(node)
    name = str(config.get("name", ""))
    left_out += [f"the model of {name}"] if config.get("model_client") else []
    left_out += [f"the tools of {name}"] if config.get("tools") or config.get("workbench") else []
    return {
        "name": name,
        "description": str(config.get("description") or ""),
        "instructions": str(config.get("system_message") or ""),
    }
