"""`workermd runs verify`: check the chain of receipts, and every settled run against it."""

import json
from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import open_to_read
from workermd.ledger.receipts import Head, Verified, verify
from workermd.protocol.address import masked
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import say


class RunsVerifyOptions(NamedTuple):
    against: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsVerifyOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    kept = _kept(options.against)
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(f"{masked(path)}: there is no ledger yet", "run something, or name another --ledger")
    with ledger:
        found = verify(ledger, kept)
    if options.format == "json":
        say.document(encoded(versioned({"ledger": masked(path), **found._asdict(), "faults": list(found.faults)})))
    else:
        say.text(_text(found, kept))
    return 1 if found.faults else 0


def _kept(path: str | None) -> Head | None:
    """The head that `runs receipt --head` printed. Raises UsageError."""
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(1 << 16))
        return Head(document["number"], bytes.fromhex(document["link"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{path}: holds no head of a chain", "keep one: workermd runs receipt --head > FILE") from None


def _text(found: Verified, kept: Head | None) -> str:
    lines = [*found.faults, f"{found.links} links, {found.runs} settled runs, {found.unsealed} of them unsealed"]
    if found.faults:
        lines.append("the chain does NOT verify")
    else:
        lines.append(
            "the chain verifies"
            + ("" if kept else "; a cut tail shows only against a head kept elsewhere: --against FILE")
        )
    return "\n".join(lines) + "\n"
