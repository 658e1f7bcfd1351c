"""The list of deliberate faults is one that can be tried: `make mutants` tries it."""

import ast

import pytest

from tests.conftest import ROOT
from tests.mutants.faults import Fault, Unusable, load, source_of

FAULTS = load()


def functions(file):
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_fault_has_a_name_of_its_own():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_tried(fault):
    """Its text stands there once, the change is still Python, and its tests are there."""
    ast.parse(fault.applied(source_of(fault)))
    assert fault.tests
    for test in fault.tests:
        file, _, function = test.partition("::")
        assert function.partition("[")[0] in functions(file), test


@pytest.mark.parametrize("source", ["", "a b", "a a"])
def test_a_text_that_is_not_there_once_is_an_error(source):
    fault = Fault("room: name", "file.py", "a" if source != "a b" else "b a", "c", ("tests/x.py::test",))
    with pytest.raises(Unusable, match="adapt the fault"):
        fault.applied(source)
