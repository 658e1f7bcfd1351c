"""A repository's files, each read and parsed once, within a budget; what was left out is kept with its reason.

Nothing is executed or imported: Python is parsed to a tree, JSON and YAML to values.
"""

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from workermd.contract.json import quick, strict
from workermd.derive.folder import whole_path
from workermd.derive.model import Evidence, File, Repository
from workermd.derive.tree import NotRead
from workermd.system.text import cleaned, is_visible

MAX_BYTES = 2 * 1024 * 1024
"""Of one document."""

MAX_PYTHON = 512 * 1024
"""Bytes of one Python file: its tree takes a hundred times as much."""

MAX_READS = 400
"""Files read for one repository: with a host's API each one is a request."""

MAX_QUOTE = 400
MAX_SKIPPED = 100

_ASIDE = re.compile(
    r"(?:^|/)(?:node_modules|bower_components|vendor|vendored|_vendor|third[_-]party|site-packages|\.?venv|\.tox|\.git"
    r"|tests?|testing|testdata|test[_-]data|__tests__|fixtures|__fixtures__|mocks|__mocks__)/",
    re.IGNORECASE,
).search


class Skipped(NamedTuple):
    """A file that was not read, or not understood, and why."""

    path: str
    reason: str


class RepositoryReading:
    """A repository read with a memory. It is a `Repository` itself, so that every kind shares what was read."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.facts = repository.facts
        self.commit = repository.commit
        self.kept = repository.kept
        self._skipped: dict[str, str] = {}
        self._sizes = {file.path: file.size for file in repository.files()}
        self._named: dict[str, list[str]] = {}
        for path in self._sizes:
            self._named.setdefault(path.rpartition("/")[2], []).append(path)
        self._ending: dict[tuple[str, ...], list[str]] = {}
        self._bytes: dict[str, bytes | None] = {}
        self._texts: dict[str, str | None] = {}
        self._trees: dict[str, ast.Module | None] = {}
        self._data: dict[tuple[str, bool], Data | None] = {}
        self._starts: dict[str, list[int]] = {}

    # --- Repository ---

    def files(self) -> tuple[File, ...]:
        return self.repository.files()

    def read(self, path: str) -> bytes:
        return self.repository.read(path)

    def permalink(self, path: str, first: int, last: int) -> str:
        return self.repository.permalink(path, first, last)

    def close(self) -> None:
        """The repository stays with whoever opened it."""

    # --- paths ---

    def size(self, path: str) -> int:
        return self._sizes.get(path, 0)

    def has(self, path: str) -> bool:
        return path in self._sizes

    def named(self, *names: str) -> list[str]:
        """Paths of the files with one of these names, those of tests and of other projects left out; sorted."""
        return sorted(path for name in names for path in self._named.get(name, ()) if _offered(path))

    def ending(self, *suffixes: str) -> Iterator[str]:
        """Paths that end so, those of tests and of other projects left out; sorted."""
        if suffixes not in self._ending:
            names = [name for name in self._named if name.endswith(suffixes)]
            self._ending[suffixes] = sorted(path for name in names for path in self._named[name] if _offered(path))
        return iter(self._ending[suffixes])

    # --- contents ---

    def skip(self, path: str, reason: str) -> None:
        if len(self._skipped) < MAX_SKIPPED:
            self._skipped.setdefault(path, reason)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(Skipped(path, self._skipped[path]) for path in sorted(self._skipped))

    def text(self, path: str, limit: int = MAX_BYTES) -> str | None:
        """A file's text; None where it cannot be had, with the reason kept."""
        if path not in self._texts:
            self._texts[path] = self._decoded(path, limit)
        return self._texts[path]

    def _decoded(self, path: str, limit: int) -> str | None:
        if self._sizes.get(path, 0) > limit:
            self.skip(path, f"is larger than {limit} bytes")
            return None
        data = self._read_once(path)
        if data is None:
            return None
        if len(data) > limit:
            self.skip(path, f"is larger than {limit} bytes")
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.skip(path, "is not UTF-8")
            return None

    def _read_once(self, path: str) -> bytes | None:
        if path not in self._bytes:
            if len(self._bytes) >= MAX_READS:
                self.skip(path, f"was not read: more than {MAX_READS} files")
                return None
            try:
                self._bytes[path] = self.repository.read(path)
            except NotRead as error:
                self.skip(path, f"cannot be read: {cleaned(error.message, 200)}")
                self._bytes[path] = None
        return self._bytes[path]

    def python(self, path: str) -> ast.Module | None:
        """The syntax tree of a Python file; None where it has none, with the reason kept."""
        if path not in self._trees:
            self._trees[path] = self._parsed(path)
        return self._trees[path]

    def _parsed(self, path: str) -> ast.Module | None:
        text = self.text(path, MAX_PYTHON)
        if text is None:
            return None
        if "\r" in text.replace("\r\n", "\n"):
            self.skip(path, "has carriage returns inside its lines")
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an odd escape in their text is no matter of ours
                return ast.parse(text.removeprefix("\ufeff"))
        except SyntaxError as error:
            self.skip(path, f"is not Python as this version reads it (line {error.lineno or 1})")
        except (ValueError, RecursionError, MemoryError):
            self.skip(path, "is nested too deep, or is no Python")
        return None

    def data(self, path: str, *, as_text: bool = False) -> "Data | None":
        """The value of a JSON or YAML file; None where it has none, with the reason kept."""
        key = path, as_text
        if key not in self._data:
            self._data[key] = self._valued(path, as_text)
        return self._data[key]

    def _valued(self, path: str, as_text: bool) -> "Data | None":
        text = self.text(path)
        if text is None:
            return None
        if path.endswith((".yaml", ".yml")):
            from workermd.contract import yaml_values

            try:
                value, places = yaml_values.read(text.removeprefix("\ufeff"), as_text=as_text)
            except yaml_values.YamlError as error:
                self.skip(path, str(error))
                return None
            return Data(self, path, value, text, places)
        try:
            value = quick.load(text.removeprefix("\ufeff"))
        except strict.JsonError as error:
            self.skip(path, f"is not strict JSON: {cleaned(error.message, 200)}")
            return None
        return Data(self, path, value, text, None)

    # --- evidence ---

    def cite(self, path: str, first: int, last: int) -> Evidence:
        """These lines of a file that was read, from 1, both included; clamped to the lines that it has."""
        data = self._read_once(path) or b""
        starts = self._line_starts(path, data)
        first = max(1, min(first, len(starts)))
        last = max(first, min(last, len(starts)))
        end = starts[last] if last < len(starts) else len(data)
        quoted = data[starts[first - 1] : end]
        return Evidence(
            path=whole_path(self, path),
            first_line=first,
            last_line=last,
            sha256=sha256(quoted).hexdigest(),
            permalink=self.permalink(path, first, last),
            quote=cleaned(quoted[: 8 * MAX_QUOTE].decode(errors="replace"), MAX_QUOTE),
        )

    def _line_starts(self, path: str, data: bytes) -> list[int]:
        if path not in self._starts:
            starts = [0, *(match.end() for match in re.finditer(b"\n", data))]
            self._starts[path] = starts[:-1] if len(starts) > 1 and starts[-1] == len(data) else starts
        return self._starts[path]

    def cite_node(self, path: str, node: ast.AST) -> Evidence:
        """The lines of a statement, its decorators included."""
        first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", ()))])  # type: ignore[attr-defined]
        return self.cite(path, first, getattr(node, "end_lineno", None) or first)


class Data:
    """A value and where its parts stand, by JSON Pointer."""

    def __init__(
        self, reading: RepositoryReading, path: str, value: Any, text: str, places: dict[str, tuple[int, int]] | None
    ) -> None:
        self.path = path
        self.value = value
        self._reading = reading
        self._text = text
        self._places = places
        self._line_ends: list[int] | None = None

    def cite(self, pointer: str) -> Evidence:
        """The lines of a part, its key included; of the nearest part around it that has a place."""
        places = self._all_places()
        while pointer and pointer not in places:
            pointer = strict.parent(pointer)
        start, end = places.get(pointer, (0, 1))
        return self._reading.cite(self.path, self._line(start), self._line(max(start, end - 1)))

    def _all_places(self) -> dict[str, tuple[int, int]]:
        if self._places is None:
            from workermd.contract.json import located

            entries = located.read(self._text.removeprefix("\ufeff")).places
            self._places = {pointer: ((key or value).start, value.end) for pointer, (key, value) in entries.items()}
        return self._places

    def _line(self, offset: int) -> int:
        if self._line_ends is None:
            text = self._text.removeprefix("\ufeff")
            self._line_ends = [match.start() for match in re.finditer("\n", text)]
        return bisect_right(self._line_ends, offset - 1) + 1


def reading(repository: Repository) -> RepositoryReading:
    """The repository with a memory; itself where it has one."""
    return repository if isinstance(repository, RepositoryReading) else RepositoryReading(repository)


def _offered(path: str) -> bool:
    return _ASIDE(path) is None and is_visible(path)
