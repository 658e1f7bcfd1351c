"""The bytes that a command line names: contracts, inputs, standard input."""

import sys

from workermd.config.configuration import MAX_INPUT_BYTES
from workermd.contract.model import MAX_BYTES
from workermd.protocol.errors import UsageError
from workermd.registry.contract_files import bytes_of, contract_bytes, contract_named
from workermd.system.bounded import at_most

__all__ = ["contract_bytes", "contract_named", "input_bytes", "stdin_bytes"]


def input_bytes(path: str, command: str, cap: int = MAX_INPUT_BYTES) -> bytes:
    """The bytes of a document, or of standard input for `-`; more than `cap` where it has more. Raises UsageError;
    `command` says how to pipe one in."""
    if path == "-":
        return stdin_bytes("the input is '-'", command, cap)
    return bytes_of(path, cap, UsageError, "an input file", "name a JSON file, or - for standard input")


def stdin_bytes(what: str, command: str, cap: int = MAX_BYTES) -> bytes:
    """The bytes of standard input, at most one above `cap`; `what` says who wants them. Raises UsageError."""
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise UsageError(f"{what}, but standard input is {found}", f"pipe a document in: … | {command}")
    try:
        return at_most(sys.stdin.buffer, cap)
    except OSError as error:
        raise UsageError(f"{what}, but standard input cannot be read ({error.strerror})", "name a file") from None
