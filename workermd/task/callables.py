"""A Python callable by its name, `module:callable` or an entry point of an installed package (S6.2)."""

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, PathFinder
from pathlib import Path
from typing import Any

from workermd.task.task import Refused


def why_missing(what: str, named: str, group: str) -> str:
    """Why there is no such callable, without importing it: an entry point or a module that cannot be found."""
    try:
        module, _ = _named(what, named, group)
    except Refused as error:
        return str(error)
    path = [str(Path.cwd()), *sys.path] if ":" in named else list(sys.path)
    known = ""
    for part in module.split("."):
        known = f"{known}.{part}" if known else part
        # As if it stood at the top: a dotted name may ask for its parent's module, which is not imported here.
        spec = BuiltinImporter.find_spec(known) or PathFinder.find_spec(part, path)
        if spec is None:
            return f"{what} {named}: there is no module {known}, neither installed nor in the current folder"
        path = list(spec.submodule_search_locations or ())
    return ""


def resolved(what: str, named: str, group: str, place: str) -> tuple[Callable[..., Any], str]:
    """The callable and its top-level package. `what` is the word for it in messages, `place` where it was named.
    Raises `Refused`, or whatever the module's import raises."""
    module, attribute = _named(what, named, group)
    # As `python -m` does; but a worker shipped with this package must not meet the folder's modules.
    if ":" in named and not module.startswith("workermd.") and str(Path.cwd()) not in sys.path[:1]:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error, module, place) from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Refused(f"{place}: module {module} has no {attribute}; correct the name") from None
    if not callable(found):
        raise Refused(f"{place}: {attribute} of module {module} is a {type(found).__name__}, not a callable")
    return found, module.partition(".")[0]


def _named(what: str, named: str, group: str) -> tuple[str, str]:
    """Module and attribute, from `module:callable` or from an entry point's name."""
    if ":" not in named:
        return _entry_point(what, named, group)
    module, _, attribute = named.partition(":")
    if not re.fullmatch(r"\w+(\.\w+)*", module) or not re.fullmatch(r"\w+(\.\w+)*", attribute):
        raise Refused(f"{what} {named}: write it as module:callable, for example shop.orders:run")
    return module, attribute


def _entry_point(what: str, name: str, group: str) -> tuple[str, str]:
    found = {point.value: point for point in importlib.metadata.entry_points(group=group, name=name)}
    if not found:
        raise Refused(
            f"{what} {name}: no installed package has an entry point of that name in the group {group}; "
            "install the package, or write module:callable"
        )
    if len(found) > 1:
        raise Refused(f"{what} {name}: several packages name it ({', '.join(sorted(found))}); write module:callable")
    point = next(iter(found.values()))
    if not point.attr:
        raise Refused(f"{what} {name}: its entry point names the module {point.module} without a callable")
    return point.module, point.attr


def _missing(error: ModuleNotFoundError, module: str, place: str) -> Refused:
    missing = error.name or "?"
    if module == missing or module.startswith(missing + "."):
        return Refused(f"{place}: there is no module {missing}, neither installed nor in the current folder")
    if module.startswith("workermd.workers"):
        return Refused(f"{place}: it needs {missing}, which is not installed; run: pip install 'workermd[workers]'")
    return Refused(f"{place}: module {module} needs {missing}, which is not installed; install what provides it")
