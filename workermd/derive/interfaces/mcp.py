"""Tools of MCP servers: manifests, saved tool lists, and servers in Python, TypeScript and JavaScript read by syntax tree."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.annotations import Types
from workermd.derive.interfaces.dialect import Dialect, arguments, fitted
from workermd.derive.interfaces.ecmascript import tools as ecmascript_tools
from workermd.derive.interfaces.reading import Data, RepositoryReading, reading
from workermd.derive.interfaces.scope import Inexpressible, NotLiteral, Scope, Sources, keywords
from workermd.derive.interfaces.signatures import Function, Untyped, signature
from workermd.derive.interfaces.texts import (
    MAX_DESCRIPTION,
    MAX_KEY,
    Notes,
    first_paragraph,
    name_of,
    summary_of,
    unique,
)
from workermd.derive.model import Interface, Repository
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible

MAX_MODULES = 120
MAX_TOOLS = 201

_LISTS = re.compile(r"(?:^|/)(?:[^/]*mcp[^/]*|[^/]*tools?(?:[-_.]list)?)\.json$", re.IGNORECASE).search
_PYTHON = re.compile(r"mcp|(?:^|/)(?:server|tools?|main|app|__main__|__init__)\.py$|/tools?/", re.IGNORECASE).search
_OURS = ("mcp", "fastmcp")
_GIVEN = frozenset({"Context", "FastMCP"})


def find(repository: Repository) -> Iterator[Interface]:
    """Tools by file: `server.json`, `manifest.json`, tool lists as JSON, then modules that use an MCP library."""
    files = reading(repository)
    for path in files.named("server.json"):
        data = files.data(path)
        if data is not None and isinstance(data.value, dict):
            yield from _server(data)
    manifests = files.named("manifest.json")
    lists = [path for path in files.ending(".json") if _LISTS(path) and path not in manifests]
    for path in [*manifests, *lists[:40]]:
        data = files.data(path)
        if data is not None:
            yield from _listed(data, is_manifest=path in manifests)
    yield from _modules(files)
    yield from ecmascript_tools.find(files)


# --- JSON ---


def _listed(data: Data, *, is_manifest: bool) -> Iterator[Interface]:
    """Tools of a manifest or of an answer to `tools/list`, with or without its JSON-RPC envelope."""
    value, place = data.value, ""
    if isinstance(value, dict) and isinstance(value.get("result"), dict):
        value, place = value["result"], "/result"
    if not isinstance(value, dict) or not isinstance(value.get("tools"), list):
        return
    if is_manifest and not ({"manifest_version", "dxt_version", "mcpb_version"} & value.keys()):
        return
    taken: set[str] = set()
    for index, tool in enumerate(value["tools"][:MAX_TOOLS]):
        if not isinstance(tool, dict) or not name_of(tool.get("name")):
            continue
        if not is_manifest and not isinstance(tool.get("inputSchema"), dict):
            continue
        evidence = (data.cite(f"{place}/tools/{index}"),)
        yield _tool(data.path, unique(name_of(tool["name"]), taken), tool, evidence)


def _tool(path: str, name: str, tool: dict[str, Any], evidence: tuple[Any, ...]) -> Interface:
    notes = Notes()
    given = tool.get("inputSchema")
    if isinstance(given, dict):
        taken = Dialect(given, "json-schema", "input", notes).schema(given)
    else:
        taken = {"type": "object"}
        notes.add("the manifest does not describe the tool's arguments: any are accepted")
    answer = tool.get("outputSchema")
    output = Dialect(answer, "json-schema", "output", notes).schema(answer) if isinstance(answer, dict) else None
    said = tool.get("description")
    return Interface(
        kind="mcp",
        path=path,
        name=name,
        summary=summary_of(first_paragraph(said), tool.get("title"), f"The tool {name}."),
        input_schema=taken if "type" in taken else {"type": "object", **taken},
        output_schema=output,
        evidence=evidence,
        notes=notes.all(),
    )


def _server(data: Data) -> Iterator[Interface]:
    """A `server.json` of the MCP registry: how each package is started. It names no tools."""
    packages = data.value.get("packages")
    schema = data.value.get("$schema")
    is_known = isinstance(schema, str) and "modelcontextprotocol" in schema
    if not isinstance(packages, list) or not (is_known or {"name", "version"} <= data.value.keys()):
        return
    taken: set[str] = set()
    for index, package in enumerate(packages[:20]):
        if not isinstance(package, dict):
            continue
        identifier = name_of(package.get("identifier", package.get("name"))) or name_of(data.value.get("name"))
        if not identifier:
            continue
        notes = Notes(["server.json names no tools: these are the arguments that the server is started with"])
        properties, required = _started_with(package, notes)
        yield Interface(
            kind="mcp",
            path=data.path,
            name=unique(identifier, taken),
            summary=summary_of(data.value.get("description"), data.value.get("name")),
            input_schema=fitted(arguments(properties, required), notes),
            output_schema=None,
            evidence=(data.cite(f"/packages/{index}"), data.cite("/name")),
            notes=notes.all(),
        )


def _started_with(package: dict[str, Any], notes: Notes) -> tuple[dict[str, Document], list[str]]:
    properties: dict[str, Document] = {}
    required: list[str] = []
    given = package.get("packageArguments")
    for entry in given if isinstance(given, list) else ():
        if not isinstance(entry, dict):
            continue
        name = entry.get("name") or entry.get("valueHint")
        if not isinstance(name, str) or len(name) > MAX_KEY or not is_visible(name) or "value" in entry:
            continue
        key = name.lstrip("-") or name
        properties[key] = _value(entry)
        if entry.get("isRequired") is True and "default" not in entry and key not in required:
            required.append(key)
    variables = package.get("environmentVariables")
    names = (
        [name_of(one.get("name")) for one in variables if isinstance(one, dict)] if isinstance(variables, list) else []
    )
    if any(names):
        notes.add(f"reads the environment variables {', '.join([name for name in names if name][:8])}")
    return properties, required


def _value(entry: dict[str, Any]) -> Document:
    word = {"number": "number", "boolean": "boolean"}.get(str(entry.get("format")), "string")
    schema: Document = {"type": word}
    choices = entry.get("choices")
    if isinstance(choices, list) and choices and all(isinstance(choice, str) for choice in choices):
        schema = {"type": "string", "enum": choices}
    if isinstance(entry.get("default"), str | int | float | bool):
        schema["default"] = entry["default"]
    said = cleaned(entry.get("description"), MAX_DESCRIPTION)
    if said:
        schema["description"] = said
    return {"type": "array", "items": schema} if entry.get("isRepeated") is True else schema


# --- Python ---


def _modules(files: RepositoryReading) -> Iterator[Interface]:
    paths = list(files.ending(".py"))
    metadata = [
        text
        for path in files.named("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
        if (text := files.text(path))
    ]
    uses = any(re.search(r"(?m)(?:^|[\s\"'\[,])(?:fast)?mcp(?:$|[\s\"'\[<>=~!,])", text) for text in metadata)
    likely = [path for path in paths if "mcp" in path.lower() or (uses and _PYTHON(path))]
    likely += [path for path in paths if uses and path not in likely]
    likely.sort(key=lambda path: ("mcp" not in path.lower(), _PYTHON(path) is None, path.count("/"), path))
    for path in likely[MAX_MODULES:]:
        files.skip(path, f"was not searched for MCP tools: more than {MAX_MODULES} modules")
    sources = Sources(files)
    for path in sorted(likely[:MAX_MODULES]):
        text = files.text(path) or ""
        if "mcp" in text:
            scope = sources.scope(path)
            if scope is not None and any(module.split(".")[0] in _OURS for module, _ in scope.imports.values()):
                yield from _Module(sources, scope).tools()


class _Module:
    """One Python module of a server."""

    def __init__(self, sources: Sources, scope: Scope) -> None:
        self.sources = sources
        self.scope = scope
        self.taken: set[str] = set()
        self.functions: list[Function] = []

    def tools(self) -> Iterator[Interface]:
        nodes = [
            node
            for node in ast.walk(self.scope.tree)
            if isinstance(node, ast.Call | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        self.functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
            found = (
                (self._written(node) or self._registered(node)) if isinstance(node, ast.Call) else self._decorated(node)
            )
            if found is not None:
                yield found

    def _literal(self, node: ast.expr | None) -> Any:
        if node is None:
            return None
        try:
            return self.sources.literal(self.scope, node, roughly=True)
        except NotLiteral:
            return None

    def _written(self, call: ast.Call) -> Interface | None:
        """`Tool(name=…, inputSchema={…})`, the schema written out or a model's `model_json_schema()`."""
        word = self.scope.qualified(call.func)
        if word.rpartition(".")[2] != "Tool" or word.split(".")[0] not in _OURS:
            return None
        given = keywords(call)
        name = name_of(self._literal(given.get("name")))
        if not name or "inputSchema" not in given:
            return None
        notes = Notes()
        types = Types(self.sources, notes)
        said = self._literal(given.get("description"))
        tool: dict[str, Any] = {"description": said}
        for keyword in ("inputSchema", "outputSchema"):
            if keyword in given:
                tool[keyword] = self._schema(given[keyword], types)
        evidence = tuple(dict.fromkeys((self.sources.files.cite_node(self.scope.path, call), *types.evidence())))
        found = _tool(self.scope.path, unique(name, self.taken), tool, evidence)
        if tool["inputSchema"] is None:
            return found._replace(notes=("the schema is computed when the server runs: any arguments are accepted",))
        return found._replace(notes=Notes((*notes.all(), *found.notes)).all())

    def _registered(self, call: ast.Call) -> Interface | None:
        """`server.add_tool(function, name=…)`, `server.tool(…)(self.function)`."""
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr == "add_tool":
            given, first = keywords(call), call.args[0] if call.args else keywords(call).get("fn")
        elif (
            isinstance(function, ast.Call) and isinstance(function.func, ast.Attribute) and function.func.attr == "tool"
        ):
            given, first = keywords(function), call.args[0] if call.args else None
            if function.args:
                given = {"name": function.args[0], **given}
        else:
            return None
        name = first.attr if isinstance(first, ast.Attribute) else first.id if isinstance(first, ast.Name) else ""
        node = next((each for each in self.functions if each.name == name), None) if name else None
        if node is None:
            return None
        word = name_of(self._literal(given.get("name"))) or name_of(node.name)
        return self._function(node, word, given)

    def _schema(self, node: ast.expr, types: Types) -> Document | None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"model_json_schema", "schema"}:
                try:
                    return types.schema(node.func.value, self.scope)
                except Inexpressible:
                    return None
            return None
        value = self._literal(node)
        return value if isinstance(value, dict) else None

    def _decorated(self, node: Function) -> Interface | None:
        """A function under `@server.tool`, `@server.tool()` or `@server.tool("name", description=…)`."""
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and called.attr == "tool":
                given = keywords(decorator) if isinstance(decorator, ast.Call) else {}
                first = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
                name = name_of(self._literal(given.get("name", first))) or name_of(node.name)
                return self._function(node, name, given)
        return None

    def _function(self, node: Function, name: str, given: dict[str, ast.expr]) -> Interface | None:
        notes = Notes()
        try:
            found = signature(self.sources, self.scope, node, notes, _GIVEN)
        except Untyped as error:
            self.sources.files.skip(self.scope.path, f"the tool {name} is left out: {error}")
            return None
        return Interface(
            kind="mcp",
            path=self.scope.path,
            name=unique(name, self.taken),
            summary=summary_of(
                first_paragraph(self._literal(given.get("description"))), found.said.summary, f"The tool {name}."
            ),
            input_schema=found.input_schema,
            output_schema=None
            if self._literal(given.get("structured_output")) is False
            else _sent(found.output_schema),
            evidence=found.evidence,
            notes=notes.all(),
        )


def _sent(returned: Document | None) -> Document | None:
    """What a server sends for what its function returns: the protocol's answers are objects, so others stand under `result`."""
    if returned is None or returned.get("type") == "object":
        return returned
    return {"type": "object", "properties": {"result": returned}, "required": ["result"], "additionalProperties": False}
