"""Which files the arguments of `validate` and `fmt` mean: files, folders that are searched, patterns."""

import glob
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from workermd.config.configuration import Settings
from workermd.contract.problems import SUFFIX
from workermd.protocol.errors import UsageError, WorkermdError

Found = str | WorkermdError


def each_once(
    paths: list[str], settings: Callable[[], Settings], endings: tuple[str, ...] = (SUFFIX,)
) -> Iterator[Found]:
    """The files that the arguments mean, each once, in order; an error for what means none.

    Below a folder that is searched, what Git ignores and what the configuration excludes is left out. `settings` is
    asked only where a folder is searched.
    """
    seen: set[str] = set()
    for path in paths:
        for name in _expanded(path, settings, endings):
            if isinstance(name, WorkermdError):
                yield name
            elif (place := os.path.abspath(name)) not in seen:
                seen.add(place)
                yield name


def _expanded(path: str, settings: Callable[[], Settings], endings: tuple[str, ...]) -> list[Found]:
    if os.path.isdir(path):
        return _searched(path, settings(), endings) or [
            UsageError(f"{path}: holds no *{SUFFIX}", "name a file, or a folder that has one")
        ]
    if path == "-" or os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    found: list[Found] = []
    for name in sorted(glob.glob(path, recursive=True)):
        found += _searched(name, settings(), endings) if os.path.isdir(name) else [name]
    return found or [UsageError(f"{path}: matches no file", "check the pattern")]


def _searched(root: str, settings: Settings, endings: tuple[str, ...]) -> list[Found]:
    """The files with one of these endings below a folder, sorted; folders such as .git and .venv are left out."""
    found: list[str] = []
    unread: list[WorkermdError] = []

    def note(error: OSError) -> None:
        message = f"{error.filename}: the folder cannot be searched ({error.strerror})"
        unread.append(UsageError(message, "check its permissions"))

    wanted = _not_ignored(root)
    for place, folders, names in os.walk(root, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".") and _below(wanted, place, name)]
        paths = (os.path.join(place, name) for name in names if name.endswith(endings))
        found += [path for path in paths if wanted is None or os.path.abspath(path) in wanted]
    if settings.lint_exclude:
        base = os.path.dirname(os.path.abspath(settings.origin))
        found = [path for path in found if not _excluded(os.path.relpath(path, base), settings.lint_exclude)]
    return [*sorted(found), *unread]


def _below(wanted: "set[str] | None", place: str, name: str) -> bool:
    """Whether a folder is worth a look: Git tracks, or would track, something in it."""
    return wanted is None or os.path.abspath(os.path.join(place, name)) in wanted


def _excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether the path, or a folder that holds it, matches; `*` matches any characters, `/` among them."""
    parts = path.split(os.sep)
    tails = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    return any(fnmatchcase(tail, pattern.removesuffix("/")) for pattern in patterns for tail in tails)


def _not_ignored(root: str) -> "set[str] | None":
    """The files below a folder that Git does not ignore, and the folders on the way to them; None outside of a working
    tree, without Git, and where the folder that was named is itself ignored: then it is meant as it is.

    Git is asked rather than a library: the rules lie in nested .gitignore files, in .git/info/exclude and in the user's
    own configuration, and what is tracked is never ignored. Nothing of the repository's own configuration is run.
    """
    place = os.path.abspath(root)
    if not _in_working_tree(place):
        return None
    listed = _git(place, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None or (not listed and _git(place, "check-ignore", "-q", ".") is not None):
        return None
    wanted: set[str] = set()
    for name in filter(None, os.fsdecode(listed).split("\0")):
        path = os.path.join(place, name.rstrip("/"))
        if os.path.isdir(path) and not os.path.islink(path):  # a repository inside this one has its own rules
            wanted |= _not_ignored(path) or {
                os.path.join(folder, each) for folder, below, files in os.walk(path) for each in (*below, *files)
            }
        while path != place and path not in wanted:
            wanted.add(path)
            path = os.path.dirname(path)
    return wanted


def _in_working_tree(place: str) -> bool:
    while not os.path.lexists(os.path.join(place, ".git")):
        above = os.path.dirname(place)
        if above == place:
            return False
        place = above
    return True


def _git(folder: str, *words: str) -> bytes | None:
    """What Git prints; None where it is missing, fails, or says no by its exit code."""
    import subprocess

    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", folder, *words]
    # A hook of Git has variables that name its own repository and index; the folder says which one is meant.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "CONFIG" in name}
    try:
        done = subprocess.run(command, env=kept, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
