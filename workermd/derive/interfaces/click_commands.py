"""Commands built with click and typer: decorated functions, groups and applications."""

import ast
from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.annotations import Types
from workermd.derive.interfaces.commands import MAX_COMMANDS, CommandOption, CommandSignature, described, with_default
from workermd.derive.interfaces.docstrings import parse
from workermd.derive.interfaces.scope import Inexpressible, NotLiteral, Scope, Sources, keywords
from workermd.derive.interfaces.signatures import Function
from workermd.derive.interfaces.texts import Notes, first_paragraph, name_of
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_NESTED = 6
MAX_VISITS = 1000
"""Groups and commands looked at: groups that hold one another multiply."""

_CLICK = ("click", "rich_click", "asyncclick", "cloup", "typer")
_TYPES: dict[str, Document] = {
    **{word: {"type": "integer"} for word in ("int", "INT")},
    **{word: {"type": "number"} for word in ("float", "FLOAT")},
    **{word: {"type": "boolean"} for word in ("bool", "BOOL")},
    "UUID": {"type": "string", "format": "uuid"},
}

Node = tuple[Scope, Function | ast.Assign | ast.AnnAssign]
"""A click command or group (a function), or a typer application (an assignment)."""


def commands(
    sources: Sources, scopes: list[Scope], scope: Scope, name: str, depth: int = 0
) -> tuple[CommandSignature, ...]:
    """The commands that `name` of a module stands for; () where it is neither click's nor typer's."""
    found = sources.definition(scope, name)
    if found is None or depth > 2:
        return ()
    reader = _Reader(sources, scopes)
    where, definition = found
    if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        if _click_decorator(where, definition) is not None or _own_decorators(where, definition):
            return tuple(reader.of_click((where, definition), ()))[:MAX_COMMANDS]
        return _called(sources, scopes, where, definition, depth)
    if isinstance(definition, ast.Assign | ast.AnnAssign) and _is_typer(where, definition):
        return tuple(reader.of_typer((where, definition), ()))[:MAX_COMMANDS]
    return ()


def _called(
    sources: Sources, scopes: list[Scope], scope: Scope, function: Function, depth: int
) -> tuple[CommandSignature, ...]:
    """A plain `main` that calls an application, a command or `typer.run`."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if scope.qualified(call.func) == "typer.run" and call.args and isinstance(call.args[0], ast.Name):
            found = sources.definition(scope, call.args[0].id)
            if found is not None and isinstance(found[1], ast.FunctionDef):
                return (_Reader(sources, scopes).typer_command(found[0], found[1], ()),)
        if isinstance(call.func, ast.Name) and call.func.id != function.name:
            found_commands = commands(sources, scopes, scope, call.func.id, depth + 1)
            if found_commands:
                return found_commands
    return ()


def _decorators(scope: Scope, function: Function) -> Iterator[tuple[str, str, ast.Call | None]]:
    """Each decorator as what it is taken from, its last word, and its call."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        word = scope.qualified(call.func if call is not None else decorator)
        owner, _, last = word.rpartition(".")
        yield owner, last, call


def _click_decorator(scope: Scope, function: Function) -> tuple[str, ast.Call | None] | None:
    for owner, last, call in _decorators(scope, function):
        if last in {"command", "group"} and owner.split(".")[0] in _CLICK:
            return last, call
    return None


def _own_decorators(scope: Scope, function: Function) -> bool:
    return any(last in {"option", "argument"} and owner in _CLICK for owner, last, _ in _decorators(scope, function))


def _is_typer(scope: Scope, node: ast.Assign | ast.AnnAssign) -> bool:
    return isinstance(node.value, ast.Call) and scope.qualified(node.value.func) == "typer.Typer"


class _Reader:
    def __init__(self, sources: Sources, scopes: list[Scope]) -> None:
        self.sources = sources
        self.functions: list[tuple[Scope, Function]] = []
        self.visits = 0
        self.adding: list[tuple[Scope, ast.Call, ast.Attribute]] = []
        for scope in scopes:
            for node in ast.walk(scope.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
                    self.functions.append((scope, node))
                if not isinstance(node, ast.Call) or not node.args or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr in {"add_command", "add_typer"}:
                    self.adding.append((scope, node, node.func))

    def _literal(self, scope: Scope, node: ast.expr | None) -> Any:
        try:
            return self.sources.literal(scope, node) if node is not None else None
        except NotLiteral:
            return None

    def _is(self, scope: Scope, name: str, wanted: ast.AST) -> bool:
        found = self.sources.definition(scope, name)
        return found is not None and found[1] is wanted

    def _children(self, owner: ast.AST) -> list[tuple[str, Scope, Function, str]]:
        """Functions under `@owner.command` or `@owner.group`: word, place, function, which of the two."""
        found: list[tuple[str, Scope, Function, str]] = []
        for scope, function in self.functions:
            for decorator in function.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                called = call.func if call is not None else decorator
                if not isinstance(called, ast.Attribute) or called.attr not in {"command", "group"}:
                    continue
                if isinstance(called.value, ast.Name) and self._is(scope, called.value.id, owner):
                    found.append((self._word(scope, function, call), scope, function, called.attr))
        return found

    def _word(self, scope: Scope, function: Function, call: ast.Call | None) -> str:
        given = keywords(call).get("name", call.args[0] if call.args else None) if call is not None else None
        named = name_of(self._literal(scope, given))
        return named or name_of(function.name.lower().replace("_", "-"))

    def _added(self, owner: ast.AST, method: str) -> list[tuple[str, Scope, ast.expr]]:
        """`owner.add_command(x, name=…)` and `owner.add_typer(x, name=…)`."""
        found: list[tuple[str, Scope, ast.expr]] = []
        for scope, node, called in self.adding:
            holder = called.value
            if called.attr == method and isinstance(holder, ast.Name) and self._is(scope, holder.id, owner):
                named = keywords(node).get("name", node.args[1] if len(node.args) > 1 else None)
                found.append((name_of(self._literal(scope, named)), scope, node.args[0]))
        return found

    # --- click ---

    def of_click(
        self, node: tuple[Scope, Function], words: tuple[str, ...], above: tuple[CommandOption, ...] = ()
    ) -> list[CommandSignature]:
        scope, function = node
        options = (*above, *self._click_options(scope, function))
        children = [(word, (where, child)) for word, where, child, _ in self._children(function)]
        for word, where, given in self._added(function, "add_command"):
            found = self.sources.definition(where, given.id) if isinstance(given, ast.Name) else None
            if found is not None and isinstance(found[1], ast.FunctionDef):
                decorator = _click_decorator(found[0], found[1])
                own = self._word(found[0], found[1], decorator[1] if decorator else None)
                children.append((word or own, (found[0], found[1])))
        self.visits += 1
        if self.visits > MAX_VISITS:
            return []
        if children and len(words) < MAX_NESTED:
            return [
                command
                for word, child in children
                if child[1] is not function
                for command in self.of_click(child, (*words, word), options)
            ][:MAX_COMMANDS]
        summary = parse(ast.get_docstring(function, clean=False)).summary
        evidence = (self.sources.files.cite_node(scope.path, function),)
        return [CommandSignature(words, self._help(scope, function) or summary, options, evidence)]

    def _help(self, scope: Scope, function: Function) -> str:
        for _, last, call in _decorators(scope, function):
            if last in {"command", "group"} and call is not None:
                return first_paragraph(self._literal(scope, keywords(call).get("help")))
        return ""

    def _click_options(self, scope: Scope, function: Function) -> list[CommandOption]:
        found: list[CommandOption] = []
        for owner, last, call in _decorators(scope, function):
            if owner in _CLICK and last in {"option", "argument"} and call is not None:
                option = self._click_option(scope, call, last)
                if option is not None:
                    found.append(option)
        return found

    def _click_option(self, scope: Scope, call: ast.Call, kind: str) -> CommandOption | None:
        given = keywords(call)
        words = [word for word in (self._literal(scope, node) for node in call.args) if isinstance(word, str)]
        flags = tuple(word for word in words if word.startswith("-"))
        plain = [word for word in words if not word.startswith("-")]
        longest = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")
        name = plain[0] if plain else longest.partition("/")[0].lstrip("-").replace("-", "_").lower()
        values = {key: self._literal(scope, node) for key, node in given.items()}
        if not name:
            return None
        default = values.get("default")
        is_flag = values.get("is_flag") is True or "/" in longest or (isinstance(default, bool) and "type" not in given)
        schema = {"type": "boolean"} if is_flag else self._click_type(scope, given.get("type"), default)
        if values.get("count") is True:
            schema = {"type": "integer", "minimum": 0}
        nargs = values.get("nargs")
        if values.get("multiple") is True or nargs == -1:
            schema = {"type": "array", "items": schema}
        elif isinstance(nargs, int) and nargs > 1:
            schema = {"type": "array", "items": schema, "minItems": nargs, "maxItems": nargs}
        schema = with_default(schema, False if is_flag and default is None else default)
        if kind == "argument":
            required = values.get("required", nargs != -1) is True and "default" not in given
        else:
            required = values.get("required") is True
        return CommandOption(
            name.lower() if kind == "argument" else name, flags, described(schema, flags, values.get("help")), required
        )

    def _click_type(self, scope: Scope, node: ast.expr | None, default: Any) -> Document:
        if node is None:
            by_default: Document | None = {int: {"type": "integer"}, float: {"type": "number"}}.get(type(default))
            return dict(by_default or {"type": "string"})
        if not isinstance(node, ast.Call):
            return dict(_TYPES.get(scope.qualified(node).rpartition(".")[2], {"type": "string"}))
        word = scope.qualified(node.func).rpartition(".")[2]
        if word == "Choice" and node.args:
            choices = self._literal(scope, node.args[0])
            return {"enum": choices} if isinstance(choices, list) and choices else {"type": "string"}
        if word in {"IntRange", "FloatRange"}:
            schema: Document = {"type": "integer" if word == "IntRange" else "number"}
            given = {**dict(zip(("min", "max"), node.args, strict=False)), **keywords(node)}
            for key, bound in (("min", "minimum"), ("max", "maximum")):
                value = self._literal(scope, given.get(key))
                if isinstance(value, int | float) and not isinstance(value, bool):
                    opened = self._literal(scope, given.get(f"{key}_open")) is True
                    schema[f"exclusive{bound.capitalize()}" if opened else bound] = value
            return schema
        return {"type": "string"}

    # --- typer ---

    def of_typer(self, node: Node, words: tuple[str, ...]) -> list[CommandSignature]:
        self.visits += 1
        if self.visits > MAX_VISITS:
            return []
        owner = node[1]
        children = self._children(owner)
        groups: list[CommandSignature] = []
        for word, where, given in self._added(owner, "add_typer"):
            found = self.sources.definition(where, given.id) if isinstance(given, ast.Name) else None
            if found is not None and isinstance(found[1], ast.Assign | ast.AnnAssign) and found[1] is not owner:
                own = word or self._typer_name(found[0], found[1])
                if _is_typer(found[0], found[1]) and len(words) < MAX_NESTED:
                    groups.extend(self.of_typer((found[0], found[1]), (*words, own) if own else words))
        if len(children) == 1 and not groups and not words and not self._has_callback(owner):
            return [self.typer_command(children[0][1], children[0][2], ())]
        return [
            *(self.typer_command(scope, function, (*words, word)) for word, scope, function, _ in children),
            *groups,
        ]

    def _typer_name(self, scope: Scope, node: ast.Assign | ast.AnnAssign) -> str:
        given = keywords(node.value).get("name") if isinstance(node.value, ast.Call) else None
        return name_of(self._literal(scope, given))

    def _has_callback(self, owner: ast.AST) -> bool:
        return any(
            last == "callback" and self._is(scope, holder, owner)
            for scope, function in self.functions
            for holder, last, _ in _decorators(scope, function)
        )

    def typer_command(self, scope: Scope, function: Function, words: tuple[str, ...]) -> CommandSignature:
        notes = Notes()
        said = parse(ast.get_docstring(function, clean=False))
        options = tuple(self._typer_options(scope, function, said.parameters, notes))
        evidence = (self.sources.files.cite_node(scope.path, function),)
        return CommandSignature(words, self._help(scope, function) or said.summary, options, evidence, notes.all())

    def _typer_options(
        self, scope: Scope, function: Function, said: dict[str, str], notes: Notes
    ) -> Iterator[CommandOption]:
        args = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        plain = len(function.args.posonlyargs) + len(function.args.args)
        defaults: list[ast.expr | None] = [None] * (plain - len(function.args.defaults))
        defaults = [*defaults, *function.args.defaults, *function.args.kw_defaults]
        types = Types(self.sources, notes)
        for arg, default in zip(args, defaults, strict=True):
            annotation = arg.annotation or ast.Name(id="str")
            if scope.qualified(annotation).rpartition(".")[2] == "Context":
                continue
            marker = _marker(scope, annotation, default)
            first: ast.expr | None = default
            if marker is not None and marker is default:
                first = keywords(marker).get("default", marker.args[0] if marker.args else None)
            is_missing = first is None or (isinstance(first, ast.Constant) and first.value is ...)
            try:
                schema = types.schema(annotation, scope)
            except Inexpressible as error:
                notes.add(f"the argument {cleaned(arg.arg, 60)} is taken as text: {error}")
                schema = {"type": "string"}
            given = keywords(marker) if marker is not None else {}
            for key, bound in (("min", "minimum"), ("max", "maximum")):
                value = self._literal(scope, given.get(key))
                if isinstance(value, int | float) and not isinstance(value, bool):
                    schema = {**schema, bound: value}
            if not is_missing:
                schema = with_default(schema, self._literal(scope, first))
            is_option = not is_missing or (marker is not None and scope.qualified(marker.func).endswith("Option"))
            flags = self._typer_flags(scope, marker) or ((f"--{arg.arg.replace('_', '-')}",) if is_option else ())
            if marker is not None and scope.qualified(marker.func).endswith("Argument"):
                flags = ()
            text = self._literal(scope, given.get("help")) or said.get(arg.arg)
            yield CommandOption(arg.arg, flags, described(schema, flags, text), is_missing)

    def _typer_flags(self, scope: Scope, marker: ast.Call | None) -> tuple[str, ...]:
        words = [self._literal(scope, node) for node in marker.args] if marker is not None else []
        return tuple(word for word in words if isinstance(word, str) and word.startswith("-"))


def _marker(scope: Scope, annotation: ast.expr, default: ast.expr | None) -> ast.Call | None:
    """`typer.Option(…)` or `typer.Argument(…)`: the default, or a part of `Annotated[…]`."""
    parts = (
        annotation.slice.elts
        if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple)
        else []
    )
    for node in (default, *parts):
        if isinstance(node, ast.Call) and scope.qualified(node.func) in {"typer.Option", "typer.Argument"}:
            return node
    return None
