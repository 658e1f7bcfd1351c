"""A name, or a name with a version, becomes a contract file whose digest is checked.

A registry is a folder with contracts and an `index.json`: a list of entries, sorted by name and version. Looked up
are the operator's registry (S6.1), then the one that ships with the package.
"""

import os
import re
from typing import Any, NamedTuple

from workermd.config.configuration import Settings
from workermd.contract.bump import parsed
from workermd.contract.json.quick import load_bytes
from workermd.contract.json.strict import JsonError
from workermd.contract.model import MAX_BYTES, Reading
from workermd.contract.problems import SUFFIX, nearest
from workermd.contract.reader import read
from workermd.protocol.envelope import encoded
from workermd.protocol.errors import ConfigurationError, ContractUnusable, UsageError
from workermd.system import files
from workermd.system.bounded import at_most
from workermd.system.digest import sha256

INDEX = "index.json"
KEYS = ("name", "version", "digest", "file", "source", "commit", "date")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(rf"({_NAME.pattern})(?:@([0-9A-Za-z.-]{{1,60}}))?")


class IndexRow(NamedTuple):
    """One row of an index. `digest` is the SHA-256 (hex) of the file's bytes; `source` a URL, `commit` an id and
    `date` YYYY-MM-DD, each "" where the contract does not say. `folder` is the registry's."""

    name: str
    version: str
    digest: str
    file: str
    source: str
    commit: str
    date: str
    folder: str

    @property
    def word(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.file)


class Resolved(NamedTuple):
    """The bytes that were checked, so that nobody reads the file a second time."""

    path: str
    digest: str
    data: bytes


# --- looking up ---


def is_name(word: str) -> bool:
    """Whether a word that is no path can name an entry; `x.worker.md` is a file that is not there."""
    return bool(_WORD.fullmatch(word)) and not word.endswith(".md")


def folders(settings: Settings) -> tuple[str, ...]:
    """The registries in the order in which they are asked. Raises ConfigurationError for a chosen one without index."""
    shipped = _shipped()
    if not settings.registry:
        return shipped
    if not os.path.isfile(os.path.join(settings.registry, INDEX)):
        raise ConfigurationError(
            f"{settings.registry}: a registry without {INDEX}, named by {settings.registry_origin}",
            f"name another folder, or fill it: workermd registry add FILE --registry {settings.registry}",
        )
    return tuple(dict.fromkeys((settings.registry, *shipped)))


def _shipped() -> tuple[str, ...]:
    """Inside the installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = []
    for name in ("contracts", "registry"):  # those whose tasks ship too, then those derived from repositories
        places = (os.path.join(package, f"{name}_data"), os.path.join(os.path.dirname(package), name))
        found += [place for place in places if os.path.isfile(os.path.join(place, INDEX))][:1]
    return tuple(found)


def resolve(word: str, among: tuple[str, ...]) -> Resolved:
    """The contract of NAME or NAME@VERSION. Raises ContractUnusable, ConfigurationError."""
    entry = find(word, among)
    return Resolved(entry.path, entry.digest, contents(entry))


def find(word: str, among: tuple[str, ...]) -> IndexRow:
    """The entry of the first registry that has it; of several versions the highest release."""
    form = _WORD.fullmatch(word)
    if form is None:
        raise ContractUnusable(
            f"{word[:80]}: no name of a registry", "write NAME or NAME@VERSION; see: workermd registry list"
        )
    known: list[IndexRow] = []
    for folder in among:
        index = entries(folder)
        versions = [entry for entry in index if entry.name == form[1] and form[2] in (None, entry.version)]
        if versions:
            return max(versions, key=lambda entry: (not parsed(entry.version).before, parsed(entry.version).order))
        known += index
    others = sorted({entry.version for entry in known if entry.name == form[1]})
    if others:
        raise ContractUnusable(f"{word}: no such version; there is {', '.join(others)}", "name one of these")
    close = nearest(form[1], [entry.name for entry in known])
    meant = f"; did you mean {close}?" if close else ""
    raise ContractUnusable(
        f"{word}: no such file, and no contract of that name in a registry{meant}",
        "check the path, or see: workermd registry list",
    )


def contents(entry: IndexRow) -> bytes:
    """The bytes of an entry's file. Raises ContractUnusable when they are not those that were entered."""
    try:
        with open(entry.path, "rb") as file:
            data = at_most(file, MAX_BYTES)
    except OSError as error:
        message = f"{entry.path}: the file of {entry.word} cannot be read ({error.strerror})"
        raise ContractUnusable(message, f"restore it, or remove its entry from {INDEX}") from None
    found = sha256(data).hex()
    if found != entry.digest:
        raise ContractUnusable(
            f"{entry.path}: not what was entered as {entry.word}: the digest is {found[:12]}…, "
            f"{INDEX} says {entry.digest[:12]}…",
            "restore the file from its source; a changed contract gets a new version: workermd registry add FILE",
        )
    return data


# --- the index ---


def entries(folder: str) -> tuple[IndexRow, ...]:
    """A registry's entries in the index's order. Raises ConfigurationError for an index that is not ours."""
    path = os.path.join(folder, INDEX)
    try:
        with open(path, "rb") as file:
            rows = load_bytes(at_most(file, 64 * MAX_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror})", "name the folder of a registry with --registry"
        ) from None
    except JsonError as error:
        raise ConfigurationError(f"{path}: not JSON: {error.message}", "restore the file") from None
    if not isinstance(rows, list):
        raise ConfigurationError(f"{path}: not a list of entries", "restore the file")
    found = tuple(_entry(row, f"{path}: entry {number}", folder) for number, row in enumerate(rows, 1))
    seen: set[str] = set()
    for entry in found:
        if entry.word in seen:
            raise ConfigurationError(f"{path}: {entry.word} is entered twice", "keep one of the two")
        seen.add(entry.word)
    return found


def _entry(row: Any, place: str, folder: str) -> IndexRow:
    if not isinstance(row, dict) or sorted(row) != sorted(KEYS) or not all(isinstance(row[key], str) for key in KEYS):
        raise ConfigurationError(f"{place} is not an object of the texts {', '.join(KEYS)}", "restore the file")
    try:
        parsed(row["version"])
    except ValueError:
        raise ConfigurationError(f"{place} has no version such as 1.0.0", "restore the file") from None
    if not _NAME.fullmatch(row["name"]):
        raise ConfigurationError(f"{place} has a name that cannot be called", "use letters, digits and . _ -")
    # A file elsewhere would be no part of the registry: an index may come from strangers.
    if "/" in row["file"] or not row["file"].endswith(SUFFIX) or not row["file"].isprintable():
        raise ConfigurationError(f"{place} names no file *{SUFFIX} of its folder", "restore the file")
    return IndexRow(**row, folder=folder)


# --- adding ---


def add(data: bytes, folder: str, name: str = "") -> tuple[IndexRow, bool]:
    """Put a contract into a registry, `name` being its id unless given: the entry, and whether anything was new.

    The file is there before the index names it, and both are replaced whole: a reader sees the state before or
    after. Raises ContractUnusable with findings, UsageError.
    """
    entry, data = _made(data, folder, name)
    lock = _locked(folder)
    try:
        known = entries(folder) if os.path.exists(os.path.join(folder, INDEX)) else ()
        for other in known:
            if other.word == entry.word:
                if other.digest == entry.digest:
                    contents(other)
                    return other, False
                raise UsageError(
                    f"{entry.word} is in {folder} with another digest", "give the changed contract a new version"
                )
        entry = entry._replace(file=_file(entry, known))
        files.put(entry.path, data)
        everything = sorted((*known, entry), key=lambda each: (each.name, parsed(each.version).order))
        rows: Any = [{key: getattr(each, key) for key in KEYS} for each in everything]
        files.put(os.path.join(folder, INDEX), encoded(rows))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})", "name another with --registry") from None
    finally:
        os.close(lock)
    return entry, True


def _made(data: bytes, folder: str, name: str) -> tuple[IndexRow, bytes]:
    reading = read(data, f"{name or 'contract'}{SUFFIX}")
    contract = reading.contract
    if contract is None:
        first = next(finding for finding in reading.findings if finding.severity == "error")
        raise ContractUnusable(first.message, first.hint, reading.findings, reading.text)
    name = name or contract.id
    if not is_name(name) or "@" in name:
        raise UsageError(f"the name {name[:40]!r} cannot be called", "give one of letters, digits and . _ - by --name")
    try:
        parsed(contract.version)
    except ValueError:
        raise UsageError("the contract has no version", "add one to its front matter: version: 1.0.0") from None
    head = {key: value for key, value in contract.front_matter.items() if isinstance(value, str)}
    source = head.get("source_repository") or head.get("source_registry_url", "")
    date = head.get("derived_on") or head.get("repository_updated_at", "")
    digest = sha256(data).hex()
    return IndexRow(name, contract.version, digest, "", source, head.get("x-commit", ""), date, folder), data


def _file(entry: IndexRow, known: tuple[IndexRow, ...]) -> str:
    """NAME.worker.md for the first version; a file that is there already is taken only if it is the same."""
    taken = {each.file for each in known}
    for file in (f"{entry.name}{SUFFIX}", f"{entry.word}{SUFFIX}"):
        path = os.path.join(entry.folder, file)
        if file in taken:
            continue
        if not os.path.lexists(path):
            return file
        with open(path, "rb") as present:
            if sha256(at_most(present, MAX_BYTES)).hex() == entry.digest:
                return file
    raise UsageError(f"{path}: another file is there and has no entry", "move it away, or give another --name")


def _locked(folder: str) -> int:
    """One writer at a time: two would each leave the other's entry out."""
    import fcntl

    try:
        os.makedirs(folder, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{folder}: no folder for a registry ({error.strerror})", "name another: --registry") from None
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


# --- checking ---


class RegistryFault(NamedTuple):
    """What `verify` found: `word` is NAME@VERSION, or "" for a file without an entry."""

    word: str
    path: str
    message: str


def verify(folder: str) -> tuple[RegistryFault, ...]:
    """Everything that is wrong with a registry. Raises ConfigurationError when its index cannot be read."""
    faults: list[RegistryFault] = []
    index = entries(folder)
    for entry in index:
        try:
            reading = reading_of(entry)
        except ContractUnusable as error:
            faults.append(RegistryFault(entry.word, entry.path, error.message.removeprefix(f"{entry.path}: ")))
            continue
        faults += [
            RegistryFault(entry.word, entry.path, f"{finding.line}:{finding.column}: {finding.code} {finding.message}")
            for finding in reading.findings
            if finding.severity == "error"
        ]
        if reading.contract and reading.contract.version != entry.version:
            faults.append(RegistryFault(entry.word, entry.path, f"the contract is version {reading.contract.version}"))
    strays = {name for name in os.listdir(folder) if name.endswith(SUFFIX)} - {entry.file for entry in index}
    faults += [
        RegistryFault("", os.path.join(folder, name), f"no entry of {INDEX} names it") for name in sorted(strays)
    ]
    return tuple(faults)


def reading_of(entry: IndexRow) -> Reading:
    """What an entry's file says. Raises ContractUnusable for a digest that is not the entry's."""
    return read(contents(entry), entry.path)
