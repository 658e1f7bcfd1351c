"""Names of Python modules, by their syntax trees alone: what is defined where, and what an import means."""

import ast
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from workermd.derive.interfaces.reading import RepositoryReading

MAX_HOPS = 6
"""Imports followed from a name to its definition."""

MAX_STARS = 12
MAX_LITERAL = 4000
"""Parts of one literal."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class NotLiteral(ValueError):
    """An expression whose value cannot be told without running it."""


class Inexpressible(ValueError):
    """A type that no schema stands for; the message names it."""


class Scope:
    """One module: definitions of its top level (inside `if` and `try` too) and its imports, by name."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path = path
        self.tree = tree
        self.definitions: dict[str, Definition] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.stars: list[str] = []
        for statement in top_level(tree.body):
            self._bind(statement)
        for node in ast.walk(tree):  # imports inside functions name the same things
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)

    def _bind(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.definitions[statement.name] = statement
            case ast.Assign():
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.definitions[target.id] = statement
            case ast.AnnAssign(target=ast.Name(id=name)) if statement.value is not None:
                self.definitions[name] = statement

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                self.imports.setdefault(alias.asname or top, (alias.name if alias.asname else top, None))
            return
        module = absolute(self.path, node)
        for alias in node.names:
            if module is not None and alias.name == "*":
                self.stars.append(module)
            elif module is not None:
                self.imports.setdefault(alias.asname or alias.name, (module, alias.name))

    def qualified(self, node: ast.expr) -> str:
        """The dotted name that an expression means, its imports written out; "" for what is no name."""
        parts: list[str] = []
        for _ in range(8):
            if isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self.definitions:
            first = node.id
        else:
            module, name = self.imports.get(node.id, ("", node.id))
            first = f"{module}.{name}" if module and name else module or node.id
        return ".".join([first, *reversed(parts)])


def absolute(path: str, node: ast.ImportFrom) -> str | None:
    """The module an import names: relative ones become `/`-led folders of the repository, dots for slashes."""
    if not node.level:
        return node.module or ""
    folders = path.split("/")[:-1]
    up = node.level - 1
    if up > len(folders):
        return None
    base = folders[: len(folders) - up]
    return "." + ".".join([*base, *((node.module or "").split(".") if node.module else ())])


def top_level(body: list[ast.stmt], depth: int = 0) -> Iterator[ast.stmt]:
    """Statements of a body and of the `if`, `try` and `with` in it."""
    for statement in body:
        yield statement
        if depth < 4:
            match statement:
                case ast.If():
                    yield from top_level([*statement.body, *statement.orelse], depth + 1)
                case ast.Try():
                    inside = [*statement.body, *(line for one in statement.handlers for line in one.body)]
                    yield from top_level([*inside, *statement.orelse], depth + 1)
                case ast.With():
                    yield from top_level(statement.body, depth + 1)


class Sources:
    """The Python modules of a repository, by path and by dotted name."""

    def __init__(self, files: RepositoryReading) -> None:
        self.files = files
        self._scopes: dict[str, Scope | None] = {}
        self._located: dict[tuple[str, str], str | None] = {}

    def scope(self, path: str) -> Scope | None:
        if path not in self._scopes:
            tree = self.files.python(path)
            self._scopes[path] = Scope(path, tree) if tree is not None else None
        return self._scopes[path]

    def locate(self, module: str, near: str) -> str | None:
        """The file of a module, as seen from the file `near`: `.a.b` is a folder path, `a.b` is looked up."""
        key = module, near.rpartition("/")[0]
        if key not in self._located:
            self._located[key] = self._locate(module, near)
        return self._located[key]

    def _locate(self, module: str, near: str) -> str | None:
        inside = module.strip(".").replace(".", "/")
        if not re.fullmatch(r"[\w/-]{1,300}", inside or "x"):
            return None
        roots = [""] if module.startswith(".") else self._roots(near)
        for root in roots:
            place = f"{root}{inside}"
            for path in (f"{place}.py", f"{place}/__init__.py" if place else "__init__.py"):
                if self.files.has(path):
                    return path
        return None

    def _roots(self, near: str) -> list[str]:
        """Folders that packages stand in, the nearest first."""
        folders = near.split("/")[:-1]
        while folders and self.files.has("/".join([*folders, "__init__.py"])):
            folders.pop()
        own = "/".join(folders)
        roots = [f"{own}/" if own else "", f"{own}/src/" if own else "src/", "", "src/", "lib/", "python/"]
        return list(dict.fromkeys(roots))

    def definition(self, scope: Scope, name: str, hops: int = 0) -> tuple[Scope, Definition] | None:
        """Where a name, dotted or not, is defined, imports within the repository followed; None outside of it."""
        first, _, rest = name.partition(".")
        if not rest and first in scope.definitions:
            return scope, scope.definitions[first]
        if hops >= MAX_HOPS:
            return None
        if first not in scope.imports:
            return self._behind_stars(scope, name, hops)
        module, attribute = scope.imports[first]
        wanted = ".".join(part for part in (attribute, rest) if part)
        # `from package import module` and `import package.module` both name a module with something in it.
        for _ in range(4):
            path = self.locate(module, scope.path) if wanted else None
            other = self.scope(path) if path else None
            found = self.definition(other, wanted, hops + 1) if other is not None else None
            if found is not None or not wanted:
                return found
            step, _, wanted = wanted.partition(".")
            module = f"{module}.{step}" if module else step
        return None

    def _behind_stars(self, scope: Scope, name: str, hops: int) -> tuple[Scope, Definition] | None:
        for module in scope.stars[:MAX_STARS]:
            path = self.locate(module, scope.path) if module.startswith(".") else None
            other = self.scope(path) if path is not None and path != scope.path else None
            found = self.definition(other, name, hops + 1) if other is not None else None
            if found is not None:
                return found
        return None

    def literal(self, scope: Scope, node: ast.expr, *, roughly: bool = False) -> Any:
        """The JSON value that an expression writes out; names of constants are looked up. Raises NotLiteral.

        `roughly` takes f-strings with an ellipsis in place of what they compute: good enough for descriptions.
        """
        return _Literal(self, scope, roughly=roughly).value(node, 0)


class _Literal:
    def __init__(self, sources: Sources, scope: Scope, *, roughly: bool = False) -> None:
        self.sources = sources
        self.scope = scope
        self.roughly = roughly
        self.count = 0

    def value(self, node: ast.expr, depth: int) -> Any:
        self.count += 1
        if depth > 24 or self.count > MAX_LITERAL:
            raise NotLiteral
        match node:
            case ast.Constant(value=value):
                return _scalar(value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -_scalar(number)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return [self.value(part, depth + 1) for part in parts]
            case ast.Dict():
                return self._mapping(node, depth)
            case ast.Name() | ast.Attribute():
                return self._named(node, depth)
        return self._text(node, depth)

    def _text(self, node: ast.expr, depth: int) -> str:
        """Text that is put together."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
            if isinstance(left, str) and isinstance(right, str) and len(left) + len(right) < 20_000:
                return left + right
        elif isinstance(node, ast.JoinedStr) and self.roughly:
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        raise NotLiteral

    def _mapping(self, node: ast.Dict, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, part in zip(node.keys, node.values, strict=True):
            value = self.value(part, depth + 1)
            if key is None:
                if not isinstance(value, dict):
                    raise NotLiteral
                result.update(value)
                continue
            name = self.value(key, depth + 1)
            if not isinstance(name, str):
                raise NotLiteral
            result[name] = value
        return result

    def _named(self, node: ast.Name | ast.Attribute, depth: int) -> Any:
        """A constant, or the member of an Enum (with or without `.value`)."""
        name = dotted(node).removesuffix(".value")
        found = self.sources.definition(self.scope, name)
        if found is None and "." in name:
            holder, _, member = name.rpartition(".")
            owner = self.sources.definition(self.scope, holder)
            if owner is not None and isinstance(owner[1], ast.ClassDef):
                for statement in owner[1].body:
                    if isinstance(statement, ast.Assign | ast.AnnAssign) and member in _targets(statement):
                        found = owner[0], statement
        if found is None or not isinstance(found[1], ast.Assign | ast.AnnAssign) or found[1].value is None:
            raise NotLiteral
        inner = _Literal(self.sources, found[0], roughly=self.roughly)
        inner.count = self.count
        value = inner.value(found[1].value, depth + 1)
        self.count = inner.count
        return value


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def dotted(node: ast.expr) -> str:
    """A name as it stands in the code; "?" where something else than names and dots is in it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else "?"


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 10**300:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, str) and not re.search("[\ud800-\udfff]", value):
        return value
    raise NotLiteral


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """The named arguments of a call."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


def field_of(scope: Scope, annotation: ast.expr | None) -> ast.Call | None:
    """The `Field(…)` in `Annotated[type, Field(…)]`."""
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return None
    if scope.qualified(annotation.value).rpartition(".")[2] != "Annotated":
        return None
    calls = [part for part in annotation.slice.elts[1:] if isinstance(part, ast.Call)]
    return next((call for call in calls if scope.qualified(call.func).rpartition(".")[2] == "Field"), None)
