"""Tools of MCP servers in TypeScript and JavaScript: `registerTool`, `tool`, `addTool`, and lists for `tools/list`."""

import re
from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.dialect import Dialect, fitted
from workermd.derive.interfaces.ecmascript import trees
from workermd.derive.interfaces.ecmascript.modules import (
    FUNCTIONS,
    SUFFIXES,
    Expression,
    ImportedName,
    SyntaxModule,
    SyntaxModules,
    Unread,
)
from workermd.derive.interfaces.ecmascript.trees import SyntaxNode
from workermd.derive.interfaces.ecmascript.zod import ZodReader
from workermd.derive.interfaces.reading import RepositoryReading
from workermd.derive.interfaces.texts import Notes, first_paragraph, name_of, summary_of, unique
from workermd.derive.model import Evidence, Interface
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_MODULES = 120
MAX_TOOLS = 201

_SERVER = re.compile(r"modelcontextprotocol|fastmcp|\bmcp", re.IGNORECASE).search
_CALLED = re.compile(r"registerTool|\.tool\b|addTool|ListToolsRequestSchema|tools/list").search
_BUILT = re.compile(
    r"(?:^|/)(?:dist|build|out)/|\.d\.[mc]?ts$|\.min\.[mc]?js$|\.(?:test|spec|config)\.[mc]?[jt]sx?$"
).search
_LIKELY = re.compile(r"mcp|(?:^|/)(?:index|server|tools?|main)\.[mc]?[jt]sx?$|(?:^|/)tools?/", re.IGNORECASE).search
_SAYS = {"description", "title", "default", "examples", "example", "$comment"}


def find(files: RepositoryReading) -> Iterator[Interface]:
    """Tools by file, from the modules below a manifest that names an MCP library."""
    paths = list(_modules(files))
    for path in paths[MAX_MODULES:]:
        files.skip(path, f"was not searched for MCP tools: more than {MAX_MODULES} modules")
    offering = [path for path in sorted(paths[:MAX_MODULES]) if _offers(files, path)]
    if offering and not trees.is_there():
        files.skip(offering[0], "may register MCP tools; install workermd[derive], which brings tree-sitter")
        return
    parser = trees.TreeParser()
    modules = SyntaxModules(files, parser)
    try:
        for path in offering:
            module = modules.module(path)
            if module is not None:
                yield from _ModuleTools(modules, module).tools()
    finally:
        parser.close()


def _modules(files: RepositoryReading) -> list[str]:
    manifests = files.named("package.json", "deno.json", "deno.jsonc")
    folders = [path[: -len(path.rpartition("/")[2])] for path in manifests if _SERVER(files.text(path) or "")]
    found = [path for path in files.ending(*SUFFIXES) if path.startswith(tuple(folders)) and not _BUILT(path)]
    return sorted(found, key=lambda path: (_LIKELY(path) is None, "mcp" not in path.lower(), path.count("/"), path))


def _offers(files: RepositoryReading, path: str) -> bool:
    text = files.text(path) or ""
    return _CALLED(text) is not None and _SERVER(text) is not None


class _ModuleTools:
    """One module of a server."""

    def __init__(self, modules: SyntaxModules, module: SyntaxModule) -> None:
        self.modules = modules
        self.module = module
        self.taken: set[str] = set()

    def tools(self) -> Iterator[Interface]:
        for call in self.module.calls:
            function = call.children[0]
            if function.kind != "member_expression" or len(function.children) != 2:
                continue
            word = call.at(function.children[1]).text()
            given = [call.at(one) for one in call.children[-1].children]
            self.modules.begin()
            if word in {"registerTool", "tool", "addTool"} and given:
                found = self._registered(call, word, given)
                if found is not None:
                    yield found
            elif word == "setRequestHandler" and len(given) == 2 and self._lists(given[0]):
                yield from self._listed(given[1])
            if len(self.taken) >= MAX_TOOLS:
                return

    def _leave_out(self, what: str, error: Unread) -> None:
        self.modules.files.skip(self.module.path, f"{what} left out: {error}")

    # --- registered one by one ---

    def _registered(self, call: Expression, word: str, given: list[Expression]) -> Interface | None:
        try:
            parts = self._parts(word, given)
        except Unread as error:
            self._leave_out("a tool is", error)
            return None
        if parts is None:
            return None
        last = next((one.node for one in reversed(given) if not self._is_function(one)), given[0].node)
        return self._interface(parts, self._cited(call.node, last))

    def _parts(self, word: str, given: list[Expression]) -> dict[str, Any] | None:
        """Name, title, description, input and output of a registration; None where a call is none."""
        if word == "addTool":
            return self._of_object(given[0]) if len(given) == 1 else None
        if len(given) < 2 or (word == "tool" and not self._may_handle(given[-1])):
            return None
        parts: dict[str, Any] = {"name": self._name(given[0])}
        if word == "registerTool":
            config = self._settled_object(given[1])
            if config is None:
                return {**parts, "lost": "what describes the tool is computed"}
            return {**parts, **self._members(config)}
        return {**parts, **self._positional(given[1:-1])}

    def _of_object(self, place: Expression) -> dict[str, Any] | None:
        config = self._settled_object(place)
        if config is None:
            raise Unread("what describes it is computed")
        members = self.modules.members(config, 0)
        if "name" not in members or not {"execute", "handler", "parameters", "inputSchema"} & members.keys():
            return None
        return {"name": self._name(members["name"]), **self._members(config)}

    def _name(self, place: Expression) -> str:
        name = name_of(self.modules.literal(place))
        if not name:
            raise Unread("its name is no text")
        return name

    def _settled_object(self, place: Expression) -> Expression | None:
        try:
            found = self.modules.settle(place)
        except Unread:
            return None
        return found if isinstance(found, Expression) and found.kind == "object" else None

    def _members(self, config: Expression) -> dict[str, Any]:
        try:
            members = self.modules.members(config, 0)
        except Unread as error:
            return {"lost": str(error)}
        names = {"title": "title", "description": "description", "outputSchema": "output"}
        names |= {"inputSchema": "input", "parameters": "input"}
        return {part: members[name] for name, part in names.items() if name in members}

    def _positional(self, between: list[Expression]) -> dict[str, Any]:
        """Of `tool(name, description?, shape?, annotations?, handler)`."""
        parts: dict[str, Any] = {}
        rest = list(between)
        if rest and self._is_text(rest[0]):
            parts["description"] = rest.pop(0)
        if rest and not self._is_annotations(rest[0]):
            parts["input"] = rest[0]
        return parts

    def _is_text(self, place: Expression) -> bool:
        try:
            found = self.modules.settle(place)
        except Unread:
            return False
        if isinstance(found, ImportedName):
            return False
        return found.kind in {"string", "template_string", "binary_expression"} or isinstance(self._said(found), str)

    def _is_annotations(self, place: Expression) -> bool:
        """`{ readOnlyHint: true }` says how a tool behaves; a shape holds schemas, or nothing."""
        config = self._settled_object(place)
        if config is None or not config.children:
            return False
        words = [config.at(one.children[0]).text() for one in config.children if one.kind == "pair" and one.children]
        return bool(words) and all(word.endswith("Hint") or word == "title" for word in words)

    def _is_function(self, place: Expression) -> bool:
        return place.kind in FUNCTIONS

    def _may_handle(self, place: Expression) -> bool:
        """Whether the last argument may be the handler: `tool` is a common word."""
        kinds = {"identifier", "member_expression", "call_expression", "as_expression"}
        return self._is_function(place) or place.kind in kinds

    # --- lists for tools/list ---

    def _lists(self, place: Expression) -> bool:
        return place.text().rpartition(".")[2] in {"ListToolsRequestSchema", '"tools/list"', "'tools/list'"}

    def _listed(self, handler: Expression) -> Iterator[Interface]:
        try:
            found = [one for place in self._returned(handler) for one in self.modules.elements(place, 0)]
        except Unread as error:
            self._leave_out("the list of tools is", error)
            return
        if not found:
            self._leave_out("the list of tools is", Unread("it is computed when the server runs"))
        for place in found[:MAX_TOOLS]:
            self.modules.begin()
            try:
                tool = self._described(place)
            except Unread as error:
                self._leave_out("a tool of the list is", error)
                continue
            yield tool

    def _returned(self, handler: Expression) -> Iterator[Expression]:
        """The arrays under `tools` in what a handler returns."""
        found = self.modules.settle(handler)
        if isinstance(found, ImportedName) or found.kind not in FUNCTIONS:
            raise Unread("its handler is computed")
        waiting = [found.node.children[-1]] if found.node.children else []
        block = found.block.module.inside(found)
        while waiting:
            node = waiting.pop()
            value = node.children[1] if node.kind == "pair" and len(node.children) == 2 else node
            short = node.kind == "shorthand_property_identifier"
            if short or value is not node:
                if block.module.text(node if short else node.children[0]) != "tools":
                    continue
                array = self.modules.settle(Expression(value, block))
                if isinstance(array, ImportedName) or array.kind != "array":
                    raise Unread("it is computed when the server runs")
                yield array
            else:
                waiting.extend(one for one in reversed(node.children) if one.kind not in FUNCTIONS)

    def _described(self, place: Expression) -> Interface:
        config = self._settled_object(place)
        if config is None:
            raise Unread("it is computed when the server runs")
        members = self.modules.members(config, 0)
        if "name" not in members:
            raise Unread("it has no name")
        parts: dict[str, Any] = {"name": self._name(members["name"]), **self._members(config)}
        if "input" not in parts:
            parts.setdefault("lost", "there is no schema")
        return self._interface(
            parts, self._cited(config.node, config.node) if config.block.module is self.module else ()
        )

    # --- what they share ---

    def _said(self, place: Expression | None) -> str | None:
        try:
            value = self.modules.literal(place) if place is not None else None
        except Unread:
            return None
        return value if isinstance(value, str) else None

    def _without(self, parts: dict[str, Any], notes: Notes) -> Document:
        if "lost" in parts:
            notes.add(f"the arguments are not read, and any are accepted: {parts['lost']}")
            return {"type": "object"}
        return {"type": "object", "properties": {}}

    def _schema(self, place: Expression, notes: Notes, direction: str) -> Document:
        try:
            found = self._written(place, notes, direction)
        except Unread as error:
            what = "arguments are" if direction == "input" else "answer is"
            notes.add(f"the {what} not read, and any {'are' if direction == 'input' else 'is'} accepted: {error}")
            found = {}
        return found if "type" in found else {"type": "object", **found}

    def _written(self, place: Expression, notes: Notes, direction: str) -> Document:
        zod = ZodReader(self.modules, notes, direction)
        found = self.modules.settle(place)
        if isinstance(found, ImportedName):
            raise Unread(f"{cleaned(found.name, 60)} comes from another package")
        if found.kind == "call_expression" and not zod.is_zod(found):
            word = found.at(found.children[0]).text().rpartition(".")[2]
            inner = [found.at(one) for one in found.children[-1].children]
            if word in {"zodToJsonSchema", "toJSONSchema", "toJsonSchema"} and inner:
                return fitted(zod.read(inner[0]).schema, notes)
            raise Unread("it is made by a function")
        if found.kind == "object" and self._is_json_schema(found):
            value = self._rough(found, notes, 0)
            return Dialect(value, "json-schema", direction, notes).schema(value)
        return fitted(zod.object_of(found).schema, notes)

    def _is_json_schema(self, place: Expression) -> bool:
        """`{ type: "object", properties: {…} }` and not a shape with a property of that name."""
        members = self.modules.members(place, 0) if all(one.kind == "pair" for one in place.children) else {}
        return self._said(members.get("type")) == "object"

    def _rough(self, place: Expression, notes: Notes, depth: int, *, names: bool = False) -> Any:
        """A JSON Schema as it is written; what only tells is left out where it is computed, a property is open."""
        self.modules.step(depth)
        found = self.modules.settle(place, depth)
        if isinstance(found, ImportedName) or found.kind != "object":
            return self.modules.literal(place, depth)
        value: dict[str, Any] = {}
        for key, below in self.modules.members(found, depth).items():
            try:
                value[key] = self._rough(below, notes, depth + 1, names=key == "properties" and not names)
            except Unread as error:
                if names:
                    notes.add(f"an argument is not read, and accepts anything: {error}")
                    value[key] = {}
                elif key not in _SAYS:
                    raise
        return value

    def _cited(self, first: SyntaxNode, last: SyntaxNode) -> tuple[Evidence, ...]:
        lines = self.module.lines(first, last)
        return (self.modules.files.cite(self.module.path, *lines),)

    def _interface(self, parts: dict[str, Any], evidence: tuple[Evidence, ...]) -> Interface:
        notes = Notes()
        schema, output, name = parts.get("input"), parts.get("output"), str(parts["name"])
        said = first_paragraph(self._said(parts.get("description")))
        return Interface(
            kind="mcp",
            path=self.module.path,
            name=unique(name, self.taken),
            summary=summary_of(said, self._said(parts.get("title")), f"The tool {name}."),
            input_schema=self._without(parts, notes) if schema is None else self._schema(schema, notes, "input"),
            output_schema=None if output is None else self._schema(output, notes, "output"),
            evidence=tuple(dict.fromkeys((*evidence, *self.modules.evidence()))),
            notes=notes.all(),
        )
