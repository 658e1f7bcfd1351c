"""`workermd ledger init`: make an empty ledger, or bring an old one up to date."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.sqlite.migrations import MIGRATIONS
from workermd.ledger.sqlite.store import Ledger
from workermd.report import say


class LedgerInitOptions(NamedTuple):
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerInitOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    Ledger.open(path).close()
    say.text(f"{path}: a ledger of version {len(MIGRATIONS)}\n")
    return 0
