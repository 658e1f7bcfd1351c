"""Git's plumbing on a repository that somebody else configured: it reads objects and starts nothing.

Only `rev-parse`, `symbolic-ref`, `config`, `ls-tree` and `cat-file` are called. None of them looks at the work tree, the index,
attributes, filters or hooks. What a repository's configuration could still set off is closed here: no transport is
allowed, so that missing objects of a partial clone are not fetched (and no `ext::` command, ssh or credential program
runs); no pager, file-system monitor, hooks or lazy upkeep. Git's own check of who owns the folder stays in force.
"""

import contextlib
import os
import select
import subprocess
import time
import weakref
from collections.abc import Iterator
from typing import NamedTuple

from workermd.derive.address import shown
from workermd.protocol.errors import DeriveError

_SETTINGS = (
    "protocol.allow=never",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.askPass=false",
    "core.gitProxy=",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
)
# No transport has this name: the list of allowed ones is not empty, and nothing is on it. It outranks every configuration.
_NO_TRANSPORT = "none"
_SECONDS = 120.0
_ANSWER_SECONDS = 30.0


class GitOutput(NamedTuple):
    """What a finished git said. `error` is one printable line."""

    code: int
    out: bytes
    error: str


class Git:
    """Git on one folder, which is the top of a work tree or a bare repository."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        self._start = ["git", "--no-pager", "--no-optional-locks", "--no-replace-objects"]
        for setting in _SETTINGS:
            self._start += ["-c", setting]
        self._start += ["-C", self.folder]
        self._environment = _environment(self.folder)
        self._reader: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def run(self, *arguments: str) -> GitOutput:
        """Raises DeriveError when git is missing or does not end in two minutes."""
        try:
            done = subprocess.run(
                [*self._start, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise DeriveError(
                "git was not found on PATH, and a local clone is read with it", "Install git, or name OWNER/REPO."
            ) from None
        except subprocess.TimeoutExpired:
            raise DeriveError(
                f"{shown(self.folder)}: git {arguments[0]} did not end within {_SECONDS:.0f} s",
                "Run `git fsck` there, or name a fresh clone.",
            ) from None
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return GitOutput(done.returncode, done.stdout, shown(lines[0]) if lines else "")

    def records(self, *arguments: str) -> Iterator[bytes]:
        """What git prints with `-z`, one record after the other, so that a tree without end can be left.

        Raises DeriveError when git fails or does not end in two minutes.
        """
        deadline = time.monotonic() + _SECONDS
        running = self._popen(arguments, subprocess.DEVNULL)
        try:
            held = b""
            while chunk := _chunk(running, deadline):
                *whole, held = (held + chunk).split(b"\0")
                yield from whole
            code = running.wait(max(deadline - time.monotonic(), 0.01))
        except (EOFError, subprocess.TimeoutExpired):
            code = -1
        finally:
            _end(running, wait=0.0)
        if code != 0 or held:
            raise DeriveError(
                f"{shown(self.folder)}: objects of the commit are missing or damaged",
                "A partial clone lacks files: name a full clone, or OWNER/REPO. Otherwise run `git fsck` there.",
            )

    def object(self, sha: str) -> tuple[str, bytes]:
        """An object's type and bytes, from one git that stays open. Raises DeriveError when it is missing."""
        reader = self._reader or self._open()
        assert reader.stdin is not None
        try:
            reader.stdin.write(f"{sha}\n".encode())
            head = self._line().decode(errors="replace").split(" ")
        except (OSError, EOFError):
            head = []
        if len(head) != 3 or not head[2].isdigit():
            self.close()
            raise DeriveError(
                f"{shown(self.folder)}: the object {sha[:12]} is missing from this clone or damaged",
                "A partial clone lacks files: fetch them with `git fetch --refetch --filter=blob:limit=1g`, or name a full clone.",
            )
        try:
            return head[1], self._exactly(int(head[2]) + 1)[:-1]
        except (OSError, EOFError):
            self.close()
            raise DeriveError(
                f"{shown(self.folder)}: git stopped while it read {sha[:12]}", "Run `git fsck` there."
            ) from None

    def _open(self) -> "subprocess.Popen[bytes]":
        self._reader = self._popen(("cat-file", "--batch"), subprocess.PIPE)
        self._unread = b""
        self._finish = weakref.finalize(self, _end, self._reader)
        return self._reader

    def close(self) -> None:
        if self._reader is not None:
            self._finish()
            self._reader = None

    def _popen(self, arguments: tuple[str, ...], stdin: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self._start, *arguments],
            env=self._environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )

    def _more(self) -> bytes:
        assert self._reader is not None
        chunk = _chunk(self._reader, time.monotonic() + _ANSWER_SECONDS)
        if not chunk:
            raise EOFError
        return chunk

    def _line(self) -> bytes:
        while b"\n" not in self._unread:
            self._unread += self._more()
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _exactly(self, size: int) -> bytes:
        parts, held = [self._unread], len(self._unread)
        while held < size:
            parts.append(self._more())
            held += len(parts[-1])
        everything = b"".join(parts)
        self._unread = everything[size:]
        return everything[:size]


def _chunk(running: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """The next bytes, empty at the end. Raises EOFError when none come by the deadline."""
    assert running.stdout is not None
    descriptor = running.stdout.fileno()
    if not select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
        raise EOFError
    return os.read(descriptor, 1 << 18)


def _end(running: "subprocess.Popen[bytes]", wait: float = 2.0) -> None:
    """Without its input git ends by itself; one that hangs on a strange file is killed."""
    for pipe in (running.stdin, running.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        running.wait(wait)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _environment(folder: str) -> dict[str, str]:
    """The user's own settings of git are kept (`safe.directory` stands there); what points git elsewhere is not."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG_")
    }
    kept.pop("GIT_CONFIG", None)
    return kept | {
        "LC_ALL": "C",
        "GIT_CEILING_DIRECTORIES": os.path.dirname(folder),
        "GIT_ALLOW_PROTOCOL": _NO_TRANSPORT,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
