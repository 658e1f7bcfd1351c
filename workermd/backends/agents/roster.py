"""Who takes part: the agents of a worker and how they work together, as the configuration has them for every kind."""

import re
from typing import Any, NamedTuple

from workermd.backends.agents import person
from workermd.config.tables import only, text_of, words_of
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding

ALONE = "assistant"
"""The name of an agent that is not in the configuration."""

_MEMBER_KEYS = ("name", "description", "instructions", "model", "tools", "handoffs")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
MAX_ROUNDS = 1000


class Member(NamedTuple):
    """An agent. `tools` are those of the worker that it may call (None: all), `handoffs` the agents that it may pass
    the work to; `model` is one of the worker's further models, empty for its own."""

    name: str
    description: str = ""
    instructions: str = ""
    model: str = ""
    tools: tuple[str, ...] | None = None
    handoffs: tuple[str, ...] = ()


class Roster(NamedTuple):
    """The agents in their order. `answer` names the one whose last word is the output. `rounds` bounds their turns: all
    of them together, and in a round-robin those of the one who answers. Both are empty where nothing is said."""

    pattern: str
    members: tuple[Member, ...]
    answer: str = ""
    rounds: int = 0
    instructions: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    @property
    def last(self) -> str:
        """Who answers where the pattern says nothing else."""
        return self.answer or self.names[-1]

    def turns(self, rounds: int) -> int:
        """The turns of a round-robin, which ends when the one who answers has spoken so many times."""
        return (rounds - 1) * len(self.names) + self.names.index(self.last) + 1

    def handoffs(self, member: Member) -> tuple[str, ...]:
        """To whom an agent of a swarm hands over: where nobody names anybody, everybody to everybody."""
        named = any(each.handoffs for each in self.members)
        return member.handoffs if named else tuple(name for name in self.names if name != member.name)

    def told(self, member: Member, others: tuple[Member, ...] = ()) -> str:
        """What an agent is told beside the purpose: who it is, who is with it, and the operator's instructions."""
        named = [f"\n- {each.name}: {each.description}" if each.description else f"\n- {each.name}" for each in others]
        who = f"You are the agent {member.name}." if len(self.members) > 1 else ""
        who += " With you:" + "".join(named) if named else ""
        return "\n\n".join(part for part in (who, self.instructions.strip(), member.instructions.strip()) if part)


def roster_of(binding: Binding, patterns: tuple[str, ...]) -> Roster:
    """The roster of a binding, checked; the first of `patterns` is that of one agent. Raises ConfigurationError."""
    given, place = binding.arrangement, binding.origin
    pattern = text_of(given, "pattern", place) or patterns[0]
    if pattern not in patterns:
        raise ConfigurationError(
            f"{place}: pattern: found {pattern[:40]!r}; allowed are {', '.join(patterns)}",
            "choose one of these, or another backend",
        )
    members = _members(given.get("agents", []), binding)
    if pattern == patterns[0]:
        if len(members) > 1:
            raise ConfigurationError(
                f"{place}: {len(members)} agents, and pattern {pattern!r} takes one",
                f"add pattern = one of {', '.join(patterns[1:])}",
            )
        members = members or (Member(ALONE),)
    elif len(members) < 2:
        raise ConfigurationError(
            f"{place}: pattern {pattern!r} takes two agents or more, and {len(members)} are there",
            'add agents = [{ name = "…", instructions = "…" }, …]',
        )
    rounds = count_of(given, "rounds", place) if "rounds" in given else 0
    answer = text_of(given, "answer", place)
    if answer and answer not in {member.name for member in members}:
        names = ", ".join(member.name for member in members)
        raise ConfigurationError(f"{place}: answer: found {answer[:40]!r}; allowed are {names}", "name one of these")
    return Roster(pattern, members, answer, rounds, text_of(given, "instructions", place))


def count_of(table: dict[str, Any], key: str, place: str, least: int = 1, default: int = 0) -> int:
    """A count of a table, the same for every kind. Raises ConfigurationError."""
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not (least <= value <= MAX_ROUNDS or key not in table):
        found = str(value) if isinstance(value, int | float | str) else type(value).__name__
        raise ConfigurationError(
            f"{place}: {key}: found {found[:40]}; allowed is a whole number from {least} to {MAX_ROUNDS}",
            f"write {key} = {max(least, 3)}",
        )
    return value


def model_of(table: dict[str, Any], key: str, binding: Binding, place: str) -> str:
    """The name of one of the worker's models, its own among them; empty where none is named. Raises
    ConfigurationError."""
    name = text_of(table, key, place)
    if name and name not in binding.models:
        known = ", ".join(sorted(binding.models)) or "none"
        raise ConfigurationError(
            f"{place}: {key}: found {name[:40]!r}; allowed are the worker's models: {known}", "list it: models = […]"
        )
    return name


def unusable(binding: Binding, patterns: tuple[str, ...]) -> str:
    """Why a binding has no roster; empty when it has one."""
    try:
        roster_of(binding, patterns)
    except ConfigurationError as error:
        return f"{error.message}; {error.hint}"
    return ""


def _members(given: Any, binding: Binding) -> tuple[Member, ...]:
    place = f"{binding.origin}: agents"
    if not isinstance(given, list) or not all(isinstance(fields, dict) for fields in given):
        raise ConfigurationError(f"{place} is not a list of tables", 'write agents = [{ name = "…" }, …]')
    members = tuple(member_of(fields, f"{place}[{index}]", binding) for index, fields in enumerate(given))
    names = [member.name for member in members]
    for index, member in enumerate(members):
        if member.name in names[:index]:
            raise ConfigurationError(f"{place}[{index}]: the name {member.name} is taken", "name each agent once")
        for other in member.handoffs:
            if other not in names or other == member.name:
                raise ConfigurationError(
                    f"{place}[{index}]: handoffs names {other[:40]!r}, which is no other agent of this worker",
                    f"choose from {', '.join(name for name in names if name != member.name) or 'none'}",
                )
    return members


def member_of(fields: dict[str, Any], place: str, binding: Binding) -> Member:
    """One agent of a table. Raises ConfigurationError."""
    only(fields, _MEMBER_KEYS, place)
    name, model = text_of(fields, "name", place), model_of(fields, "model", binding, place)
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{place}: name is no name of an agent", "use 1 to 40 of a-z, A-Z, 0-9 and _, not beginning with a digit"
        )
    tools = words_of(fields, "tools", place) if "tools" in fields else None
    bound = [tool.name for tool in binding.tools] + ([person.NAME] if binding.arrangement.get("ask_user") else [])
    for tool in tools or ():
        if tool not in bound:
            raise ConfigurationError(
                f"{place}: tool {tool[:40]!r} is not among tools ({', '.join(bound) or 'none'})", "add it to tools"
            )
    return Member(
        name,
        text_of(fields, "description", place),
        text_of(fields, "instructions", place),
        model,
        tools,
        words_of(fields, "handoffs", place),
    )
