"""A GitHub on loopback, and an environment in which nothing else is reached."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.derive.github_server import GitHubServer
from workermd.derive.model import Repository
from workermd.derive.source import open_repository

README = b"# Thing\n\nA thing that does things.\n"
FILES = {"README.md": README, "LICENSE": b"MIT\n", "src/thing/a.py": b"x = 1\n", "src/thing/b b.py": b"y = 2\n"}


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    server = GitHubServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("WORKERMD_CACHE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "workermd" / "github"


@pytest.fixture
def derive(github: GitHubServer) -> Iterator[Callable[..., Repository]]:
    """`derive(named, environ={...}, ...)` opens a repository of the loopback server; lines of progress are in `derive.said`."""
    opened: list[Any] = []
    said: list[str] = []

    def start(named: str, environ: dict[str, str] | None = None, **options: Any) -> Repository:
        settings = {"GITHUB_API_URL": github.base, **(environ or {})}
        repository = open_repository(named, progress=said.append, environ=settings, **options)
        opened.append(repository)
        repository.files()  # as every derive does that has not been made before
        return repository

    start.said = said  # type: ignore[attr-defined]
    yield start
    for repository in opened:
        repository.close()
