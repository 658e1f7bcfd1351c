"""The form of a team: words of a browser become the table that they describe, and a table the words of the form."""

from collections.abc import Mapping
from typing import Any

from workermd.protocol.errors import UsageError

AGENT_WORDS = ("name", "model", "description", "instructions")
AGENT_LISTS = ("tools", "handoffs")
NONE = "none"
"""An agent without a tool; an empty field leaves it all of them."""

_MOST_AGENTS = 50
_ARROW = "->"

Form = Mapping[str, str]


def wanted(form: Form) -> dict[str, Any]:
    """The table. Raises UsageError for a line that is no edge."""
    words = {key: form.get(key, "").strip() for key in ("backend", "model", "pattern", "start")}
    agents = [agent for n in range(_MOST_AGENTS) if (agent := _agent(form, f"agent-{n}-")).get("name")]
    return {**words, "agents": agents, "tools": _names(form.get("tools", "")), "edges": _edges(form.get("edges", ""))}


def _agent(form: Form, prefix: str) -> dict[str, Any]:
    agent: dict[str, Any] = {
        key: text for key in AGENT_WORDS if (text := form.get(prefix + key, "").replace("\r\n", "\n").strip())
    }
    for key in AGENT_LISTS:
        text = form.get(prefix + key, "").strip()
        if text:
            agent[key] = [] if text == NONE else _names(text)
    return agent


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _edges(text: str) -> list[dict[str, str]]:
    return [_edge(line.strip()) for line in text.splitlines() if line.strip()]


def _edge(line: str) -> dict[str, str]:
    way, _, when = line.partition(":")
    source, arrow, target = (part.strip() for part in way.partition(_ARROW))
    if not (source and arrow and target):
        raise UsageError(
            f"{line[:80]!r} is no edge", "write a line for each: writer -> editor, or writer -> editor: WORD"
        )
    return {"from": source, "to": target} | ({"when": when.strip()} if when.strip() else {})


def kept(agents: list[dict[str, Any]], before: object) -> list[dict[str, Any]]:
    """The agents, each with what its table has and no form shows."""
    shown = (*AGENT_WORDS, *AGENT_LISTS)
    return [
        {key: value for key, value in _named(before, "name", agent).items() if key not in shown} | agent
        for agent in agents
    ]


def kept_edges(edges: list[dict[str, str]], before: object) -> list[dict[str, Any]]:
    """The edges, each with what its table has and a line does not say."""
    return [{**_named(before, "from to when", edge), **edge} for edge in edges]


def _named(tables: object, keys: str, like: dict[str, Any]) -> dict[str, Any]:
    found = (each for each in tables if isinstance(each, dict)) if isinstance(tables, list) else iter(())
    return next((each for each in found if all(each.get(key) == like.get(key) for key in keys.split())), {})


def fields_of(agent: Mapping[str, Any]) -> dict[str, str]:
    """What the fields of an agent show."""
    words = {key: str(agent.get(key, "")) for key in AGENT_WORDS}
    lists = {
        key: (", ".join(map(str, agent[key])) or NONE) if isinstance(agent.get(key), list) else ""
        for key in AGENT_LISTS
    }
    return words | lists


def lines_of(edges: object) -> str:
    """What the field of the edges shows."""
    found = (each for each in edges if isinstance(each, dict)) if isinstance(edges, list) else iter(())
    return "\n".join(
        f"{each.get('from', '')} {_ARROW} {each.get('to', '')}" + (f": {each['when']}" if each.get("when") else "")
        for each in found
    )
