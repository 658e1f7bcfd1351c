"""`workermd doctor`: say what is there and whether it would work."""

from typing import NamedTuple

from workermd.config import configuration
from workermd.protocol.envelope import EXIT_FINDINGS, encoded
from workermd.report import doctor as report
from workermd.report import say
from workermd.runner import doctor


class DoctorOptions(NamedTuple):
    json: bool
    offline: bool
    exit_zero: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: DoctorOptions) -> int:
    flags = configuration.Flags(ledger=options.ledger or "", config=options.config or "", no_config=options.no_config)
    examined = doctor.examine(configuration.load(flags), offline=options.offline)
    if options.json:
        say.document(encoded(examined.document))
    else:
        say.text(report.lines(examined.document, say.columns()))
    return EXIT_FINDINGS if examined.problems and not options.exit_zero else 0
