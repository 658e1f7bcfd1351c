"""One attempt of a kind with models behind it: what its framework is given, and what ends it.

A framework is never asked to stop itself. Whatever ends an attempt before the framework has answered (a bound, a
provider's error, a person who is needed) is kept here as its ending, and the framework's work is cancelled. So the
same cause has the same ending whichever framework ran, also where one would have swallowed it.
"""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, Never

from workermd.backends.agents import gate, person, reading, response_format
from workermd.backends.agents.approvals import Approval, Approvals
from workermd.backends.agents.attempt_end import AttemptEnd
from workermd.backends.agents.meter import Exceeded, Meter
from workermd.backends.agents.prompt import Part, Prompt, prompt_of
from workermd.backends.agents.recorder import Player, Recorder
from workermd.backends.agents.resumption import Resumption
from workermd.backends.agents.tools import Runner, Tool, runners_of
from workermd.backends.core import CancellationToken, Caught, dispatch
from workermd.backends.reply import artifacts_of
from workermd.protocol.envelope import Document
from workermd.task.binding import Binding, Model, ToolBinding
from workermd.task.failure import failure_of
from workermd.task.journal_writer import JournalWriter, new_span
from workermd.task.kept_conversation import KeptConversation
from workermd.task.masking import Mask
from workermd.task.question import asked, details
from workermd.task.recording import Miss
from workermd.task.task import InvalidRequest, Limits, Result, Task, TaskError, failed

if TYPE_CHECKING:
    from workermd.backends.agents.model_client import ModelClient

GRACE = 0.5
"""Seconds that a framework gets to end after its work was cancelled; then the process ends it."""

Ending = tuple[type[BaseException], str, str, str]
"""A row of a kind's table: an exception of its framework, kind of failure, error code, and the sentence to show."""

Talk = Callable[["Conversation"], Awaitable[str | Result]]
"""What a kind does with a conversation: the text of the last message, which has to be the output, or a `Result`."""


class Called(NamedTuple):
    """What a model is told of a call; `denied` is the error code where it was not made."""

    text: str
    denied: str = ""


class Denial(NamedTuple):
    """Why a call is not made, in words for the model, and the error code."""

    reason: str
    code: str


def performed(task: Task, binding: Binding, limits: Limits, talk: Talk, endings: tuple[Ending, ...] = ()) -> Result:
    """Perform a task by a conversation, as a message on the core runtime. Never raises for what the framework did."""

    async def perform(task: Task, token: CancellationToken) -> Result:
        try:
            conversation = Conversation(task, binding, limits, endings)
        except Miss as miss:
            return failed("refused", "backend_failed", str(miss))
        return await conversation.carried_out(talk, token)

    return dispatch(task, perform, limits.deadline, lambda error: failure_of(error, "workermd"))


class Conversation:
    """What a framework's side of an attempt may use.

    `token` is cancelled when the attempt has its ending or its time is over: give it to whatever takes one.
    """

    def __init__(self, task: Task, binding: Binding, limits: Limits, endings: tuple[Ending, ...] = ()) -> None:
        self.task = task
        self.binding = binding
        self.limits = limits
        self.token = CancellationToken()
        self.meter = Meter(limits.budget)
        self.journal = JournalWriter(limits.journal)
        self.response_format = response_format.asked_for(task.output_schema)
        self.notes: list[str] = []
        self.approvals = Approvals(task, Mask(binding, task.input), limits.decided)
        self.end = AttemptEnd()
        self.halt, self.stop = self.end.halt, self.end.stop
        self._endings = endings
        self.recorder = Recorder(binding, task)
        kept = KeptConversation(limits.conversation, Mask(binding, task.input), task.attempt, limits.answers_since)
        self.resumption = Resumption(kept, self.journal)
        self.player = Player(binding, task) if binding.replay else None
        self._runners: tuple[Runner, ...] = ()
        self._clients: list[ModelClient] = []

    # --- what a framework is given ----------------------------------------------------------------------

    @property
    def arrangement(self) -> Document:
        """The kind's own keys of the configuration."""
        return self.binding.arrangement

    def prompt(self, instructions: str = "", part: Part = "answers") -> Prompt:
        """The contract's purpose, the form of the answer and the input; `instructions` are the operator's."""
        return prompt_of(self._told(), instructions, part, self.approvals.made())

    def _told(self) -> Task:
        """The task as a model is told it. Where a conversation is resumed, people's decisions come up where they were asked
        for: in the prompt they would make another conversation of it."""
        if not self.resumption.kept.has_answers:
            return self.task
        kinds = {"tool", "question"} if self.arrangement.get("ask_user") else {"tool"}
        later = tuple(each for each in self.task.decisions if each.get("kind") not in kinds)
        return self.task._replace(decisions=later)

    def model(self, name: str = "") -> Model:
        """The binding's model, or one of its further ones by name."""
        if name:
            return self.binding.models[name]
        if self.binding.model is None:
            raise InvalidRequest("no model is bound")
        return self.binding.model

    def model_client(self, agent: str, model: Model | None = None) -> "ModelClient":
        """A connection to a model for one agent: `client.client` is an AsyncOpenAI, `client.http_client` what it speaks
        through, for frameworks that make their own."""
        # The kind mcp has no model, and no client of one is installed with it.
        from workermd.backends.agents.model_client import AttemptParts, ModelClient

        shared = (self.meter, self.journal, self.recorder, self.player, self.end, self.deny, self.resumption)
        parts = AttemptParts(*shared)
        chosen = model or self.model()
        client = ModelClient(agent, chosen, parts, tuple(self.binding.fallbacks[name] for name in chosen.fallback))
        self._clients.append(client)
        return client

    async def called(self, agent: str, runner: Runner, arguments: Document) -> Called:
        """One call of a tool, if it is allowed: counted, noted, recorded."""
        tool = runner.binding
        if fault := gate.strange_number(arguments):
            return Called(f"error: {fault}")
        denial = self._denial(tool, arguments)
        approval = await self._decided(tool.name, arguments) if tool.approve and denial is None else None
        if approval is not None and approval.answer != "approve":
            denial = Denial("a person decided against this call", "approval_denied")
        if denial is not None:
            return Called(await self.deny(agent, tool.name, denial.reason), denial.code)
        if approval is not None and approval.state == "made" and self.player is None:
            return Called(self._given_again(agent, tool.name, arguments, approval.text))
        if approval is None and self.player is None:
            earlier = self.resumption.call(tool, arguments)
            if isinstance(earlier, str):
                return Called(self._given_again(agent, tool.name, arguments, earlier))
            if earlier and (refused := await self._insisted(agent, tool.name, arguments)) is not None:
                return refused
        self.resumption.live(agent)
        await self.may_call_tool()
        return Called(await self._performed(agent, runner, arguments, approval))

    async def _insisted(self, agent: str, tool: str, arguments: Document) -> Called | None:
        """A call again whose first answer is unknown: a person decides, where one can be asked, else it is refused; None
        where it may be made."""
        if not self.limits.asks_people:
            reason = "an earlier call with these arguments may have taken effect, and the tool is not repeatable"
            return Called(await self.deny(agent, tool, reason), "tool_denied")
        approval = await self._decided(tool, arguments, unknown=True)
        if approval.answer == "approve":
            return None
        return Called(await self.deny(agent, tool, "a person decided against this call"), "approval_denied")

    async def may_call_tool(self) -> None:
        """Count a tool call; the attempt ends where the run has none left."""
        try:
            self.meter.may_call_tool()
        except Exceeded as exceeded:
            await self.stop(failed("refused", "budget_exceeded", str(exceeded)))

    def tools(self, agent: str, names: tuple[str, ...] | None = None) -> tuple[Tool, ...]:
        """The tools that an agent may see (all, or those of these names), each behind the gate; with `ask_user` the
        one that asks a person."""
        own = (self.gated(agent, runner) for runner in self._runners if names is None or runner.binding.name in names)
        asks = self.arrangement.get("ask_user") and (names is None or person.NAME in names)
        return (*own, person.tool(self.may_call_tool, self.answer_of_person)) if asks else tuple(own)

    def gated(self, agent: str, runner: Runner) -> Tool:
        """A tool behind the gate: also one that a framework brought along."""

        async def call(arguments: Document) -> str:
            return (await self.called(agent, runner, arguments)).text

        return Tool(runner.binding.name, runner.description, runner.schema, call)

    def said(self, agent: str, text: str) -> None:
        """Note what an agent said to the others, where that is no model's reply."""
        self.journal.note("message", agent=agent, text=text)

    # --- what ends it -------------------------------------------------------------------------------------

    async def broke(self, error: BaseException) -> Never:
        """`stop` for an exception that a framework caught itself, and would go on after."""
        await self.stop(self._failure(error))

    async def carried_out(self, talk: Talk, outer: CancellationToken) -> Result:
        """The conversation from its tools to its result, with usage and notes."""
        outer.add_callback(self.token.cancel)
        with Caught() as caught:
            result = await self._to_its_end(talk)
        if caught.error is not None:
            if self.end.result is None and isinstance(caught.error, asyncio.CancelledError | GeneratorExit):
                raise caught.error
            result = self.end.result or self._failure(caught.error)
        result = result._replace(
            resumed_from=self.resumption.resumed_from,
            usage=self.meter.usage,
            notes=tuple(self.notes),
            model=result.model or self.meter.model or None,
        )
        if result.output is not None and self.player is None and any(tool.code for tool in self.binding.tools):
            from workermd.backends.agents import code  # its library is there: a tool of the binding needs it

            folder = self.task.artifacts_dir
            result = result._replace(artifacts=artifacts_of(code.written(folder), folder))
        self.recorder.save(result)
        return result

    async def _to_its_end(self, talk: Talk) -> Result:
        async with self._tools_ready() as self._runners:
            for runner in self._runners:
                self.recorder.note_tool(runner.binding.name, runner.description, runner.schema)
            work = asyncio.ensure_future(talk(self))
            ended = asyncio.ensure_future(self.end.wait())
            try:
                await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
                await self._wound_up(work)
            if self.end.result is not None:
                return self.end.result
            answer = work.result()
            return answer if isinstance(answer, Result) else reading.result_of(answer, self.limits)

    def _tools_ready(self) -> AbstractAsyncContextManager[tuple[Runner, ...]]:
        """The tools, or in a replay their descriptions: what they did is known."""
        if self.player is None:
            return runners_of(self.binding, self.task)
        by_name = {tool.name: tool for tool in self.binding.tools}
        return nullcontext(
            tuple(
                Runner(by_name[tool["name"]], tool["description"], tool["schema"], _not_called)
                for tool in self.player.tools
                if tool["name"] in by_name
            )
        )

    async def _wound_up(self, work: "asyncio.Future[str | Result]") -> None:
        """Cancel what still runs: by its token first, which frameworks obey faster, then by force."""
        for stop in (self.token.cancel, work.cancel):
            if work.done():
                break
            stop()
            await asyncio.wait((work,), timeout=GRACE / 2)
        for client in self._clients:
            await client.close()

    # --- the gate -----------------------------------------------------------------------------------------

    def _denial(self, tool: ToolBinding, arguments: Document) -> Denial | None:
        reason = gate.refusal(tool, arguments, self.task.tools_allowed)
        return Denial(reason, "tool_denied") if reason else None

    def _given_again(self, agent: str, tool: str, arguments: Document, text: str) -> str:
        """What an approved call answered in an earlier attempt: it is not made again, and not counted."""
        self.recorder.note_call(agent, tool, arguments, text)
        self.journal.note("given_again", agent=agent, tool=tool, arguments=arguments, text=text)
        return text

    async def _performed(self, agent: str, runner: Runner, arguments: Document, approval: Approval | None) -> str:
        """What the tool answers; how it failed, where that is for the model to know."""
        tool = runner.binding
        span, begun = new_span(), ""
        clock = asyncio.get_running_loop().time
        began = clock()
        self.journal.note("tool", agent=agent, tool=tool.name, arguments=arguments, span=span)
        with Caught() as caught:
            if self.player is not None:
                text = self.player.result_of(agent, tool.name, arguments)
            elif approval is not None:
                self.approvals.begin(approval)
                text = await runner.call(arguments)
            else:
                begun = self.resumption.kept.begin_call(tool.name, arguments)
                text = await runner.call(arguments)
        error = caught.error
        if isinstance(error, Miss):
            await self.stop(failed("refused", "backend_failed", str(error)))
        if isinstance(error, TaskError):
            await self.stop(failure_of(error, "workermd"))
        if isinstance(error, GeneratorExit) or (isinstance(error, asyncio.CancelledError) and _is_cancelled()):
            raise error
        if error is not None:
            traceback.print_exception(error, file=sys.stderr)
            text = f"error: the tool failed with {type(error).__name__}"
        if approval is not None and self.player is None:
            self.approvals.end(approval, text)
        elif begun:
            self.resumption.kept.end_call(begun, text)
        self.recorder.note_call(agent, tool.name, arguments, text)
        self.journal.note(
            "tool_result",
            agent=agent,
            tool=tool.name,
            text=text,
            failed=error is not None,
            duration_ms=round((clock() - began) * 1000, 3),
            span=span,
            usage=self.meter.usage,
        )
        return text

    async def deny(self, agent: str, tool: str, reason: str) -> str:
        """`denied`, and the attempt's end at the bound."""
        try:
            return self.denied(agent, tool, reason)
        except Exceeded as exceeded:
            await self.stop(failed("refused", "budget_exceeded", str(exceeded)))

    def denied(self, agent: str, tool: str, reason: str) -> str:
        """Count and note a denied call; the text that the model is told. Raises `Exceeded` at the bound."""
        self.meter.count_denied()
        self.journal.note("denied", agent=agent, tool=tool, reason=reason, usage=self.meter.usage)
        note = f"Attempt {self.task.attempt}: a call of tool {tool[:60]!r} was denied: {reason}."
        if note not in self.notes:
            self.notes.append(note)
        return f"denied: {reason}; go on without this call"

    async def _decided(self, tool: str, arguments: Document, *, unknown: bool = False) -> Approval:
        """The person's decision about this very call. Ends the attempt where nobody has decided about it yet."""
        approval = self.approvals.next_of(tool, arguments)
        if approval is None:
            question = f"May the tool {tool} be called with these arguments?"
            if unknown or self.approvals.is_unknown(tool, arguments):
                question = (
                    f"A call of the tool {tool} with these arguments was begun, and what came of it is "
                    "unknown. May it be called again?"
                )
            await self.ask(question, ("approve", "deny"), "tool", {"tool": tool, "arguments": arguments})
        return approval

    async def ask(
        self, question: str, options: tuple[str, ...] = (), kind: str = "question", proposed: Document | None = None
    ) -> Never:
        """End the attempt: a person has to decide. The next attempt finds the answer in `task.decisions`."""
        await self.stop(asked(question, options, kind, proposed))

    @property
    def answers(self) -> tuple[Document, ...]:
        """The questions of agents that people have answered so far in this run, in their order."""
        return tuple(one for one in self.task.decisions if one.get("kind") == "question")

    async def answer_of_person(self, question: str, options: tuple[str, ...] = ()) -> str:
        """What a person answered to this very question. Ends the attempt where nobody has been asked yet."""
        kept = details(question)["question"]
        answers = [str(one["answer"]) for one in self.answers if one.get("question") == kept]
        return answers[-1] if answers else await self.ask(question, options)

    def _failure(self, error: BaseException) -> Result:
        for kind_of_error, kind, code, sentence in self._endings:
            if isinstance(error, kind_of_error):
                return failed(kind, code, sentence)
        return failure_of(error, "workermd")


def _is_cancelled() -> bool:
    """Whether this very task is being cancelled; a tool may raise the same of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _not_called(_arguments: Document) -> str:
    raise AssertionError("in a replay no tool is called")
