"""The kind `team`: several agents of AutoGen's AgentChat, arranged by a table of the configuration or by a file."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from autogen_agentchat.base import TaskResult, Team
from autogen_agentchat.messages import BaseChatMessage, TextMessage

from workermd.backends.agents import ready
from workermd.backends.agents.conversation import Conversation, Ending, performed
from workermd.backends.agents.roster import count_of
from workermd.backends.autogen import components, needs, patterns, studio
from workermd.backends.autogen.adoption import Adoption
from workermd.backends.autogen.agentchat import ORCHESTRATOR, answered, loading, quiet, words
from workermd.backends.autogen.components import Unfit, config_of, provider_of
from workermd.backends.autogen.needs import Needs
from workermd.config.tables import text_of, words_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.system.text import shell_word
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task, failed

_WITH_COMPONENT = ("component", "team", "allow_providers", "answer", "rounds")
_ANYWAY = ("instructions", "ask_user", "on_stall", "max_replans")

_UNREADABLE = (ValueError, LookupError, TypeError, AssertionError)
"""What AutoGen raises over words of a model that it cannot read: as it is where a team begins, later told in the text
of a RuntimeError by one of these names."""

_TOLD = ("ValidationError", "JSONDecodeError", "ValueError", "KeyError", "IndexError", "TypeError", "AssertionError")


class TeamUnreadable(Exception):
    """A team broke off over what a model said."""


ENDINGS: tuple[Ending, ...] = (
    (
        TeamUnreadable,
        "invalid_output",
        "output_not_json",
        "the team broke off over what a model said; the attempt's log names AutoGen's error",
    ),
)


class Plan(NamedTuple):
    """A team that may be loaded. Without `answers` a reporter is asked after the team has ended. `anywhere`: whoever
    answers need not have spoken last."""

    document: Document
    answers: tuple[str, ...]
    anywhere: bool = False
    rounds: int | None = None


def unusable(binding: Binding) -> str:
    """Why there can be no such team: a key that is not set, a wrong table, a file that may not be loaded."""
    if reason := ready.unusable(binding):
        return reason
    try:
        plan_of(binding)
    except Unfit as unfit:
        return str(unfit)
    except ConfigurationError as error:
        return f"{error.message}; {error.hint}"
    return ""


def plan_of(binding: Binding) -> Plan:
    """The document of the binding's team, looked at. Raises `Unfit` or ConfigurationError."""
    table, place = binding.arrangement, binding.origin
    text_of(table, "instructions", place)
    asks = bool(table.get("ask_user"))
    count_of(table, "max_replans", place, least=0, default=1)
    if table.get("on_stall", "fail") not in ("fail", "ask"):
        raise Unfit(f"{place}: on_stall: found {components.quoted(table['on_stall'])}; allowed are fail, ask")
    if "component" in table:
        return _filed(table, binding, asks=asks)
    for key in ("team", "allow_providers"):
        if key in table:
            raise Unfit(f"{place}: {key}: found without a component file; name one: component = …; or remove it")
    document = patterns.document_of(table, binding, place)
    try:
        components.checked(document, frozenset(), asks=asks)
    except Unfit as unfit:
        raise Unfit(f"{place}: {unfit}") from None
    in_turn = provider_of(config_of(document)["team"]) == components.ROUND_ROBIN
    return Plan(document, tuple(document["config"]["answers"]), anywhere=in_turn or "answer" in table)


def _filed(table: Document, binding: Binding, *, asks: bool) -> Plan:
    place = binding.origin
    for key in table:
        if key not in (*_WITH_COMPONENT, *_ANYWAY):
            raise Unfit(f"{place}: {key}: found beside component; the file says it; remove one of them")
    name, label, answer = (text_of(table, key, place) for key in ("component", "team", "answer"))
    allowed = tuple(words_of(table, "allow_providers", place))
    rounds = count_of(table, "rounds", place) if "rounds" in table else None
    try:
        document = studio.opened(os.path.join(binding.folder, name), label)
        given = Needs(tuple(tool.name for tool in binding.tools), asks, rounds, allowed)
        team = needs.with_tools_of_ours(document, frozenset(given.tools))
        _fits(document, given, name)
        return Plan(team, _answers(team, answer), "answer" in table, rounds)
    except Unfit as unfit:
        raise Unfit(f"{place}: component {name}: {unfit}") from None


def _fits(document: Document, given: Needs, name: str) -> None:
    """Raises `Unfit`, with all keys that help where keys of the worker's table do."""
    try:
        needs.fits(document, given)
    except Unfit as unfit:
        wanted = needs.needs_of(document)
        if wanted is None or not wanted.told():
            raise
        raise Unfit(
            f"{unfit}; it loads with {wanted.told()}; workermd import {shell_word(name)} writes all of it"
        ) from None


def _answers(document: Document, answer: str) -> tuple[str, ...]:
    if provider_of(document) == components.MAGENTIC:
        if answer:
            raise Unfit("answer: found with Magentic-One, whose leader gives the answer; remove it")
        return (ORCHESTRATOR,)
    names = [str(config_of(each).get("name")) for each in config_of(document).get("participants") or ()]
    if answer and answer not in names:
        raise Unfit(f"answer: found {components.quoted(answer)}; allowed are {', '.join(names)}; or remove it")
    return (answer,) if answer else ()


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding, limits, _talk, ENDINGS)


async def _talk(conversation: Conversation) -> str | Result:
    quiet()
    plan = plan_of(conversation.binding)
    if reason := _not_there(plan.document):
        return failed("refused", "backend_failed", reason)
    document = Adoption(conversation, plan.answers, plan.rounds).team(plan.document)
    with loading(conversation):
        team = Team.load_component(document)
    result = await _ran(team, TextMessage(content=_order(conversation, plan), source="user"), conversation)
    spoken = [message for message in result.messages if isinstance(message, BaseChatMessage)]
    return _answer(spoken, plan) if plan.answers else await _reported(conversation, spoken)


def _not_there(document: Document) -> str:
    """Why a class that the operator allowed cannot be had here; empty when all can. To look is to import, so it waits
    for the attempt."""
    providers = {provider_of(node): None for _, node, _ in components.nodes(document) if "provider" in node}
    for provider in providers:
        if provider in components.FORMS or provider == components.PERSON:
            continue
        module, _, name = provider.rpartition(".")
        try:
            there = bool(module) and hasattr(importlib.import_module(module), name)
        except ModuleNotFoundError as missing:
            return f"{provider} needs the Python module {missing.name}, which is not here; {_install(module)}"
        if not there:
            return (
                f"{provider}: there is no such class; allowed is MODULE.CLASS; correct provider in the component file"
            )
    return ""


def _install(module: str) -> str:
    """What to install for a module. AutoGen names its extras for agents as their modules."""
    extra = module.removeprefix("autogen_ext.agents.").replace("_", "-")
    if "." in extra or extra == module:
        return "install it where attempts run"
    return f"where attempts run: pip install {shell_word(f'autogen-ext[{extra}]')}"


async def _ran(team: Team, order: TextMessage, conversation: Conversation) -> TaskResult:
    try:
        return await team.run(task=order, cancellation_token=conversation.token, output_task_messages=False)
    except (RuntimeError, *_UNREADABLE) as error:
        kind = str(error).partition(":")[0] if isinstance(error, RuntimeError) else type(error).__name__
        if kind not in _TOLD or not conversation.meter.turns:
            raise
        print(f"workermd: AutoGen's team broke off with {kind}", file=sys.stderr)  # noqa: T201 - the attempt's log
        raise TeamUnreadable from None


def _order(conversation: Conversation, plan: Plan) -> str:
    """What the team is told: the input. A leader, who has no prompt of its own, is told the purpose with it."""
    prompt = conversation.prompt(str(conversation.arrangement.get("instructions", "")), "speaks")
    return f"{prompt.system}\n\n{prompt.user}" if plan.answers == (ORCHESTRATOR,) else prompt.user


def _answer(spoken: Sequence[BaseChatMessage], plan: Plan) -> str | Result:
    """The last words of who gives the answer."""
    theirs = [message for message in spoken if message.source in plan.answers]
    if not theirs or (theirs[-1] is not spoken[-1] and not plan.anywhere):
        names = " or ".join(plan.answers)
        return failed("invalid_output", "output_not_json", f"the team ended before {names} had given the answer")
    return words(theirs[-1])


async def _reported(conversation: Conversation, spoken: Sequence[BaseChatMessage]) -> str:
    """The answer out of what was said, in one request of its own."""
    prompt = conversation.prompt(str(conversation.arrangement.get("instructions", "")))
    said = "\n\n".join(f"{message.source}: {message.to_text()}" for message in spoken if message.source != "user")
    user = f"{prompt.user}\n\nA team has worked on it. What was said:\n\n{said}\n\nGive the answer out of that."
    return await answered(conversation, "reporter", prompt._replace(user=user), ())
