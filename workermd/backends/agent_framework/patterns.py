"""Several agents: the framework's orchestrations by the name of their pattern."""

import sys
import traceback
from collections.abc import Awaitable, Callable

from agent_framework import Agent, AgentResponse, Message, WorkflowRunResult
from agent_framework.orchestrations import (
    ConcurrentBuilder,
    GroupChatBuilder,
    GroupChatState,
    HandoffAgentUserRequest,
    HandoffBuilder,
    SequentialBuilder,
)

from workermd.backends.agent_framework import graph, magentic
from workermd.backends.agent_framework.members import UNBOUNDED, Cast, Nothing, client_of, last_words
from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.roster import Roster, model_of
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding
from workermd.task.question import MAX_QUESTION
from workermd.task.task import Result, failed

ROUNDS = {"round-robin": 1, "selector": 12, "swarm": 12, "magentic": 20, "graph": 20}
"""Rounds where the operator says none: turns of an agent, in a round-robin turns of each."""

MOST_TURNS = 45
"""The framework ends its orchestrations after 100 steps, and most turns are two: who speaks next, and what they say."""


def check(roster: Roster, binding: Binding) -> None:
    """Raises ConfigurationError for what is wrong with a pattern's own keys."""
    place, given = binding.origin, binding.arrangement
    _check_values(binding)
    if magentic.MANAGER in roster.names:
        raise ConfigurationError(f"{place}: agents: the name {magentic.MANAGER} is taken", "choose another")
    if roster.pattern != "swarm" and any(member.handoffs for member in roster.members):
        raise ConfigurationError(f"{place}: handoffs belong to the pattern 'swarm'", "remove them")
    if roster.pattern == "graph":
        graph.first_of(given, roster, place)
        graph.edges_of(given, roster, place)
    elif _rounds(roster) * (len(roster.names) if roster.pattern == "round-robin" else 1) > MOST_TURNS:
        raise ConfigurationError(
            f"{place}: rounds allows for more than {MOST_TURNS} turns, which the framework cannot do",
            "lower it, or choose the pattern 'graph'",
        )


def _check_values(binding: Binding) -> None:
    place, given = binding.origin, binding.arrangement
    if not isinstance(given.get("plan_review", False), bool):
        raise ConfigurationError(f"{place}: plan_review is not true or false", "write plan_review = true")
    for key in ("selector_model", "orchestrator_model"):
        model_of(given, key, binding, place)
    if not isinstance(given.get("until", ""), str):
        raise ConfigurationError(f"{place}: until is not text", 'write until = "APPROVE"')
    magentic.check(given, place)


async def together(conversation: Conversation, roster: Roster) -> str | Result:
    """What the agents come to, or what ended them."""
    rounds = _rounds(roster)
    capped = roster.pattern in ("selector", "swarm", "graph")
    cast = Cast(conversation, roster, rounds if capped else UNBOUNDED)
    if roster.pattern == "magentic":
        return await magentic.led(cast, rounds)
    run = await _PATTERNS[roster.pattern](cast, rounds)
    return run if isinstance(run, Result) else _answer(run, cast)


def _rounds(roster: Roster) -> int:
    return roster.rounds or ROUNDS.get(roster.pattern, 1)


def _answer(run: WorkflowRunResult, cast: Cast) -> str | Result:
    """The last words of the agent that answers."""
    said = [
        event.data
        for event in run
        if event.type == "output" and event.executor_id == cast.answer and isinstance(event.data, AgentResponse)
    ]
    if said:
        return last_words(said[-1])
    return failed("invalid_output", "output_not_json", f"the agents came to an end before {cast.answer} had spoken")


async def _sequence(cast: Cast, _rounds: int) -> WorkflowRunResult:
    builder = SequentialBuilder(participants=list(cast.agents.values()), output_from=[cast.answer])
    return await builder.build().run(cast.task)


async def _parallel(cast: Cast, _rounds: int) -> WorkflowRunResult:
    """All at the same time, but for the one that answers: it speaks last, with what they said."""
    if len(cast.others) == 1:
        builder = SequentialBuilder(participants=[*cast.others, cast.agents[cast.answer]])
        return await builder.build().run(cast.task)
    return await ConcurrentBuilder(participants=cast.others).with_aggregator(graph.Last(cast)).build().run(cast.task)


async def _round_robin(cast: Cast, rounds: int) -> WorkflowRunResult:
    """In turn, until the one that answers has spoken so many times, or one of the others has said the word."""
    names, until = list(cast.agents), str(cast.conversation.arrangement.get("until", ""))
    turns = cast.roster.turns(rounds)

    def next_one(state: GroupChatState) -> str:
        return names[state.current_round % len(names)]

    def over(conversation: list[Message]) -> bool:
        last = conversation[-1]
        said = bool(until) and last.author_name in names and last.author_name != cast.answer and until in last.text
        return said or cast.turns.taken >= turns

    builder = GroupChatBuilder(
        participants=list(cast.agents.values()),
        selection_func=next_one,
        termination_condition=over,
        max_rounds=turns + 1,
        output_from=[cast.answer],
    )
    return await builder.build().run(cast.task)


async def _selector(cast: Cast, rounds: int) -> WorkflowRunResult | Result:
    """A model says who speaks next, until the one that answers has spoken."""

    def over(conversation: list[Message]) -> bool:
        return conversation[-1].author_name == cast.answer

    builder = GroupChatBuilder(
        participants=list(cast.agents.values()),
        orchestrator_agent=_chair(cast),
        termination_condition=over,
        max_rounds=rounds + 1,
        output_from=[cast.answer],
    )
    try:
        return await builder.build().run(cast.task)
    except ValueError:
        traceback.print_exc(file=sys.stderr)
        told = f"{magentic.MANAGER}'s reply names none of the team to speak next; see the attempt's log"
        return failed("invalid_output", "output_not_json", told)


def _chair(cast: Cast) -> Agent:
    conversation = cast.conversation
    told = (
        f"You are the manager of a team: {', '.join(cast.agents)}. You say who speaks next, and nothing about the "
        f"matter itself. {cast.answer} gives the answer, which ends the work: let it speak last."
    )
    instructions = "\n\n".join(filter(None, (told, cast.roster.instructions)))
    client = client_of(conversation, magentic.MANAGER, str(conversation.arrangement.get("selector_model", "")))
    return Agent(client, conversation.prompt(instructions, "speaks").system, name=magentic.MANAGER, tools=[Nothing()])


async def _swarm(cast: Cast, _rounds: int) -> WorkflowRunResult | Result:
    """Who has the work hands it over, until one who may answer speaks without handing over."""
    agents = cast.agents
    builder = HandoffBuilder(participants=list(agents.values())).with_start_agent(next(iter(agents.values())))
    for member in cast.roster.members:
        if member.handoffs:
            builder.add_handoff(agents[member.name], [agents[name] for name in member.handoffs])
    workflow = builder.build()
    run = await workflow.run(cast.task)
    while True:
        # The framework wants a user to reply to whoever spoke without handing over.
        request = run.get_request_info_events()[-1]
        speaker, words = str(request.source_executor_id), last_words(request.data.agent_response)
        if speaker == cast.answer or not cast.roster.answer:
            cast.answer = speaker
            return run
        if not cast.conversation.arrangement.get("ask_user"):
            told = f"{speaker} spoke to nobody; it has to hand over, and {cast.answer} gives the answer"
            return failed("invalid_output", "output_not_json", f"{told} (ask_user = true puts its words to a person)")
        answer = HandoffAgentUserRequest.create_response(
            await cast.conversation.answer_of_person(words.strip()[:MAX_QUESTION])
        )
        run = await workflow.run(responses={request.request_id: answer})


async def _graph(cast: Cast, _rounds: int) -> WorkflowRunResult:
    arrangement, origin = cast.conversation.arrangement, cast.conversation.binding.origin
    edges = graph.edges_of(arrangement, cast.roster, origin)
    return await graph.workflow_of(cast, edges, graph.first_of(arrangement, cast.roster, origin)).run(cast.task)


_PATTERNS: dict[str, Callable[[Cast, int], Awaitable[WorkflowRunResult | Result]]] = {
    "sequence": _sequence,
    "parallel": _parallel,
    "round-robin": _round_robin,
    "selector": _selector,
    "swarm": _swarm,
    "graph": _graph,
}
