"""What may stand in a component document of AutoGen's: looked at as a whole before anything of it is imported.

To load a component is to import and run what its `provider` names. So a document is held against an allow-list of exact
classes, of which every key is known here; the rest is refused with its place. What is loaded in the end is not the
document as it stands: `adoption.py` replaces every model client, tool and cap.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workermd.protocol.envelope import Document

MAX_DEPTH = 64

ASSISTANT = "autogen_agentchat.agents.AssistantAgent"
SOCIETY = "autogen_agentchat.agents.SocietyOfMindAgent"
FILTER = "autogen_agentchat.agents.MessageFilterAgent"
PERSON = "autogen_agentchat.agents.UserProxyAgent"
ROUND_ROBIN = "autogen_agentchat.teams.RoundRobinGroupChat"
SELECTOR = "autogen_agentchat.teams.SelectorGroupChat"
SWARM = "autogen_agentchat.teams.Swarm"
MAGENTIC = "autogen_agentchat.teams.MagenticOneGroupChat"
GRAPH = "autogen_agentchat.teams.GraphFlow"
OR = "autogen_agentchat.base.OrTerminationCondition"
AND = "autogen_agentchat.base.AndTerminationCondition"
CONDITIONS = "autogen_agentchat.conditions."
MAX_MESSAGES = CONDITIONS + "MaxMessageTermination"
TEXT_MENTION = CONDITIONS + "TextMentionTermination"
TEXT_MESSAGE = CONDITIONS + "TextMessageTermination"
STATIC_WORKBENCH = "autogen_core.tools.StaticWorkbench"
OPENAI = "autogen_ext.models.openai.OpenAIChatCompletionClient"

WATCHED = "workermd.backends.autogen.agentchat.Watched"
GATED = "workermd.backends.autogen.agentchat.GatedWorkbench"
MENTIONED = "workermd.backends.autogen.agentchat.Mentioned"
"""Ours, as `patterns.py` writes them: a team whose ending is looked at, an agent's choice of tools, and a word that
counts from certain speakers only, which AutoGen's own condition forgets when it is loaded."""

SHORT_NAMES = {
    "openai_chat_completion_client": OPENAI,
    "OpenAIChatCompletionClient": OPENAI,
    "azure_openai_chat_completion_client": "autogen_ext.models.openai.AzureOpenAIChatCompletionClient",
    "AzureOpenAIChatCompletionClient": "autogen_ext.models.openai.AzureOpenAIChatCompletionClient",
    "OllamaChatCompletionClient": "autogen_ext.models.ollama.OllamaChatCompletionClient",
}
"""Names that autogen-core 0.7.5 takes for providers (its `WELL_KNOWN_PROVIDERS`)."""


class Unfit(Exception):
    """What stands in the way of a team. The message names place, what was found, what is allowed and the next step."""


class Form(NamedTuple):
    """What a provider takes: `role` says where it may stand; `keys` what each key of its `config` holds, a role, a
    list of a role (`[role]`), or plain data; `needs` are those that have to be there."""

    role: str
    keys: dict[str, str] | None
    needs: tuple[str, ...] = ()


def _condition(needs: tuple[str, ...] = (), **keys: str) -> Form:
    return Form("condition", keys, needs)


_NAMED = {"name": "text", "description": "text"}
_TEAM = {**_NAMED, "participants": "[participant]", "termination_condition": "condition", "max_turns": "count"}
_AGENTS = {**_TEAM, "participants": "[agent]"}
_ANY_MODEL = Form("model", None)

FORMS: dict[str, Form] = {
    ASSISTANT: Form(
        "agent",
        {
            **_NAMED,
            "model_client": "model",
            "tools": "[tool]",
            "workbench": "[workbench]",
            "handoffs": "handoffs",
            "model_context": "context",
            "memory": "[memory]",
            "system_message": "text",
            "model_client_stream": "flag",
            "reflect_on_tool_use": "flag",
            "tool_call_summary_format": "text",
            "max_tool_iterations": "count",
            "metadata": "data",
            "structured_message_factory": "factory",
        },
        ("name", "model_client"),
    ),
    SOCIETY: Form(
        "agent",
        {
            **_NAMED,
            "team": "team",
            "model_client": "model",
            "instruction": "text",
            "response_prompt": "text",
            "model_context": "context",
        },
        ("name", "team", "model_client"),
    ),
    FILTER: Form("agent", {"name": "text", "wrapped_agent": "agent", "filter": "data"}, ("wrapped_agent", "filter")),
    PERSON: Form("agent", _NAMED, ("name",)),
    ROUND_ROBIN: Form("team", {**_TEAM, "emit_team_events": "flag"}, ("participants",)),
    SELECTOR: Form(
        "team",
        {
            **_TEAM,
            "emit_team_events": "flag",
            "model_client": "model",
            "selector_prompt": "text",
            "allow_repeated_speaker": "flag",
            "max_selector_attempts": "count",
            "model_client_streaming": "flag",
            "model_context": "context",
        },
        ("participants", "model_client"),
    ),
    SWARM: Form("team", {**_AGENTS, "emit_team_events": "flag"}, ("participants",)),
    MAGENTIC: Form(
        "team",
        {
            **_AGENTS,
            "emit_team_events": "flag",
            "model_client": "model",
            "max_stalls": "count",
            "final_answer_prompt": "text",
        },
        ("participants", "model_client"),
    ),
    GRAPH: Form("team", {**_AGENTS, "graph": "graph"}, ("participants", "graph")),
    WATCHED: Form("team", {"team": "team", "answers": "data"}, ("team",)),
    OR: _condition(("conditions",), conditions="[condition]"),
    AND: _condition(("conditions",), conditions="[condition]"),
    CONDITIONS + "StopMessageTermination": _condition(),
    MAX_MESSAGES: _condition(("max_messages",), max_messages="count", include_agent_event="flag"),
    TEXT_MENTION: _condition(("text",), text="text"),
    MENTIONED: _condition(("text", "sources"), text="text", sources="texts"),
    CONDITIONS + "TokenUsageTermination": _condition(
        max_total_token="count",  # noqa: S106 - a bound
        max_prompt_token="count",  # noqa: S106
        max_completion_token="count",  # noqa: S106
    ),
    CONDITIONS + "HandoffTermination": _condition(("target",), target="text"),
    CONDITIONS + "TimeoutTermination": _condition(("timeout_seconds",), timeout_seconds="number"),
    CONDITIONS + "ExternalTermination": _condition(),
    CONDITIONS + "SourceMatchTermination": _condition(("sources",), sources="texts"),
    TEXT_MESSAGE: _condition(source="text"),
    CONDITIONS + "FunctionCallTermination": _condition(("function_name",), function_name="text"),
    "autogen_core.model_context.UnboundedChatCompletionContext": Form("context", {"initial_messages": "data"}),
    "autogen_core.model_context.BufferedChatCompletionContext": Form(
        "context", {"buffer_size": "count", "initial_messages": "data"}, ("buffer_size",)
    ),
    "autogen_core.model_context.HeadAndTailChatCompletionContext": Form(
        "context",
        {"head_size": "count", "tail_size": "count", "initial_messages": "data"},
        ("head_size", "tail_size"),
    ),
    "autogen_core.model_context.TokenLimitedChatCompletionContext": Form(
        "context",
        {"model_client": "model", "token_limit": "count", "tool_schema": "data", "initial_messages": "data"},
        ("model_client",),
    ),
    STATIC_WORKBENCH: Form("workbench", {"tools": "[tool]", "tool_overrides": "data"}),
    "autogen_core.tools.StaticStreamWorkbench": Form("workbench", {"tools": "[tool]", "tool_overrides": "data"}),
    GATED: Form("workbench", {"names": "texts"}),
    "autogen_agentchat.messages.StructuredMessageFactory": Form(
        "factory", {"json_schema": "data", "format_string": "text", "content_model_name": "text"}, ("json_schema",)
    ),
    OPENAI: _ANY_MODEL,
    "autogen_ext.models.openai.AzureOpenAIChatCompletionClient": _ANY_MODEL,
    "autogen_ext.models.anthropic.AnthropicChatCompletionClient": _ANY_MODEL,
    "autogen_ext.models.ollama.OllamaChatCompletionClient": _ANY_MODEL,
}
"""Every provider that is loaded without being named by the operator: exact classes, no patterns."""

_ENVELOPE = frozenset({"provider", "component_type", "version", "component_version", "description", "label", "config"})
_CAPS = frozenset({MAX_MESSAGES, CONDITIONS + "TokenUsageTermination", CONDITIONS + "TimeoutTermination"})
_LOST = "a condition that was a Python function is lost in a file; write it as a text that has to be said"
_VERSIONS = {ASSISTANT: 2}
"""Component versions of AutoGen 0.7.5 other than 1."""

_REASONS = {
    "selector_func": "a file cannot hold a Python function; say in selector_prompt how to choose",
    "candidate_func": "a file cannot hold a Python function; say in selector_prompt how to choose",
    "input_func": "a file cannot hold a Python function; ask_user = true puts questions to a person",
    "condition_function": "a file cannot hold a Python function; write condition as a text that has to be said",
    "source_code": "code is not loaded from a file; bind a tool of yours: [tools.NAME] with function = …",
}
"""Keys that AutoGen would ignore, or run: why they are refused."""


def checked(document: Document, allowed: frozenset[str], *, asks: bool, rounds: int | None = None) -> None:
    """Raises `Unfit` for the first thing in a team's document that may not be loaded.

    `allowed` are providers that the operator names beside those of `FORMS`; `asks` says whether a person can be asked;
    `rounds` is the operator's own cap for the outer team.
    """
    for place, node, owner in nodes(document):
        _may_be_loaded(node, place, owner, allowed, asks=asks)
    _component(document, "team", "", allowed)
    _capped(document, "", rounds)


def provider_of(node: Any) -> str:
    """The provider that a node names, short names spelled out; empty for what is no component."""
    provider = node.get("provider") if isinstance(node, dict) else None
    return SHORT_NAMES.get(provider, provider) if isinstance(provider, str) else ""


def config_of(node: Document) -> Document:
    config = node.get("config")
    return config if isinstance(config, dict) else {}


def ends_besides_caps(node: Any) -> bool:
    """Whether a termination condition has an ending that is no mere cap."""
    provider = provider_of(node)
    if provider in (OR, AND):
        return any(ends_besides_caps(each) for each in config_of(node)["conditions"])
    return bool(provider) and provider not in _CAPS


# --- the whole document, whatever stands where -----------------------------------------------------------


def nodes(document: Document) -> Iterator[tuple[str, Document, str]]:
    """Every object in the document with its JSON Pointer and the provider it belongs to, outermost first."""
    left: list[tuple[str, Any, int, str]] = [("", document, 0, "")]
    while left:
        place, value, depth, owner = left.pop()
        if depth > MAX_DEPTH:
            raise Unfit(f"{_shown(place)}: found more than {MAX_DEPTH} levels; a team needs fewer; take it apart")
        if isinstance(value, dict):
            yield place, value, owner
            owner = provider_of(value) or owner
            below = [(f"{place}/{_escaped(key)}", each, depth + 1, owner) for key, each in value.items()]
        elif isinstance(value, list):
            below = [(f"{place}/{index}", each, depth + 1, owner) for index, each in enumerate(value)]
        else:
            continue
        left += reversed(below)


def _may_be_loaded(node: Document, place: str, owner: str, allowed: frozenset[str], *, asks: bool) -> None:
    """Whether a provider, wherever it stands, is one that may be loaded: known here, or named by the operator."""
    if owner not in allowed:
        for key, reason in _REASONS.items():
            if node.get(key) is not None:
                raise Unfit(f"{_shown(place)}/{key}: found a key that is not loaded; {reason}")
    if "provider" not in node:
        return
    provider = provider_of(node)
    where = f"{_shown(place)}/provider"
    if provider in allowed:
        return
    if provider == PERSON and not asks:
        raise Unfit(f"{where}: found UserProxyAgent, which would read from a terminal; {_REASONS['input_func']}")
    if provider not in FORMS:
        raise Unfit(
            f"{where}: found {quoted(node['provider'])}; allowed are the classes that docs/teams.md lists, since "
            f"loading any other runs its code; {_INSTEAD.get(provider, _NAME_IT)}"
        )


# --- what stands where ---------------------------------------------------------------------------------------


def _component(node: Any, role: str, place: str, allowed: frozenset[str]) -> None:
    """A component where one of this role has to stand."""
    if not isinstance(node, dict) or not isinstance(node.get("provider"), str):
        raise Unfit(f"{_shown(place)}: found {kind_of(node)}; allowed is a component: provider and config")
    for key in node:
        if key not in _ENVELOPE:
            raise Unfit(
                f"{_at(place, key)}: found an unknown key; allowed are {', '.join(sorted(_ENVELOPE))}; remove it"
            )
    provider = provider_of(node)
    if provider not in FORMS:
        return  # the operator's: what it takes is not known here
    form = FORMS[provider]
    if form.role != role and not (role == "participant" and form.role in ("agent", "team")):
        fitting = (
            ", ".join(
                name.rpartition(".")[2]
                for name, each in FORMS.items()
                if each.role == role and not name.startswith("workermd.")
            )
            or "none"
        )
        found = provider.rpartition(".")[2]
        raise Unfit(f"{_shown(place)}: found {found}, {_a(form.role)}; allowed is {_a(role)}: {fitting}; put one there")
    _version(node, provider, place)
    config = node.get("config", {})
    if not isinstance(config, dict):
        raise Unfit(f"{place}/config: found {kind_of(config)}; allowed is an object")
    if form.keys is not None:
        _config(config, provider, f"{place}/config", allowed)


def _config(config: Document, provider: str, place: str, allowed: frozenset[str]) -> None:
    form = FORMS[provider]
    keys = form.keys or {}
    name = provider.rpartition(".")[2]
    for key, value in config.items():
        if key not in keys:
            known = ", ".join(keys) or "none"
            raise Unfit(f"{_at(place, key)}: found a key that {name} does not have; allowed are {known}; remove it")
        if value is not None:
            _value(value, keys[key], f"{place}/{key}", allowed)
    for key in form.needs:
        if config.get(key) is None:
            raise Unfit(f"{place}: found no {key}, without which there is no {name}; add it")
    if form.role == "agent" and "name" in keys and not str(config["name"]).isidentifier():
        raise Unfit(f"{place}/name: found {quoted(config['name'])}; allowed are letters, digits and _; rename it")
    _unlike(config.get("participants"), place)


def _value(value: Any, kind: str, place: str, allowed: frozenset[str]) -> None:
    if kind.startswith("["):
        if not isinstance(value, list):
            raise Unfit(f"{place}: found {kind_of(value)}; allowed is an array")
        for index, each in enumerate(value):
            _component(each, kind.strip("[]"), f"{place}/{index}", allowed)
    elif kind == "graph":
        _graph(value, place)
    elif kind in _PLAIN:
        fits, told = _PLAIN[kind]
        if not fits(value):
            raise Unfit(f"{place}: found {kind_of(value)}; allowed is {told}")
    else:
        _component(value, kind, place, allowed)


def _version(node: Document, provider: str, place: str) -> None:
    """AutoGen takes a version above its own without a word."""
    known = _VERSIONS.get(provider, 1)
    for key in ("version", "component_version"):
        if node.get(key) not in (None, known):
            raise Unfit(f"{place}/{key}: found {quoted(node[key])}; AutoGen 0.7.5 has version {known}; export it again")


def _unlike(participants: Any, place: str) -> None:
    names = [str(config_of(each).get("name")) for each in participants or () if isinstance(each, dict)]
    if len(set(names)) < len(names):
        raise Unfit(f"{place}/participants: found one name twice; every participant needs its own; rename one")
    if participants == []:
        raise Unfit(f"{place}/participants: found nobody; a team needs participants; add one")


def _graph(graph: Any, place: str) -> None:
    """Nodes and edges. A loop that nothing ends is refused: its condition was a function, or was forgotten."""
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, dict) or set(graph) - {"nodes", "default_start_node"}:
        raise Unfit(f"{place}: found no graph; allowed are nodes and default_start_node")
    ways: dict[str, list[tuple[str, bool]]] = {}
    for name, node in nodes.items():
        where = _at(f"{place}/nodes", name)
        if not isinstance(node, dict) or set(node) - {"name", "edges", "activation"} or node.get("name") != name:
            raise Unfit(f"{where}: found no node; allowed are name, the same as its key, edges and activation")
        edges = node.get("edges", [])
        if not isinstance(edges, list):
            raise Unfit(f"{where}/edges: found {kind_of(edges)}; allowed is an array")
        ways[name] = [_edge(edge, f"{where}/edges/{index}", nodes) for index, edge in enumerate(edges)]
        if len({conditional for _, conditional in ways[name]}) > 1:
            raise Unfit(f"{where}/edges: found some with a condition and some without; {_LOST}")
    start = graph.get("default_start_node")
    if start is not None and start not in nodes:
        raise Unfit(f"{place}/default_start_node: found {quoted(start)}; allowed are {', '.join(nodes)}")
    free = {name: [target for target, conditional in edges if not conditional] for name, edges in ways.items()}
    if loop := _loop(free):
        raise Unfit(f"{place}: found a loop without a condition: {' → '.join(loop)}; {_LOST}")
    if start is None and not set(nodes) - {target for edges in ways.values() for target, _ in edges}:
        raise Unfit(f"{place}: found no node to begin with; name it: default_start_node")
    if all(ways.values()):
        raise Unfit(f"{place}: found no node to end with; one needs to have no edges")


def _edge(edge: Any, place: str, nodes: Document) -> tuple[str, bool]:
    """Where an edge leads, and whether it has a condition."""
    known = {"target", "condition", "activation_group", "activation_condition"}
    if not isinstance(edge, dict) or set(edge) - known:
        raise Unfit(f"{place}: found no edge; allowed are {', '.join(sorted(known))}")
    if edge.get("target") not in nodes:
        raise Unfit(f"{place}/target: found {quoted(edge.get('target'))}; allowed are {', '.join(nodes)}")
    condition = edge.get("condition")
    if condition is not None and (not isinstance(condition, str) or not condition):
        raise Unfit(f"{place}/condition: found {kind_of(condition)}; {_REASONS['condition_function']}")
    if edge.get("activation_condition", "all") not in ("all", "any"):
        raise Unfit(f"{place}/activation_condition: found {quoted(edge['activation_condition'])}; allowed are all, any")
    return edge["target"], condition is not None


def _loop(ways: dict[str, list[str]]) -> list[str]:
    """A way from a node back to itself, or nothing: what is left when nodes that lead nowhere are taken away."""
    left = dict(ways)
    while ends := [name for name, targets in left.items() if not any(target in left for target in targets)]:
        for name in ends:
            del left[name]
    path: list[str] = []
    name = next(iter(left), "")
    while name and name not in path:
        path.append(name)
        name = next(target for target in left[name] if target in left)
    return [*path[path.index(name) :], name] if path else []


def _capped(team: Document, place: str, rounds: int | None) -> None:
    """Every team, nested ones too, ends by itself after some number of turns or messages."""
    provider, config = provider_of(team), config_of(team)
    if provider == WATCHED:
        _capped(config["team"], f"{place}/config/team", rounds)
        return
    if provider not in FORMS or FORMS[provider].role != "team":
        for inner, where in _teams_within(config, f"{place}/config"):
            _capped(inner, where, None)
        return
    loops = provider != GRAPH or any(
        edge.get("condition") is not None
        for node in config["graph"]["nodes"].values()
        for edge in node.get("edges", [])
    )
    if rounds is None and config.get("max_turns") is None and loops and not _caps(config.get("termination_condition")):
        raise Unfit(
            f"{_shown(place)}/config: found a team without a cap; it may talk for ever; "
            + ("write rounds = 10 into the worker's table, or " if not place else "")
            + "add max_turns, or a MaxMessageTermination that ends it by itself"
        )
    for index, each in enumerate(config["participants"]):
        _capped(each, f"{place}/config/participants/{index}", None)


def _teams_within(config: Document, place: str) -> list[tuple[Document, str]]:
    """The components that an agent wraps."""
    return [(config[key], f"{place}/{key}") for key in ("team", "wrapped_agent") if isinstance(config.get(key), dict)]


def _caps(condition: Any) -> bool:
    """Whether a condition ends a team after so many messages, whatever else happens."""
    if provider_of(condition) == OR:
        return any(_caps(each) for each in config_of(condition)["conditions"])
    return provider_of(condition) == MAX_MESSAGES


# --- words ---------------------------------------------------------------------------------------------------

_PLAIN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (lambda value: isinstance(value, str), "a text"),
    "texts": (
        lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
        "a list of texts",
    ),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "count": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "a whole number from 1",
    ),
    "number": (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value > 0,
        "a number above 0",
    ),
    "handoffs": (
        lambda value: isinstance(value, list) and all(isinstance(each, str | dict) for each in value),
        "a list of names",
    ),
    "data": (lambda value: isinstance(value, dict | list), "an object or an array"),
}

_NAME_IT = "remove it, or name it if you trust it: allow_providers = […]"
_TOOL = (
    "bind a tool of yours by its name to the worker, [tools.NAME] with function = …; or, if you trust the code "
    'in the file: allow_providers = ["autogen_core.tools.FunctionTool"]'
)
_INSTEAD = {
    "autogen_core.tools.FunctionTool": _TOOL,
    "autogen_ext.tools.mcp.McpWorkbench": "bind its tools to the worker, [tools.NAME] with server = …, and remove it",
    "autogen_ext.tools.code_execution.PythonCodeExecutionTool": (
        "bind code execution to the worker, [tools.NAME] with code = …, and remove it"
    ),
    "autogen_agentchat.agents.CodeExecutorAgent": (
        "bind code execution to the worker, [tools.NAME] with code = …, and use an AssistantAgent"
    ),
}


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def quoted(value: Any) -> str:
    return ascii(value)[:100]


def kind_of(value: Any) -> str:
    for kind, name in ((bool, "a flag"), (str, "a text"), (int | float, "a number"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "an object"


def _escaped(key: str) -> str:
    """A key as JSON Pointer has it (RFC 6901), short and printable."""
    return ascii(key)[1:-1][:60].replace("~", "~0").replace("/", "~1")


def _at(place: str, key: str) -> str:
    return f"{place}/{_escaped(key)}"


def _shown(place: str) -> str:
    return place or "the document"
