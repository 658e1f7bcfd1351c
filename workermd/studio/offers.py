"""Contracts with what performs them, as the files and the configuration are now."""

from workermd.config import configuration
from workermd.config.configuration import Flags
from workermd.protocol.errors import WorkermdError
from workermd.runner.worker import Worker
from workermd.studio.frame import StudioRoom
from workermd.studio.shelf import Shelved

ReadyContract = tuple[Worker, bytes, str]
"""A worker, the bytes of its contract, and where they were read."""


def of(room: StudioRoom, shelved: Shelved) -> ReadyContract:
    """Raises ConfigurationError where nothing is bound to it, UsageError."""
    contract, settings = shelved.contract, room.settings()
    assert contract is not None
    binding = configuration.binding_for(contract.id, contract.mode, settings, Flags())
    sandbox = configuration.sandbox_for(binding, settings, Flags())
    return Worker(contract, binding, sandbox=sandbox, text=shelved.data), shelved.data, shelved.path


def usable(room: StudioRoom) -> list[ReadyContract]:
    """Those that can run now; a page says of the others why they cannot. Of two with one id the first counts."""
    found: dict[str, ReadyContract] = {}
    for shelved in room.shelf.all():
        if shelved.contract is None or shelved.id in found:
            continue
        try:
            found[shelved.id] = of(room, shelved)
        except WorkermdError:
            continue
    return list(found.values())
