"""The contracts that are served, each with what performs it and the text that it was read from."""

from typing import NamedTuple

from workermd.ledger.records import ContractText
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.runner.worker import Worker
from workermd.system.digest import sha256


class Offer(NamedTuple):
    """One contract as it is offered. `data` is its file, `path` where it was read."""

    worker: Worker
    data: bytes
    path: str

    @property
    def id(self) -> str:
        return self.worker.contract.id

    @property
    def text(self) -> ContractText:
        """As the ledger keeps it."""
        contract = self.worker.contract
        return ContractText(sha256(self.data), contract.id, contract.version, self.data.decode())

    @property
    def document(self) -> Document:
        """What a list of contracts says of it."""
        contract = self.worker.contract
        return {
            "id": contract.id,
            "name": contract.name,
            "version": contract.version,
            "mode": contract.mode,
            "purpose": contract.purpose,
            "contract_sha256": contract.meaning_sha256,
            "backend": self.worker.binding.kind,
        }


Catalogue = dict[str, Offer]
"""By the id of the worker."""


def catalogue(offers: list[Offer]) -> Catalogue:
    """Raises UsageError where two contracts have one id: their runs would be each other's."""
    found: Catalogue = {}
    for offer in offers:
        if offer.id in found:
            raise UsageError(
                f"{offer.path}: its id {offer.id!r} is also that of {found[offer.id].path}", "serve one of the two"
            )
        found[offer.id] = offer
    return found
