"""What commands of many machines share: who performs a contract here, and what brings runs to nodes."""

from typing import TYPE_CHECKING

from workermd.config import configuration
from workermd.contract import cache
from workermd.contract.model import Contract
from workermd.ledger.records import ContractText
from workermd.protocol.address import is_address
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.runner import requirements
from workermd.runner.worker import Worker
from workermd.task.binding import Binding

if TYPE_CHECKING:
    from workermd.batch.cluster.engine import Engine


def engine_of(name: str, ledger: str) -> "Engine | None":
    """Raises UsageError where no other machine reaches the ledger, ConfigurationError for an engine that is not there."""
    if not is_address(ledger):
        raise UsageError(
            "nodes share a ledger in PostgreSQL, and this one is in a file", "name one with --ledger postgresql://…"
        )
    from workermd.ledger.opening import refuse_without_library

    refuse_without_library()
    from workermd.batch.cluster.engine import engine_named

    return engine_named(name, ledger)


def submitted_worker(
    contract: Contract, text: bytes, settings: configuration.Settings, flags: configuration.Flags
) -> Worker:
    """A contract whose runs others perform. Where nothing is bound here, its bounds are for the node to hold."""
    try:
        binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    except ConfigurationError:
        binding = Binding(kind="command", origin="a node", command=("true",))
        binding = binding._replace(vouched=tuple(requirements.loose_bounds(contract.constraints, binding)))
    return Worker(contract, binding, text=text)


class WorkersHere:
    """Who performs contracts on this node, by the digest of their texts; the configuration is read once."""

    def __init__(self, settings: configuration.Settings, flags: configuration.Flags) -> None:
        self._settings = settings
        self._flags = flags
        self._known: dict[bytes, Worker] = {}

    def __call__(self, text: ContractText) -> Worker:
        """Raises ConfigurationError where nothing performs it here."""
        found = self._known.get(text.sha256)
        if found is None:
            data = text.text.encode()
            contract, _ = cache.load(data, f"{text.worker_id} {text.version} of the ledger")
            binding = configuration.binding_for(contract.id, contract.mode, self._settings, self._flags)
            sandbox = configuration.sandbox_for(binding, self._settings, self._flags)
            found = self._known[text.sha256] = Worker(contract, binding, sandbox=sandbox, text=data)
        return found
