"""Imports that wait for the first test of their module: to collect the suite no framework is loaded.

    from tests.late import LATE

    if LATE:
        from autogen_core import RoutedAgent

What stands in such a block of a test module is carried out before the module's first test, into the module's names.
Readers and linters see imports; a worker that runs none of the module's tests never pays for them.
"""

import ast
import importlib.util
import sys
from types import ModuleType

import pytest

LATE = False


def needs(library: str, reason: str) -> None:
    """Skip the module that says so when the library is not there; unlike `pytest.importorskip` it loads nothing."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(reason, allow_module_level=True)


def carry_out(module: ModuleType) -> None:
    """Carry out the late blocks of a module, and of the modules of tests that it takes helpers from."""
    if module.__file__ is None or vars(module).get("_carried_out"):
        return
    module._carried_out = True  # type: ignore[attr-defined]
    with open(module.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if (
            isinstance(node, ast.ImportFrom)
            and str(node.module) in sys.modules
            and str(node.module).startswith("tests.")
        ):
            carry_out(sys.modules[str(node.module)])
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "LATE":
            code = compile(ast.Module(node.body, []), module.__file__, "exec", dont_inherit=True)
            exec(code, module.__dict__)
