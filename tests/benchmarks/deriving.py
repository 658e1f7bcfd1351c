"""`workermd derive`: from a GitHub on loopback with each state of the cache, and from a clone of 50,000 files."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import BrokenError, Scene, in_turns
from tests.benchmarks.processes import PASS
from tests.benchmarks.table import Row
from tests.derive.contracts.texts import AUTOGEN, CC_BY, MIT
from tests.derive.github_server import GitHubServer, release

TOKEN = "t0ken"  # the loopback server's
NAMED = "microsoft/autogen"
FILES = 50_000
README = {
    "README.md": AUTOGEN.encode(),
    "LICENSE": CC_BY.encode(),
    "LICENSE-CODE": MIT.encode(),
    "CHANGELOG.md": b"# Changes\n",
}


def hosted(folder: Path, rounds: int) -> list[Row]:
    """The README is that of the tests. Every answer that was kept has to be asked for with a condition, or not at all."""
    server = GitHubServer()
    server.tokens = {TOKEN}
    facts = {"description": "A programming framework for agentic AI", "topics": ["agents"]}
    server.add(NAMED, README, license={"spdx_id": "CC-BY-4.0"}, releases=[release("v1")], **facts)
    try:
        return _hosted(Scene(folder), server, rounds)
    finally:
        server.close()


def _hosted(scene: Scene, server: GitHubServer, rounds: int) -> list[Row]:
    cache = Path(scene.environment["XDG_CACHE_HOME"]) / "workermd"
    counts: dict[str, str] = {}

    def case(name: str, prepare: Callable[[], object], *options: str) -> Callable[[], float]:
        def measured() -> float:
            prepare()
            server.requests.clear()
            variables = {"GITHUB_API_URL": server.base, "GH_TOKEN": TOKEN}
            seconds = scene.workermd("derive", NAMED, *options, output=str(scene.folder / "out"), **variables)
            counts[name] = f"{len(server.requests)} requests, {server.statuses().count(304)} of them 304"
            return seconds

        return measured

    def forget(*parts: str) -> Callable[[], None]:
        return lambda: [shutil.rmtree(cache.joinpath(part), ignore_errors=True) for part in parts] and None

    def nothing() -> None:
        """The cache stays as it is."""

    cases = {
        "derive, nothing cached": case("derive, nothing cached", forget("github", "derived")),
        "derive, unchanged": case("derive, unchanged", nothing),
        "derive, answers cached, composed anew": case("derive, answers cached, composed anew", forget("derived")),
        "derive --offline": case("derive --offline", nothing, "--offline"),
        "derive --offline, composed anew": case("derive --offline, composed anew", forget("derived"), "--offline"),
    }
    cases["derive, nothing cached"]()  # whatever the first case of a round is, it finds a full cache
    found = in_turns({PASS: lambda: scene.python("-c", "pass"), **cases}, rounds)
    if not counts["derive, unchanged"].startswith("5 requests, 5 of"):
        raise BrokenError(f"an unchanged repository cost {counts['derive, unchanged']}")
    if not counts["derive --offline"].startswith("0 "):
        raise BrokenError("--offline asked the host")
    return [
        Row(
            found[name]._replace(name=f"{name} ({counts[name]})"),
            found[PASS],
            most_ratio=12 if "unchanged" in name else None,
        )
        for name in cases
    ]


def cloned(folder: Path, rounds: int) -> list[Row]:
    """Walking the tree of a large clone once, with git, and reading what the contract needs of it."""
    clone = folder / "clone"
    _import(clone)
    scene = Scene(folder)
    walk = ["git", "-C", str(clone), "ls-tree", "-r", "-z", "--long", "HEAD"]
    git = shutil.which("git")
    if git is None:
        raise BrokenError("git is not on PATH")
    peaks: dict[str, float] = {}

    def case(name: str, *options: str) -> Callable[[], float]:
        def measured() -> float:
            seconds = scene.workermd("derive", clone, *options, output=str(folder / "out"))
            peaks[name] = max(peaks.get(name, 0), scene.peak_mib)
            return seconds

        return measured

    tree = f"git ls-tree, {FILES:,} files"
    cases = {
        f"derive, a clone of {FILES:,} files": case(f"derive, a clone of {FILES:,} files"),
        "the same, --list-interfaces": case("the same, --list-interfaces", "--list-interfaces"),
    }
    found = in_turns({tree: lambda: scene.program(git, *walk[1:]), **cases}, rounds)
    return [Row(found[name]._replace(name=f"{name} (peak {peaks[name]:.0f} MiB)"), found[tree]) for name in cases]


def _import(clone: Path) -> None:
    """A commit of FILES files, 100 in a folder, a tenth of them Python, made without touching the work tree."""
    clone.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], env=environment, check=True)
    parts = [b"commit refs/heads/main\ncommitter A <a@example.org> 1772366400 +0000\ndata 1\nx\n"]

    def add(path: str, content: bytes) -> None:
        parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content))

    for path, content in README.items():
        add(path, content)
    for number in range(FILES - len(README)):
        ending = "py" if number % 10 == 0 else "txt"
        add(f"src/d{number // 100:04}/f{number:05}.{ending}", b"def f%d(size: int) -> str: ...\n" % number)
    importing = ["git", "-C", str(clone), "fast-import", "--quiet"]
    subprocess.run(importing, input=b"".join(parts), env=environment, check=True)
