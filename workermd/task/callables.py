"""A Python callable by its name, `module:callable` or an entry point of an installed package (S6.2)."""

import importlib
import importlib.metadata
import os
import re
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, PathFinder
from typing import Any

from workermd.task import failure
from workermd.task.task import Refused


def why_unusable(what: str, named: str, group: str, place: str, folder: str = "") -> str:
    """Why there is no such callable, found by importing its module; empty where it can be called (S3.1).

    Everything that the module does on its way in belongs to the binding, and a fault of it uses no attempt up.
    """
    if reason := _why_missing(what, named, group, folder):
        return reason
    try:
        resolved(what, named, group, place, folder)
    except Refused as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, and leave by SystemExit
        traceback.print_exception(error, file=sys.stderr)
        where = failure.place_of(error, named.partition(":")[0].partition(".")[0])
        said = f" ({error.msg})" if isinstance(error, SyntaxError) else ""
        return f"{place}: {type(error).__name__}{said}{where and f' at {where}'} while its module was imported; mend it"
    return ""


def _why_missing(what: str, named: str, group: str, folder: str) -> str:
    """Why there is no such callable, without importing it: an entry point or a module that cannot be found."""
    try:
        module, _ = _named(what, named, group)
    except Refused as error:
        return str(error)
    path = [folder or os.getcwd(), *sys.path] if ":" in named else list(sys.path)
    known = ""
    for part in module.split("."):
        known = f"{known}.{part}" if known else part
        # As if it stood at the top: a dotted name may ask for its parent's module, which is not imported here.
        spec = BuiltinImporter.find_spec(known) or PathFinder.find_spec(part, path)
        if spec is None:
            return f"{what} {named}: there is no module {known}, neither installed nor in {folder or os.getcwd()}"
        path = list(spec.submodule_search_locations or ())
    return ""


def resolved(what: str, named: str, group: str, place: str, folder: str = "") -> tuple[Callable[..., Any], str]:
    """The callable and its top-level package. `what` is the word for it in messages, `place` where it was named, and
    `folder` where its module is looked for first: the one of the configuration, or else the working directory.
    Raises `Refused`, or whatever the module's import raises."""
    module, attribute = _named(what, named, group)
    folder = folder or os.getcwd()
    # As `python -m` does; but a worker shipped with this package must not meet the folder's modules.
    if ":" in named and not module.startswith("workermd.") and folder not in sys.path[:1]:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error, module, place, folder) from error
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


def _with_a_colon(name: str) -> str:
    """`a.run` was probably meant as `a:run`, and `a` as the module of `run`."""
    module, dot, callable_ = name.rpartition(".")
    return f"{module}:{callable_}" if dot else f"{name}:run"


def _entry_point(what: str, name: str, group: str) -> tuple[str, str]:
    found = {point.value: point for point in importlib.metadata.entry_points(group=group, name=name)}
    if not found:
        raise Refused(
            f"{what} {name}: no installed package has an entry point of that name in the group {group}; "
            f"install the package, or write the module and the callable: {_with_a_colon(name)}"
        )
    if len(found) > 1:
        raise Refused(f"{what} {name}: several packages name it ({', '.join(sorted(found))}); write module:callable")
    point = next(iter(found.values()))
    if not point.attr:
        raise Refused(f"{what} {name}: its entry point names the module {point.module} without a callable")
    return point.module, point.attr


def _missing(error: ModuleNotFoundError, module: str, place: str, folder: str) -> Refused:
    missing = error.name or "?"
    if module == missing or module.startswith(missing + "."):
        return Refused(f"{place}: there is no module {missing}, neither installed nor in {folder}")
    if module.startswith("workermd.workers"):
        return Refused(f"{place}: it needs {missing}, which is not installed; run: pip install 'workermd[workers]'")
    return Refused(f"{place}: module {module} needs {missing}, which is not installed; install what provides it")
