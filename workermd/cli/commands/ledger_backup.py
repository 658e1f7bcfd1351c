"""`workermd ledger backup`: a whole copy, while others write."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import refuse_address
from workermd.ledger.sqlite.care import back_up
from workermd.report import say


class LedgerBackupOptions(NamedTuple):
    target: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerBackupOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    refuse_address(path, "ledger backup", "copy the database with pg_dump, or keep its log with pg_basebackup")
    size = back_up(path, options.target)
    say.text(f"{options.target}: {size} bytes; results, artifacts and logs beside the ledger are files of their own\n")
    return 0
