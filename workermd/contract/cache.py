"""Contracts that were read before, so that a run need not read them again.

An entry is found by the contract's bytes and by the code that read them. Only contracts without errors are stored.
"""

from typing import Any

from workermd.contract.model import Contract
from workermd.contract.problems import MISNAMED, misnamed
from workermd.protocol.codec import from_document, to_document
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ContractUnusable
from workermd.protocol.finding import Finding, ordered
from workermd.system.cache import Cache

KIND = "contracts"
ENTRY_FORMAT = 2
READERS = ("contract", "protocol", "system")
"""The rooms whose code decides what a contract is."""


def load(data: bytes, path: str) -> tuple[Contract, tuple[Finding, ...]]:
    """The contract in `data`, and its warnings. `path` is the name for messages.

    Raises ContractUnusable, which carries all findings, when there are errors.
    """
    cache = Cache(KIND, ENTRY_FORMAT, READERS)
    key = cache.key(data)
    stored = _stored(cache.load(key), path)
    if stored:
        return stored
    from workermd.contract.reader import read

    reading = read(data, path, thorough=False)
    if reading.contract is None:
        raise _unusable(path, reading.findings, reading.text)
    cache.store(key, _entry(reading.contract, reading.findings))
    return reading.contract, reading.findings


def _unusable(path: str, findings: tuple[Finding, ...], text: str) -> ContractUnusable:
    errors = [finding for finding in findings if finding.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"at {first.line}:{first.column}, {first.message} [{first.code}]{more}"
    return ContractUnusable(f"{path}: the contract cannot be used: {where}", first.hint, findings, text)


def _stored(entry: Any, path: str) -> tuple[Contract, tuple[Finding, ...]] | None:
    try:
        return from_document(Contract, entry["contract"]), _findings(entry["warnings"], path)
    except (KeyError, TypeError):
        return None


def _findings(rows: list[list[Any]], path: str) -> tuple[Finding, ...]:
    return ordered([*(Finding(path, *row) for row in rows), *misnamed(path)])


def _entry(contract: Contract, findings: tuple[Finding, ...]) -> Document:
    # The name is checked anew for every path: it is no part of the content.
    warnings = [list(finding[1:]) for finding in findings if finding.code != MISNAMED]
    return {"contract": to_document(contract), "warnings": warnings}
