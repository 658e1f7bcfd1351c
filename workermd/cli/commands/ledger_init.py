"""`workermd ledger init`: make an empty ledger, or bring an old one up to date."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import open_ledger
from workermd.ledger.postgres.migrations import MIGRATIONS as DATABASE_MIGRATIONS
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.protocol.address import is_address, masked
from workermd.report import say


class LedgerInitOptions(NamedTuple):
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerInitOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    open_ledger(path).close()
    version = len(DATABASE_MIGRATIONS if is_address(path) else MIGRATIONS)
    say.text(f"{masked(path)}: a ledger of version {version}\n")
    return 0
