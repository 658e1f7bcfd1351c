"""The structure, held against the imports: who may know whom, who owns which library, what start-up loads."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import loaded_by
from workermd.task.task import KINDS

PACKAGE = Path(__file__).parents[1] / "workermd"

# One line a room, lowest first, with the rooms that it may know: all of them stand above it here, none beside or below.
FLOORS = """
protocol
system:    protocol
sandbox:   protocol system
task:      protocol system
contract:  protocol system
ledger:    protocol system
workers:   protocol system task contract
config:    protocol system sandbox task workers
lint:      protocol system contract
derive:    protocol system contract lint
registry:  protocol system contract config
attempt:   protocol system sandbox task ledger
backends:  protocol system sandbox task contract config workers
runner:    protocol system sandbox task contract ledger config attempt
batch:     protocol system sandbox task contract ledger attempt runner
bench:     protocol system sandbox task contract config ledger runner batch
fuzz:      protocol system task contract runner batch
library:   protocol system contract ledger config registry runner batch
report:    protocol system contract ledger derive registry runner batch bench fuzz
editor:    protocol system contract lint config
serve:     protocol system sandbox task contract ledger config runner batch report
studio:    protocol system task contract ledger lint config registry backends runner report serve
testing:   protocol system contract report
cli:       protocol system sandbox task contract ledger lint config derive registry backends runner batch bench fuzz report editor serve studio testing
"""
KNOWN = {
    room.strip(): below.split() for room, _, below in (line.partition(":") for line in FLOORS.strip().splitlines())
}
MOST_ROOMS, MOST_AT_THE_ROOT, MOST_LINES_BELOW = 24, 10, 350
PUBLIC = ("run", "arun", "load", "pending", "decide", "Session", "Outcome")

# Each library outside the standard library, sqlite3 and ctypes beside them, has one owner.
OWNERS: dict[str, tuple[str, ...]] = {
    "typer": ("workermd.cli.typer_app",),
    "rich": ("workermd.report",),
    "frontmatter": ("workermd.contract.write",),
    "yaml": ("workermd.contract",),
    "markdown_it": ("workermd.contract.document", "workermd.derive.markdown"),
    "jsonschema": ("workermd.contract.schema",),
    "referencing": ("workermd.contract.schema",),
    "jsonschema_rs": ("workermd.contract.schema", "workermd.contract.mismatch"),
    "tomlkit": ("workermd.config.rewrite",),
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
        "workermd.backends.agents.mcp_streams",
        "workermd.backends.agents.provider",
    ),
    "pydantic": (
        "workermd.backends.agents.functions",
        "workermd.backends.agents.mcp_client",
        "workermd.backends.autogen",
    ),
    "any_llm": ("workermd.backends.agents.provider",),
    "pydantic_core": ("workermd.backends.agents.functions",),
    "mcp": (
        "workermd.backends.agents.mcp_client",
        "workermd.backends.agents.mcp_said",
        "workermd.backends.agents.mcp_streams",
        "workermd.serve.mcp_server",
        "workermd.serve.mcp_transport",
    ),
    "jwt": ("workermd.serve.issued_tokens",),
    "a2a": ("workermd.serve.a2a_server",),
    "google": ("workermd.serve.a2a_server",),
    "mcp_types": ("workermd.serve.mcp_server",),
    "anyio": ("workermd.backends.agents.mcp_streams",),
    "hypothesis": ("workermd.fuzz.draws", "workermd.fuzz.search"),
    "jsonpath_rfc9535": ("workermd.bench.paths",),
    "opentelemetry": ("workermd.backends.core", "workermd.report.otlp"),
    "starlette": ("workermd.serve", "workermd.studio"),
    "uvicorn": ("workermd.serve.listen", "workermd.serve.connection"),
    "sqlite3": ("workermd.ledger.sqlite",),
    "psycopg": ("workermd.ledger.postgres",),
    "dbos": ("workermd.batch.cluster.dbos_engine",),
    "celery": ("workermd.batch.cluster.celery_engine",),
    "temporalio": ("workermd.batch.cluster.temporal_engine",),
    "httpx": ("workermd.workers", "workermd.derive.transport"),
    "docutils": ("workermd.derive.restructured",),
    **dict.fromkeys(
        ("tree_sitter", "tree_sitter_typescript", "tree_sitter_javascript"),
        ("workermd.derive.interfaces.ecmascript.parser",),
    ),
    "hishel": ("workermd.derive.transport", "workermd.derive.api_cache"),
    "httpcore": ("workermd.workers",),
    "selectolax": ("workermd.workers",),
    "keyring": ("workermd.config.keys",),
    "pygls": ("workermd.editor.server",),
    "lsprotocol": ("workermd.editor",),
    "unidiff": ("workermd.workers",),
    "jinja2": ("workermd.studio.rendering",),
    "markupsafe": ("workermd.studio.rendering",),
    "ruff": ("workermd.workers",),
    "securesystemslib": ("workermd.report.signing",),
    "cryptography": ("workermd.report.signing",),
}


def sources() -> dict[str, str]:
    """Every module's text by its path below the package."""
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def name_of(path: str) -> str:
    return f"workermd/{path}".removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        yield name_of(str(path.relative_to(root))), ast.parse(path.read_text())


@cache
def imported(text: str) -> frozenset[str]:
    """Names that are imported anywhere, inside functions too; what only a type checker reads is no import."""

    def walk(tree: ast.AST) -> Iterator[str]:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case) and not (
                isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            ):
                yield from walk(node)

    return frozenset(walk(ast.parse(text)))


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def belongs(name: str, owners: tuple[str, ...]) -> bool:
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def graph_of(texts: dict[str, str]) -> dict[str, set[str]]:
    """Every module of ours, and which of ours it imports. The package's own names load on first use."""
    known = {name_of(path) for path in texts}
    graph = {
        name_of(path): {target if target in known else target.rpartition(".")[0] for target in imported(text)} & known
        for path, text in texts.items()
    }
    return {name: graph[name] - {name, "workermd"} for name in graph.keys() - {"workermd", "workermd.__main__"}}


def wrong_arrows(graph: dict[str, set[str]]) -> Iterator[str]:
    for name, targets in graph.items():
        room = room_of(name)
        if room not in KNOWN:
            yield f"{name} stands in a room that has no line in FLOORS"
            continue
        for target in sorted(targets):
            if room_of(target) != room and room_of(target) not in KNOWN[room]:
                yield f"{name} imports {target}, but {room}/ does not know {room_of(target)}/: see its line in FLOORS"
            if name == "workermd.attempt.host" and target.startswith("workermd.ledger.sqlite"):
                yield f"{name} imports {target}: an attempt touches no ledger"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"a circle of imports: {' -> '.join(reversed(error.args[1]))}"


def wrong_owners(texts: dict[str, str]) -> Iterator[str]:
    for path, text in texts.items():
        name = name_of(path)
        for top in {target.split(".")[0] for target in imported(text)} - sys.stdlib_module_names - {"workermd"}:
            if top not in OWNERS:
                yield f"{name} imports {top}, which has no owner"
        for top in {target.split(".")[0] for target in imported(text)} & OWNERS.keys():
            if not belongs(name, OWNERS[top]):
                yield f"{name} imports {top}, which belongs to {', '.join(OWNERS[top])}"


def attics(texts: dict[str, str]) -> Iterator[str]:
    rooms = {path.split("/")[0] for path in texts if "/" in path}
    at_the_root = [path for path in texts if "/" not in path]
    if len(rooms) > MOST_ROOMS or len(at_the_root) > MOST_AT_THE_ROOT:
        yield f"{len(rooms)} rooms, {len(at_the_root)} modules at the root"
    yield from (f"{room}/ bears the name of a public function" for room in rooms.intersection(PUBLIC))
    for path, text in texts.items():
        if path.startswith(("protocol/", "system/")) and len(text.splitlines()) > MOST_LINES_BELOW:
            yield f"{path} has more than {MOST_LINES_BELOW} lines"


def violations(texts: dict[str, str]) -> list[str]:
    return [*wrong_arrows(graph_of(texts)), *wrong_owners(texts), *attics(texts)]


def test_a_room_knows_only_rooms_on_earlier_lines():
    above: set[str] = set()
    for room, below in KNOWN.items():
        assert set(below) <= above, f"{room} knows a room that stands beside or below it"
        above.add(room)


def test_imports_go_one_way_and_every_library_has_one_owner():
    assert violations(sources()) == []


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
        ("ledger/sqlite/store.py", "from workermd.report import say", "ledger/ does not know report/"),
        ("protocol/envelope.py", "import workermd.task.task", "protocol/ does not know task/"),
        ("protocol/envelope.py", "x = 0\n" * 400, "has more than 350 lines"),
        ("runner/invocation.py", "import sqlite3", "belongs to workermd.ledger"),
        ("backends/command.py", "from workermd.ledger import results", "backends/ does not know ledger/"),
        ("attempt/host.py", "from workermd.ledger.sqlite import store", "touches no ledger"),
        ("contract/model.py", "def late():\n    from workermd.contract import diff", "a circle of imports: workermd."),
        ("runner/verdict.py", "import requests", "has no owner"),
        ("stray/thing.py", "", "has no line in FLOORS"),
        ("load/__init__.py", "", "bears the name of a public function"),
        ("runner/verdict.py", "from workermd.testing import Server", "runner/ does not know testing/"),
    ],
)
def test_a_planted_violation_is_found(place, line, expected):
    texts = sources()
    texts[place] = f"{texts.get(place, '')}\n{line}\n"
    assert any(expected in violation for violation in violations(texts))


ENGINES = {f"workermd.batch.cluster.{name}_engine" for name in ("celery", "dbos", "temporal")}
LEFT_OUT = {"workermd.testing.__main__", "workermd.serve.a2a_server", *ENGINES}
"""A program, and modules of extras that are no part of `all`."""


def test_no_module_takes_the_place_of_a_public_name():
    """A package's attribute is the module of that name as soon as anybody imported it."""
    code = (
        "import importlib, types, workermd\n"
        f"for name in {sorted(graph_of(sources()).keys() - LEFT_OUT)!r}: importlib.import_module(name)\n"
        f"for name in [*workermd.__all__, *{PUBLIC!r}]:\n"
        "    assert not isinstance(getattr(workermd, name, None), types.ModuleType), name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr


def test_the_picture_shows_every_room():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)/` \| .{20,} \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(KNOWN)
    assert sorted(rows) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


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


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.extra])
def test_a_kind_without_its_extra_says_how_to_install_it(kind):
    """The host says it before an attempt is used up; the run ends with exit code 2 (tests/attempt)."""
    extra = KINDS[kind].extra
    code = (
        f"import os, sys; sys.modules.update(dict.fromkeys({sorted(LIBRARIES[extra])!r})); os.dup2(1, 4)\n"
        f"from workermd.attempt.host import load; load({kind!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.fullmatch(
        rf"cannot: backend '{kind}' needs the module '[\w.]+', which is not installed: "
        rf"pip install 'workermd\[{extra}\]'\n",
        done.stdout,
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_broad_excepts_stand_in_few_places_only():
    """Loading a plugin or a function's module, calling a backend in the child, a provider's library, the command line's last resort, functions of a test's
    script, scores of an operator's."""
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
        "workermd.backends.agents.provider",
        "workermd.bench.scores",
        "workermd.cli.main",
        *[
            "workermd.ledger.sqlite.group",
            "workermd.library.happenings",
            "workermd.library.threads",
        ],  # raised again where the caller waits
        "workermd.task.callables",
        *["workermd.testing.server"] * 2,
    ]
