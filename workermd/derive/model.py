"""What a repository is, and what can be said of it, as frozen records.

source (GitHub's API or a local clone) → Repository
Repository → readme, licences, mode, interfaces → Claim, Interface
claims and an interface → compose → the contract's text
"""

from typing import NamedTuple, Protocol

from workermd.protocol.envelope import Document


class File(NamedTuple):
    """A file of the tree at the commit. `size` is in bytes, `sha` is git's blob id (hex)."""

    path: str
    size: int
    sha: str


class Facts(NamedTuple):
    """What a host says of a repository beside its files; None or empty where it does not say.

    A local clone knows only what git and its files know. Dates are `YYYY-MM-DD`.
    """

    owner: str
    name: str
    url: str
    description: str | None
    default_branch: str
    language: str | None
    languages: dict[str, int]
    licence: str | None
    topics: tuple[str, ...]
    stars: int | None
    archived: bool
    updated_on: str
    homepage: str | None
    latest_release: str | None
    moved_from: str | None = None


class Repository(Protocol):
    """A repository pinned to one commit. The tree is walked once; files are read one by one."""

    facts: Facts
    commit: str
    kept: bool
    """Whether what the source says is kept on disk between calls; what is derived from it then may be too."""

    def files(self) -> tuple[File, ...]:
        """All regular files, sorted by path. Submodules and links are left out."""
        ...

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises DeriveError when it is gone or larger than the cap."""
        ...

    def permalink(self, path: str, first: int, last: int) -> str:
        """Where these lines (from 1, both included) can be looked up by a person."""
        ...

    def close(self) -> None:
        """Lets go of the connection, the cache and the process behind it."""
        ...


class Evidence(NamedTuple):
    """Lines of a file at the commit. `sha256` is of their bytes, line ends included as they stand in the file.

    For a fact of the host (`path` empty, lines 0) it is of the fact's UTF-8 text.
    """

    path: str
    first_line: int
    last_line: int
    sha256: str
    permalink: str
    quote: str


class Claim(NamedTuple):
    """One statement that the contract makes of the repository: which field, what it says, what supports it.

    `confidence` is 0 to 1, by the documented rule for the field. `note` tells where sources disagree.
    """

    field: str
    text: str
    evidence: tuple[Evidence, ...]
    confidence: float
    note: str = ""


class Interface(NamedTuple):
    """Something that the code really offers, as schemas. `kind` is a word such as `openapi` or `function`.

    `name` is unique within `path` and kind: `KIND:PATH#NAME` chooses it. `input_schema` describes the arguments alone:
    `compose` adds `run_id` and the envelope of statuses. `notes` say what could not be expressed. `call` says how it is
    called, in the words of `x-call`; None where no backend calls it so.
    """

    kind: str
    path: str
    name: str
    summary: str
    input_schema: Document
    output_schema: Document | None
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()
    call: Document | None = None
