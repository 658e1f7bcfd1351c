"""A team of AutoGen's as parts of a configuration: tables for its models and tools, and its code as files to be read.

Nothing of the file is loaded or run here, and no key is taken over.
"""

import ast
import os
import re
import textwrap
from typing import Any, NamedTuple

from workermd.backends.autogen.components import FORMS, SHORT_NAMES, Unfit, config_of, nodes, provider_of
from workermd.backends.autogen.needs import Needs, fits, function_tools, needs_of, tool_name
from workermd.protocol.envelope import Document
from workermd.system.text import printable

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MODELS = "autogen_ext.models."
OLLAMA = "http://127.0.0.1:11434"


class ToolFile(NamedTuple):
    """A tool's code out of the file; `function` is its name in the code, empty where the code could not be read."""

    tool: str
    function: str
    source: str


class TeamToImport(NamedTuple):
    """What a team becomes. `models` are tables by name, the first of which is the worker's own; `variables` are read by
    the tools' code; `notes` say what a person has to look at."""

    title: str
    purpose: str
    needs: Needs
    models: dict[str, Document]
    tools: tuple[ToolFile, ...]
    variables: tuple[str, ...]
    notes: tuple[str, ...]


def imported(team: Document, fallback: str) -> TeamToImport:
    """Raises `Unfit` for a team that no configuration lets load. `fallback` is its title where the file says none."""
    needs = needs_of(team)
    if needs is None:
        given = Needs(tuple(map(tool_name, function_tools(team))), ask_user=True, rounds=1)
        fits(team, given)  # says why
        raise Unfit("the team cannot be loaded")
    notes: list[str] = []
    tools = _tools(team, notes)
    if needs.allow_providers:
        notes.append(
            f"allow_providers is a comment: to load {', '.join(needs.allow_providers)} runs its code; remove the # if "
            "you trust it"
        )
    title = _line(team.get("label")) or _line(config_of(team).get("name")) or fallback
    told = _line(team.get("description")) or _line(config_of(team).get("description"))
    return TeamToImport(title, told, needs, _models(team, notes), tools, _variables(tools), tuple(notes))


def _line(value: Any) -> str:
    """A text of the file as one line of a contract."""
    return " ".join(printable(value).split())[:300] if isinstance(value, str) else ""


# --- models ---------------------------------------------------------------------------------------------------------


def _models(team: Document, notes: list[str]) -> dict[str, Document]:
    """A table for each model that the file names, the one that most agents have first."""
    found: dict[str, Document] = {}
    often: dict[str, int] = {}
    for _, node, _ in nodes(team):
        provider = provider_of(node)
        if provider not in FORMS or FORMS[provider].role != "model":
            continue
        table = _model(provider, config_of(node))
        if table is None:
            notes.append("a model client without a model's name was left out")
            continue
        name = next((name for name, known in found.items() if known == table), "") or _free(table["model"], found)
        found[name] = table
        often[name] = often.get(name, 0) + 1
    return {name: found[name] for name in sorted(found, key=lambda name: -often[name])}


def _free(model: str, taken: Document) -> str:
    """A bare key of TOML for a model, unlike those that are there."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", model).strip("-")[:60] or "model"
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(each for each in names if each not in taken)


def _model(provider: str, config: Document) -> Document | None:
    model = config.get("model")
    if not isinstance(model, str) or not model:
        return None
    kind = provider.removeprefix(_MODELS).partition(".")[0]
    table: Document = {"model": _line(model)}
    base = _address(config.get("base_url"))
    if provider == SHORT_NAMES["AzureOpenAIChatCompletionClient"]:
        deployment = config.get("azure_deployment")
        base = _address(config.get("azure_endpoint")).rstrip("/")
        where = f"/openai/deployments/{_line(deployment) or _line(model)}" if base else ""
        version = {"api_version": _line(config["api_version"])} if config.get("api_version") else {}
        return (
            table
            | {"base_url": f"{base or 'https://NAME.openai.azure.com'}{where}"}
            | version
            | {"api_key_env": "AZURE_OPENAI_API_KEY"}
        )
    if kind == "ollama":
        return table | {"base_url": f"{(_address(config.get('host')) or OLLAMA).rstrip('/')}/v1"}
    if kind == "anthropic":
        return (
            table | {"provider": "anthropic", "api_key_env": "ANTHROPIC_API_KEY"} | ({"base_url": base} if base else {})
        )
    return table | ({"base_url": base, "api_key_env": "OPENAI_API_KEY"} if base else {})


def _address(value: Any) -> str:
    """An address without a password or a query; empty for anything else."""
    fits = isinstance(value, str) and re.fullmatch(r"https?://[^\s@?#\"]+", value)
    return str(value) if fits else ""


# --- tools ----------------------------------------------------------------------------------------------------------


def _tools(team: Document, notes: list[str]) -> tuple[ToolFile, ...]:
    found: dict[str, ToolFile] = {}
    for node in function_tools(team):
        name = tool_name(node)
        made = _tool(name, config_of(node), notes)
        if name in found and found[name] != made:
            notes.append(f"two tools are called {printable(name)}, with different code; the first one was taken")
        found.setdefault(name, made)
    return tuple(found.values())


def _tool(name: str, config: Document, notes: list[str]) -> ToolFile:
    shown = printable(name)
    source = config.get("source_code")
    source = _dedented(source) if isinstance(source, str) else ""
    function = _function(source)
    if not function:
        notes.append(f"tool {shown}: its code has no function that can be read; write one, and its name into the table")
    elif config.get("has_cancellation_support"):
        notes.append(f"tool {shown}: its code takes a cancellation token of AutoGen's; take that parameter out of it")
    lines = [_import(each) for each in config.get("global_imports") or ()]
    if not all(lines):
        notes.append(f"tool {shown}: an import of it could not be read; add it to its file")
    head = f'"""{shown}, a tool of a team that was imported. Read it before you run it."""\n'
    parts = [head, "".join(f"{line}\n" for line in lines if line), source]
    return ToolFile(name, function, "\n".join(part for part in parts if part).rstrip("\n") + "\n")


def _dedented(source: str) -> str:
    return textwrap.dedent(source).strip("\n")


def _function(source: str) -> str:
    """The name of the function in a tool's code, whatever the tool is called."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return next((each.name for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)), "")


def _import(entry: Any) -> str:
    """A line of Python for an import as AutoGen writes it: a name, one with an alias, or names out of a module."""
    if isinstance(entry, dict) and isinstance(entry.get("imports"), list):
        names = [_named(each) for each in entry["imports"]]
        module = _named(entry.get("module"))
        return f"from {module} import {', '.join(names)}" if module and names and all(names) else ""
    named = _named(entry)
    return f"import {named}" if named else ""


def _named(entry: Any) -> str:
    if isinstance(entry, dict):
        name, alias = _named(entry.get("name")), _named(entry.get("alias"))
        return f"{name} as {alias}" if name and alias else ""
    return entry if isinstance(entry, str) and _DOTTED.fullmatch(entry) else ""


def _variables(tools: tuple[ToolFile, ...]) -> tuple[str, ...]:
    """The variables that the tools' code reads by a name that stands in it."""
    read = r"""(?:environ\.get\(|environ\[|getenv\()\s*["']([A-Za-z_]\w*)["']"""
    return tuple(dict.fromkeys(name for tool in tools for name in re.findall(read, tool.source)))


def slug(title: str) -> str:
    """A worker's id out of a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "team"


def stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]
