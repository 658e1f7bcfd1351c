"""Which test proves which rule of `docs/spec.md`, read from the tests' markers.

A test names what it proves by `@pytest.mark.rule("S4.3", …)`; a file whose tests all prove the same by
`pytestmark = pytest.mark.rule(…)`. `python -m tests.rules_proved` writes `docs/rules-proved.md` anew.

The markers are read from the source, not from a collection: that imports no framework and takes a moment.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "rules-proved.md"

HEAD = """# Which test proves which rule

Written by `python -m tests.rules_proved`, never by hand. A test proves a rule of `spec.md` by a marker that names it,
`@pytest.mark.rule("S4.3")`; the suite demands that every rule has at least one, and that no marker names another rule.

| rule | file | tests |
|---|---|---|
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def rules() -> list[str]:
    """The rules of `docs/spec.md`, in its order."""
    return re.findall(r"^- \*\*(S\d+\.\d+)\*\*", (ROOT / "docs" / "spec.md").read_text(), re.MULTILINE)


def refuse_unknown(items: Iterable[pytest.Item]) -> None:
    """Collection ends where a marker names no rule: a typing error would prove nothing."""
    known = set(rules())
    for item in items:
        for marker in item.iter_markers("rule"):
            wrong = [name for name in marker.args if name not in known] or ["nothing"] * (not marker.args)
            if wrong or marker.kwargs:
                raise pytest.UsageError(
                    f"{item.nodeid}: the marker `rule` names {wrong}; docs/spec.md has no such rule"
                )


def _named(expression: ast.expr) -> tuple[str, ...]:
    """The rules of `pytest.mark.rule(…)`; none where the expression is something else."""
    if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "pytest.mark.rule":
        return tuple(ast.literal_eval(argument) for argument in expression.args)
    return ()


def _marked(path: Path) -> Iterator[tuple[str, str]]:
    """Each rule that a file's tests prove, with the test."""
    body = ast.parse(path.read_text()).body
    of_file = [
        rule
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for rule in _named(node.value)
    ]
    for node in body:
        if isinstance(node, Function) and node.name.startswith("test"):
            of_test = [rule for decorator in node.decorator_list for rule in _named(decorator)]
            yield from ((rule, node.name) for rule in {*of_file, *of_test})


def deep() -> set[tuple[str, str]]:
    """The tests, by file and name, of which `make test` runs no case: `make deep` does."""
    return {
        (str(path.relative_to(ROOT)), node.name)
        for path in (ROOT / "tests").rglob("test_*.py")
        if "mark.deep" in (text := path.read_text())
        for node in ast.parse(text).body
        if isinstance(node, Function)
        and any(ast.unparse(decorator) == "pytest.mark.deep" for decorator in node.decorator_list)
    }


def proofs() -> dict[str, dict[str, list[str]]]:
    """Rule to file to tests, for every rule of `docs/spec.md`."""
    found: dict[str, dict[str, list[str]]] = {rule: {} for rule in rules()}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for rule, test in _marked(path):
            found[rule].setdefault(str(path.relative_to(ROOT)), []).append(test)
    return found


def page() -> str:
    rows = [
        f"| {rule} | `{file}` | {', '.join(f'`{test}`' for test in sorted(tests))} |\n"
        for rule, files in proofs().items()
        for file, tests in files.items()
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
