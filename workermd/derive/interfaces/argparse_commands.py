"""Commands built with argparse: `add_argument`, groups and subparsers, followed through variables and calls."""

import ast
from typing import Any, NamedTuple

from workermd.derive.interfaces.commands import MAX_COMMANDS, CommandOption, CommandSignature, described, with_default
from workermd.derive.interfaces.scope import NotLiteral, Scope, Sources, dotted, keywords
from workermd.derive.interfaces.signatures import Function
from workermd.derive.interfaces.texts import name_of
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_NESTED = 6
MAX_CALLS = 4000
MAX_STEPS_AWAY = 2
MAX_REACHED = 100
MAX_STEPS = 60_000
"""Expressions looked at for one command: calls that return calls multiply."""

_PARSES = {"parse_args", "parse_known_args", "parse_intermixed_args"}
_TYPES = {"int": "integer", "float": "number"}
_FLAG_ACTIONS = {"store_true": True, "store_false": True, "BooleanOptionalAction": True}


class _Parser:
    """A parser or one of its groups; `words` lead to it from the command."""

    def __init__(self, scope: Scope, call: ast.Call, words: tuple[str, ...], parent: "_Parser | None") -> None:
        self.scope = scope
        self.call = call
        self.words = words
        self.parent = parent
        self.options: dict[int, tuple[Scope, ast.Call]] = {}
        self.children: list[_Parser] = []
        self.one_of: bool = False


class _Value(NamedTuple):
    """What a variable holds: a parser, or the maker of its subcommands."""

    parser: _Parser
    makes_children: bool


class _Site(NamedTuple):
    """A call or an assignment and the function it stands in (None: the module)."""

    scope: Scope
    inside: Function | None
    node: ast.Assign | ast.AnnAssign | ast.Call | ast.NamedExpr


def commands(sources: Sources, scopes: list[Scope], scope: Scope, entry: Function) -> tuple[CommandSignature, ...]:
    """The commands of the parser that `entry` uses, as far as its code shows; () where no parser is found."""
    reader = _Reader(sources, scopes)
    for _ in range(3):  # a variable may be bound by a call that stands below its use
        reader.read()
    root = reader.root(scope, entry)
    return tuple(_flat(sources, root))[:MAX_COMMANDS] if root is not None else ()


class _Reader:
    def __init__(self, sources: Sources, scopes: list[Scope]) -> None:
        self.sources = sources
        self.sites = [site for scope in scopes for site in _sites(scope)][:MAX_CALLS]
        self.parsers: dict[int, _Parser] = {}
        self.bound: dict[tuple[str, int, str], _Value] = {}
        self.steps = 0

    def read(self) -> None:
        for site in self.sites:
            node = site.node
            if isinstance(node, ast.Call):
                self._call(site, node)
                continue
            value = self._value(site, node.value, 0) if node.value is not None else None
            if value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self.bound[self._key(site, dotted(target))] = value

    def root(self, scope: Scope, entry: Function) -> _Parser | None:
        """The parser that the entry function, or what it calls within two steps, makes or uses.

        A parser further away may belong to another program of the repository, so it is not taken for this one.
        """
        roots = {id(parser.call): parser for parser in self.parsers.values() if parser.parent is None}
        for where, function in self._reached(scope, entry):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
                if id(call) in roots:
                    return roots[id(call)]
                if isinstance(call.func, ast.Attribute) and call.func.attr in _PARSES:
                    value = self._value(_Site(where, function, call), call.func.value, 0)
                    if value is not None and value.parser.parent is None:
                        return value.parser
        return None

    def _reached(self, scope: Scope, entry: Function) -> list[tuple[Scope, Function]]:
        found: dict[int, tuple[Scope, Function]] = {id(entry): (scope, entry)}
        level = [(scope, entry)]
        for _ in range(MAX_STEPS_AWAY):
            calls = [(where, node) for where, function in level for node in ast.walk(function)]
            level = []
            for where, node in calls:
                called = self.sources.definition(where, dotted(node.func)) if isinstance(node, ast.Call) else None
                if called is not None and isinstance(called[1], ast.FunctionDef) and id(called[1]) not in found:
                    found[id(called[1])] = called[0], called[1]
                    level.append((called[0], called[1]))
        return list(found.values())[:MAX_REACHED]

    def _key(self, site: _Site, name: str) -> tuple[str, int, str]:
        local = site.inside is not None and not name.startswith("self.")
        return site.scope.path, id(site.inside) if local else 0, name

    def _value(self, site: _Site, node: ast.expr, depth: int) -> _Value | None:
        self.steps += 1
        if depth > 8 or self.steps > MAX_STEPS:
            return None
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node)
            return self.bound.get(self._key(site, name)) or self._of_module(site.scope, name)
        if not isinstance(node, ast.Call):
            return None
        word = site.scope.qualified(node.func)
        if word.endswith("ArgumentParser"):
            return _Value(self.parsers.setdefault(id(node), _Parser(site.scope, node, (), None)), False)
        if isinstance(node.func, ast.Attribute) and node.func.attr.startswith("add_"):
            holder = self._value(site, node.func.value, depth + 1)
            return self._made(site, node, holder) if holder is not None else None
        return self._returned(site, node, depth)

    def _of_module(self, scope: Scope, name: str) -> _Value | None:
        """A variable of this module, or one imported from another."""
        own = self.bound.get((scope.path, 0, name))
        found = self.sources.definition(scope, name) if own is None else None
        return self.bound.get((found[0].path, 0, name.rpartition(".")[2])) if found is not None else own

    def _made(self, site: _Site, node: ast.Call, holder: _Value) -> _Value | None:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method == "add_subparsers":
            return _Value(holder.parser, True)
        if method in {"add_argument_group", "add_mutually_exclusive_group"}:
            return _Value(holder.parser, False)
        if method == "add_parser" and holder.makes_children and node.args:
            word = name_of(_literal(self.sources, site.scope, node.args[0]))
            if not word or len(holder.parser.words) >= MAX_NESTED:
                return None
            if id(node) not in self.parsers:
                child = _Parser(site.scope, node, (*holder.parser.words, word), holder.parser)
                self.parsers[id(node)] = child
                holder.parser.children.append(child)
            return _Value(self.parsers[id(node)], False)
        return None

    def _returned(self, site: _Site, node: ast.Call, depth: int) -> _Value | None:
        """What a function of the repository returns, where that is a parser."""
        found = self.sources.definition(site.scope, dotted(node.func))
        if found is None or not isinstance(found[1], ast.FunctionDef):
            return None
        for statement in ast.walk(found[1]):
            if isinstance(statement, ast.Return) and statement.value is not None:
                value = self._value(_Site(found[0], found[1], node), statement.value, depth + 1)
                if value is not None:
                    return value
        return None

    def _call(self, site: _Site, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            holder = self._value(site, node.func.value, 0)
            if holder is not None:
                holder.parser.options[id(node)] = site.scope, node
            return
        self._value(site, node, 0)
        found = self.sources.definition(site.scope, dotted(node.func))
        if found is None or not isinstance(found[1], ast.FunctionDef):
            return
        names = [arg.arg for arg in (*found[1].args.posonlyargs, *found[1].args.args)]
        given = [*zip(names, node.args, strict=False), *keywords(node).items()]
        for name, expression in given:
            value = self._value(site, expression, 0)
            if value is not None:
                self.bound[found[0].path, id(found[1]), name] = value


def _sites(scope: Scope) -> list[_Site]:
    """Calls and assignments in the order of the text, each with the function around it."""
    found: list[_Site] = []
    waiting: list[tuple[ast.AST, Function | None]] = [(scope.tree, None)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, ast.Call | ast.Assign | ast.AnnAssign | ast.NamedExpr):
            found.append(_Site(scope, inside, node))
        deeper = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else inside
        waiting.extend((child, deeper) for child in ast.iter_child_nodes(node))
    return sorted(found, key=lambda site: (site.node.lineno, site.node.col_offset))


def _flat(sources: Sources, parser: _Parser, above: tuple[CommandOption, ...] = ()) -> list[CommandSignature]:
    """The commands that end somewhere: every leaf with the options on the way to it."""
    own = [_option(sources, scope, call) for scope, call in parser.options.values()]
    options = (*above, *(option for option in own if option is not None))
    if parser.children:
        return [command for child in parser.children for command in _flat(sources, child, options)]
    given = keywords(parser.call)
    texts = [_literal(sources, parser.scope, given[name]) for name in ("description", "help") if name in given]
    calls = [parser.call, *(call for _, call in parser.options.values())]
    scope = parser.scope
    same = [call for call in calls[1:] if any(other is call for _, other in parser.options.values())]
    places = [scope.path if call is parser.call else parser.options[id(call)][0].path for call in [parser.call, *same]]
    evidence = _cited(sources, list(zip(places, [parser.call, *same], strict=True)))
    return [CommandSignature(parser.words, next((cleaned(text, 300) for text in texts if text), ""), options, evidence)]


def _cited(sources: Sources, calls: list[tuple[str, ast.Call]]) -> tuple[Any, ...]:
    """For each file the lines from the first call to the last."""
    spans: dict[str, tuple[int, int]] = {}
    for path, call in calls:
        first, last = spans.get(path, (call.lineno, call.lineno))
        spans[path] = min(first, call.lineno), max(last, call.end_lineno or call.lineno)
    return tuple(sources.files.cite(path, first, last) for path, (first, last) in sorted(spans.items()))


def _literal(sources: Sources, scope: Scope, node: ast.expr | None) -> Any:
    try:
        return sources.literal(scope, node) if node is not None else None
    except NotLiteral:
        return None


def _option(sources: Sources, scope: Scope, call: ast.Call) -> CommandOption | None:
    """One `add_argument`; None for what is no argument (`--help`, `--version`) or has no readable name."""
    given = keywords(call)
    words = [_literal(sources, scope, node) for node in call.args]
    flags = tuple(word for word in words if isinstance(word, str) and word.startswith("-"))
    names = [word for word in words if isinstance(word, str) and word]
    values = {name: _literal(sources, scope, node) for name, node in given.items()}
    action = (
        values.get("action") or scope.qualified(given["action"]).rpartition(".")[2] if "action" in given else "store"
    )
    if not names or action in {"help", "version"}:
        return None
    name = values.get("dest") if isinstance(values.get("dest"), str) else None
    if name is None:
        long = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else names[0])
        name = long.lstrip("-").replace("-", "_") if flags else names[0]
    schema = _schema(scope, given, values, action)
    is_optional = bool(flags) and values.get("required") is not True
    is_optional = is_optional or (not flags and (values.get("nargs") in {"?", "*"} or "default" in given))
    default = False if action in {"store_true", "count"} and "default" not in values else values.get("default")
    if action == "store_false" and "default" not in values:
        default = True
    schema = with_default(schema, 0 if action == "count" and default is False else default)
    return CommandOption(name, flags, described(schema, flags, values.get("help")), not is_optional)


def _schema(scope: Scope, given: dict[str, ast.expr], values: dict[str, Any], action: Any) -> Document:
    if action in _FLAG_ACTIONS:
        return {"type": "boolean"}
    if action == "count":
        return {"type": "integer", "minimum": 0}
    if action in {"store_const", "append_const"}:
        return {"type": "boolean"}
    word = scope.qualified(given["type"]) if "type" in given else "str"
    schema: Document = {"type": _TYPES.get(word, "string")}
    choices = values.get("choices")
    if isinstance(choices, list) and choices:
        schema = {"enum": choices}
    nargs = values.get("nargs")
    if nargs in {"*", "+"} or (isinstance(nargs, int) and not isinstance(nargs, bool)):
        schema = {"type": "array", "items": schema}
        if nargs == "+":
            schema["minItems"] = 1
        elif isinstance(nargs, int):
            schema.update({"minItems": nargs, "maxItems": nargs})
    return (
        {"type": "array", "items": schema}
        if action in {"append", "extend"} and schema.get("type") != "array"
        else schema
    )
