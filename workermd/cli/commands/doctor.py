"""`workermd doctor`: say what is there and whether it would work."""

from typing import Any

from workermd.config import configuration
from workermd.protocol.envelope import EXIT_FINDINGS, encoded
from workermd.report import doctor as report
from workermd.report import say
from workermd.runner import doctor


def execute(values: dict[str, Any]) -> int:
    flags = configuration.Flags(
        ledger=values["ledger"] or "", config=values["config"] or "", no_config=values["no_config"]
    )
    examined = doctor.examine(configuration.load(flags), offline=values["offline"])
    if values["json"]:
        say.document(encoded(examined.document))
    else:
        say.text(report.lines(examined.document, say.columns()))
    return EXIT_FINDINGS if examined.problems and not values["exit_zero"] else 0
