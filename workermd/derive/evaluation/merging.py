"""How two ways that a program may go become one, and small questions about values and trees."""

import ast
from typing import Any

from workermd.derive.evaluation.values import UNKNOWN, Class, External, Function, Modelled, Module, Unknown, is_rich

_HARMLESS = (
    "functools.",
    "contextlib.",
    "typing.",
    "typing_extensions.",
    "abc.",
    "dataclasses.",
    "atexit.",
    "asyncio.",
)


def merged(first: Any, second: Any) -> Any:
    """Of two values that a name may have the one that says more; a doubt where both do."""
    if first is second or (type(first) is type(second) and isinstance(first, str | int | float) and first == second):
        return first
    if isinstance(first, Modelled) and isinstance(second, Modelled):
        first.doubt("a condition that is not told, which takes another in its place")
        return first
    if isinstance(first, Modelled | Function | Class) or (is_rich(first) and not is_rich(second)):
        return first
    if is_rich(second):
        return second
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return tuple(merged(*pair) for pair in zip(first, second, strict=True))
    return first if isinstance(second, Unknown | None) and is_rich(first) else UNKNOWN


def merged_ends(ends: list[dict[str, Any]]) -> dict[str, Any]:
    values = dict(ends[0])
    for other in ends[1:]:
        for name, value in other.items():
            values[name] = merged(values[name], value) if name in values and values[name] is not value else value
    return values


_SHAPING = {"add_argument", "add_parser", "option", "argument", "command", "add_command", "add_typer"}


def shapes_commands(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _SHAPING for part in ast.walk(node))


def spelled(node: ast.AST) -> str:
    """A decorator as it stands in the code, without its arguments."""
    while isinstance(node, ast.Call):
        node = node.func
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "…", *reversed(parts)])


def is_harmless(decorator: Any) -> bool:
    return isinstance(decorator, External) and decorator.dotted.startswith(_HARMLESS)


def is_standard(name: str) -> bool:
    import sys

    return name.partition(".")[0] in sys.stdlib_module_names or name.startswith(("argcomplete.", "colorama."))


def is_known_fork(dotted: str) -> bool:
    return dotted.startswith(
        ("click.", "rich_click.", "asyncclick.", "rich_argparse.", "configargparse.", "typer.", "cloup.")
    )


def module_of(value: Any) -> Module:
    return value.module if isinstance(value, Function) else Module("", "")


def docstring(value: Function) -> str | None:
    return ast.get_docstring(value.node, clean=False) if not isinstance(value.node, ast.Lambda) else None


def shallow(node: ast.AST) -> list[ast.AST]:
    """The parts of a function, those of functions inside left out."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(getattr(node, "body", ()))
    while waiting:
        part = waiting.pop()
        found.append(part)
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(part))
    return found
