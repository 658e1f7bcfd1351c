"""Agents along edges: the framework's workflows, with nodes of ours that keep who said what."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, NamedTuple, Never

from agent_framework import (
    Agent,
    AgentExecutorResponse,
    AgentResponse,
    Executor,
    Message,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    handler,
)

from workermd.backends.agent_framework.members import UNBOUNDED, Cast, last_words
from workermd.backends.agents.roster import Roster
from workermd.config.tables import only, text_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError

_KEYS = ("from", "to", "when", "any", "group")


class Edge(NamedTuple):
    """From one agent to the next; with `when` only after a message that holds this text. An agent waits for all edges
    of one `group` that lead to it; `alone` (`any` in a table) starts it by itself."""

    source: str
    target: str
    when: str = ""
    group: str = ""
    alone: bool = False


def first_of(table: Document, roster: Roster, place: str) -> str:
    """The agent that begins. Raises ConfigurationError."""
    start = text_of(table, "start", place) or roster.names[0]
    if start not in roster.names:
        names = ", ".join(roster.names)
        raise ConfigurationError(f"{place}: start: found {start[:40]!r}; allowed are {names}", "name one of these")
    return start


def edges_of(table: Document, roster: Roster, place: str) -> tuple[Edge, ...]:
    """The edges of a configuration. Raises ConfigurationError, also for a way that never ends, or never begins."""
    if "sequence" in table or "edges" not in table:
        if "edges" in table:
            raise ConfigurationError(f"{place}: sequence: found beside edges; allowed is one of them", "remove one")
        return _steps(table.get("sequence", list(roster.names)), roster, place)
    given = table["edges"]
    if not isinstance(given, list) or not given:
        raise ConfigurationError(f"{place}: edges is no list of tables", 'write edges = [{ from = "…", to = "…" }]')
    edges = tuple(_edge(table, roster, f"{place}: edges[{number}]") for number, table in enumerate(given))
    if len({edge[:2] for edge in edges}) < len(edges):
        raise ConfigurationError(f"{place}: edges has the same way twice", "remove one of them")
    _check_kinds(edges, roster, place)
    first = first_of(table, roster, place)
    if any(edge.target == first and not edge.when for edge in edges):
        raise ConfigurationError(
            f"{place}: edges leads to {first}, which begins, without a text to go by", 'add when = "…" to that edge'
        )
    reached = _from(first, edges)
    if lost := [name for name in roster.names if name not in reached]:
        raise ConfigurationError(f"{place}: edges never leads from {first} to {lost[0]}", "add an edge to it")
    always = tuple(edge for edge in edges if not edge.when)
    for name in roster.names:
        if any(name in _from(edge.target, always) for edge in always if edge.source == name):
            raise ConfigurationError(
                f"{place}: edges goes round from {name} to itself without end", 'add when = "…" to an edge of that way'
            )
    return edges


def _edge(table: Any, roster: Roster, place: str) -> Edge:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{place} is not a table", 'write { from = "…", to = "…" }')
    only(table, _KEYS, place)
    if not isinstance(table.get("any", False), bool):
        raise ConfigurationError(f"{place}: any is not true or false", "write any = true")
    source, target, when, group = (text_of(table, key, place) for key in ("from", "to", "when", "group"))
    edge = Edge(source, target, when, group, alone=table.get("any", False))
    if edge.source not in roster.names or edge.target not in roster.names or edge.source == edge.target:
        raise ConfigurationError(
            f"{place} does not lead from one agent to another", f"choose from {', '.join(roster.names)}"
        )
    return edge


def _check_kinds(edges: tuple[Edge, ...], roster: Roster, place: str) -> None:
    for name in roster.names:
        if len({bool(edge.when) for edge in edges if edge.source == name}) > 1:
            raise ConfigurationError(
                f"{place}: edges: found some of {name} with a text to go by and some without; allowed is one kind",
                'give all of them when = "…", or none',
            )


def _steps(sequence: Any, roster: Roster, place: str) -> tuple[Edge, ...]:
    """Edges of a sequence: a list inside it is a step whose agents speak side by side."""
    steps = [step if isinstance(step, list) else [step] for step in sequence] if isinstance(sequence, list) else []
    if sorted(str(name) for step in steps for name in step) != sorted(roster.names):
        raise ConfigurationError(
            f"{place}: sequence: every agent has to stand in it once", 'write sequence = ["a", ["b", "c"], "d"]'
        )
    return tuple(Edge(one, other) for step, after in pairwise(steps) for one in step for other in after)


def _from(start: str, edges: Iterable[Edge]) -> set[str]:
    reached, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        new = {edge.target for edge in edges if edge.source == here} - reached
        reached |= new
        ahead += new
    return reached


class Utterance(NamedTuple):
    number: int
    name: str
    text: str


@dataclass(frozen=True)
class Heard:
    """What an agent passes on: everything that it knew, and its own words last."""

    said: tuple[Utterance, ...]


class AgentNode(Executor):
    """An agent in a workflow. It is told everything that was said on the ways to it, itself included, once."""

    def __init__(self, cast: Cast, agent: Agent, numbers: "count[int]") -> None:
        super().__init__(id=agent.name or "")
        self._agent = agent
        self._task = cast.task
        self._numbers = numbers

    @handler
    async def begin(self, task: str, context: WorkflowContext[Heard, AgentResponse]) -> None:  # noqa: ARG002 - it knows
        await self._speak((), context)

    @handler
    async def go_on(self, heard: Heard, context: WorkflowContext[Heard, AgentResponse]) -> None:
        await self._speak(heard.said, context)

    @handler
    async def come_together(self, heard: list[Heard], context: WorkflowContext[Heard, AgentResponse]) -> None:
        await self._speak(tuple(sorted({said for each in heard for said in each.said})), context)

    async def _speak(self, said: tuple[Utterance, ...], context: WorkflowContext[Heard, AgentResponse]) -> None:
        told = [Message("user", [self._task]), *(Message("assistant", [s.text], author_name=s.name) for s in said)]
        response = await self._agent.run(told)
        await context.send_message(Heard((*said, Utterance(next(self._numbers), self.id, last_words(response)))))
        await context.yield_output(response)


def workflow_of(cast: Cast, edges: tuple[Edge, ...], first: str) -> Workflow:
    """The agent `first` begins. An agent waits for all its ways but those with a text: each of these starts it anew."""
    numbers = count()
    nodes = {name: AgentNode(cast, agent, numbers) for name, agent in cast.agents.items()}
    builder = WorkflowBuilder(max_iterations=UNBOUNDED, start_executor=nodes[first], output_from=[nodes[cast.answer]])
    for name, node in nodes.items():
        ways = [edge for edge in edges if edge.target == name]
        together = [edge for edge in ways if not edge.when and not edge.alone]
        for group in dict.fromkeys(edge.group for edge in together):
            sources = [nodes[edge.source] for edge in together if edge.group == group]
            if len(sources) > 1:
                builder.add_fan_in_edges(sources, node)
            else:
                builder.add_edge(sources[0], node)
        for edge in ways:
            if edge.when:
                builder.add_edge(nodes[edge.source], node, condition=_holds(edge.when))
            elif edge.alone:
                builder.add_edge(nodes[edge.source], node)
    return builder.build()


def _holds(text: str) -> Any:
    def holds(heard: Any) -> bool:
        return isinstance(heard, Heard) and text in heard.said[-1].text

    return holds


class Last(Executor):
    """The agent that speaks after the others, who spoke at the same time."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(id=cast.answer)
        self._agent = cast.agents[cast.answer]
        self._task = cast.task

    @handler
    async def conclude(
        self, results: list[AgentExecutorResponse], context: WorkflowContext[Never, AgentResponse]
    ) -> None:
        said = [
            Message("assistant", [last_words(each.agent_response)], author_name=each.executor_id) for each in results
        ]
        await context.yield_output(await self._agent.run([Message("user", [self._task]), *said]))
