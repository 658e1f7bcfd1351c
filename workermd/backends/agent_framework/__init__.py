"""The kind `agent-framework`: agents, workflows and orchestrations of Microsoft's Agent Framework."""

from agent_framework.exceptions import AgentFrameworkException, ContentError, WorkflowConvergenceException

from workermd.backends.agent_framework import declared
from workermd.backends.agent_framework.members import quiet
from workermd.backends.agent_framework.single import alone
from workermd.backends.agents import ready
from workermd.backends.agents.conversation import Conversation, Ending, performed
from workermd.backends.agents.roster import Roster, roster_of
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task

ENDINGS: tuple[Ending, ...] = (
    (WorkflowConvergenceException, "invalid_output", "budget_exceeded", "the workflow reached the framework's bound on steps"),
    (ContentError, "invalid_output", "output_not_json", "the model's reply holds something that the framework cannot read"),
    (AgentFrameworkException, "refused", "backend_failed", "the framework could not go on with what the model answered"),
)  # fmt: skip
"""What is left to a framework whose requests, tools and rounds are ours."""

PATTERNS = {
    "single": {"declarative"},
    "sequence": {"answer"},
    "parallel": {"answer"},
    "round-robin": {"answer", "rounds", "until"},
    "selector": {"answer", "rounds", "selector_model"},
    "swarm": {"answer", "rounds"},
    "magentic": {"rounds", "orchestrator_model", "plan_review", "on_stall", "max_stalls", "max_replans"},
    "graph": {"answer", "rounds", "edges", "sequence", "start"},
}
"""Every pattern with the keys that it takes beside `pattern`, `agents`, `instructions` and `ask_user`."""

_ALSO = {"handoff": "swarm", "workflow": "graph"}
"""The framework's own words for two of them."""


def unusable(binding: Binding) -> str:
    """Why the binding's models cannot be asked, or what is wrong with how its agents are arranged."""
    if reason := ready.unusable(binding):
        return reason
    try:
        roster = _roster(binding)
        declared.read(binding)
        if roster.pattern != "single":
            from workermd.backends.agent_framework.patterns import check

            check(roster, binding)
    except ConfigurationError as error:
        return f"{error.message}; {error.hint}"
    return ""


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    return performed(task, binding, limits, _talk, ENDINGS)


async def _talk(conversation: Conversation) -> str | Result:
    quiet()
    roster = _roster(conversation.binding)
    if roster.pattern == "single":
        return await alone(conversation, roster)
    from workermd.backends.agent_framework.patterns import together

    return await together(conversation, roster)


def _roster(binding: Binding) -> Roster:
    """Raises ConfigurationError, also for a key that the pattern has no use for."""
    roster = roster_of(binding, (*PATTERNS, *_ALSO))
    roster = roster._replace(pattern=_ALSO.get(roster.pattern, roster.pattern))
    takes = {"pattern", "agents", "instructions", "ask_user"} | PATTERNS[roster.pattern]
    for key in binding.arrangement:
        if key not in takes:
            fitting = ", ".join(name for name, keys in PATTERNS.items() if key in keys)
            raise ConfigurationError(
                f"{binding.origin}: {key} is there with the pattern {roster.pattern!r}; it belongs to: {fitting}",
                "remove it, or choose another pattern",
            )
    return roster
