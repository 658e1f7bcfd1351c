"""`workermd ledger salvage`: read what can be read of a damaged ledger into a new file."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.opening import refuse_address
from workermd.ledger.sqlite.care import salvage
from workermd.report import say


class LedgerSalvageOptions(NamedTuple):
    target: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: LedgerSalvageOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    refuse_address(path, "ledger salvage", "restore the database from its backup")
    found = salvage(path, options.target)
    for table, count in found.rows.items():
        lost = found.lost.get(table, 0)
        say.text(f"{table}: {count} rows" + (f"; {lost} places could not be read" if lost else "") + "\n")
    if found.orphans:
        say.text(f"{found.orphans} rows of runs that were lost were left out\n")
    say.text(f"{options.target}: check it with: workermd runs verify --ledger {options.target}\n")
    return 0
