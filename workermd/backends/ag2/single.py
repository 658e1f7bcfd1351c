"""The kind `ag2`: agents of AG2, alone, within one another, or in a channel of its network."""

import logging

from ag2 import Agent

from workermd.backends.ag2.agents import DELEGATE, HAND_OVER, brief, made
from workermd.backends.agents import ready, roster
from workermd.backends.agents.conversation import Conversation, Ending, performed
from workermd.backends.agents.roster import Member, Roster
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task

PATTERNS = ("single", "sequence", "round-robin", "swarm", "nested")

ENDINGS: tuple[Ending, ...] = ()  # its exceptions tell nothing that the table of all kinds does not


def unusable(binding: Binding) -> str:
    """Why the binding's models cannot be asked, or its agents not be made."""
    if reason := ready.unusable(binding) or roster.unusable(binding, PATTERNS):
        return reason
    return _unfit(binding, roster.roster_of(binding, PATTERNS))


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    logging.getLogger("ag2").setLevel(logging.CRITICAL)  # it logs what is reported anyway
    return performed(task, binding, limits, _talk, ENDINGS)


async def _talk(conversation: Conversation) -> str | Result:
    cast = roster.roster_of(conversation.binding, PATTERNS)
    if cast.pattern == "single":
        only = cast.members[0]
        return await _answer(made(conversation, only, cast.told(only), "answers"), conversation)
    if cast.pattern == "nested":
        return await _answer(_nested(conversation, cast, outermost(cast)), conversation)
    from workermd.backends.ag2.channel import conversed

    return await conversed(conversation, cast)


async def _answer(agent: Agent, conversation: Conversation) -> str:
    reply = await agent.ask(conversation.prompt().user)
    return reply.body or ""


def outermost(cast: Roster) -> Member:
    """Of agents within one another, the one that holds the others: it answers."""
    return next(member for member in cast.members if member.name == cast.last)


def inner(cast: Roster, member: Member) -> tuple[Member, ...]:
    """The agents that an agent may give tasks to: those it names, and the outermost one that names none, all others."""
    names = member.handoffs
    if not names and member == outermost(cast):
        names = tuple(name for name in cast.names if name != member.name)
    return tuple(each for each in cast.members if each.name in names)


def _nested(conversation: Conversation, cast: Roster, member: Member) -> Agent:
    """The agent with those within it as tools. That nobody holds itself was checked before."""
    within = inner(cast, member)
    tools = [
        _nested(conversation, cast, each).as_tool(
            description=each.description or f"Gives the agent {each.name} a task and returns its result.",
            name=DELEGATE + each.name,
            middleware=[brief],
        )
        for each in within
    ]
    return made(
        conversation, member, cast.told(member, within), "answers" if member == outermost(cast) else "helps", tools
    )


def _unfit(binding: Binding, cast: Roster) -> str:
    """What AG2 would not say, or only once it runs."""
    place = binding.origin
    if cast.pattern == "nested" and (circle := _circle(cast, outermost(cast), ())):
        return f"{place}: agents hold one another in a circle ({' > '.join(circle)}); take one of these handoffs out"
    own = {prefix + name for prefix in (HAND_OVER, DELEGATE) for name in cast.names}
    if taken := sorted(own & {tool.name for tool in binding.tools}):
        return f"{place}: the tool name {taken[0]} is one that agents are given anyway; give the tool another name"
    return ""


def _circle(cast: Roster, member: Member, above: tuple[str, ...]) -> tuple[str, ...]:
    """The names along a way that leads back to an agent on it; empty when there is none."""
    way = (*above, member.name)
    if member.name in above:
        return way
    return next((circle for each in inner(cast, member) if (circle := _circle(cast, each, way))), ())
