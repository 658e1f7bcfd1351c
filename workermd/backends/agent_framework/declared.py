"""A declarative YAML agent of the framework. Such a file can name clients to import, endpoints, tools and expressions
that read the environment: it is read by us first, and what is left is prose and numbers."""

import os
import sys
import warnings
from typing import Any, NamedTuple

from agent_framework import Agent

from workermd.backends.agent_framework.members import FrameworkClient
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding

MAX_BYTES = 1 << 16
"""A larger file is not read."""

_KINDS = ("Prompt", "Agent")
_TEXTS = ("kind", "name", "displayName", "description", "instructions")
_MODEL_TEXTS = ("id", "provider", "apiType")
_LEFT_OUT = ("metadata", "outputSchema", "inputSchema")
"""What a file may say and a worker has from elsewhere: the contract's schemas are asked for, and checked."""
_OPTIONS: dict[str, type | tuple[type, ...]] = {
    "temperature": (int, float),
    "topP": (int, float),
    "frequencyPenalty": (int, float),
    "presencePenalty": (int, float),
    "maxOutputTokens": int,
    "seed": int,
    "stopSequences": list,
}
_OPTIONS_LEFT_OUT = ("allowMultipleToolCalls", "chatToolMode")
"""Which tools a model calls, and how many at once, is between the model and the gate."""


class Declaration(NamedTuple):
    """What a file says, within the allow-list. `options` are the model's."""

    name: str
    description: str
    instructions: str
    options: dict[str, Any]


def read(binding: Binding) -> Declaration | None:
    """The binding's file, None where it names none. Raises ConfigurationError for whatever is not allowed in it."""
    path = binding.arrangement.get("declarative", "")
    if path == "":
        return None
    if not isinstance(path, str):
        raise ConfigurationError(f"{binding.origin}: declarative is not text", 'write declarative = "agent.yaml"')
    for key in ("instructions", "agents"):
        if key in binding.arrangement:
            raise ConfigurationError(f"{binding.origin}: has both declarative and {key}", "keep one of them")
    fields = _mapping(_value(os.path.join(binding.folder, path), path), path)
    found = _Findings(path)
    kind = fields.get("kind")
    if kind == "Workflow" or not {"trigger", "actions"}.isdisjoint(fields):
        raise ConfigurationError(
            f"{path}: it declares a workflow, and workflows of files are not run: their steps and expressions would be",
            'arrange the agents in the configuration: pattern = "sequence", "graph", …',
        )
    if kind not in _KINDS:
        found.add("kind", f"found {ascii(kind)[:40]}; allowed are {', '.join(_KINDS)}")
    found.only(fields, (*_TEXTS, *_LEFT_OUT, "model", "tools"), "")
    texts = {key: found.text(fields, key, "") for key in _TEXTS}
    if not texts["name"].isprintable() or len(texts["name"]) > 64:
        found.add("name", "allowed are at most 64 printable characters")
    _check_tools(fields.get("tools") or [], binding, found)
    options = _options(fields.get("model"), found)
    found.tell()
    return Declaration(texts["name"] or "assistant", texts["description"], texts["instructions"], options)


class _Findings:
    """What is wrong with a file: all of it is told at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._told: list[str] = []

    def add(self, place: str, told: str) -> None:
        self._told.append(f"{place}: {told}")

    def only(self, fields: dict[str, Any], allowed: tuple[str, ...], place: str) -> None:
        for key in fields:
            if key not in allowed:
                self.add(f"{place}{key[:40]}", f"is not allowed; allowed there: {', '.join(allowed)}")

    def text(self, fields: dict[str, Any], key: str, place: str) -> str:
        value = fields.get(key, "")
        if not isinstance(value, str):
            self.add(place + key, "is not text")
        elif value.startswith("="):
            self.add(place + key, "is an expression, and none is evaluated; write the text itself")
        else:
            return value
        return ""

    def tell(self) -> None:
        """Raises ConfigurationError where anything was found."""
        if self._told:
            raise ConfigurationError(
                f"{self._path}: {'; '.join(self._told)}",
                "remove or correct these: model, tools and the form of the answer are the binding's and the contract's",
            )


def _check_tools(given: Any, binding: Binding, found: _Findings) -> None:
    """A file's tools are those of the worker by their names: what they do, and where, is the binding's."""
    bound = [tool.name for tool in binding.tools]
    for index, tool in enumerate(given if isinstance(given, list) else [given]):
        kind, name = (tool.get(key) for key in ("kind", "name")) if isinstance(tool, dict) else (None, None)
        if name not in bound:
            known = ", ".join(bound) or "none"
            what = f"{ascii(name)[:60]} of kind {ascii(kind)[:40]}"
            found.add(
                f"tools[{index}]", f"found {what}; the worker's tools are: {known}; bind one of that name: tools = […]"
            )


def tool_names(fields: dict[str, Any]) -> list[str]:
    """The names of the tools that a file has: those to be bound for it."""
    given = fields.get("tools") or []
    tools = given if isinstance(given, list) else [given]
    return [tool["name"] for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]


def agent_of(declaration: Declaration, client: FrameworkClient, system: str) -> Agent:
    """The agent that the framework's own factory makes of a declaration, on our client and with our prompt."""
    # Its module starts a .NET runtime where there is one, and prints. Only expressions need that: none is let through.
    sys.modules.setdefault("powerfx", None)  # type: ignore[arg-type]
    from agent_framework.declarative import AgentFactory

    definition: dict[str, Any] = {"kind": "Prompt", "name": declaration.name, "instructions": system}
    if declaration.description:
        definition["description"] = declaration.description
    if declaration.options:
        definition["model"] = {"options": dict(declaration.options)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that the factory is experimental
        factory = AgentFactory(client=client, env_file_path=os.devnull)  # without a path it looks for a .env file
        agent: Agent = factory.create_agent_from_dict(definition)
    return agent


def _value(path: str, shown: str) -> Any:
    from workermd.contract import yaml_values

    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigurationError(f"{shown}: is larger than {MAX_BYTES} bytes", "make it smaller")
        return yaml_values.read(content.decode()).value
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{shown}: cannot be read ({reason})", "the path is relative to the configuration's folder"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{shown}: is not UTF-8", "save it as UTF-8") from None
    except yaml_values.YamlError as error:
        raise ConfigurationError(f"{shown}: {error}", "correct it") from None


def _options(model: Any, found: _Findings) -> dict[str, Any]:
    """Which model is asked, and where, is the binding's: `id`, `provider`, `apiType` and `connection` are not used."""
    if model is None:
        return {}
    if not isinstance(model, dict) or not isinstance(model.get("options") or {}, dict):
        found.add("model", "is not a mapping, or its options are none")
        return {}
    found.only(model, (*_MODEL_TEXTS, "connection", "options"), "model.")
    options: dict[str, Any] = model.get("options") or {}
    found.only(options, (*_OPTIONS, *_OPTIONS_LEFT_OUT), "model.options.")
    for key, value in options.items():
        if key in _OPTIONS and (not isinstance(value, _OPTIONS[key]) or isinstance(value, bool)):
            found.add(f"model.options.{key}", "is of another type")
    if not all(isinstance(stop, str) for stop in options.get("stopSequences") or ()):
        found.add("model.options.stopSequences", "is not a list of text")
    return options


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place}: is not a mapping", "write for example kind: Prompt")
    return value
