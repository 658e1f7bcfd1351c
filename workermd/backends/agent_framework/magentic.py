"""Magentic orchestration: a manager plans, says who is next and what to do, looks at the progress, and answers."""

from agent_framework import Agent, Message
from agent_framework.orchestrations import (
    MAGENTIC_MANAGER_NAME,
    MagenticBuilder,
    MagenticContext,
    MagenticPlanReviewResponse,
    MagenticProgressLedger,
    StandardMagenticManager,
)

from workermd.backends.agent_framework.members import UNBOUNDED, Cast, Nothing, at_cap, client_of, options_of
from workermd.backends.agents import progress_ledger
from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.gate import canonical
from workermd.backends.agents.roster import count_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.task.task import Result, failed

MANAGER = "manager"

MAX_STALLS = 3
MAX_REPLANS = 1
"""Rounds without progress before a new plan, and new plans, where the operator says nothing."""

_FINAL = """The work on this task is done:

{task}

Give its answer now, from what was said above, in the form that your instructions describe."""


class _Concluded(Exception):
    """A person wants no further rounds: the team says what it has."""


async def led(cast: Cast, most: int) -> str | Result:
    """The manager's answer, given because it takes the task for satisfied; nothing else counts as one."""
    conversation = cast.conversation
    manager = _Manager(conversation, cast.roster.instructions, most)
    workflow = MagenticBuilder(
        participants=list(cast.agents.values()),
        manager=manager,
        enable_plan_review=bool(conversation.arrangement.get("plan_review")),
    ).build()
    try:
        run = await workflow.run(cast.task)
        while requests := run.get_request_info_events():
            answer = await _reviewed(conversation, manager, stalled=requests[-1].data.is_stalled)
            run = await workflow.run(responses={requests[-1].request_id: answer})
    except _Concluded:
        await manager.conclude()
    return at_cap(most) if manager.answer is None else manager.answer


async def _reviewed(conversation: Conversation, manager: "_Manager", *, stalled: bool) -> MagenticPlanReviewResponse:
    """What a person decided about the very plan that is up. Ends the attempt where nobody has decided yet."""
    proposed = manager.proposed
    answers = [
        str(one["answer"])
        for one in _decided(conversation, "plan")
        if canonical(one["proposed"]) == canonical(proposed)
    ]
    if not answers:
        why = "The team made no progress and planned anew. " if stalled else ""
        question = f"{why}Shall the team work by this plan? Approve it, or answer what has to be different."
        await conversation.ask(question, (), "plan", proposed)
    if answers[-1] == "approve":
        return MagenticPlanReviewResponse.approve()
    manager.revising = True
    wish = "This plan was turned down; make a different one." if answers[-1] == "deny" else answers[-1]
    return MagenticPlanReviewResponse.revise(f"A person looked at the plan and wants this:\n{wish}")


def _decided(conversation: Conversation, kind: str) -> list[Document]:
    return [
        one
        for one in conversation.task.decisions
        if one.get("kind") == kind and (kind != "plan" or one.get("proposed"))
    ]


class _Manager(StandardMagenticManager):
    """The framework's manager, watched: what it would go on from as if nothing were wrong ends the attempt."""

    def __init__(self, conversation: Conversation, instructions: str, most: int) -> None:
        client = client_of(
            conversation, MANAGER, str(conversation.arrangement.get("orchestrator_model", "")), MAGENTIC_MANAGER_NAME
        )
        leads, answers = (conversation.prompt(instructions, part).system for part in ("speaks", "answers"))
        super().__init__(
            Agent(client, leads, name=MANAGER, tools=[Nothing()]),
            final_answer_prompt=_FINAL,
            max_stall_count=conversation.arrangement.get("max_stalls", MAX_STALLS) - 1,  # it plans anew beyond it
            progress_ledger_retry_count=progress_ledger.TRIES,
            max_reset_count=UNBOUNDED,
            max_round_count=most,
        )
        self._speaker = Agent(
            client, answers, name=MANAGER, tools=[Nothing()], default_options=options_of(conversation, "answers")
        )
        self._conversation = conversation
        self._context: MagenticContext | None = None
        self._satisfied = False
        self._reads_ledger = False
        self._names: tuple[str, ...] = ()
        self._replans = 0
        self._given: list[str] = []
        self.revising = False
        self.answer: str | None = None

    @property
    def proposed(self) -> Document:
        """The plan as a person sees it, and as the next attempt takes it up."""
        assert self.task_ledger is not None
        return {"plan": self.task_ledger.plan.text, "facts": self.task_ledger.facts.text}

    async def plan(self, magentic_context: MagenticContext) -> Message:
        """The plan that people looked at last, word for word, or a new one."""
        if decided := _decided(self._conversation, "plan") if self._conversation.arrangement.get("plan_review") else []:
            proposed = decided[-1]["proposed"]
            self._given = [str(proposed.get("facts", "")), str(proposed["plan"])]
        return await super().plan(magentic_context)

    async def replan(self, magentic_context: MagenticContext) -> Message:
        """A new plan: because a person wants one, or because the team makes no progress."""
        if not self.revising:
            self._replans += 1
            if self._replans > self._conversation.arrangement.get("max_replans", MAX_REPLANS):
                await self._stalled()
        self.revising = False
        return await super().replan(magentic_context)

    async def create_progress_ledger(self, magentic_context: MagenticContext) -> MagenticProgressLedger:
        self._context, self._reads_ledger = magentic_context, True
        self._names = tuple(magentic_context.participant_descriptions)
        try:
            ledger = await super().create_progress_ledger(magentic_context)
        except RuntimeError:
            await self._conversation.stop(progress_ledger.unreadable())
        finally:
            self._reads_ledger = False
        self._satisfied = ledger.is_request_satisfied.answer is True
        self._note(ledger)
        return ledger

    async def prepare_final_answer(self, magentic_context: MagenticContext) -> Message:
        """The answer. The framework wants one also where the ledger names nobody of the team, or says "false"."""
        if not self._satisfied:
            told = "the manager neither took the task for satisfied nor named one of the team to go on"
            await self._conversation.stop(failed("invalid_output", "output_not_json", told))
        return await self._conclusion(magentic_context)

    async def conclude(self) -> None:
        assert self._context is not None
        await self._conclusion(self._context)

    async def _conclusion(self, magentic_context: MagenticContext) -> Message:
        self._agent = self._speaker
        message = await super().prepare_final_answer(magentic_context)
        self.answer = message.text
        return message

    async def _stalled(self) -> None:
        """A question to a person where the operator wants it; one who denies more rounds wants what there is."""
        told = "The team makes no progress, a new plan notwithstanding."
        if self._conversation.arrangement.get("on_stall", "fail") == "ask":
            decided = _decided(self._conversation, "stalled")
            if decided and decided[-1]["answer"] == "deny":
                raise _Concluded
            await self._conversation.ask(f"{told} Shall it try again? Say what would help it.", (), "stalled")
        told += " max_replans says how often it may plan anew."
        await self._conversation.stop(failed("invalid_output", "budget_exceeded", told))

    def _note(self, ledger: MagenticProgressLedger) -> None:
        if not self._satisfied:
            next_one, what = ledger.next_speaker.answer, ledger.instruction_or_question.answer
            self._conversation.said(MANAGER, f"{next_one}: {what}")

    async def _complete(self, messages: list[Message]) -> Message:
        if self._given:
            return Message("assistant", [self._given.pop(0)], author_name=MANAGER)
        message = await super()._complete(messages)
        if self._reads_ledger:
            ledger = progress_ledger.read(message.text, self._names)
            said = "" if ledger is None else progress_ledger.written(ledger, stalled=ledger.stalled)
            message = Message("assistant", [said], author_name=MANAGER)
        return message


def check(arrangement: Document, place: str) -> None:
    """Raises ConfigurationError for a key whose value is none of those that it takes."""
    on_stall = arrangement.get("on_stall", "fail")
    if on_stall not in ("fail", "ask"):
        raise ConfigurationError(
            f"{place}: on_stall: found {ascii(on_stall)[:40]}; allowed are fail, ask", "correct it"
        )
    count_of(arrangement, "max_stalls", place, default=MAX_STALLS)
    count_of(arrangement, "max_replans", place, least=0, default=MAX_REPLANS)
