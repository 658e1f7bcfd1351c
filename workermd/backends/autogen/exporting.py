"""A team of the configuration as a component file that AutoGen and AutoGen Studio load: nothing in it is ours.

What only workermd has is left out and said: its gates of tools, its keys, and the look at how a team ended.
"""

import copy

from workermd.backends.autogen import components, team
from workermd.backends.autogen.components import config_of, nodes, provider_of
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding, Model

_NEEDED: dict[str, Document] = {
    components.ASSISTANT: {
        "description": "A member of the team.",
        "reflect_on_tool_use": False,
        "tool_call_summary_format": "{result}",
    },
    components.SOCIETY: {
        "description": "A member of the team, with a team of its own.",
        "instruction": "Your own team has said:",
        "response_prompt": "Give the answer of your team.",
    },
    components.SELECTOR: {
        "selector_prompt": "{roles}\n\n{history}\n\nName the one of {participants} who goes on. Say only the name.",
    },
    components.MAGENTIC: {"final_answer_prompt": "Give the answer to the task."},
}
"""What AutoGen's loader asks for, and a table need not say."""


def exported(binding: Binding, label: str) -> Document:
    """The file's document; its description says what was left out. Raises ConfigurationError for what is no team."""
    try:
        document = _plain(copy.deepcopy(team.plan_of(binding).document))
    except components.Unfit as unfit:
        raise ConfigurationError(str(unfit), "mend the table first") from None
    left_out: list[str] = []
    models = (
        {"": binding.model} if binding.model is not None else {}
    ) | binding.models  # an empty name: the worker's own
    for _, node, _ in nodes(document):
        _strip(node, models, left_out)
    left_out += [f"the tools {', '.join(tool.name for tool in binding.tools)}"] if binding.tools else []
    left_out += ["what all agents are told"] if binding.arrangement.get("instructions") else []
    without = f" Left out: {'; '.join(dict.fromkeys(left_out))}." if left_out else ""
    return {**document, "label": label, "description": f"The team of the worker {label}, from workermd.{without}"}


def _plain(node: Document) -> Document:
    """A team without what watches it, teams inside it too."""
    found = config_of(node)["team"] if provider_of(node) == components.WATCHED else node
    for participant in config_of(found).get("participants", ()):
        config = config_of(participant)
        if isinstance(config.get("team"), dict):
            config["team"] = _plain(config["team"])
    return found


def _strip(node: Document, models: dict[str, Model], left_out: list[str]) -> None:
    provider, config = provider_of(node), config_of(node)
    if provider == components.OPENAI:
        _client(config, models.get(str(config.get("model", ""))), left_out)
    elif provider == components.MENTIONED:
        node["provider"] = components.TEXT_MENTION
        config.pop("sources", None)
        left_out.append(f"who has to say {config.get('text')}")
    elif provider == components.ASSISTANT:
        benches = [each for each in config.get("workbench") or () if provider_of(each) != components.GATED]
        config["workbench"] = benches or None
        config["handoffs"] = [{"target": each} for each in config.get("handoffs") or ()]
    if provider in (components.ASSISTANT, components.SOCIETY):
        node["component_type"] = "agent"
    for key, value in _NEEDED.get(provider, {}).items():
        config[key] = config.get(key) or value


def _client(config: Document, model: Model | None, left_out: list[str]) -> None:
    """AutoGen asks for what a model can do where it does not know its name."""
    if model is None:
        return
    config["model"] = model.name
    config["base_url"] = model.base_url
    config["model_info"] = {
        "vision": False,
        "function_calling": True,
        "json_output": model.structured != "text",
        "structured_output": model.structured in ("auto", "schema"),
        "family": "unknown",
    }
    left_out.append(f"the key of {model.name}")
