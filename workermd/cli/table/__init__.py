"""Every command's arguments and options, as data: one table, and all that reads a call is made from it.

`quick_reader` reads a well-formed call in well under a millisecond. What it is not sure about goes to `full_reader`,
which is built on argparse and tells mistakes. `typer_app` shows help and completes words.
"""

from workermd.cli.table.cluster import CLUSTER_COMMANDS
from workermd.cli.table.contracts import DERIVE, DIFF, FMT, REGISTRY_COMMANDS, VALIDATE
from workermd.cli.table.form import CommandSpec
from workermd.cli.table.ledger import LEDGER_COMMANDS
from workermd.cli.table.measure import BENCH, CONFORMANCE, FUZZ
from workermd.cli.table.others import DOCTOR, OTHERS
from workermd.cli.table.run import BATCH, RUN
from workermd.cli.table.serve import SERVE, STUDIO

COMMANDS: tuple[CommandSpec, ...] = (
    RUN,
    BATCH,
    SERVE,
    *BENCH,
    FUZZ,
    STUDIO,
    VALIDATE,
    FMT,
    DIFF,
    DOCTOR,
    *LEDGER_COMMANDS,
    *REGISTRY_COMMANDS,
    *CLUSTER_COMMANDS,
    DERIVE,
    CONFORMANCE,
    *OTHERS,
)
"""As help lists them; a longer name stands before the shorter one that it begins with."""
