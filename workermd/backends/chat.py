"""The kind `chat`: one assistant on AutoGen's AgentChat, with a model of any OpenAI-compatible endpoint."""

from autogen_agentchat.agents import AssistantAgent

from workermd.agents import tools
from workermd.agents.job import Ending, Job, performed
from workermd.agents.wire import unreachable_key
from workermd.backend import Limits, Result, Task
from workermd.backends.autogen import Gated, answer_of, client_of
from workermd.binding import Binding

ENDINGS: tuple[Ending, ...] = ()


def unusable(binding: Binding) -> str:
    """Why the binding's model cannot be asked, or a tool not be had."""
    if binding.model is None:
        return "kind chat needs a model: --model NAME"
    return unreachable_key(binding.model) or tools.unusable(binding)


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding, limits, _talk, ENDINGS)


async def _talk(job: Job) -> str:
    prompt = job.prompt(str(job.arrangement.get("instructions", "")))
    agent = AssistantAgent(
        "assistant",
        client_of(job, "assistant", structured=True),
        workbench=Gated(job.tools("assistant")),
        system_message=prompt.system,
        reflect_on_tool_use=False,
        max_tool_iterations=1_000_000,  # bounded by the meter: max_turns, max_tool_calls, the deadline
    )
    return answer_of(await agent.run(task=prompt.user, cancellation_token=job.token))
