"""Small repositories built with git, and a Repository that reads one: what derive sees, without the network."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from workermd.derive.model import Facts, File
from workermd.protocol.errors import DeriveError

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_AUTHOR_DATE": "2026-03-01T12:00:00+00:00",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_COMMITTER_DATE": "2026-03-01T12:00:00+00:00",
}

FACTS = Facts(
    owner="example",
    name="widget",
    url="https://github.com/example/widget",
    description="A toolkit for widgets",
    default_branch="main",
    language="Python",
    languages={"Python": 1000},
    licence="MIT",
    topics=(),
    stars=1234,
    archived=False,
    updated_on="2026-03-01",
    homepage=None,
    latest_release=None,
)


def git(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=GIT_ENVIRONMENT, capture_output=True, check=True)
    return done.stdout


class Clone(NamedTuple):
    """A commit of a folder, with facts as a host would give them."""

    folder: Path
    facts: Facts
    commit: str
    kept: bool = False

    def files(self) -> tuple[File, ...]:
        listed = git(self.folder, "ls-tree", "-r", "-l", "-z", self.commit).decode().split("\0")[:-1]
        found = []
        for line in listed:
            head, _, path = line.partition("\t")
            _, kind, sha, size = head.split()
            if kind == "blob":
                found.append(File(path, int(size), sha))
        return tuple(sorted(found))

    def read(self, path: str) -> bytes:
        try:
            return git(self.folder, "show", f"{self.commit}:{path}")
        except subprocess.CalledProcessError:
            raise DeriveError(f"{path}: no such file at the commit") from None

    def permalink(self, path: str, first: int, last: int) -> str:
        return f"{self.facts.url}/blob/{self.commit}/{path}#L{first}-L{last}"

    def close(self) -> None:
        """Nothing is held open."""


def commit(folder: Path, files: dict[str, Any]) -> str:
    """Commits files (path to text or bytes; None removes) on top of what is there; the commit's digest."""
    if not folder.exists():
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "-b", "main")
    for path, content in files.items():
        target = folder / path
        if content is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "-q", "--allow-empty", "-m", "change")
    return git(folder, "rev-parse", "HEAD").decode().strip()


Build = Callable[..., Clone]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Commits files, and opens that commit with these facts."""

    def opened(files: dict[str, Any], **facts: Any) -> Clone:
        folder = tmp_path / "clone"
        sha = commit(folder, files)
        return Clone(folder, FACTS._replace(**facts), sha)

    return opened
