"""The short way to say a team: the keys of a worker's table become the document that a component file would hold."""

import itertools
import string
from typing import Any, NamedTuple

from workermd.backends.agents.roster import count_of, member_of, model_of
from workermd.backends.autogen import components
from workermd.backends.autogen.agentchat import ORCHESTRATOR
from workermd.backends.autogen.components import Unfit, quoted
from workermd.config.tables import only, text_of
from workermd.protocol.envelope import Document
from workermd.task.binding import Binding


class TeamPattern(NamedTuple):
    """`rounds` is the default of that key; `answers` says who gives the answer unless `answer` does; `keys` are those
    that this pattern takes beside those of every pattern."""

    rounds: int
    answers: str
    keys: tuple[str, ...] = ()


PATTERNS = {
    "pair": TeamPattern(2, "first", ("until",)),
    "round-robin": TeamPattern(1, "last", ("until",)),
    "selector": TeamPattern(12, "last", ("selector_model", "selector_prompt")),
    "swarm": TeamPattern(12, "all"),
    "graph": TeamPattern(20, "last", ("sequence", "edges", "start")),
    "magentic": TeamPattern(20, "orchestrator", ("orchestrator_model", "max_stalls")),
}

_COMMON = ("pattern", "agents", "answer", "rounds")
_EDGE_KEYS = ("from", "to", "when", "any", "group")

_PAIR = [
    {
        "name": "worker",
        "instructions": "You give the answer. When the reviewer asks for changes, give the whole answer anew.",
    },
    {
        "name": "reviewer",
        "instructions": (
            "You review the worker's answer against the purpose, the input and the schema. Say what has to change and "
            "why, in a few sentences. When nothing has to change, reply with the one word APPROVE; never write it else."
        ),
    },
]
_ALONE = [{"name": "worker", "description": "Does any part of the task that needs no tool but those it has."}]
_DEFAULT_AGENTS: dict[str, list[Document]] = {"pair": _PAIR, "magentic": _ALONE}


def document_of(table: Document, binding: Binding, place: str, *, inner: bool = False) -> Document:
    """The document of a team that a table describes; nested teams are tables in it. Raises ConfigurationError."""
    name = table.get("pattern", "pair")
    if name not in PATTERNS:
        raise Unfit(f"{place}: pattern: found {quoted(name)}; allowed are {', '.join(PATTERNS)}")
    pattern = PATTERNS[name]
    others = {key for each in PATTERNS.values() for key in each.keys} - set(pattern.keys)
    for key in sorted(others & set(table)):
        fitting = ", ".join(each for each, row in PATTERNS.items() if key in row.keys)
        raise Unfit(f"{place}: {key}: found with the pattern {name}; allowed with {fitting}; remove it")
    if inner:
        only(table, (*_COMMON, *pattern.keys), place)
    agents = _agents(table, name, binding, place)
    answers = _answers(table, pattern, list(agents), place)
    rounds = count_of(table, "rounds", place, default=pattern.rounds)
    team = _BUILDERS[name](_Table(table, binding, place, agents, answers, rounds))
    return _component(components.WATCHED, {"team": team, "answers": answers})


class _Table(NamedTuple):
    """What a builder is given. `agents` are participants by name, in their order."""

    table: Document
    binding: Binding
    place: str
    agents: dict[str, Document]
    answers: list[str]
    rounds: int

    @property
    def participants(self) -> list[Document]:
        return list(self.agents.values())

    @property
    def others(self) -> list[str]:
        return [name for name in self.agents if name not in self.answers]


# --- patterns --------------------------------------------------------------------------------------------------


def _round_robin(given: _Table) -> Document:
    """Everyone in turn, until the answering one has spoken `rounds` times, or one of the others has said the word."""
    names = list(given.agents)
    turns = (given.rounds - 1) * len(names) + names.index(given.answers[0]) + 1
    config: Document = {"participants": given.participants, "max_turns": turns}
    word = text_of(given.table, "until", given.place)
    if not word and given.table.get("pattern", "pair") == "pair":
        word = "APPROVE"
    if word and given.others:
        config["termination_condition"] = _component(components.MENTIONED, {"text": word, "sources": given.others})
    return _component(components.ROUND_ROBIN, config)


def _selector(given: _Table) -> Document:
    """A model names who speaks next, until the answering one has spoken."""
    config: Document = {
        "participants": given.participants,
        "max_turns": given.rounds,
        "model_client": _client(given.table, "selector_model", given.binding, given.place),
        "termination_condition": _spoken(given.answers),
        "allow_repeated_speaker": False,
    }
    if prompt := text_of(given.table, "selector_prompt", given.place):
        _check_prompt(prompt, f"{given.place}: selector_prompt")
        config["selector_prompt"] = prompt
    return _component(components.SELECTOR, config)


def _swarm(given: _Table) -> Document:
    """Who speaks hands over to the next, until one that may answer speaks without handing over."""
    named = any(agent["config"].get("handoffs") for agent in given.agents.values())
    for name, agent in given.agents.items():
        config = agent["config"]
        if not named:
            config["handoffs"] = [other for other in given.agents if other != name]
        for target in config.get("handoffs", ()):
            if target not in given.agents or target == name:
                known = ", ".join(other for other in given.agents if other != name) or "none"
                raise Unfit(f"{given.place}: agents: {name}: handoffs: found {quoted(target)}; allowed are {known}")
    return _component(
        components.SWARM,
        {
            "participants": given.participants,
            "max_turns": given.rounds,
            "termination_condition": _spoken(given.answers),
        },
    )


def _graph(given: _Table) -> Document:
    """One after the other, some side by side: along edges, until none leads on."""
    table, place = given.table, given.place
    if "sequence" in table and "edges" in table:
        raise Unfit(f"{place}: sequence: found beside edges; allowed is one of them; remove one")
    edges = _edges(given) if "edges" in table else _steps(given)
    nodes: Document = {name: {"name": name, "edges": []} for name in given.agents}
    for source, edge in edges:
        nodes[source]["edges"].append(edge)
    graph: Document = {"nodes": nodes}
    if start := text_of(table, "start", place):
        graph["default_start_node"] = start
    config = {"participants": given.participants, "max_turns": given.rounds, "graph": graph}
    return _component(components.GRAPH, config)


def _steps(given: _Table) -> list[tuple[str, Document]]:
    """Edges of a sequence: a list inside it is a step whose agents speak side by side."""
    wanted = f"{given.place}: sequence: allowed is a list of names, and lists of names that speak side by side"
    sequence = given.table.get("sequence", list(given.agents))
    if not isinstance(sequence, list):
        raise Unfit(wanted)
    steps = [step if isinstance(step, list) else [step] for step in sequence]
    for name in (name for step in steps for name in step):
        _known(name, given, "sequence")
    if sorted(name for step in steps for name in step) != sorted(given.agents):
        raise Unfit(f"{given.place}: sequence: every agent has to stand in it once; add or remove what differs")
    return [
        (source, {"target": target})
        for before, after in itertools.pairwise(steps)
        for source in before
        for target in after
    ]


def _edges(given: _Table) -> list[tuple[str, Document]]:
    edges = given.table["edges"]
    if not isinstance(edges, list) or not all(isinstance(edge, dict) for edge in edges):
        raise Unfit(f'{given.place}: edges: allowed is a list of tables: {{ from = "…", to = "…", when = "…" }}')
    found: list[tuple[str, Document]] = []
    for index, edge in enumerate(edges):
        place = f"{given.place}: edges[{index}]"
        only(edge, _EDGE_KEYS, place)
        for key in ("from", "to"):
            _known(edge.get(key), given, f"edges[{index}]: {key}")
        made: Document = {"target": edge["to"]}
        if when := text_of(edge, "when", place):
            made["condition"] = when
        if group := text_of(edge, "group", place):
            made["activation_group"] = group
        if flag_of(edge, "any", place):
            made["activation_condition"] = "any"
        found.append((edge["from"], made))
    return found


def _magentic(given: _Table) -> Document:
    """A leader with a plan and a ledger of progress names who does what, and gives the answer."""
    if given.rounds < 2:
        raise Unfit(
            f"{given.place}: rounds: found 1; a leader needs a round to look at what was done; allowed is 2 or more"
        )
    return _component(
        components.MAGENTIC,
        {
            "participants": given.participants,
            "max_turns": given.rounds - 1,  # AutoGen stops when it has had more
            "model_client": _client(given.table, "orchestrator_model", given.binding, given.place),
            "max_stalls": count_of(given.table, "max_stalls", given.place, default=3),
        },
    )


_BUILDERS = {
    "pair": _round_robin,
    "round-robin": _round_robin,
    "selector": _selector,
    "swarm": _swarm,
    "graph": _graph,
    "magentic": _magentic,
}


# --- agents ------------------------------------------------------------------------------------------------------


def _agents(table: Document, pattern: str, binding: Binding, place: str) -> dict[str, Document]:
    given = table.get("agents", _DEFAULT_AGENTS.get(pattern, []))
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise Unfit(f'{place}: agents: the pattern {pattern} needs them; write agents = [{{ name = "…" }}, …]')
    if pattern == "pair" and len(given) != 2:
        raise Unfit(
            f'{place}: agents: found {len(given)}; a pair has 2; add or remove one, or write pattern = "round-robin"'
        )
    if pattern in ("selector", "swarm") and len(given) < 2:
        raise Unfit(
            f"{place}: agents: found {len(given)}; allowed with the pattern {pattern} are two or more; add one, or write "
            'pattern = "round-robin"'
        )
    agents: dict[str, Document] = {}
    for index, each in enumerate(given):
        where = f"{place}: agents[{index}]"
        agent = _agent(each, where, binding)
        name = agent["config"]["name"]
        if name in agents or name in ("user", ORCHESTRATOR):
            raise Unfit(f"{where}: name: found {quoted(name)}, which is taken; every agent needs its own; rename it")
        if "handoffs" in each and pattern != "swarm":
            raise Unfit(f"{where}: found handoffs; allowed with the pattern swarm; remove them")
        agents[name] = agent
    return agents


def _agent(given: Document, place: str, binding: Binding) -> Document:
    member = member_of({key: value for key, value in given.items() if key != "team"}, place, binding)
    config: Document = {"name": member.name, "model_client": _component(components.OPENAI, {"model": member.model})}
    if member.description:
        config["description"] = member.description
    if "team" in given:
        if not isinstance(given["team"], dict) or member.tools is not None or member.handoffs:
            raise Unfit(f"{place}: team: allowed is a table, {{ pattern = …, agents = […] }}, and no tools beside it")
        inner = document_of(given["team"], binding, f"{place}: team", inner=True)
        return _component(components.SOCIETY, config | {"team": inner, "instruction": member.instructions})
    config["system_message"] = member.instructions
    if "handoffs" in given:
        config["handoffs"] = list(member.handoffs)
    if member.tools is not None:
        config["workbench"] = [_component(components.GATED, {"names": list(member.tools)})]
    return _component(components.ASSISTANT, config)


def _answers(table: Document, pattern: TeamPattern, names: list[str], place: str) -> list[str]:
    if pattern.answers == "orchestrator":
        if "answer" in table:
            raise Unfit(f"{place}: answer: found with the pattern magentic, whose leader gives the answer; remove it")
        return [ORCHESTRATOR]
    if answer := text_of(table, "answer", place):
        if answer not in names:
            raise Unfit(f"{place}: answer: found {quoted(answer)}; allowed are {', '.join(names)}")
        return [answer]
    return {"first": names[:1], "last": names[-1:], "all": names}[pattern.answers]


def _client(table: Document, key: str, binding: Binding, place: str) -> Document:
    """A model client that names one of the binding's models; adoption makes it one of ours."""
    return _component(components.OPENAI, {"model": model_of(table, key, binding, place)})


def _spoken(names: list[str]) -> Document:
    """Ends when one of these has said something, which no task's text and no tool call is."""
    conditions = [_component(components.TEXT_MESSAGE, {"source": name}) for name in names]
    return conditions[0] if len(conditions) == 1 else _component(components.OR, {"conditions": conditions})


def _component(provider: str, config: Document) -> Document:
    return {"provider": provider, "config": config}


# --- values of a table -------------------------------------------------------------------------------------------


def _check_prompt(prompt: str, place: str) -> None:
    """AutoGen fills the prompt in as a format: what it cannot fill in would end the team."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(prompt) if field is not None}
    except ValueError:
        fields = {"{"}
    if fields - {"roles", "participants", "history"}:
        raise Unfit(
            f"{place}: found braces around something else; allowed are {{roles}}, {{participants}} and {{history}}; "
            "write other braces twice"
        )


def _known(name: object, given: _Table, key: str) -> None:
    if name not in given.agents:
        raise Unfit(f"{given.place}: {key}: found {quoted(name)}; allowed are {', '.join(given.agents)}")


def flag_of(table: Document, key: str, place: str) -> bool:
    value: Any = table.get(key, False)
    if not isinstance(value, bool):
        raise Unfit(f"{place}: {key}: found {components.kind_of(value)}; allowed is true or false")
    return value
