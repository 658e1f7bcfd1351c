"""The address of a ledger in a database, told apart from the path of a file, and shown without its password."""

import re

from workermd.protocol.errors import UsageError

_SCHEMES = ("postgresql://", "postgres://")


def is_address(ledger: str) -> bool:
    """Whether a ledger is named by the address of a database."""
    return ledger.startswith(_SCHEMES)


def masked(ledger: str) -> str:
    """The ledger's name for messages: of an address, without its password."""
    if not is_address(ledger):
        return ledger
    without = re.sub(r"(?<=//)([^/@:]*):[^@]*@", r"\1:***@", ledger)
    return re.sub(r"(?i)\b((?:ssl)?password=)[^&]*", r"\1***", without)


def refuse_password(ledger: str, place: str) -> None:
    """Everybody on the machine reads the command lines of its processes. Raises UsageError."""
    if masked(ledger) != ledger:
        raise UsageError(
            f"{place}: an address with a password is read by everybody on this machine",
            "put the password into a file that PGPASSFILE names, use ?service=NAME, or write the address as `ledger` "
            "into a configuration file that only you can read",
        )
