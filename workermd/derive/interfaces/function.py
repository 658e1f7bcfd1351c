"""Typed public functions of the Python packages that a repository holds."""

import ast
from collections.abc import Iterator

from workermd.derive.interfaces.packages import projects
from workermd.derive.interfaces.reading import reading
from workermd.derive.interfaces.scope import MAX_STARS, NotLiteral, Scope, Sources, top_level
from workermd.derive.interfaces.signatures import Function, Signature, Untyped, signature
from workermd.derive.interfaces.texts import Notes, summary_of
from workermd.derive.model import Interface, Repository
from workermd.system.text import cleaned

MAX_MODULES = 80

_NO_PACKAGE = {
    *(
        "tests",
        "test",
        "docs",
        "doc",
        "examples",
        "example",
        "scripts",
        "benchmarks",
        "tools",
        "samples",
        "build",
        "dist",
    ),
}
_NO_MODULE = {"setup.py", "conftest.py", "noxfile.py", "tasks.py", "fabfile.py", "manage.py", "__main__.py"}
_NOT_CALLED_SO = {
    *("overload", "contextmanager", "asynccontextmanager", "property", "fixture", "command", "group", "callback"),
    *("option", "argument", "route", "get", "post", "put", "delete", "patch", "task", "hookimpl", "singledispatch"),
}
_HARMLESS = {"cache", "lru_cache", "deprecated", "final", "no_type_check", "validate_call", "beartype", "typechecked"}


def find(repository: Repository) -> Iterator[Interface]:
    """Public functions of each package's `__init__.py`, what it re-exports, and its modules one level down."""
    files = reading(repository)
    sources = Sources(files)
    seen: set[tuple[str, str]] = set()
    modules = list(_modules([*files.ending(".py")], [project.folder for project in projects(files)] or [""]))
    for path in modules[MAX_MODULES:]:
        files.skip(path, f"was not searched for functions: more than {MAX_MODULES} modules")
    for path in modules[:MAX_MODULES]:
        scope = sources.scope(path)
        if scope is None:
            continue
        for name in _public(sources, scope):
            found = sources.definition(scope, name)
            if found is None or not isinstance(found[1], ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            place = found[0].path, found[1].name
            if place not in seen:
                seen.add(place)
                interface = _function(sources, found[0], found[1])
                if interface is not None:
                    yield interface


def _modules(paths: list[str], folders: list[str]) -> Iterator[str]:
    """The modules of the packages in each project's folder or its `src`; single modules where it has no package."""
    inside: dict[str, list[str]] = {}
    for path in paths:
        inside.setdefault(path[: -len(path.rpartition("/")[2])], []).append(path)
    packages: dict[str, list[str]] = {}
    for package, held in inside.items():
        above, _, name = package.removesuffix("/").rpartition("/")
        if f"{package}__init__.py" in held and name.lower() not in _NO_PACKAGE:
            packages.setdefault(f"{above}/" if above else "", []).append(package)
    given: set[str] = set()
    for folder in folders:
        own = [*packages.get(f"{folder}src/", ()), *packages.get(folder, ())]
        for package in own or [folder]:
            first = [f"{package}__init__.py"] if own else []
            for path in [*first, *(path for path in inside.get(package, ()) if _is_public_module(path))]:
                if path not in given:
                    given.add(path)
                    yield path


def _is_public_module(path: str) -> bool:
    name = path.rpartition("/")[2]
    return not name.startswith(("_", "test_")) and name not in _NO_MODULE


def _public(sources: Sources, scope: Scope, depth: int = 0) -> list[str]:
    """The names a module offers: `__all__` where it is written out, else those without an underscore."""
    listed = scope.definitions.get("__all__")
    if isinstance(listed, ast.Assign | ast.AnnAssign) and listed.value is not None:
        try:
            names = sources.literal(scope, listed.value)
        except NotLiteral:
            names = None
        if isinstance(names, list):
            return [name for name in names if isinstance(name, str)]
    own = [
        statement.name
        for statement in top_level(scope.tree.body)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    exported = [name for name, (module, _) in scope.imports.items() if module.startswith(".")]
    if not scope.path.endswith("__init__.py"):
        exported = []
    elif depth < 3:
        for module in scope.stars[:MAX_STARS]:
            path = sources.locate(module, scope.path) if module.startswith(".") else None
            other = sources.scope(path) if path is not None else None
            exported.extend(_public(sources, other, depth + 1) if other is not None else ())
    names = [*own, *exported]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _function(sources: Sources, scope: Scope, node: Function) -> Interface | None:
    notes = Notes()
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        word = scope.qualified(called).rpartition(".")[2]
        if word in _NOT_CALLED_SO:
            return None
        if word not in _HARMLESS:
            notes.add(f"decorated with {cleaned(word, 60) or 'an expression'}, which may change the arguments")
    args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    if node.returns is None and not any(arg.annotation for arg in args):
        return None
    try:
        found: Signature = signature(sources, scope, node, notes)
    except Untyped:
        return None
    if isinstance(node, ast.AsyncFunctionDef):
        notes.add("the function is asynchronous")
    module = scope.path.removesuffix(".py").removesuffix("/__init__").rpartition("src/")[2].replace("/", ".")
    return Interface(
        kind="function",
        path=scope.path,
        name=cleaned(node.name, 120),
        summary=summary_of(found.said.summary, f"{module}.{node.name}"),
        input_schema=found.input_schema,
        output_schema=found.output_schema,
        evidence=found.evidence,
        notes=notes.all(),
    )
