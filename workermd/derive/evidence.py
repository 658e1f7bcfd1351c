"""What supports a claim: lines of a file at the commit, or a fact of the host."""

import hashlib
from typing import NamedTuple

from workermd.derive.folder import whole_path
from workermd.derive.languages import of_tree
from workermd.derive.model import Evidence, Facts, Repository
from workermd.derive.plain import cut
from workermd.derive.tree import NotRead
from workermd.system.text import whole


class SourceFile(NamedTuple):
    """A file of the repository: its bytes, cut into lines that keep their ends. A line ends with LF alone."""

    path: str
    data: bytes
    lines: tuple[bytes, ...]

    def text(self) -> str:
        """As UTF-8; what is not becomes U+FFFD. It has exactly as many lines as `lines`."""
        return b"".join(self.lines).decode("utf-8", "replace")


def open_source(repository: Repository, path: str, limit: int | None = None) -> SourceFile | None:
    """Read a file; None when it is too large or not there. Lines beyond `limit` bytes are left out.

    Raises DeriveError where the source fails: what it could not say is not what the repository does not say.
    """
    try:
        data = repository.read(path)
    except NotRead:
        return None
    if limit is not None and len(data) > limit:
        data = data[: data.rfind(b"\n", 0, limit) + 1]
    return SourceFile(path, data, tuple(data.splitlines(keepends=True)) if b"\r" not in data else _split(data))


def _split(data: bytes) -> tuple[bytes, ...]:
    """Lines that end with LF; `bytes.splitlines` would end them at a lone CR too."""
    parts = data.split(b"\n")
    return tuple(part + b"\n" for part in parts[:-1]) + ((parts[-1],) if parts[-1] else ())


def digest(lines: tuple[bytes, ...]) -> str:
    return hashlib.sha256(b"".join(lines)).hexdigest()


def of_lines(repository: Repository, source: SourceFile, first: int, last: int) -> Evidence:
    """Lines `first` to `last` (from 1, both included); `last` is clipped to the file."""
    last = max(first, min(last, len(source.lines)))
    quoted = source.lines[first - 1 : last]
    quote = cut(b"".join(quoted).decode("utf-8", "replace").strip())
    link = repository.permalink(source.path, first, last)
    return Evidence(whole_path(repository, source.path), first, last, digest(quoted), link, quote)


def of_fact(repository: Repository, fact: str) -> Evidence:
    """Something that the host says."""
    text = whole(fact)
    return Evidence("", 0, 0, hashlib.sha256(text.encode()).hexdigest(), repository.facts.url, cut(text.strip()))


def languages_of(facts: Facts) -> str:
    """The languages that make up at least a twentieth of the code, the largest first; empty where there is only one.

    Without their sizes, which every commit changes.
    """
    total = sum(facts.languages.values())
    known = [name for name, size in facts.languages.items() if total and size * 20 >= total]
    return ", ".join(known) if len(known) > 1 else ""


def facts_of(repository: Repository) -> dict[str, str]:
    """Every fact that a claim may rest on, by name. Numbers that change daily are none."""
    facts = repository.facts
    named = {
        "description": facts.description,
        "language": facts.language or (counted.name if (counted := of_tree(repository)) else None),
        "languages": languages_of(facts),
        "licence": facts.licence,
        "homepage": facts.homepage,
        "archived": "archived" if facts.archived else None,
        "moved": facts.moved_from,
        "release": facts.latest_release,
    }
    found = {name: whole(text) for name, text in named.items() if text}
    return found | {f"topic {topic}": whole(topic) for topic in facts.topics}
