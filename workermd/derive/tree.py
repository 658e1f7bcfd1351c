"""What both kinds of source share: the files of a commit, the last ones read, and where a person can look lines up."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from workermd.derive.model import File
from workermd.protocol.errors import DeriveError

BLOB_CAP = 1 << 20
FILES_CAP = 500_000
MOST_LEFT_OUT = 99
_RECENT_CAP = 8 << 20
# GitHub shows these rendered, without line numbers, unless the address asks for the text.
_RENDERED = (".md", ".markdown", ".mdown", ".mkd", ".rst", ".adoc", ".asciidoc", ".org", ".textile", ".ipynb", ".svg")


class NotRead(DeriveError):
    """A file that is not there, or too large to be read. Everything else that keeps a file from us ends the derive."""


class TreeEntry(NamedTuple):
    """A line of a tree as a source reports it. `mode` is git's, such as `100644`."""

    mode: str
    path: str
    size: int
    sha: str


class Tree:
    """The regular files of one commit, and the bytes of those that were read last (at most 8 MiB)."""

    def __init__(self, place: str, entries: Iterable[TreeEntry]) -> None:
        """Raises DeriveError when there are more than 500,000 files."""
        self._place = place
        self.left_out: tuple[str, ...] = ()
        """Paths that evidence could not name, written with escapes."""
        self.absent: set[str] = set()
        """Files of the commit whose content the source does not have: those of a partial clone."""
        found: dict[str, File] = {}
        for entry in entries:
            if entry.mode not in {"100644", "100755", "100664"}:
                continue
            if not _citable(entry.path):
                self.left_out = (*self.left_out[:MOST_LEFT_OUT], ascii(entry.path)[1:-1])
                continue
            if entry.size < 0:
                self.absent.add(entry.path)
            found[entry.path] = File(entry.path, max(entry.size, 0), entry.sha)
            if len(found) > FILES_CAP:
                raise DeriveError(f"{place} has more than {FILES_CAP:,} files", "Derive from a smaller repository.")
        self.files = tuple(sorted(found.values()))
        self._by_path = found
        self._recent: dict[str, bytes] = {}
        self._held = 0

    def find(self, path: str) -> File:
        file = self._by_path.get(path)
        if file is None:
            raise NotRead(f"{self._place}: {path} is not a file of this commit", "List the files of the commit.")
        if path in self.absent:
            raise DeriveError(
                f"{self._place}: {path} is in the commit, and this partial clone does not have its content",
                "Clone without --filter, or run `git backfill` there: nothing is fetched while deriving.",
            )
        if file.size > BLOB_CAP:
            raise NotRead(
                f"{self._place}: {path} has {file.size:,} bytes; at most {BLOB_CAP:,} are read",
                "A contract is derived from smaller files.",
            )
        return file

    def recall(self, sha: str) -> bytes | None:
        content = self._recent.pop(sha, None)
        if content is not None:
            self._recent[sha] = content  # the last place is the newest
        return content

    def remember(self, sha: str, content: bytes) -> bytes:
        self._recent[sha] = content
        self._held += len(content)
        while self._held > _RECENT_CAP:
            self._held -= len(self._recent.pop(next(iter(self._recent))))
        return content


def _citable(path: str) -> bool:
    """Evidence names its file on one line of UTF-8; what cannot be named there is left out."""
    return bool(path) and not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in path)


def page_of(web: str, commit: str, path: str, first: int, last: int) -> str:
    """The address of lines on a GitHub host; `web` is the repository's page."""
    plain = "?plain=1" if path.lower().endswith(_RENDERED) else ""
    lines = f"#L{first}" if first == last else f"#L{first}-L{last}"
    return f"{web}/blob/{commit}/{quote(path, safe='/')}{plain}{lines}"
