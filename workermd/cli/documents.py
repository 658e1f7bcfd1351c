"""The bytes that a command line names: contracts, inputs, standard input."""

import os
import sys

from workermd.config import configuration
from workermd.protocol.errors import ContractUnusable, UsageError, WorkermdError


def contract_bytes(path: str) -> bytes:
    """The bytes of a contract. Raises ContractUnusable with what is wrong with the path."""
    return _bytes(path, ContractUnusable, "a contract", "name a file, for example NAME.worker.md")


def contract_named(word: str, flags: configuration.Flags = configuration.Flags()) -> tuple[bytes, str]:  # noqa: B008 - frozen
    """The bytes of a contract and its path, for a file or for NAME or NAME@VERSION of a registry; a path that is
    there wins. Raises ContractUnusable, ConfigurationError."""
    try:
        with open(word, "rb") as file:
            return file.read(), word
    except OSError:
        pass  # rare, so that a named file pays nothing for registries
    if not os.path.lexists(word):
        from workermd.registry import lookup

        if lookup.is_name(word):
            found = lookup.resolve(word, lookup.folders(configuration.load(flags)))
            return found.data, found.path
    return contract_bytes(word), word


def input_bytes(path: str, command: str) -> bytes:
    """The bytes of a document, or of standard input for `-`. Raises UsageError; `command` says how to pipe one in."""
    if path == "-":
        return stdin_bytes("the input is '-'", command)
    return _bytes(path, UsageError, "an input file", "name a JSON file, or - for standard input")


def stdin_bytes(what: str, command: str) -> bytes:
    """The bytes of standard input; `what` says who wants them. Raises UsageError."""
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise UsageError(f"{what}, but standard input is {found}", f"pipe a document in: … | {command}")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise UsageError(f"{what}, but standard input cannot be read ({error.strerror})", "name a file") from None


def _bytes(path: str, refused: type[WorkermdError], wanted: str, hint: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except IsADirectoryError:
        raise refused(f"{path}: a folder, not {wanted}", hint) from None
    except FileNotFoundError:
        raise refused(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise refused(f"{path}: cannot be read ({error.strerror})", "check its permissions") from None
