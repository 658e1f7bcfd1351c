"""A file as a Git revision has it: `git:REV:path`, the path from the root of the repository."""

import os
import subprocess

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


def _said(stderr: bytes) -> str:
    """Git's own last line, without control characters."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["git does not have it"]
    text = lines[-1].removeprefix("fatal: ").removeprefix("error: ")
    return printable(text)[:200]
