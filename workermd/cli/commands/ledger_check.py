"""`workermd ledger check`: is the file whole, and does its chain of receipts hold?"""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import open_to_read
from workermd.ledger.receipts import verify
from workermd.ledger.sqlite.care import faults
from workermd.protocol.address import is_address, masked
from workermd.protocol.errors import UsageError
from workermd.report import say


class LedgerCheckOptions(NamedTuple):
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerCheckOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    ledger = open_to_read(path)
    if ledger is None:
        raise UsageError(f"{masked(path)}: there is no ledger yet", "run something, or name another --ledger")
    found = [] if is_address(path) else list(faults(path))
    if not found:
        with ledger:
            found += verify(ledger).faults
    for fault in found:
        say.text(f"{masked(path)}: {fault}\n")
    if found and not is_address(path):
        say.text(f"what can be read goes into a new file with: workermd ledger salvage NEW --ledger {path}\n")
    if found:
        return 1
    say.text(f"{masked(path)}: whole\n")
    return 0
