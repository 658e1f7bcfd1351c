"""A worker bound to a kind of agents, whose model is a scripted server on loopback."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.backends.agents.attempts import Tried, tried
from tests.backends.agents.kinds import KINDS_UNDER_TEST, KindUnderTest
from tests.collector import collector  # noqa: F401 - a fixture
from tests.conftest import FOUR, Cli, Done
from workermd.task.binding import ToolBinding
from workermd.testing import Server

ANSWER = '{"status": "ok", "result": {"a": 1}}'


class Ran(NamedTuple):
    """A finished run: its envelope, and the server that was asked."""

    done: Done
    envelope: Any
    server: Server


class Bound:
    """Runs a worker of one kind against a script. The configuration is written anew for every run."""

    def __init__(self, kind: KindUnderTest, cli: Cli, contract: Callable[..., Path], folder: Path) -> None:
        self.kind = kind
        self._cli = cli
        self._contract = contract
        self._folder = folder
        self._servers: list[Server] = []
        self._runs = 0

    def __call__(
        self,
        script: Any,
        *flags: object,
        constraints: dict[str, object] | None = None,
        statuses: list[str] | None = None,
        config: str = "",
        worker: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        run_id: str = "",
        serve: dict[str, Any] | None = None,
    ) -> Ran:
        server = Server(script, **(serve or {}))
        self._servers.append(server)
        self._runs += 1
        bound = {"backend": self.kind.name, "model": "scripted", **self.kind.arrangement, **(worker or {})}
        endpoint = {"model": "scripted-1", "base_url": server.url, **(model or {})}
        (self._folder / "workermd.toml").write_text(
            f"[models.scripted]\n{_toml(endpoint)}\n{config}\n[workers.echo]\n{_toml(bound)}\n"
        )
        (self._folder / "input.json").write_text(
            json.dumps({"run_id": run_id or f"run-{self._runs}", "task": "Add one and one.", "context": {"n": 1}})
        )
        spec = self._contract(constraints=constraints, statuses=statuses or FOUR)
        done = self._cli("run", spec, self._folder / "input.json", "--envelope", *flags, env=env)
        return Ran(done, done.document, server)

    def close(self) -> None:
        for server in self._servers:
            server.close()


def _toml(table: dict[str, Any]) -> str:
    """Inline values only: JSON's scalars and arrays are TOML's, and a table is written inline."""
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


@pytest.fixture(params=KINDS_UNDER_TEST, ids=lambda kind: kind.name)
def bound(request, cli, contract, tmp_path) -> Iterator[Bound]:
    """One kind after another; a kind whose framework is not installed is skipped by name."""
    kind: KindUnderTest = request.param
    if importlib.util.find_spec(kind.module) is None:
        pytest.skip(f"{kind.module} is not installed, so the kind {kind.name} cannot be tried")
    made = Bound(kind, cli, contract, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=KINDS_UNDER_TEST, ids=lambda kind: kind.name)
def attempt(request, tmp_path) -> Callable[..., Tried]:
    """Tries one attempt of one kind after another in this process."""
    kind = request.param
    if importlib.util.find_spec(kind.module) is None:
        pytest.skip(f"{kind.module} is not installed, so the kind {kind.name} cannot be tried")

    def run(script: Any, **given: Any) -> Tried:
        arrangement = kind.arrangement | given.pop("arrangement", {})
        return tried(kind.name, script, tmp_path, arrangement=arrangement, **given)

    return run


@pytest.fixture
def chat(cli, contract, tmp_path) -> Iterator[Bound]:
    """One kind where it stands for all: below the frameworks there is one wire, above them one supervisor."""
    made = Bound(KindUnderTest("chat", "autogen_agentchat"), cli, contract, tmp_path)
    yield made
    made.close()


TOOL = """
def look(at: object) -> str:
    with open("called.txt", "a") as file:
        file.write(f"{at}\\n")
    return "half \\ud83d"
"""


@pytest.fixture
def look(tmp_path, monkeypatch):
    """A tool that is bound by its name, and the file in which its calls stand."""
    name = f"tool_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(TOOL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return ToolBinding("look", function=f"{name}:look"), tmp_path / "called.txt"
