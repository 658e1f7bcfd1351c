"""The kind `factory`: agents that people have already, as Python objects of their framework, on our wire and behind our gate.

`factory = "module:build"` names a function of the operator's. It is given a kit, takes its clients and tools from it, and
returns what is called with the task's text and answers with a text. What it brings of its own instead, a client or a
tool, would be bounded, recorded and allowed by nobody: it is refused by name.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from workermd.backends.agents import functions, response_format
from workermd.backends.agents.conversation import Conversation, performed
from workermd.backends.agents.prompt import Prompt
from workermd.backends.agents.strangers import Ours, strangers_in
from workermd.backends.core import CancellationToken
from workermd.protocol.envelope import Document
from workermd.task import callables
from workermd.task.binding import Binding, ToolBinding
from workermd.task.task import Limits, Refused, Result, Task

ENTRY_POINTS = "workermd.factories"
"""The group in which an installed package names its factories."""


def unusable(binding: Binding) -> str:
    """Why there is no such factory, found by importing its module, or why its models cannot be asked."""
    named = binding.arrangement.get("factory")
    if not isinstance(named, str) or not named:
        return f'{binding.origin}: kind factory names none; write factory = "module:build"'
    try:
        from workermd.backends.agents import ready
    except ModuleNotFoundError as error:  # of whichever framework: this kind has no extra of its own
        return f"kind factory needs the module {error.name!r}; install its framework: pip install 'workermd[agentchat]'"
    place = f"factory {named} ({binding.origin})"
    return ready.unusable(binding) or callables.why_unusable("factory", named, ENTRY_POINTS, place, binding.folder)


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding, limits, _talk)


async def _talk(conversation: Conversation) -> str:
    binding = conversation.binding
    named = str(binding.arrangement["factory"])
    place = f"factory {named} ({binding.origin})"
    build, package = callables.resolved("factory", named, ENTRY_POINTS, place, binding.folder)
    kit = Kit(conversation)
    made = build(kit)
    made = await made if inspect.isawaitable(made) else made
    if not callable(made):
        raise Refused(f"factory {named} returned a {type(made).__name__}; return a function that takes the task's text")
    if strangers := strangers_in(made, kit.ours, package):
        raise Refused(f"factory {named}: found {strangers[0]}")
    prompt = kit.prompt()
    answer = made(f"{prompt.system}\n\n{prompt.user}")
    answer = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(answer, str):
        raise Refused(f"factory {named}: what it returned answered with a {type(answer).__name__}; answer with a text")
    return answer


class Kit:
    """What a factory is given. An agent's name is that under which it is counted, recorded and seen in spans; a model is
    named as in the worker's table, the worker's own where none is."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.ours = Ours()
        self.task: Task = conversation.task
        self.settings: Document = conversation.task.settings
        self.response_format: Document = response_format.asked_for(conversation.task.output_schema)
        """The form of the answer, as chat completions take it, for whoever gives it."""

    @property
    def token(self) -> CancellationToken:
        """Cancelled when the attempt ends: give it to whatever takes one of AutoGen's."""
        return self._conversation.token

    def prompt(self, instructions: str = "") -> Prompt:
        """The contract's purpose and the form of the answer (`system`), and the input (`user`)."""
        own = str(self._conversation.arrangement.get("instructions", ""))
        return self._conversation.prompt("\n\n".join(filter(None, (own, instructions))))

    def openai(self, agent: str, model: str = "") -> Any:
        """An `openai.AsyncOpenAI`, with its model's name as `kit.model_name(model)`."""
        return self._client(agent, model).client

    def model_name(self, model: str = "") -> str:
        return self._conversation.model(model).name

    def autogen(self, agent: str, model: str = "", *, answers: bool = False) -> Any:
        """A `ChatCompletionClient` of AutoGen; with `answers` each reply is asked for in the form of the answer."""
        from workermd.backends.autogen.agentchat import AgentChatClient, quiet

        quiet()
        chosen = self._conversation.model(model)
        return self.ours.keep(AgentChatClient(self._conversation, agent, chosen, structured=answers))

    def agent_framework(self, agent: str, model: str = "") -> Any:
        """A chat client of Microsoft's Agent Framework."""
        from workermd.backends.agent_framework.members import client_of, quiet

        quiet()
        return self.ours.keep(client_of(self._conversation, agent, model))

    def ag2(self, agent: str, model: str = "") -> Any:
        """A model configuration of AG2."""
        from workermd.backends.ag2.agents import config_of

        return self.ours.keep(config_of(self._client(agent, model)))

    def workbench(self, agent: str) -> Any:
        """The worker's tools as AutoGen's workbench."""
        from workermd.backends.autogen.agentchat import GatedWorkbench

        return self.ours.keep(GatedWorkbench(self._conversation, agent))

    def tools(self, agent: str) -> list[Callable[..., Any]]:
        """The worker's tools as functions, each with one argument: the object that its schema describes."""
        return [self._function(tool.name, tool.description, tool.call) for tool in self._conversation.tools(agent)]

    def gated(self, agent: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A tool of the factory's own behind the gate: the same function, async, for a framework to wrap. The contract's
        list has to allow its name; its calls are counted, recorded and seen."""
        name = function.__name__
        runner = functions.runner_of(ToolBinding(name), name, function)
        signature = inspect.signature(function)

        @functools.wraps(function)
        async def call(*given: Any, **named: Any) -> str:
            arguments = dict(signature.bind(*given, **named).arguments)
            return (await self._conversation.called(agent, runner, arguments)).text

        call.__annotations__ = {**function.__annotations__, "return": str}
        call.__signature__ = signature.replace(return_annotation=str)  # type: ignore[attr-defined]
        del call.__wrapped__
        return self.ours.keep(call)

    def _client(self, agent: str, model: str) -> Any:
        client = self._conversation.model_client(agent, self._conversation.model(model))
        self.ours.keep(client.http_client)
        self.ours.keep(client.client)
        return client

    def _function(self, name: str, description: str, called: Callable[[Document], Any]) -> Callable[..., Any]:
        async def call(arguments: dict[str, Any]) -> str:
            return str(await called(arguments))

        call.__name__, call.__doc__ = name, description
        return self.ours.keep(call)
