"""The kind `chat`: one assistant on AutoGen's AgentChat, with a model of any OpenAI-compatible endpoint."""

from workermd.backends.agents import ready
from workermd.backends.agents.conversation import Conversation, Ending, performed
from workermd.backends.autogen.agentchat import answered, quiet
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task

ENDINGS: tuple[Ending, ...] = ()


def unusable(binding: Binding) -> str:
    """Why the binding cannot begin, or what in its table is none of its keys' values."""
    if not isinstance(binding.arrangement.get("instructions", ""), str):
        return f'{binding.origin}: instructions is no text; write instructions = "…"'
    return ready.unusable(binding)


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding, limits, _talk, ENDINGS)


async def _talk(conversation: Conversation) -> str:
    quiet()
    return await answered(
        conversation, "assistant", conversation.prompt(str(conversation.arrangement.get("instructions", "")))
    )
