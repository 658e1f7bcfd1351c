"""Runs on many machines that share a ledger in PostgreSQL."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.run import RUN
from workermd.cli.table.shared import CONFIG, LEDGER, NO_CONFIG, QUIET

_ENGINE = OptionSpec(
    ("--engine",),
    "text",
    "What brings runs to the nodes: ledger (nothing beside it), or an engine that is installed, such as dbos.",
    "NAME",
    default="ledger",
)
_FORMAT = OptionSpec(("--format",), "text", "How to print.", "text|json", ("text", "json"), "text")

CLUSTER_COMMANDS = (
    CommandSpec(
        ("submit",),
        "Hand a run to the nodes that share a ledger in PostgreSQL; print its key, or its answer where it has one.",
        (
            ArgumentSpec("spec", "The contract: a file, or a name of a registry.", "SPEC", offers="contracts"),
            ArgumentSpec("input", "The input: a JSON file, or - for standard input.", "INPUT"),
        ),
        (
            OptionSpec(("--wait",), "flag", "Wait until the run is settled, and print its answer as run does."),
            next(option for option in RUN.options if option.name == "run_id"),
            next(option for option in RUN.options if option.name == "run_id_from"),
            OptionSpec(("--queue",), "text", "The queue that nodes take it from.", "NAME", default="default"),
            OptionSpec(("--priority",), "number", "A higher one goes first.", "N", default=0.0),
            OptionSpec(("--not-before",), "number", "Begin in so many seconds at the earliest.", "SECONDS"),
            OptionSpec(("--tenant",), "text", "Tenants of one queue take turns.", "NAME", default=""),
            _ENGINE,
            OptionSpec(("--envelope",), "flag", "Print the record of the run in place of its output."),
            *(QUIET, LEDGER, CONFIG, NO_CONFIG),
        ),
        document=True,
    ),
    CommandSpec(
        ("node", "run"),
        "Carry out runs that were handed over, until it is told to end: SIGTERM drains, a second one ends what runs.",
        (),
        (
            OptionSpec(("--jobs", "-j"), "count", "Runs at a time. Default: as many as there are cores.", "N"),
            OptionSpec(("--queues",), "text", "The queues to take from, between commas.", "NAMES", default="default"),
            OptionSpec(("--labels",), "text", "Words for people, such as gpu=1,zone=a.", "NAME=VALUE", default=""),
            OptionSpec(("--spool",), "text", "The folder of this node: its lease, its locks, its results.", "FOLDER"),
            OptionSpec(
                ("--again-after",), "number", "Give an engine a run again that waits so long.", "SECONDS", default=60.0
            ),
            OptionSpec(("--drain-after",), "number", "Take nothing more after so many seconds, and end.", "SECONDS"),
            _ENGINE,
            *(QUIET, LEDGER, CONFIG, NO_CONFIG),
        ),
    ),
    CommandSpec(
        ("node", "list"),
        "List the nodes of a ledger and what waits in its queues.",
        (),
        (_FORMAT, LEDGER, CONFIG, NO_CONFIG),
    ),
)
