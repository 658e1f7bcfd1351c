"""A file as a Git revision has it: `git:REV:path`, the path from the root of the repository."""

import os
import subprocess
from typing import NamedTuple

from workermd.protocol.errors import ContractUnusable, UsageError
from workermd.system.text import printable

PREFIX = "git:"
SECONDS = 30


def read(reference: str) -> bytes:
    """The bytes of `git:REV:path` in the repository of the working directory.

    Nothing of the repository's own configuration is run: no pager, no filter, no hook, no lazy fetch.
    Raises UsageError for a reference of another form, ContractUnusable where Git does not have it.
    """
    revision, _, path = reference.removeprefix(PREFIX).partition(":")
    if not revision or not path or revision.startswith("-") or "\0" in reference:
        raise UsageError(f"{reference}: not of the form git:REV:path", "for example git:main:contracts/a.worker.md")
    command = ["git", "--no-pager", "--no-optional-locks", "--no-replace-objects"]
    command += ["cat-file", "blob", f"{revision}:{path}"]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise UsageError(f"{reference}: git is not installed", "install it, or name a file") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{reference}: git took more than {SECONDS} seconds", "name a file") from None
    if done.returncode != 0:
        raise ContractUnusable(f"{reference}: {_said(done.stderr)}", "check the revision, and the path from the root")
    return done.stdout


class Commit(NamedTuple):
    """A commit that changed a file. `date` is YYYY-MM-DD."""

    id: str
    date: str
    subject: str


def history(path: str, most: int) -> tuple[Commit, ...]:
    """The newest commits that changed a file; none where it is in no repository, or Git is missing."""
    words = ["log", f"-{most}", "--no-show-signature", "--format=%H%x09%cs%x09%s", "--", os.path.basename(path)]
    listed = _asked(path, *words)
    rows = (line.split("\t", 2) for line in (listed or b"").decode("utf-8", "replace").splitlines())
    return tuple(Commit(row[0], row[1], printable(row[2])[:200]) for row in rows if len(row) == 3)


def at(path: str, commit: str) -> bytes:
    """A file as a commit has it. Raises ContractUnusable."""
    found = _asked(path, "cat-file", "blob", f"{commit}:./{os.path.basename(path)}")
    if found is None:
        raise ContractUnusable(f"{path}: Git does not have it at {commit[:40]}", "choose another version")
    return found


def _asked(path: str, *words: str) -> bytes | None:
    """What Git says in the folder of a file; None where it fails. Nothing of the repository's configuration is run."""
    folder = os.path.dirname(os.path.abspath(path))
    command = ["git", "--no-pager", "--no-optional-locks", "--no-replace-objects", "-c", "core.fsmonitor=false"]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*command, *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _said(stderr: bytes) -> str:
    """Git's own last line, without control characters."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["git does not have it"]
    text = lines[-1].removeprefix("fatal: ").removeprefix("error: ")
    return printable(text)[:200]
