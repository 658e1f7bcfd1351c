"""The hash of what a contract means (S4.5), in every version that a ledger may hold a hash of."""

from typing import Any

from workermd.contract.json.strict import HASH_VERSION, canonical
from workermd.contract.model import Contract
from workermd.system.digest import sha256

_CONSTRAINTS_OF_VERSION_1 = (
    "timeout_seconds", "attempt_timeout_seconds", "max_attempts", "backoff", "idempotency_key", "status_enum",
    "success_statuses", "max_tokens", "max_cost_usd", "max_tool_calls", "max_turns", "max_output_bytes",
    "tools_allowed", "rate_limit", "notes",
)  # fmt: skip
"""Version 1 wrote all of them, with null for those that the contract lacks: a new one would have changed every hash."""


def meaning_hash(contract: Contract) -> bytes:
    """SHA-256 of the canonical `{input_schema, output_schema, constraints, purpose, mode}`; of the constraints those
    that are set."""
    constraints = {name: _plain(value) for name, value in contract.constraints._asdict().items() if value is not None}
    return _hash(contract, constraints, contract.purpose, HASH_VERSION)


def has_meaning(contract: Contract, digest: bytes, version: int) -> bool:
    """Whether the contract means what a contract meant whose hash was made by `version`.

    There are several hashes of version 1 for one contract. Its reader lost purposes in other forms than its one, and
    its first programs did not know `max_turns` yet.
    """
    if version == HASH_VERSION:
        return digest.hex() == contract.meaning_sha256
    constraints = {name: _plain(getattr(contract.constraints, name)) for name in _CONSTRAINTS_OF_VERSION_1}
    known = [constraints]
    if contract.constraints.max_turns is None:
        known.append({name: value for name, value in constraints.items() if name != "max_turns"})
    return any(
        digest == _hash(contract, each, purpose, version) for each in known for purpose in {contract.purpose, ""}
    )


def _hash(contract: Contract, constraints: dict[str, Any], purpose: str, version: int) -> bytes:
    meaning = {
        "input_schema": contract.input_schema,
        "output_schema": contract.output_schema,
        "constraints": constraints,
        "purpose": purpose,
        "mode": contract.mode,
    }
    return sha256(canonical(meaning, version))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
