"""What AutoGen Studio exported, as far as a binding may take it from a browser: who takes part and how they take turns.

Models, tools and code of the file are left out: they are the operator's to name. `component =` in the configuration opens the
same file whole.
"""

import json
from typing import Any, NamedTuple

from workermd.protocol.errors import UsageError

_PATTERNS = {
    "RoundRobinGroupChat": "round-robin",
    "SelectorGroupChat": "selector",
    "Swarm": "swarm",
    "MagenticOneGroupChat": "magentic",
}
_MOST = 1 << 20


class ImportedTeam(NamedTuple):
    """`left_out` says in words what the file has and a browser may not choose."""

    pattern: str
    agents: tuple[dict[str, str], ...]
    left_out: tuple[str, ...]


def imported(text: str) -> ImportedTeam:
    """Raises UsageError for what is no team of AutoGen's."""
    try:
        document: Any = json.loads(text[:_MOST])
    except (ValueError, RecursionError):
        raise UsageError("this is no JSON", "paste the team as AutoGen Studio exports it") from None
    if isinstance(document, dict) and isinstance(document.get("components"), dict):
        teams = document["components"].get("teams")
        document = teams[0] if isinstance(teams, list) and teams else {}
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict) or not isinstance(config.get("participants"), list):
        raise UsageError("this is no team: it has no participants", "paste the team as AutoGen Studio exports it")
    left_out: list[str] = []
    agents = tuple(_agent(each, left_out) for each in config["participants"] if isinstance(each, dict))
    left_out += ["its termination condition"] if config.get("termination_condition") else []
    left_out += ["the selector's model"] if config.get("model_client") else []
    name = str(document.get("provider", "")).rpartition(".")[2]
    return ImportedTeam(_PATTERNS.get(name, "round-robin"), agents, tuple(dict.fromkeys(left_out)))


def _agent(node: dict[str, Any], left_out: list[str]) -> dict[str, str]:
    given = node.get("config")
    config: dict[str, Any] = given if isinstance(given, dict) else {}
    name = str(config.get("name", ""))
    left_out += [f"the model of {name}"] if config.get("model_client") else []
    left_out += [f"the tools of {name}"] if config.get("tools") or config.get("workbench") else []
    return {
        "name": name,
        "description": str(config.get("description", "")),
        "instructions": str(config.get("system_message") or ""),
    }
