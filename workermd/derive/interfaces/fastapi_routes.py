"""Routes of FastAPI applications, by syntax tree: for a repository that keeps no document of its API.

A route is a function under `@app.get("/path")`. What it takes is read as FastAPI reads it: names in the path, objects as the
body, anything else as the query, unless `Query`, `Header`, `Body` and their kin say otherwise. A route keeps its operation even
where part of it stays unread (a dependency, a router that is mounted nowhere): then it is open, says so, and has no way of calling.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.derive.interfaces.reading import MAX_PYTHON, RepositoryReading
from workermd.derive.interfaces.scope import NotLiteral, Scope, Sources, keywords
from workermd.derive.interfaces.signatures import Function, Untyped, signature
from workermd.derive.interfaces.texts import Notes, name_of, summary_of, unique
from workermd.derive.model import Interface
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_MODULES = 120
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_PASSED_IN = frozenset(
    {"Request", "Response", "WebSocket", "HTTPConnection", "BackgroundTasks", "SecurityScopes", "UploadFile"}
)
_PLACES = {"Query": "query", "Path": "path", "Header": "header", "Cookie": "cookie", "Body": "body"}
_FORMS = ("Form", "File")
_DEPENDS = ("Depends", "Security")
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_MOST_MOUNTS = 8

Key = tuple[str, str]
"""A module's path, and the name of an application or a router in it."""


class _Router(NamedTuple):
    """`prefix` None: it is no text that stands there."""

    root: bool
    prefix: str | None


class _Mount(NamedTuple):
    parent: Key
    prefix: str | None


class _Argument(NamedTuple):
    """A parameter of a route. `place` is empty where its type decides; `wire` is its name in the request."""

    name: str
    place: str
    wire: str


def find(files: RepositoryReading) -> Iterator[Interface]:
    """Every route of every application and router, module by module."""
    sources = Sources(files)
    paths = [path for path in files.ending(".py") if files.size(path) <= MAX_PYTHON] if _is_likely(files) else []
    paths.sort(key=lambda path: (path.count("/"), path))
    for path in paths[MAX_MODULES:]:
        files.skip(path, f"was not searched for routes: more than {MAX_MODULES} modules")
    using = [path for path in paths[:MAX_MODULES] if re.search(r"\bfastapi\b", files.text(path) or "")]
    scopes = [scope for path in using if (scope := sources.scope(path)) is not None]
    application = _Application(sources, scopes)
    taken: set[str] = set()
    for scope in sorted(scopes, key=lambda scope: scope.path):
        for node in ast.walk(scope.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from application.routes(scope, node, taken)


def _is_likely(files: RepositoryReading) -> bool:
    """Whether a manifest names the framework; without a manifest the code may use it all the same."""
    listed = files.named("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile")
    return not listed or any(re.search(r"\bfastapi\b", files.text(path) or "", re.IGNORECASE) for path in listed)


class _Application:
    """The routers of all modules, and where each is mounted."""

    def __init__(self, sources: Sources, scopes: list[Scope]) -> None:
        self.sources = sources
        self.routers: dict[Key, _Router] = {}
        self.mounts: dict[Key, list[_Mount]] = {}
        for scope in scopes:
            for node in ast.walk(scope.tree):
                if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                    self._assigned(scope, node, node.value)
        for scope in scopes:
            for node in ast.walk(scope.tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    self._included(scope, node, node.func)

    def _assigned(self, scope: Scope, node: ast.Assign | ast.AnnAssign, call: ast.Call) -> None:
        word = scope.qualified(call.func).rpartition(".")[2]
        if word not in ("FastAPI", "APIRouter"):
            return
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                prefix = "" if word == "FastAPI" else self._text(scope, keywords(call).get("prefix"))
                self.routers[scope.path, target.id] = _Router(word == "FastAPI", prefix)

    def _included(self, scope: Scope, call: ast.Call, function: ast.Attribute) -> None:
        if function.attr != "include_router" or not call.args:
            return
        child, parent = self._key(scope, call.args[0]), self._key(scope, function.value)
        if child and parent:
            prefix = self._text(scope, keywords(call).get("prefix"))
            self.mounts.setdefault(child, []).append(_Mount(parent, prefix))

    def _text(self, scope: Scope, node: ast.expr | None) -> str | None:
        """A prefix: nothing where none is given, None where it is computed."""
        try:
            value = "" if node is None else self.sources.literal(scope, node)
        except NotLiteral:
            return None
        return value if isinstance(value, str) else None

    def _key(self, scope: Scope, node: ast.expr) -> Key | None:
        """The router that an expression names, here or in another module."""
        if isinstance(node, ast.Name) and (scope.path, node.id) in self.routers:
            return scope.path, node.id
        module, _, name = scope.qualified(node).rpartition(".")
        path = self.sources.locate(module, scope.path) if module else None
        return (path, name) if path is not None and (path, name) in self.routers else None

    def prefixes(self, key: Key, depth: int = 0) -> list[str | None]:
        """What stands before the paths of a router, for each place where it is mounted; None: it could not be read."""
        router = self.routers[key]
        if router.root:
            return [""]
        if depth > _MOST_MOUNTS:
            return [None]
        found: list[str | None] = []
        for mount in self.mounts.get(key, []):
            for above in self.prefixes(mount.parent, depth + 1):
                parts = (above, mount.prefix, router.prefix)
                found.append(None if None in parts else "".join(part or "" for part in parts))
        return found[:_MOST_MOUNTS] or [None]

    def routes(self, scope: Scope, node: Function, taken: set[str]) -> Iterator[Interface]:
        """The operations of one function: one for each decorator, method and mount."""
        for decorator in node.decorator_list:
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            key = self._key(scope, decorator.func.value)
            if key is None:
                continue
            named = decorator.args[0] if decorator.args else keywords(decorator).get("path")
            path = self._text(scope, named) if named is not None else None
            for method in self._methods(scope, decorator, decorator.func.attr):
                if path is None:
                    self.sources.files.skip(scope.path, "has a route whose path is computed")
                    continue
                for prefix in self.prefixes(key):
                    operation = _Operation(self.sources, scope, node, decorator)
                    made = operation.interface(method, prefix, path, taken)
                    if made is not None:
                        yield made

    def _methods(self, scope: Scope, decorator: ast.Call, word: str) -> list[str]:
        if word in METHODS:
            return [word]
        if word != "api_route":
            return []
        listed = keywords(decorator).get("methods")
        try:
            value = self.sources.literal(scope, listed) if listed is not None else ["GET"]
        except NotLiteral:
            value = None
        found = [each.lower() for each in value if isinstance(each, str)] if isinstance(value, list) else []
        return [each for each in found if each in METHODS]


class _Operation:
    """One function as an operation."""

    def __init__(self, sources: Sources, scope: Scope, node: Function, decorator: ast.Call) -> None:
        self.sources = sources
        self.scope = scope
        self.node = node
        self.decorator = decorator
        self.notes = Notes()
        self.arguments: list[_Argument] = []
        self.unread = False

    def _id(self) -> str:
        """The `operation_id` that the decorator gives, as the application's own document would say it."""
        given = keywords(self.decorator).get("operation_id")
        try:
            return name_of(self.sources.literal(self.scope, given)) if given is not None else ""
        except NotLiteral:
            return ""

    def interface(self, method: str, prefix: str | None, path: str, taken: set[str]) -> Interface | None:
        whole = _PARAMETER.sub(r"{\1}", (prefix or "") + path) or "/"
        if prefix is None:
            self._open("where its router is mounted was not found, so its path may begin otherwise")
        function = self._plain()
        try:
            found = signature(self.sources, self.scope, function, self.notes, _PASSED_IN)
        except Untyped as error:
            self.sources.files.skip(self.scope.path, f"{cleaned(self.node.name, 60)} is left out: {error}")
            return None
        schema = found.input_schema
        line = self._line(whole, schema)
        if self.unread:
            schema = {**schema, "additionalProperties": True}
        name = self._id() or name_of(f"{method.upper()} {whole}") or cleaned(self.node.name, 60)
        call: Document = {"kind": "http", "method": method.upper(), "path": whole, "line": line}
        return Interface(
            kind="openapi",
            path=self.scope.path,
            name=unique(name, taken),
            summary=summary_of(found.said.summary, f"{method.upper()} {whole}"),
            input_schema=schema,
            output_schema=found.output_schema,
            evidence=found.evidence,
            notes=self.notes.all(),
            call=None if self.unread else call,
        )

    def _open(self, note: str) -> None:
        self.unread = True
        self.notes.add(note)

    def _plain(self) -> Function:
        """The function with plain annotations: `Query(5, ge=1)` is `Annotated[type, Field(ge=1)] = 5`."""
        args = self.node.args
        plain = [*args.posonlyargs, *args.args]
        defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
        given = [*zip(plain, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
        kept = [plainly for arg, default in given if (plainly := self._argument(arg, default)) is not None]
        model = keywords(self.decorator).get("response_model")
        plain_args = ast.arguments([], [], None, [arg for arg, _ in kept], [default for _, default in kept], None, [])
        made = ast.FunctionDef(self.node.name, plain_args, self.node.body, [], model or self.node.returns, None)
        return ast.copy_location(made, self.node)

    def _argument(self, arg: ast.arg, default: ast.expr | None) -> tuple[ast.arg, ast.expr | None] | None:
        """The parameter as a plain one; None for what is no part of the request's own arguments."""
        annotation, marks = arg.annotation, []
        if isinstance(annotation, ast.Subscript) and self._word(annotation.value) == "Annotated":
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            annotation, marks = parts[0], [part for part in parts[1:] if isinstance(part, ast.Call)]
        if isinstance(default, ast.Call) and self._word(default.func) in (*_PLACES, *_FORMS, *_DEPENDS):
            marks, default = [default, *marks], _default_in(default)
        word = next((word for mark in marks if (word := self._word(mark.func)) in (*_PLACES, *_FORMS, *_DEPENDS)), "")
        if word in _DEPENDS:
            self._open(f"it depends on {cleaned(arg.arg, 60)}, whose own arguments were not read")
            return None
        if word in _FORMS:
            self._open(f"{cleaned(arg.arg, 60)} is sent as a form")
        bounds = [keyword for mark in marks for keyword in mark.keywords if keyword.arg not in ("default", "alias")]
        if annotation is not None and bounds:
            field = ast.Call(ast.Name("Field", ast.Load()), [], bounds)
            pair = ast.Tuple([annotation, field], ast.Load())
            annotation = ast.Subscript(ast.Name("Annotated", ast.Load()), pair, ast.Load())
        alias = next((text for mark in marks if (text := self._text(keywords(mark).get("alias")))), "")
        place = _PLACES.get(word, "")
        wire = alias or (arg.arg.replace("_", "-") if place == "header" else arg.arg)
        self.arguments.append(_Argument(arg.arg, place, wire))
        if isinstance(default, ast.Constant) and default.value is Ellipsis:
            default = None
        return ast.copy_location(ast.arg(arg.arg, annotation), arg), default

    def _word(self, node: ast.expr) -> str:
        return self.scope.qualified(node).rpartition(".")[2]

    def _text(self, node: ast.expr | None) -> str:
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    def _line(self, path: str, schema: Document) -> list[Document]:
        """The place of each argument in the request."""
        wanted = set(_PARAMETER.findall(path))
        line: list[Document] = []
        bodies = 0
        for argument in self.arguments:
            held = schema["properties"].get(argument.name)
            if held is None:
                continue
            place = argument.place or ("path" if argument.name in wanted else "body" if _is_object(held) else "query")
            bodies += place == "body"
            wire = "application/json" if place == "body" else argument.wire
            line.append({"in": place, "name": wire, "from": argument.name})
            wanted.discard(argument.wire)
        if wanted:
            self._open(f"{', '.join(sorted(wanted))} of its path is no argument of the function")
        if bodies > 1:
            self._open("its body has several parts")
        return line


def _default_in(call: ast.Call) -> ast.expr | None:
    """The default of `Query(5)` or `Query(default=5)`."""
    return keywords(call).get("default") or (call.args[0] if call.args else None)


def _is_object(schema: Document) -> bool:
    """Whether FastAPI takes a value of this type from the body."""
    parts = schema.get("anyOf", [schema])
    return any(part.get("type") in ("object", "array") or "properties" in part for part in parts)
