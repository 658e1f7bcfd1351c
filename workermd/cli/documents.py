"""The bytes that a command line names: contracts, inputs, standard input."""

import os
import sys

from workermd.config import configuration
from workermd.config.configuration import MAX_INPUT_BYTES
from workermd.contract.model import MAX_BYTES
from workermd.protocol.errors import ContractUnusable, UsageError, WorkermdError
from workermd.system.bounded import at_most


def contract_bytes(path: str) -> bytes:
    """The bytes of a contract, at most one above what a contract may have: the reader then says that it is too large.
    Raises ContractUnusable with what is wrong with the path."""
    return _bytes(path, MAX_BYTES, ContractUnusable, "a contract", "name a file, for example NAME.worker.md")


def contract_named(word: str, flags: configuration.Flags = configuration.Flags()) -> tuple[bytes, str]:  # noqa: B008 - frozen
    """The bytes of a contract and its path, for a file or for NAME or NAME@VERSION of a registry; a path that is
    there wins. Raises ContractUnusable, ConfigurationError."""
    try:
        with open(word, "rb") as file:
            return at_most(file, MAX_BYTES), word
    except OSError:
        pass  # rare, so that a named file pays nothing for registries
    if not os.path.lexists(word):
        from workermd.registry import lookup

        if lookup.is_name(word):
            found = lookup.resolve(word, lookup.folders(configuration.load(flags)))
            return found.data, found.path
    return contract_bytes(word), word


def input_bytes(path: str, command: str, cap: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of a document, or of standard input for `-`; more than `cap` where it has more. Raises UsageError;
    `command` says how to pipe one in."""
    if path == "-":
        return stdin_bytes("the input is '-'", command, cap)
    return _bytes(path, cap, UsageError, "an input file", "name a JSON file, or - for standard input")


def stdin_bytes(what: str, command: str, cap: int = MAX_BYTES) -> bytes:
    """The bytes of standard input, at most one above `cap`; `what` says who wants them. Raises UsageError."""
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise UsageError(f"{what}, but standard input is {found}", f"pipe a document in: … | {command}")
    try:
        return at_most(sys.stdin.buffer, cap)
    except OSError as error:
        raise UsageError(f"{what}, but standard input cannot be read ({error.strerror})", "name a file") from None


def _bytes(path: str, cap: int, refused: type[WorkermdError], wanted: str, hint: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return at_most(file, cap)
    except IsADirectoryError:
        raise refused(f"{path}: a folder, not {wanted}", hint) from None
    except FileNotFoundError:
        raise refused(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise refused(f"{path}: cannot be read ({error.strerror})", "check its permissions") from None
