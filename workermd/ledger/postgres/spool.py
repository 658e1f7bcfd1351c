"""The folder of this machine beside a ledger in a database: its name as a node, its lease, its locks and its result files.

A *node* is such a folder. Its lease is granted by the database's clock and watched by this machine's: `lease` holds the
moment (CLOCK_BOOTTIME, nanoseconds) until which it is good, and every attempt's keeper ends its attempt when that is over.
"""

import os
import socket
from typing import NamedTuple

from workermd.ledger.results import sync_folder
from workermd.ledger.sqlite.opening import network_file_system
from workermd.protocol.errors import LedgerUnavailable
from workermd.system import environment
from workermd.system.digest import sha256

_FOLDER = "WORKERMD_SPOOL"


class Spool(NamedTuple):
    """`base` is what the companions are called by, as a ledger's file would be: `<base>.runs`, `<base>.results`."""

    folder: str
    node: str
    name: str

    @property
    def base(self) -> str:
        return os.path.join(self.folder, "ledger")

    @property
    def lease(self) -> str:
        return os.path.join(self.folder, "lease")


def open_spool(address: str) -> Spool:
    """The folder for this ledger, made if missing. Raises LedgerUnavailable."""
    folder = environment.variables().get(_FOLDER) or _default(address)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        folder = os.path.realpath(folder)
        kind = network_file_system(folder)
        if kind is None:
            return Spool(folder, _node(folder), socket.gethostname())
    except OSError as error:
        raise LedgerUnavailable(
            f"the spool folder {folder} cannot be used: {error.strerror}",
            f"name a folder on a local disk that you may write to in {_FOLDER}",
        ) from None
    raise LedgerUnavailable(
        f"the spool folder {folder} cannot be used: it is on a network file system ({kind})",
        f"name a folder on a local disk in {_FOLDER}: its locks must be this machine's own",
    )


def _default(address: str) -> str:
    variables = environment.variables()
    own = variables.get("HOME") or os.path.expanduser("~")
    home = variables.get("XDG_STATE_HOME") or os.path.join(own, ".local", "state")
    return os.path.join(home, "workermd", "nodes", sha256(address.encode()).hex()[:16])


def _node(folder: str) -> str:
    """The node's name for machines, made once. A folder that was copied to another machine is another node."""
    path, machine = os.path.join(folder, "id"), _machine()
    found = _words(path)
    if len(found) == 2 and found[1] == machine:
        return found[0]
    node = os.urandom(16).hex()
    fresh = f"{path}.{node}.tmp"
    with open(fresh, "w", encoding="ascii") as file:
        file.write(f"{node} {machine}\n")
        file.flush()
        os.fsync(file.fileno())
    if found:
        os.rename(fresh, path)
    else:
        try:
            os.link(fresh, path)  # of two processes that begin at once, one names the node
        except FileExistsError:
            node = _words(path)[0]
        finally:
            os.unlink(fresh)
    sync_folder(folder)
    return node


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def _machine() -> str:
    known = socket.gethostname()
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            known += file.read()
    except OSError:
        known += "?"
    return sha256(known.encode("utf-8", "surrogateescape")).hex()[:16]
