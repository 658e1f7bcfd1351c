"""Options and arguments that several commands take."""

from workermd.cli.table.form import ArgumentSpec, OptionSpec

QUIET = OptionSpec(("--quiet", "-q"), "flag", "Say on standard error only why the call could not be carried out.")
LEDGER = OptionSpec(
    ("--ledger",),
    "text",
    "The ledger: a file, or postgresql://USER@HOST/DATABASE. Default: WORKERMD_LEDGER, else the configuration's, else ~/.local/state/workermd/ledger.db.",
    "FILE",
)
CONFIG = OptionSpec(("--config",), "text", "Read this configuration instead of looking for one.", "FILE")
NO_CONFIG = OptionSpec(("--no-config",), "flag", "Read no configuration.")
FORMAT = OptionSpec(("--format",), "text", "How to print.", "text|json", ("text", "json"), "text")
REPORT = OptionSpec(
    ("--report",),
    "many",
    "Write a report of this format to a file besides what is printed; of run: junit, markdown, github. Repeatable.",
    "FORMAT=FILE",
)
FILTERS = (
    OptionSpec(("--error",), "text", "Only runs whose answer has this error code.", "CODE"),
    OptionSpec(("--since",), "text", "Only runs admitted since: an age such as 2h, or a date and time.", "WHEN"),
    OptionSpec(("--until",), "text", "Only runs admitted before.", "WHEN"),
    OptionSpec(("--match",), "text", "Only runs whose id has this text in it.", "TEXT"),
    OptionSpec(("--tag",), "many", "Only runs with this tag. Repeatable.", "TAG"),
)
STATUS = OptionSpec(
    ("--status",), "text", "Only runs with this status, or waiting, or running.", "STATUS", offers="statuses"
)
RUN_ID = ArgumentSpec("run_id", "The run's id.", "RUN_ID", offers="run_ids")
REGISTRY = OptionSpec(("--registry",), "text", "The registry's folder. Default: see docs/registry.md.", "DIR")
NAMED = ArgumentSpec("name", "The contract: NAME, or NAME@VERSION.", "NAME", offers="names")
BY = OptionSpec(("--by",), "text", "Who grants it. Default: the name you are logged in with.", "NAME")
WORKER = OptionSpec(("--worker",), "text", "Only this worker's runs.", "ID", offers="workers")
