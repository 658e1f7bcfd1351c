"""What a team of a file needs of the worker's table: tools bound by name, classes allowed, a person, a cap."""

import json
from typing import Any, NamedTuple

from workermd.backends.autogen import components
from workermd.backends.autogen.components import ASSISTANT, FORMS, PERSON, Unfit, config_of, nodes, provider_of
from workermd.protocol.envelope import Document

FUNCTION_TOOL = "autogen_core.tools.FunctionTool"
ROUNDS = 10
"""A cap for a team that has none, as it is proposed."""

_BENCHES = ("autogen_core.tools.StaticWorkbench", "autogen_core.tools.StaticStreamWorkbench")


class Needs(NamedTuple):
    """Keys of a worker's table without which the team is refused. `rounds` is None where the team has a cap."""

    tools: tuple[str, ...] = ()
    ask_user: bool = False
    rounds: int | None = None
    allow_providers: tuple[str, ...] = ()

    def keys(self) -> dict[str, Any]:
        """The keys that help, as the configuration has them, without `allow_providers`: that is a matter of trust."""
        found = {"tools": list(self.tools), "ask_user": self.ask_user, "rounds": self.rounds}
        return {key: value for key, value in found.items() if value}

    def told(self) -> str:
        """What to write, in one line; empty where nothing is needed."""
        told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in self.keys().items())
        if self.allow_providers:
            trusted = f"allow_providers = {json.dumps(list(self.allow_providers))} if you trust what that loads"
            told = f"{told}, and {trusted}" if told else trusted
        return told


def needs_of(team: Document) -> Needs | None:
    """What the team needs; None where no key of the worker's table helps."""
    providers = {provider_of(node): None for _, node, _ in nodes(team) if "provider" in node}
    needs = Needs(
        tuple(dict.fromkeys(tool_name(tool) for tool in function_tools(team))),
        PERSON in providers,
        None,
        tuple(each for each in providers if each and each not in FORMS and each not in (PERSON, FUNCTION_TOOL)),
    )
    for rounds in (None, ROUNDS):
        try:
            fits(team, needs._replace(rounds=rounds))
        except Unfit:
            continue
        return needs._replace(rounds=rounds)
    return None


def fits(team: Document, needs: Needs) -> None:
    """Raises `Unfit` where the team cannot be loaded with these keys."""
    components.checked(
        with_tools_of_ours(team, frozenset(needs.tools)),
        frozenset(needs.allow_providers),
        asks=needs.ask_user,
        rounds=needs.rounds,
    )


def function_tools(team: Document) -> list[Document]:
    """The tools of the file that are Python code, in the order in which they stand there."""
    return [node for _, node, _ in nodes(team) if tool_name(node)]


def tool_name(tool: Any) -> str:
    """The name of a tool that is Python code in the file; empty for anything else."""
    name = config_of(tool).get("name") if provider_of(tool) == FUNCTION_TOOL else None
    return name if isinstance(name, str) else ""


def with_tools_of_ours(value: Any, bound: frozenset[str]) -> Any:
    """The document with each function tool taken out that the worker has a tool for by its name.

    An agent that had one is given the worker's; a tool of the worker's that the file does not name goes to every agent.
    """
    if not isinstance(value, dict):
        return value
    named = {tool_name(tool) for tool in function_tools(value)} & bound
    return _exchanged(value, named, sorted(bound - named)) if named else value


def _exchanged(value: Any, named: set[str], free: list[str]) -> Any:
    if isinstance(value, list):
        return [_exchanged(each, named, free) for each in value]
    if not isinstance(value, dict):
        return value
    if provider_of(value) != ASSISTANT or not isinstance(value.get("config"), dict):
        return {key: _exchanged(each, named, free) for key, each in value.items()}
    config = dict(value["config"])
    its_own: list[str] = []
    if isinstance(config.get("tools"), list):
        config["tools"] = _left(config["tools"], named, its_own)
    if isinstance(config.get("workbench"), list):
        config["workbench"] = [_bench(each, named, its_own) for each in config["workbench"]] + [
            {"provider": components.GATED, "config": {"names": [*dict.fromkeys(its_own), *free]}}
        ]
    elif config.get("workbench") is None:
        config["workbench"] = [{"provider": components.GATED, "config": {"names": [*dict.fromkeys(its_own), *free]}}]
    return {**value, "config": config}


def _bench(bench: Any, named: set[str], its_own: list[str]) -> Any:
    if provider_of(bench) not in _BENCHES or not isinstance(config_of(bench).get("tools"), list):
        return bench
    return {**bench, "config": {**config_of(bench), "tools": _left(config_of(bench)["tools"], named, its_own)}}


def _left(tools: list[Any], named: set[str], its_own: list[str]) -> list[Any]:
    its_own += [tool_name(each) for each in tools if tool_name(each) in named]
    return [each for each in tools if tool_name(each) not in named]
