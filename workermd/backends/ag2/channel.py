"""Agents of AG2 that speak in a channel of its network: in sequence, in rounds, or handing over to each other."""

import asyncio
from typing import Any

from ag2 import Context, ToolResult
from ag2.events import BaseEvent, ModelMessage, ModelResponse
from ag2.knowledge import MemoryKnowledgeStore
from ag2.network import (
    EV_PACKET,
    EV_TEXT,
    AgentTarget,
    BaseHubListener,
    ChannelMetadata,
    Envelope,
    FromSpeaker,
    Hub,
    HubClient,
    InboxBlock,
    LimitsBlock,
    LocalLink,
    NamedTranscript,
    Passport,
    Rule,
    TerminateTarget,
    ToolCalled,
    Transition,
    TransitionGraph,
    ViewPolicy,
    WorkflowAdapter,
    default_handler,
)

from workermd.backends.ag2.agents import HAND_OVER, OwnTool, made
from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.prompt import Part
from workermd.backends.agents.roster import Member, Roster
from workermd.protocol.envelope import Document
from workermd.task.task import Result, failed

CALLER = "caller"
"""The name under which the input comes into the channel."""

ROUNDS = {"round-robin": 1, "swarm": 12}
"""Rounds where the configuration does not say: in a swarm turns, in a round-robin those of the one who answers."""

_LABELLED = f"A message of another agent begins with its name in brackets, and the input with [{CALLER}]."

_UNBOUNDED = Rule(limits=LimitsBlock(inbox=InboxBlock(max_pending=0)))
"""AG2 refuses the thousandth message to who does not speak; the bounds here are ours."""

_ANSWERED = "answered"
_GOOD = {"sequence": {"sequence_complete"}, "round-robin": {"max_turns"}, "swarm": {_ANSWERED}}
"""The reasons of AG2 for closing a channel that are the end which the pattern has by design."""


async def conversed(conversation: Conversation, cast: Roster) -> str | Result:
    """The last word of the agent who answers, once the channel has closed as it should."""
    hub = await Hub.open(
        MemoryKnowledgeStore(), ttl_sweep_interval=0, expectation_sweep_interval=0, register_default_adapters=False
    )
    hub.register_adapter(_Channel())  # type: ignore[arg-type]  # its own adapters fit its protocol no better
    client = HubClient(LocalLink(hub), hub=hub)
    try:
        ids = {member.name: await _registered(conversation, cast, member, client, hub) for member in cast.members}
        caller = await client.register_human(Passport(name=CALLER), rule=_UNBOUNDED)
        ear = _Ear(conversation, hub)
        hub.register_listener(ear)
        graph = _graph(cast, ids, caller.agent_id)
        channel = await caller.open(type="workflow", target=list(ids.values()), ttl=0, knobs={"graph": graph.to_dict()})
        await caller.send(channel.channel_id, conversation.prompt().user)
        reason = await ear.closed
        words = await _words(hub, channel.channel_id)
    finally:
        await client.close()
        await hub.close()
    return _result(cast, reason, words)


def _result(cast: Roster, reason: str, words: dict[str, str]) -> str | Result:
    """`words` are the last words of each agent, the latest speaker last."""
    if reason in _GOOD[cast.pattern]:
        return words.get(cast.answer or list(words)[-1], "")
    if reason == "max_turns":
        return failed(
            "invalid_output",
            "budget_exceeded",
            f"the agents spoke {_turns(cast)} times and none gave the answer; "
            "raise rounds, or say in the instructions when to answer",
        )
    return failed("refused", "backend_failed", f"AG2 closed the channel: {reason or 'without a reason'}")


async def _registered(conversation: Conversation, cast: Roster, member: Member, client: HubClient, hub: Hub) -> str:
    """The id under which an agent takes part. It gets no tools of the network's own."""
    others = tuple(each for each in cast.members if each is not member)
    tools = [_handing_over(each) for each in others if cast.pattern == "swarm" and each.name in cast.handoffs(member)]
    told = f"{cast.told(member, others)}\n\n{_LABELLED}"
    agent = made(conversation, member, told, _part(cast, member), tools)
    registered = await client.register(agent, rule=_UNBOUNDED, attach_plugin=False)
    agent_id = registered.agent_id

    async def is_next(envelope: Envelope) -> bool:
        """Whether the channel waits for this agent's word on this very message."""
        return any(
            turn.triggering_envelope_id == envelope.envelope_id for turn in await hub.pending_turns_for(agent_id)
        )

    async def take_part(envelope: Envelope) -> None:
        if envelope.event_type in (EV_TEXT, EV_PACKET):
            if not await is_next(envelope):  # AG2 would let it answer an old message, blind to the later ones
                return
            await default_handler(envelope, registered)
            if await is_next(envelope):  # AG2 would wait for a word without end
                await conversation.stop(
                    failed("invalid_output", "output_not_json", f"the agent {member.name} said nothing")
                )
        else:
            await default_handler(envelope, registered)

    registered.on_envelope(take_part)
    return agent_id


def _part(cast: Roster, member: Member) -> Part:
    """In a swarm without an agent who answers, whoever hands the work over to nobody does."""
    if cast.pattern == "swarm" and not cast.answer:
        return "answers"
    return "answers" if member.name == cast.last else "speaks"


def _turns(cast: Roster) -> int:
    rounds = cast.rounds or ROUNDS[cast.pattern]
    return cast.turns(rounds) if cast.pattern == "round-robin" else rounds


def _graph(cast: Roster, ids: dict[str, str], caller: str) -> TransitionGraph:
    """Who speaks after whom. The caller's input is the first turn of the channel."""
    agents = list(ids.values())
    if cast.pattern == "sequence":
        return TransitionGraph.sequence([caller, *agents])
    if cast.pattern == "round-robin":
        after = zip([caller, *agents], [*agents, agents[0]], strict=True)
        rules = [Transition(FromSpeaker(one), AgentTarget(next_one)) for one, next_one in after]
    else:
        rules = [Transition(ToolCalled(HAND_OVER + name), AgentTarget(agent)) for name, agent in ids.items()]
        rules.append(Transition(FromSpeaker(caller), AgentTarget(agents[0])))
        if cast.answer:
            rules += [
                Transition(FromSpeaker(agent), AgentTarget(ids[cast.answer]))
                for name, agent in ids.items()
                if name != cast.answer
            ]
    return TransitionGraph(caller, rules, TerminateTarget(_ANSWERED), 1 + _turns(cast))


def _handing_over(to: Member) -> OwnTool:
    """Ends the turn of whoever calls it: the graph says that the other agent is next."""

    async def hand_over(_arguments: Document, _context: Context) -> ToolResult:
        return ToolResult("", final=True)

    return OwnTool(
        HAND_OVER + to.name,
        f"Hands the work over to the agent {to.name}. {to.description}".strip(),
        {
            "type": "object",
            "properties": {"reason": {"type": "string", "description": "What the other agent has to know or do."}},
            "additionalProperties": False,
        },
        hand_over,
    )


async def _words(hub: Hub, channel_id: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for envelope in await hub.read_wal(channel_id):
        if envelope.event_type == EV_PACKET and envelope.event_data["routing"]["kind"] == "text":
            name = hub.name_for(envelope.sender_id)
            words.pop(name, None)
            words[name] = envelope.event_data["body"]
    return words


class _Ear(BaseHubListener):
    """Hears what the hub tells nobody else: a turn that failed leaves its channel open without a word."""

    def __init__(self, conversation: Conversation, hub: Hub) -> None:
        self._conversation = conversation
        self._hub = hub
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def on_channel_event(self, channel_id: str, kind: str, payload: dict[str, Any]) -> None:  # noqa: ARG002
        if kind in ("closed", "expired") and not self.closed.done():
            self.closed.set_result(str(payload["reason"]))

    async def on_turn_failed(self, channel_id: str, agent_id: str, envelope_id: str, exc: BaseException) -> None:  # noqa: ARG002
        await self._conversation.broke(exc)

    async def on_dispatch_failed(self, envelope: Envelope, recipient_id: str, reason: BaseException) -> None:  # noqa: ARG002
        await self._conversation.broke(reason)

    async def on_envelope_posted(self, envelope: Envelope, metadata: ChannelMetadata) -> None:  # noqa: ARG002
        routing = envelope.event_data.get("routing") or {}
        if routing.get("kind") == "handoff":
            told = f"{routing['tool']}: {routing.get('reason', '')}".removesuffix(": ")
            self._conversation.said(self._hub.name_for(envelope.sender_id), told)


class _Everything(NamedTranscript):
    """What an agent is shown: all that was said. AG2's own view of a workflow leaves early messages out, the input
    first, and its mapping to OpenAI's messages drops what the agent said itself."""

    async def project(self, *arguments: Any, **named: Any) -> list[BaseEvent]:
        events = await super().project(*arguments, **named)
        return [ModelResponse(event) if isinstance(event, ModelMessage) else event for event in events]


class _Channel(WorkflowAdapter):
    def default_view_policy(self, metadata: ChannelMetadata, participant_id: str) -> ViewPolicy:  # noqa: ARG002
        return _Everything()
