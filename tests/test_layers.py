"""The structure, held against the imports: who may know whom, who owns which library, what start-up loads."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import loaded_by
from workermd.task.task import KINDS

PACKAGE = Path(__file__).parents[1] / "workermd"

# Lowest first, one line a floor. A room may import from rooms on earlier lines, never upward, never sideways.
FLOORS = """
protocol
system
task contract
ledger lint workers sandbox
config derive
registry attempt backends
runner
report
editor
cli
testing
"""
LAYERS = [("workermd",), *(tuple(f"workermd.{room}" for room in line.split()) for line in FLOORS.strip().splitlines())]
LAYERS.append(("workermd.__main__",))
# Each library outside the standard library, sqlite3 and ctypes beside them, has one owner.
OWNERS: dict[str, tuple[str, ...]] = {
    "typer": ("workermd.cli.typer_app",),
    "rich": ("workermd.report",),
    "frontmatter": ("workermd.contract.write",),
    "yaml": ("workermd.contract.yamltext", "workermd.derive.yamlvalues"),
    "markdown_it": ("workermd.contract.document", "workermd.derive.markdown"),
    "jsonschema": ("workermd.contract.schema",),
    "referencing": ("workermd.contract.schema",),
    "jsonschema_rs": ("workermd.contract.schema", "workermd.contract.mismatch"),
    "tenacity": ("workermd.protocol.back_off",),
    "autogen_core": ("workermd.backends.core", "workermd.backends.autogen", "workermd.backends.agents.code"),
    "autogen_agentchat": ("workermd.backends.autogen",),
    "autogen_ext": ("workermd.backends.autogen", "workermd.backends.agents.code"),
    "agent_framework": ("workermd.backends.agent_framework",),
    "ag2": ("workermd.backends.ag2",),
    "openai": ("workermd.backends.agents.model_client",),
    "httpx2": (
        "workermd.backends.agents.transport",
        "workermd.backends.agents.endpoint",
        "workermd.backends.agents.model_client",
        "workermd.backends.agents.mcp_client",
    ),
    "pydantic": (
        "workermd.backends.agents.functions",
        "workermd.backends.agents.mcp_client",
        "workermd.backends.autogen",
    ),
    "pydantic_core": ("workermd.backends.agents.functions",),
    "mcp": ("workermd.backends.agents.mcp_client",),
    "anyio": ("workermd.backends.agents.mcp_client",),
    "opentelemetry": ("workermd.backends.core", "workermd.report.spans"),
    "sqlite3": ("workermd.ledger.sqlite",),
    "httpx": ("workermd.workers", "workermd.derive.transport"),
    "hishel": ("workermd.derive.transport", "workermd.derive.api_cache"),
    "httpcore": ("workermd.workers",),
    "selectolax": ("workermd.workers",),
    "pygls": ("workermd.editor.server",),
    "lsprotocol": ("workermd.editor",),
    "unidiff": ("workermd.workers",),
    "ruff": ("workermd.workers",),
}

# These rooms may not know certain others even where the order of layers would allow it.
STRANGERS: dict[str, tuple[str, ...]] = {
    "workermd.backends": ("workermd.ledger",),
    "workermd.attempt.host": ("workermd.ledger.sqlite", "workermd.contract"),
    "workermd.ledger": ("workermd.contract", "workermd.task"),
    "workermd.testing": ("workermd.runner", "workermd.ledger", "workermd.backends"),
}


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> int:
    """The layer of the longest listed room that holds the name."""
    best, found = -1, -1
    for index, rooms in enumerate(LAYERS):
        for room in rooms:
            inside = name == room or (name.startswith(f"{room}.") and room != "workermd")
            if inside and len(room) > best:
                best, found = len(room), index
    return found


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def belongs(name: str, owners: tuple[str, ...]) -> bool:
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def violations(root: Path) -> list[str]:
    known = {name for name, _ in modules(root)}
    found: list[str] = []
    for name, tree in modules(root):
        if layer_of(name) < 0:
            found.append(f"{name} stands in no layer")
        for target in imports(tree):
            top = target.split(".")[0]
            if top in OWNERS and not belongs(name, OWNERS[top]):
                found.append(f"{name} imports {top}, which belongs to {', '.join(OWNERS[top])}")
            if top not in OWNERS and top != "workermd" and top not in sys.stdlib_module_names:
                found.append(f"{name} imports {top}, which has no owner")
            if top != "workermd":
                continue
            module = target if target in known else target.rpartition(".")[0]
            if name == "workermd":
                continue  # its names load on first use
            above = layer_of(module) - layer_of(name)
            if room_of(module) != room_of(name) and (above > 0 or (above == 0 and layer_of(name) > 0)):
                found.append(f"{name} imports {module}, which is not below it")
            if any(belongs(name, (room,)) and belongs(module, rooms) for room, rooms in STRANGERS.items()):
                found.append(f"{name} imports {module}, which it may not know")
    return found


def test_imports_go_one_way_and_every_library_has_one_owner():
    assert violations(PACKAGE) == []


def test_a_public_class_name_stands_for_one_thing():
    names = Counter(
        node.name
        for _, tree in modules(PACKAGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    ("place", "line", "expected"),
    [
        ("ledger/sqlite/store.py", "from workermd.report import say", "not below it"),
        ("protocol/envelope.py", "import workermd.task.task", "not below it"),
        ("runner/invocation.py", "import sqlite3", "belongs to workermd.ledger"),
        ("backends/command.py", "from workermd.ledger import results", "may not know"),
        ("runner/verdict.py", "import requests", "has no owner"),
        ("stray/thing.py", "", "stands in no layer"),
        ("cli/main.py", "from workermd.testing import Server", "not below it"),
    ],
)
def test_a_planted_violation_is_found(tmp_path, place, line, expected):
    root = tmp_path / "workermd"
    for path in PACKAGE.rglob("*.py"):
        copy = root / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    target = root / place
    target.parent.mkdir(exist_ok=True)
    target.write_text((target.read_text() if target.exists() else "") + f"\n{line}\n")
    assert any(expected in violation for violation in violations(root))


def test_version_loads_nothing_heavy():
    code = "import workermd.cli.main\nsys.argv = ['workermd', '--version']\ntry: workermd.cli.main.main()\nexcept SystemExit: pass"
    heavy = {
        "jsonschema",
        "markdown_it",
        "asyncio",
        "autogen_core",
        "rich",
        "typer",
        "yaml",
        "sqlite3",
        "json",
        "typing",
    }
    assert loaded_by(code).isdisjoint(heavy)


def test_the_hot_path_of_a_run_loads_no_framework():
    heavy = {
        "jsonschema", "markdown_it", "asyncio", "autogen_core", "rich", "typer", "yaml", "dataclasses", "inspect",
        "subprocess", "tenacity", "jsonschema_rs", "tomllib", "argparse", "logging", "threading", "hashlib",
    }  # fmt: skip
    assert loaded_by("import workermd.cli.commands.run").isdisjoint(heavy)


LIBRARIES = {
    "agentchat": {"autogen_agentchat", "autogen_ext", "openai", "httpx2"},
    "ag2": {"ag2", "openai", "httpx2"},
    "agent-framework": {"agent_framework", "openai", "httpx2"},
    "mcp": {"mcp", "httpx2"},
}
"""Extra to what our modules import of what it installs."""


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.extra])
def test_a_kind_loads_with_its_own_extra_alone(kind):
    own = LIBRARIES[KINDS[kind].extra]
    others = set.union(*LIBRARIES.values()) - own
    code = f"import sys; sys.modules.update(dict.fromkeys({sorted(others)!r})); import {KINDS[kind].module}"
    loaded = loaded_by(code)
    assert own - {"mcp"} <= loaded | {"httpx2"}, "a library that is missing has to be known before the attempt"


def test_broad_excepts_stand_in_few_places_only():
    """Loading a plugin, calling a backend in the child, the command line's last resort, functions of a test's script."""
    found = [
        name
        for name, tree in modules(PACKAGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)  # cleans up and lets it pass
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    ]
    assert sorted(found) == [
        *["workermd.attempt.host"] * 2,
        "workermd.cli.main",
        *["workermd.testing.server"] * 2,
    ]
