"""The bytes of a contract by the word that names it: a file, or NAME or NAME@VERSION of a registry."""

import os

from workermd.config import configuration
from workermd.contract.model import MAX_BYTES
from workermd.protocol.errors import ContractUnusable, WorkermdError
from workermd.system import environment
from workermd.system.bounded import at_most


def contract_bytes(path: str) -> bytes:
    """The bytes of a contract, at most one above what a contract may have: the reader then says that it is too large.
    Raises ContractUnusable with what is wrong with the path."""
    return bytes_of(path, MAX_BYTES, ContractUnusable, "a contract", "name a file, for example NAME.worker.md")


def contract_named(word: str, flags: configuration.Flags = configuration.Flags()) -> tuple[bytes, str]:  # noqa: B008 - frozen
    """The bytes of a contract and its path, for a file or for NAME or NAME@VERSION of a registry; a path that is
    there wins. Raises ContractUnusable, ConfigurationError."""
    path = os.path.join(environment.folder(), word)
    try:
        with open(path, "rb") as file:
            return at_most(file, MAX_BYTES), path
    except OSError:
        pass  # rare, so that a named file pays nothing for registries
    if not os.path.lexists(path):
        from workermd.registry import lookup

        if lookup.is_name(word):
            found = lookup.resolve(word, lookup.folders(configuration.load(flags)))
            return found.data, found.path
    return contract_bytes(path), path


def bytes_of(path: str, cap: int, refused: type[WorkermdError], wanted: str, hint: str) -> bytes:
    """The bytes of a file, at most one above `cap`. Raises `refused` with what is wrong with the path."""
    try:
        with open(path, "rb") as file:
            return at_most(file, cap)
    except IsADirectoryError:
        raise refused(f"{path}: a folder, not {wanted}", hint) from None
    except FileNotFoundError:
        raise refused(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise refused(f"{path}: cannot be read ({error.strerror})", "check its permissions") from None
