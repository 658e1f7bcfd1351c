"""`workermd ledger compact`: write the file anew, without what was removed."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import refuse_address
from workermd.ledger.sqlite.care import compact
from workermd.report import say


class LedgerCompactOptions(NamedTuple):
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerCompactOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    refuse_address(path, "ledger compact", "let the server do it: VACUUM FULL, or its autovacuum")
    before, after = compact(path)
    say.text(f"{path}: {before} bytes before, {after} after\n")
    return 0
