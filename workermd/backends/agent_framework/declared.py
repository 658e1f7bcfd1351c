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
_OPTIONS: dict[str, type | tuple[type, ...]] = {
    "temperature": (int, float),
    "topP": (int, float),
    "frequencyPenalty": (int, float),
    "presencePenalty": (int, float),
    "maxOutputTokens": int,
    "seed": int,
    "stopSequences": list,
}


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
    _only(fields, (*_TEXTS, "metadata", "model"), path)
    if fields.get("kind") not in _KINDS:
        raise ConfigurationError(f"{path}: its kind is none of {', '.join(_KINDS)}", "only such an agent can be run")
    texts = {key: _text(fields, key, path) for key in _TEXTS}
    if not texts["name"].isprintable() or len(texts["name"]) > 64:
        raise ConfigurationError(f"{path}: its name is not one of at most 64 printable characters", "correct it")
    return Declaration(
        texts["name"] or "assistant", texts["description"], texts["instructions"], _options(fields.get("model"), path)
    )


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


def _options(model: Any, path: str) -> dict[str, Any]:
    """Which model is asked, and where, is the binding's: `id`, `provider` and `apiType` are read and not used."""
    if model is None:
        return {}
    fields = _mapping(model, f"{path}: model")
    _only(fields, (*_MODEL_TEXTS, "options"), f"{path}: model")
    for key in _MODEL_TEXTS:
        _text(fields, key, f"{path}: model")
    options = _mapping(fields.get("options") or {}, f"{path}: model.options")
    _only(options, tuple(_OPTIONS), f"{path}: model.options")
    for key, value in options.items():
        if not isinstance(value, _OPTIONS[key]) or isinstance(value, bool):
            raise ConfigurationError(f"{path}: model.options.{key} is of another type", "correct it")
    if not all(isinstance(stop, str) for stop in options.get("stopSequences", [])):
        raise ConfigurationError(f"{path}: model.options.stopSequences is not a list of text", "correct it")
    return options


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place}: is not a mapping", "write for example kind: Prompt")
    return value


def _only(fields: dict[str, Any], allowed: tuple[str, ...], place: str) -> None:
    for key in fields:
        if key not in allowed:
            raise ConfigurationError(
                f"{place}: {key[:40]!r} is not allowed in it; allowed: {', '.join(allowed)}",
                "remove it: model, tools and the form of the answer are the binding's and the contract's",
            )


def _text(fields: dict[str, Any], key: str, place: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{place}: {key} is not text", "correct it")
    if value.startswith("="):
        raise ConfigurationError(f"{place}: {key} is an expression; none is evaluated", "write the text itself")
    return value
