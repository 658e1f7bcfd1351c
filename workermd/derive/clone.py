"""A local clone as a repository: the commit's files and what git knows of where it came from. No network."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from workermd.derive.address import check_ref, is_github, parse, shown
from workermd.derive.git import Git, GitOutput
from workermd.derive.model import Facts, File
from workermd.derive.tree import Tree, TreeEntry, page_of
from workermd.protocol.errors import DeriveError

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_COMMITTER = re.compile(rb"^committer [^\n]*> (-?\d{1,15}) [+-]\d{4}$", re.MULTILINE)


class Origin(NamedTuple):
    """Where a clone came from. `web` is empty where the remote has no page, `pages` says it is GitHub's kind."""

    owner: str
    name: str
    web: str
    pages: bool


class Clone:
    """A `Repository` read from a folder. Uncommitted changes are not part of it."""

    kept = False

    def __init__(self, folder: str, ref: str, environ: Mapping[str, str], progress: Callable[[str], None]) -> None:
        """`ref` empty: HEAD. Raises DeriveError."""
        self._git = Git(folder)
        self._place = shown(folder)
        try:
            self.commit = self._resolve(ref)
            origin = self._origin(environ)
            self._origin_found = origin
            self.facts = Facts(
                owner=origin.owner,
                name=origin.name,
                url=origin.web,
                description=None,
                default_branch=self._default_branch(),
                language=None,
                languages={},
                licence=None,
                topics=(),
                stars=None,
                archived=False,
                updated_on=self._date(),
                homepage=None,
                latest_release=None,
            )
            progress(f"{self._place}: reading commit {self.commit[:12]} with git, without the network")
            self._tree = Tree(self._place, self._entries())
        except DeriveError:
            self._git.close()
            raise

    def files(self) -> tuple[File, ...]:
        return self._tree.files

    def read(self, path: str) -> bytes:
        sha = self._tree.find(path).sha
        held = self._tree.recall(sha)
        return held if held is not None else self._tree.remember(sha, self._git.object(sha)[1])

    @property
    def left_out(self) -> tuple[str, ...]:
        return self._tree.left_out

    def permalink(self, path: str, first: int, last: int) -> str:
        """A page of GitHub where the clone came from there; otherwise `git:COMMIT:PATH#L1-L2`, for `git show`."""
        if self._origin_found.pages:
            return page_of(self.facts.url, self.commit, path, first, last)
        return f"git:{self.commit}:{path}" + (f"#L{first}" if first == last else f"#L{first}-L{last}")

    def close(self) -> None:
        self._git.close()

    def _resolve(self, ref: str) -> str:
        """A branch that exists only at the remote is found there, as `git switch` would."""
        for name in (ref, f"origin/{ref}") if ref else ("HEAD",):
            answer = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if answer.code == 0:
                return _sha(answer.out, self._place)
            if answer.error and "expected commit type" not in answer.error:
                raise self._refusal(answer)
        if ref:
            raise DeriveError(
                f"{self._place} has no branch, tag or commit {shown(ref)}",
                "List them with `git branch -a` and `git tag`.",
            )
        raise DeriveError(f"{self._place} has no commits yet", "Commit something first: a contract cites a commit.")

    def _refusal(self, answer: GitOutput) -> DeriveError:
        if "dubious ownership" in answer.error:
            return DeriveError(
                f"{self._place} belongs to another user, and git refuses to read it",
                "If you trust that user, run `git config --global --add safe.directory FOLDER`, or clone it yourself.",
            )
        if "safe.bareRepository" in answer.error:
            return DeriveError(
                f"{self._place} is a bare repository, and your git configuration (safe.bareRepository) refuses those",
                "Name a clone with a work tree, or change that setting.",
            )
        if "not a git repository" in answer.error:
            return DeriveError(
                f"{self._place} is not the top folder of a git clone",
                "Name the folder that holds .git, a bare repository, or OWNER/REPO.",
            )
        return DeriveError(f"{self._place}: git cannot read it: {answer.error}", "Run `git fsck` there.")

    def _origin(self, environ: Mapping[str, str]) -> Origin:
        asked = ("config", "--local", "--no-includes", "-z", "--get-regexp", r"^remote\..*\.url$")
        remotes: dict[str, str] = {}
        for item in self._git.run(*asked).out.decode(errors="replace").split("\0"):
            key, _, url = item.partition("\n")
            remotes.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
        remotes.pop("", None)
        url = remotes.get("origin") or next(iter(remotes.values()), "")
        return _origin_of(url, environ) or Origin("", _folder_name(self._git.folder), "", pages=False)

    def _default_branch(self) -> str:
        for reference, prefix in (("refs/remotes/origin/HEAD", "refs/remotes/origin/"), ("HEAD", "refs/heads/")):
            target = self._git.run("symbolic-ref", "--quiet", reference).out.decode(errors="replace").strip()
            if target.startswith(prefix) and target.isprintable():
                return target.removeprefix(prefix)
        return ""

    def _date(self) -> str:
        kind, content = self._git.object(self.commit)
        found = _COMMITTER.search(content.partition(b"\n\n")[0]) if kind == "commit" else None
        try:
            return time.strftime("%Y-%m-%d", time.gmtime(int(found[1]))) if found else ""
        except (OverflowError, ValueError, OSError):
            return ""

    def _entries(self) -> Iterator[TreeEntry]:
        for line in self._git.records("ls-tree", "-r", "-z", "--long", "--full-tree", self.commit):
            head, _, path = line.partition(b"\t")
            words = head.split()
            name = path.decode(
                "utf-8", "surrogateescape"
            )  # what is not UTF-8 is left out, because evidence cannot name it
            if len(words) == 4 and words[1] == b"blob":
                size = int(words[3]) if words[3].isdigit() else -1
                yield TreeEntry(words[0].decode(), name, size, words[2].decode())


def open_clone(folder: str, ref: str, environ: Mapping[str, str], progress: Callable[[str], None]) -> Clone:
    """Raises DeriveError."""
    if ref:
        check_ref(ref, folder)
    return Clone(folder, ref, environ, progress)


def _sha(out: bytes, place: str) -> str:
    text = out.decode(errors="replace").strip()
    if not _SHA.fullmatch(text):
        raise DeriveError(f"{place}: git named no commit", "Run `git fsck` there.")
    return text


def _folder_name(folder: str) -> str:
    return shown(os.path.basename(folder).removesuffix(".git") or "repository")


def _origin_of(url: str, environ: Mapping[str, str]) -> Origin | None:
    """A remote's address without credentials. None where it is a path or nothing that has an owner."""
    address = re.sub(r"://[^/@]*@", "://", url)
    try:
        place = parse(address, environ) if ("://" in address or "@" in address) else None
    except DeriveError:
        place = None
    if place is not None:
        return Origin(place.owner, place.name, f"https://{place.host}/{place.owner}/{place.name}", pages=True)
    scp = re.fullmatch(r"(?:[\w.-]+@)?([A-Za-z0-9.-]+):(?!/)(.+)", address)
    try:
        parts = urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp else address)
        host = parts.hostname or ""
    except ValueError:
        return None
    segments = [part for part in parts.path.removesuffix(".git").split("/") if part]
    usable = all(re.fullmatch(r"[A-Za-z0-9._~-]+", part) for part in segments)
    if parts.scheme not in {"https", "http", "ssh", "git"} or not re.fullmatch(r"[a-z0-9.-]+", host) or not usable:
        return None
    if len(segments) < 2 or is_github(host, environ):
        return None
    return Origin(segments[-2], segments[-1], f"https://{host}/{'/'.join(segments)}", pages=False)
