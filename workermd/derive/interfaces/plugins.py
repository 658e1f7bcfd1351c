"""Plugins that a repository brings along itself: what `pm.hook.name(…)` calls in its own modules, by pluggy's rules.

Plugins of others come when the program runs, so whatever is handed to a hook may get more than is read here.
"""

import ast
import re
from typing import Any

from workermd.derive.evaluation.builtin import doubted_in
from workermd.derive.evaluation.evaluator import Evaluator
from workermd.derive.evaluation.values import UNKNOWN, Calls, Function, Invocation, Modelled, Native

MAX_PLUGINS = 20
"""Modules of a repository in which the functions of one hook are looked for."""

_MARKED = re.compile(r"impl\b", re.IGNORECASE)


class PluginManager(Modelled):
    """pluggy's manager: its `hook` has an attribute for each hook."""

    def member(self, _evaluator: Calls, name: str) -> Any:
        return _Hooks() if name == "hook" else UNKNOWN


class _Hooks(Modelled):
    def member(self, _evaluator: Calls, name: str) -> Any:
        return Native(name, lambda evaluator, call: _called(evaluator, name, call))


def _called(evaluator: Evaluator, name: str, call: Invocation) -> Any:
    """Calls the functions of a hook that the repository's own modules have; those of others may do as they like."""
    for path in _modules(evaluator, name, call.module.path):
        module = evaluator.module(path)
        function = module.body.values.get(name) if module is not None else None
        if isinstance(function, Function) and any(
            _MARKED.search(ast.unparse(each)[:80]) for each in getattr(function.node, "decorator_list", ())
        ):
            wanted = {arg.arg for arg in (*function.node.args.args, *function.node.args.kwonlyargs)}
            given = {key: value for key, value in call.keywords.items() if key in wanted}
            evaluator.call(function, call._replace(arguments=[], keywords=given))
    for value in call.keywords.values():
        for held in doubted_in(value):
            held.given_away(f"the hook {name}, which plugins answer")
    return UNKNOWN


def _modules(evaluator: Evaluator, name: str, near: str) -> list[str]:
    """The modules of the caller's package that define a function of that name."""
    files = evaluator.sources.files
    package = near.rpartition("/")[0]
    while package and files.has(f"{package.rpartition('/')[0]}/__init__.py".lstrip("/")):
        package = package.rpartition("/")[0]
    defined = re.compile(rf"^(?:async )?def {re.escape(name)}\(", re.MULTILINE).search
    inside = (path for path in files.ending(".py") if path.startswith(f"{package}/") or not package)
    found = (path for path in inside if defined(files.text(path) or ""))
    return [path for _, path in zip(range(MAX_PLUGINS), found, strict=False)]


def library() -> dict[str, Any]:
    """The classes of pluggy, by name."""
    return {"pluggy.PluginManager": PluginManager}
