"""GitHub's REST API as a repository.

A derive asks for: the repository, the commit of the ref, its tree in one call, the languages, the releases, and then each file
that is read. Trees and blobs are named by their digest and are asked for once in the life of the cache.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import quote

from workermd.derive.address import NAME, OWNER, Api, RepositoryAddress, shown
from workermd.derive.api import ApiSession
from workermd.derive.model import Facts, File
from workermd.derive.response import ApiResponse
from workermd.derive.tree import BLOB_CAP, Tree, TreeEntry, page_of
from workermd.protocol.errors import DeriveError
from workermd.system.text import whole

_SHA = re.compile(r"[0-9a-f]{40}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?=T)")
_DOCUMENT_CAP = 8 << 20
# GitHub cuts a recursive tree at 100,000 entries or 7 MB; this is for the hosts that do not.
_TREE_CAP = 64 << 20
_TREE_CALLS = 60
_RELEASE_PAGES = 3
_RAW = "application/vnd.github.raw+json"


class GitHubRepository:
    """A `Repository` at one commit of a GitHub host. Its tree is asked for when the first file is."""

    kept = True

    def __init__(self, place: RepositoryAddress, talk: ApiSession, progress: Callable[[str], None]) -> None:
        """Raises DeriveError."""
        self._talk = talk
        self._progress = progress
        self._place = f"{place.owner}/{place.name} on {place.host}"
        found = self._repository(place)
        owner, name = _full_name(found, place)
        moved = (owner.lower(), name.lower()) != (place.owner.lower(), place.name.lower())
        self._root = f"/repos/{owner}/{name}"
        if moved:
            progress(f"{place.owner}/{place.name} has moved to {owner}/{name}")
        if found.get("archived") is True:
            progress(f"{owner}/{name} is archived: it is read-only and no longer maintained")
        branch = _text(found, "default_branch") or "HEAD"
        commit = self._commit(place.refs or (branch,))
        self.commit = commit["sha"]
        self.facts = Facts(
            owner=owner,
            name=name,
            url=f"https://{place.host}/{owner}/{name}",
            description=_text(found, "description"),
            default_branch=branch,
            language=_text(found, "language"),
            languages=self._languages(),
            licence=_text(found.get("license"), "spdx_id"),
            topics=tuple(sorted(whole(topic) for topic in _list(found.get("topics")) if isinstance(topic, str))),
            stars=_count(found, "stargazers_count"),
            archived=found.get("archived") is True,
            updated_on=_day(commit),
            homepage=_text(found, "homepage"),
            latest_release=self._latest_release(),
            moved_from=f"{place.owner}/{place.name}" if moved else None,
        )
        self._found = commit
        self._walked: Tree | None = None

    def files(self) -> tuple[File, ...]:
        return self._tree().files

    def read(self, path: str) -> bytes:
        tree = self._tree()
        file = tree.find(path)
        held = tree.recall(file.sha)
        return held if held is not None else tree.remember(file.sha, self._blob(file))

    def _tree(self) -> Tree:
        if self._walked is None:
            self._walked = Tree(self._place, self._entries(self._found))
        return self._walked

    def permalink(self, path: str, first: int, last: int) -> str:
        return page_of(self.facts.url, self.commit, path, first, last)

    def close(self) -> None:
        self._talk.close()

    def _repository(self, place: RepositoryAddress) -> dict[str, Any]:
        answer = self._talk.ask(f"/repos/{place.owner}/{place.name}", cap=_DOCUMENT_CAP)
        if answer.status != 200:
            self._talk.refuse(answer, self._place, {404: self._talk.absent(self._place)})
        return self._object(answer, "the repository")

    def _commit(self, refs: tuple[str, ...]) -> dict[str, Any]:
        """The first of the refs that exists. One file of the change at most: the rest of it is of no use here."""
        for ref in refs:
            answer = self._talk.ask(f"{self._root}/commits/{quote(ref, safe='/')}?per_page=1", cap=_DOCUMENT_CAP)
            if answer.status == 409:
                raise DeriveError(
                    f"{self._place} is empty: it has no commits yet",
                    "Derive from it once something has been pushed: a contract cites a commit.",
                )
            if answer.status == 200:
                commit = self._object(answer, "the commit")
                if not _SHA.fullmatch(str(commit.get("sha"))):
                    self._odd("the commit")
                if ref != refs[-1]:
                    self._progress(
                        f"ref {ref}: what follows it in the address is a folder; the whole repository counts"
                    )
                return commit
            if answer.status not in (404, 422):
                self._talk.refuse(answer, self._place, {})
        raise DeriveError(
            f"{self._place} has no branch, tag or commit {shown(refs[-1])}",
            "Check the name after the @, or leave it out for the default branch.",
        )

    def _languages(self) -> dict[str, int]:
        answer = self._talk.ask(f"{self._root}/languages", cap=_DOCUMENT_CAP)
        if answer.status != 200:
            self._talk.refuse(answer, self._place, {})
        sizes = self._object(answer, "the languages")
        known = {whole(name): size for name, size in sizes.items() if isinstance(size, int) and size >= 0}
        return dict(sorted(known.items(), key=lambda item: (-item[1], item[0])))

    def _latest_release(self) -> str | None:
        """The tag that GitHub marks as latest.

        The list is asked first: where there is no release, `releases/latest` is an error without a validator, which would
        count against the limit each time.
        """
        if not any(self._stable(page) for page in self._pages(f"{self._root}/releases?per_page=10")):
            return None
        answer = self._talk.ask(f"{self._root}/releases/latest", cap=_DOCUMENT_CAP)
        if answer.status == 404:
            return None
        if answer.status != 200:
            self._talk.refuse(answer, self._place, {})
        return _text(self._object(answer, "the latest release"), "tag_name")

    def _stable(self, page: list[Any]) -> bool:
        return any(isinstance(one, dict) and not one.get("draft") and not one.get("prerelease") for one in page)

    def _pages(self, path: str) -> Iterator[list[Any]]:
        """The pages of a list, newest first, as far as the caller goes and three at most."""
        url: str | None = path
        for _ in range(_RELEASE_PAGES):
            if url is None:
                return
            answer = self._talk.ask(url, cap=_DOCUMENT_CAP)
            if answer.status == 404:
                return
            if answer.status != 200:
                self._talk.refuse(answer, self._place, {})
            document = self._document(answer, "the releases")
            if not isinstance(document, list):
                self._odd("the releases")
            yield document
            url = next_page(answer.headers.get("link", ""))

    def _entries(self, commit: dict[str, Any]) -> Iterator[TreeEntry]:
        details = commit.get("commit")
        tree = details.get("tree") if isinstance(details, dict) else None
        sha = tree.get("sha") if isinstance(tree, dict) else None
        if not _SHA.fullmatch(str(sha)):
            self._odd("the commit")
        self._calls = 0
        return self._below(str(sha), "")

    def _below(self, sha: str, folder: str) -> Iterator[TreeEntry]:
        """All files below a tree. Where one answer cannot hold them, its folders are asked for one by one."""
        found = self._listing(sha, recursive=True)
        if found.get("truncated") is not True:
            yield from self._named(found, folder)
            return
        self._progress(f"{folder or 'the tree'} is too large for one answer: asking for its folders one by one")
        level = self._listing(sha, recursive=False)
        if level.get("truncated") is True:
            self._too_large()
        yield from self._named(level, folder)
        for item in _list(level.get("tree")):
            if isinstance(item, dict) and item.get("type") == "tree" and _SHA.fullmatch(str(item.get("sha"))):
                yield from self._below(str(item["sha"]), f"{folder}{item.get('path')}/")

    def _listing(self, sha: str, *, recursive: bool) -> dict[str, Any]:
        self._calls += 1
        if self._calls > _TREE_CALLS:
            self._too_large()
        query = "?recursive=1" if recursive else ""
        path = f"{self._root}/git/trees/{sha}{query}"
        answer = self._talk.ask(path, cap=_TREE_CAP, lasting=True)
        if answer.status != 200:
            self._talk.refuse(answer, self._place, {})
        try:
            return self._object(answer, "the tree")
        except DeriveError:
            self._talk.forget(path)
            raise

    def _named(self, listing: dict[str, Any], folder: str) -> Iterator[TreeEntry]:
        for item in _list(listing.get("tree")):
            if not isinstance(item, dict) or item.get("type") != "blob":
                continue
            path, mode, size, sha = item.get("path"), item.get("mode"), item.get("size"), str(item.get("sha"))
            if isinstance(path, str) and isinstance(mode, str) and isinstance(size, int) and _SHA.fullmatch(sha):
                yield TreeEntry(mode, folder + path, size, sha)

    def _blob(self, file: File) -> bytes:
        path = f"{self._root}/git/blobs/{file.sha}"
        answer = self._talk.ask(path, cap=BLOB_CAP, lasting=True, accept=_RAW)
        if answer.status != 200:
            self._talk.refuse(answer, f"{self._place}: {file.path}", {})
        head = b"blob %d\0" % len(answer.body)
        if hashlib.sha1(head + answer.body, usedforsecurity=False).hexdigest() != file.sha:
            self._talk.forget(path, _RAW)
            raise DeriveError(
                f"{self._place}: {file.path} is not what the tree names: its digest differs",
                "Try again; if it stays so, clone the repository and name the folder.",
            )
        return answer.body

    def _object(self, answer: ApiResponse, what: str) -> dict[str, Any]:
        document = self._document(answer, what)
        if not isinstance(document, dict):
            self._odd(what)
        return document

    def _document(self, answer: ApiResponse, what: str) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            self._odd(what)

    def _odd(self, what: str) -> NoReturn:
        raise DeriveError(
            f"{self._place}: the answer for {what} is not what GitHub's API documents",
            "Check GITHUB_API_URL and GH_HOST, and whether a proxy answers in GitHub's place.",
        )

    def _too_large(self) -> NoReturn:
        raise DeriveError(
            f"{self._place} has too many files for the API ({_TREE_CALLS} calls were not enough)",
            "Clone it and name the folder.",
        )


def open_github(
    place: RepositoryAddress, api: Api, *, offline: bool, progress: Callable[[str], None]
) -> GitHubRepository:
    """Raises DeriveError."""
    talk = ApiSession(api, offline=offline, progress=progress)
    try:
        return GitHubRepository(place, talk, progress)
    except DeriveError:
        talk.close()
        raise


def next_page(link: str) -> str | None:
    """The address of the next page in a `Link` header."""
    for part in link.split(","):
        found = re.fullmatch(r'\s*<([^<>]+)>\s*;.*\brel="?next"?.*', part)
        if found:
            return found[1]
    return None


def _full_name(found: dict[str, Any], place: RepositoryAddress) -> tuple[str, str]:
    owner, _, name = str(found.get("full_name")).partition("/")
    return (owner, name) if OWNER.fullmatch(owner) and NAME.fullmatch(name) else (place.owner, place.name)


def _text(document: Any, key: str) -> str | None:
    value = document.get(key) if isinstance(document, dict) else None
    return whole(value) if isinstance(value, str) and value.strip() else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(document: dict[str, Any], key: str) -> int | None:
    value = document.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _day(commit: dict[str, Any]) -> str:
    """The day of the commit in UTC, as GitHub writes it. A push elsewhere in the repository does not change it."""
    details = commit.get("commit")
    committer = details.get("committer") if isinstance(details, dict) else None
    found = _DAY.match(_text(committer, "date") or "")
    return found[0] if found else ""
