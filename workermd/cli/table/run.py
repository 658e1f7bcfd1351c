"""Carrying out runs, one and many."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.shared import BY, CONFIG, LEDGER, NO_CONFIG, QUIET, REPORT

RUN = CommandSpec(
    ("run",),
    "Run a contract: check the input, attempt the task within its bounds, check the output, print it.",
    (
        ArgumentSpec(
            "spec", "The contract: a worker.md file, or NAME or NAME@VERSION of a registry.", "SPEC", offers="contracts"
        ),
        ArgumentSpec(
            "input",
            "The input, a JSON file, or - for standard input. Not needed where --set or --input-text make it.",
            "INPUT",
            required=False,
        ),
        ArgumentSpec(
            "program",
            "The program of --backend command, or the server of --backend mcp, and its arguments.",
            "-- PROGRAM",
            many=True,
            required=False,
            after_dashes=True,
        ),
    ),
    (
        OptionSpec(
            ("--backend",),
            "text",
            "What performs the task: function, command, chat, team, ag2, agent-framework, factory, mcp, program, http or replay.",
            "KIND",
            offers="backends",
        ),
        OptionSpec(("--function",), "text", "The Python function of --backend function.", "MODULE:CALLABLE"),
        OptionSpec(
            ("--model",), "text", "The model, as its endpoint calls it, or one of the configuration's models.", "NAME"
        ),
        OptionSpec(
            ("--base-url",),
            "text",
            "The model's OpenAI-compatible endpoint (default: OpenAI's), or the server's of --backend mcp.",
            "URL",
        ),
        OptionSpec(("--api-key-env",), "text", "The variable that holds the endpoint's key.", "VARIABLE"),
        OptionSpec(
            ("--setting",),
            "many",
            "A setting for the worker. A VALUE that is JSON is taken as JSON. Repeatable.",
            "KEY=VALUE",
        ),
        OptionSpec(
            ("--set",),
            "many",
            "A field of the input. A VALUE that is JSON is taken as JSON where the contract allows it; @FILE is the text of "
            "a file. Repeatable.",
            "KEY=VALUE",
        ),
        OptionSpec(("--input-text",), "text", "The field of the input that takes the text of standard input.", "FIELD"),
        OptionSpec(
            ("--vouch",),
            "many",
            "Answer for this bound of the contract where the backend cannot hold it, such as max_tokens. Repeatable.",
            "NAME",
        ),
        OptionSpec(("--env",), "many", "Pass this variable on to the task. Repeatable.", "NAME"),
        OptionSpec(
            ("--secret-env",), "many", "The same, and mask its value in everything written. Repeatable.", "NAME"
        ),
        OptionSpec(("--record",), "text", "Keep every attempt in this folder, without secrets.", "DIR"),
        OptionSpec(("--replay",), "text", "Give recorded attempts back: nothing is asked, no key is needed.", "DIR"),
        OptionSpec(
            ("--tag",),
            "many",
            "Mark the run, so that runs list, stats and export find it by this word, such as team=red. Repeatable.",
            "TAG",
        ),
        OptionSpec(("--verbose", "-v"), "flag", "Show on standard error what agents say and do, as they do it."),
        OptionSpec(("--events",), "text", "Append the same to this file, one JSON object a line.", "FILE"),
        OptionSpec(("--write", "-o"), "text", "Write the output here instead of to standard output.", "FILE"),
        OptionSpec(("--envelope",), "flag", "Print the record of the run instead of its output."),
        OptionSpec(("--envelope-file",), "text", "Write the record of the run to this file too.", "FILE"),
        REPORT,
        OptionSpec(
            ("--request",),
            "flag",
            "INPUT is a request document of the worker protocol; the envelope is its response.",
        ),
        OptionSpec(("--run-id",), "text", "The run's id, where the input has none.", "ID"),
        OptionSpec(("--new-run-id",), "flag", "A fresh run id (UUIDv7), where the input has none."),
        OptionSpec(
            ("--run-id-from",),
            "text",
            "Make the run's id of the input, where it has none: the word input (the same input is the same run), or the "
            "field, or the JSON Pointer, of a text in it.",
            "input|FIELD|/POINTER",
        ),
        OptionSpec(("--timeout",), "number", "Tighten the contract's timeout_seconds.", "SECONDS"),
        OptionSpec(("--max-attempts",), "count", "Tighten the contract's max_attempts.", "N"),
        OptionSpec(
            ("--sandbox",),
            "text",
            "What the kernel holds an attempt to: auto (the ledger, other attempts, foreign processes), strict (nothing "
            "but what is granted), off.",
            "auto|strict|off",
        ),
        OptionSpec(("--again",), "flag", "Grant a run that is settled without success one further start, and go on."),
        OptionSpec(("--by",), "text", "Who grants it, with --again. Default: the name you are logged in with.", "NAME"),
        OptionSpec(
            ("--scratch",), "flag", "Keep the run in a ledger of its own that is removed at the end, to try things out."
        ),
        OptionSpec(
            ("--interactive",), "flag", "Ask at this terminal what the run asks a person, and go on with the answer."
        ),
        OptionSpec(("--no-wait",), "flag", "When the run is being executed elsewhere, answer run_in_progress at once."),
        OptionSpec(("--dry-run",), "flag", "Do everything but the attempt, and say what would run."),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 whatever the status; 1, 2 and 130 stay."),
        QUIET,
        LEDGER,
        CONFIG,
        NO_CONFIG,
    ),
    document=True,
)

LIKE_RUN = {
    *("--backend", "--function", "--model", "--base-url", "--api-key-env", "--setting", "--vouch"),
    *("--env", "--secret-env"),
    *("--record", "--replay", "--tag", "--run-id-from", "--timeout", "--max-attempts", "--sandbox"),
    *("--quiet", "--ledger", "--config", "--no-config"),
}
"""Options that a batch takes as a run does, for every line."""

BATCH = CommandSpec(
    ("batch",),
    "Run a contract for every line of a file: one answer a line, in order. The same command again goes on.",
    (
        RUN.arguments[0],
        ArgumentSpec(
            "inputs",
            "One input a line or row: a file of JSON Lines, CSV, TSV or Parquet, a folder of JSON files, or - for standard "
            "input.",
            "INPUTS",
        ),
        RUN.arguments[2],
    ),
    (
        OptionSpec(("--jobs", "-j"), "count", "Attempts at a time. Default: as many as there are cores.", "N"),
        OptionSpec(("--limit",), "count", "Only so many lines from the first.", "N"),
        OptionSpec(("--sample",), "count", "Only so many lines, chosen evenly over all of them.", "N"),
        OptionSpec(("--seed",), "count", "Another number chooses another sample. Default: 0.", "N"),
        OptionSpec(
            ("--input-format",),
            "text",
            "What INPUTS are. Default: what the file's name says, JSON Lines on standard input.",
            "jsonl|csv|tsv|parquet",
            ("jsonl", "csv", "tsv", "parquet"),
        ),
        OptionSpec(("--encoding",), "text", "How a CSV or TSV file is written.", "NAME", default="utf-8"),
        OptionSpec(
            ("--empty",),
            "text",
            "What an empty cell means: the field is absent, or null.",
            "absent|null",
            ("absent", "null"),
            "absent",
        ),
        OptionSpec(
            ("--map",),
            "many",
            "Take this field of the input from this column. Then columns that are no field are left out. Repeatable.",
            "TO=FROM",
        ),
        OptionSpec(
            ("--set",),
            "many",
            "The same value of a field for all lines, as in workermd run. Repeatable.",
            "KEY=VALUE",
        ),
        OptionSpec(
            ("--write", "-o"),
            "text",
            "Write the answers here, all or nothing, not to standard output; a name with .csv or .parquet makes a table.",
            "FILE",
        ),
        OptionSpec(("--errors",), "text", "Write answers that are not ok to this file, and only there.", "FILE"),
        OptionSpec(("--unordered",), "flag", "Give answers as they come, not in the order of the lines."),
        OptionSpec(("--envelope",), "flag", "Print the record of each run instead of its output."),
        OptionSpec(("--rate",), "text", "Start at most so many attempts in a time: 5/s, 300/min, 1000/h.", "N/UNIT"),
        OptionSpec(("--max-failures",), "count", "Begin no further line after so many answers that are not ok.", "N"),
        OptionSpec(("--fail-fast",), "flag", "The same as --max-failures 1."),
        OptionSpec(
            ("--retry-failed",), "flag", "Grant each run that failed for good one further start; say who with --by."
        ),
        BY,
        OptionSpec(
            ("--batch-max-cost-usd",), "number", "Begin no run that could take the batch above this cost.", "USD"
        ),
        OptionSpec(
            ("--batch-max-tokens",), "count", "Begin no run that could take the batch above so many tokens.", "N"
        ),
        OptionSpec(("--cluster",), "flag", "Hand the runs to the nodes that share a ledger in PostgreSQL, and wait."),
        OptionSpec(("--detach",), "flag", "With --cluster: do not wait; the same command later prints the answers."),
        OptionSpec(
            ("--queue",), "text", "With --cluster: the queue that nodes take them from.", "NAME", default="default"
        ),
        OptionSpec(("--engine",), "text", "With --cluster: what brings runs to nodes.", "NAME", default="ledger"),
        OptionSpec(
            ("--isolation",),
            "text",
            "What an attempt's process is: a fork of a loaded one, the one of the attempt before (reuse), or started for it (cold).",
            "fork|reuse|cold",
            ("fork", "reuse", "cold"),
            "fork",
        ),
        OptionSpec(
            ("--report",), "many", "Write a page with tables and plots to a file: html=FILE. Repeatable.", "FORMAT=FILE"
        ),
        *(option for option in RUN.options if option.flags[0] in LIKE_RUN),
    ),
)
