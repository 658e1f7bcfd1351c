"""Every command's arguments and options, as data: one table, and all that reads a call is made from it.

`quick_reader` reads a well-formed call in well under a millisecond. What it is not sure about goes to `full_reader`,
which is built on argparse and tells mistakes. `typer_app` shows help and completes words.
"""

from typing import Any, Literal, NamedTuple

Kind = Literal["flag", "text", "number", "count", "many"]

MOST = 10**9
"""The largest number that an option takes: beyond any use, and within what a database and a clock can hold."""


class OptionSpec(NamedTuple):
    """`flags` as typed; `name` as the command sees it. `many` collects a repeated option.

    `offers` names what completes a value that is not one of `choices`: see `completion.OFFERS`."""

    flags: tuple[str, ...]
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    offers: str = ""

    @property
    def name(self) -> str:
        return self.flags[0].removeprefix("--").replace("-", "_")

    @property
    def initial(self) -> Any:
        """The value when the option is not given."""
        if self.kind == "flag":
            return False
        return [] if self.kind == "many" else self.default


class ArgumentSpec(NamedTuple):
    """A positional argument; `many` takes all that are left, `required` at least one.

    `after_dashes` takes what stands behind `--`, and nothing else does."""

    name: str
    help: str
    metavar: str
    many: bool = False
    required: bool = True
    offers: str = ""
    after_dashes: bool = False


class CommandSpec(NamedTuple):
    """`name` is the words typed. `document` commands print one on failure too. `linux`: it carries out runs, or changes
    them."""

    name: tuple[str, ...]
    summary: str
    arguments: tuple[ArgumentSpec, ...]
    options: tuple[OptionSpec, ...]
    document: bool = False

    @property
    def linux(self) -> bool:
        return self.name in _LINUX

    @property
    def module(self) -> str:
        """The module that carries the command out: it has `execute(options) -> int` and the type of the options."""
        return f"workermd.cli.commands.{'_'.join(self.name).replace('-', '_')}"

    @property
    def options_type(self) -> str:
        """`RunsListOptions`: the command's values by name, typed."""
        return f"{''.join(word.capitalize() for each in self.name for word in each.split('-'))}Options"

    @property
    def initial(self) -> dict[str, Any]:
        """The values of the options when none is given."""
        return {option.name: option.initial for option in self.options}


_LINUX = (
    *(("run",), ("batch",), ("serve",), ("bench",), ("doctor",), ("approve",)),
    *(("runs", "reopen"), ("runs", "prune")),
)
"""Commands that need what only Linux has: pidfds, subreapers, open file description locks."""

_QUIET = OptionSpec(("--quiet", "-q"), "flag", "Say on standard error only why the call could not be carried out.")
_LEDGER = OptionSpec(
    ("--ledger",),
    "text",
    "The ledger file. Default: WORKERMD_LEDGER, else the configuration's, else ~/.local/state/workermd/ledger.db.",
    "FILE",
)
_CONFIG = OptionSpec(("--config",), "text", "Read this configuration instead of looking for one.", "FILE")
_NO_CONFIG = OptionSpec(("--no-config",), "flag", "Read no configuration.")
_FORMAT = OptionSpec(("--format",), "text", "How to print.", "text|json", ("text", "json"), "text")
_REPORT = OptionSpec(
    ("--report",),
    "many",
    "Write a report of this format to a file besides what is printed; of run: junit, markdown, github. Repeatable.",
    "FORMAT=FILE",
)
_FILTERS = (
    OptionSpec(("--error",), "text", "Only runs whose answer has this error code.", "CODE"),
    OptionSpec(("--since",), "text", "Only runs admitted since: an age such as 2h, or a date and time.", "WHEN"),
    OptionSpec(("--until",), "text", "Only runs admitted before.", "WHEN"),
    OptionSpec(("--match",), "text", "Only runs whose id has this text in it.", "TEXT"),
    OptionSpec(("--tag",), "many", "Only runs with this tag. Repeatable.", "TAG"),
)
_STATUS = OptionSpec(
    ("--status",), "text", "Only runs with this status, or waiting, or running.", "STATUS", offers="statuses"
)
_RUN_ID = ArgumentSpec("run_id", "The run's id.", "RUN_ID", offers="run_ids")
_REGISTRY = OptionSpec(("--registry",), "text", "The registry's folder. Default: see docs/registry.md.", "DIR")
_NAMED = ArgumentSpec("name", "The contract: NAME, or NAME@VERSION.", "NAME", offers="names")
_BY = OptionSpec(("--by",), "text", "Who grants it. Default: the name you are logged in with.", "NAME")
_WORKER = OptionSpec(("--worker",), "text", "Only this worker's runs.", "ID", offers="workers")

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
        OptionSpec(("--verbose", "-v"), "flag", "Show on standard error what agents say and do, as they do it."),
        OptionSpec(("--events",), "text", "Append the same to this file, one JSON object a line.", "FILE"),
        OptionSpec(("--write", "-o"), "text", "Write the output here instead of to standard output.", "FILE"),
        OptionSpec(("--envelope",), "flag", "Print the record of the run instead of its output."),
        OptionSpec(("--envelope-file",), "text", "Write the record of the run to this file too.", "FILE"),
        _REPORT,
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
        _QUIET,
        _LEDGER,
        _CONFIG,
        _NO_CONFIG,
    ),
    document=True,
)

_LIKE_RUN = {
    *("--backend", "--function", "--model", "--base-url", "--api-key-env", "--setting", "--vouch"),
    *("--env", "--secret-env"),
    *("--record", "--replay", "--run-id-from", "--timeout", "--max-attempts", "--sandbox"),
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
        _BY,
        OptionSpec(
            ("--batch-max-cost-usd",), "number", "Begin no run that could take the batch above this cost.", "USD"
        ),
        OptionSpec(
            ("--batch-max-tokens",), "count", "Begin no run that could take the batch above so many tokens.", "N"
        ),
        OptionSpec(
            ("--isolation",),
            "text",
            "What an attempt's process is made from: a fork of a loaded one, or a start of its own (cold).",
            "fork|cold",
            ("fork", "cold"),
            "fork",
        ),
        OptionSpec(
            ("--report",), "many", "Write a page with tables and plots to a file: html=FILE. Repeatable.", "FORMAT=FILE"
        ),
        *(option for option in RUN.options if option.flags[0] in _LIKE_RUN),
    ),
)

_BENCH = (
    OptionSpec(("--subject",), "many", "Only this subject. Repeatable.", "NAME"),
    OptionSpec(("--case",), "many", "Only the case with this id. Repeatable.", "ID"),
    OptionSpec(("--tag",), "many", "Only cases with this tag. Repeatable.", "TAG"),
    OptionSpec(("--repeats",), "count", "Runs of each case, instead of the suite's number.", "N"),
    OptionSpec(
        ("--series",), "text", "A word in the keys of the runs: a new one measures anew, the same one goes on.", "WORD"
    ),
    OptionSpec(("--jobs", "-j"), "count", "Runs at a time. Default: as many as there are cores.", "N"),
    OptionSpec(
        ("--baseline",), "text", "Compare with this result of an earlier bench, written by --report json=FILE.", "FILE"
    ),
    OptionSpec(
        ("--format",),
        "text",
        "How to print: text (the default), json, junit, markdown, html, inspect.",
        "FORMAT",
        ("text", "json", "junit", "markdown", "html", "inspect"),
    ),
    _REPORT,
    OptionSpec(("--exit-zero",), "flag", "Exit 0 whatever the gate says."),
    next(option for option in RUN.options if option.flags[0] == "--sandbox"),
    _QUIET,
    _LEDGER,
    _CONFIG,
    _NO_CONFIG,
)

BENCH = (
    CommandSpec(
        ("bench", "score"),
        "Score what a bench ran before, with the scores as they are now. Nothing is started.",
        (ArgumentSpec("suite", "The suite, NAME.bench.yaml.", "SUITE"),),
        _BENCH,
    ),
    CommandSpec(
        ("bench", "import"),
        "Make cases, one JSON object a line, of a data set: promptfoo, inspect, agbench, JSON Lines or CSV.",
        (ArgumentSpec("file", "The data set.", "FILE"),),
        (
            OptionSpec(
                ("--format",),
                "text",
                "Whose data set it is. Default: JSON Lines.",
                "FORMAT",
                ("jsonl", "csv", "promptfoo", "inspect", "agbench"),
                "jsonl",
            ),
            OptionSpec(
                ("--map",),
                "many",
                "The field of a case, and the field of a row that it comes from. Repeatable.",
                "TO=FROM",
            ),
            OptionSpec(("--write", "-o"), "text", "Write the cases here instead of to standard output.", "FILE"),
            _QUIET,
        ),
    ),
    CommandSpec(
        ("bench",),
        "Measure workers: run every case of a suite for every subject, score the answers, compare, hold a gate.",
        (ArgumentSpec("suite", "The suite, NAME.bench.yaml. See: workermd docs bench.", "SUITE"),),
        _BENCH,
    ),
)

FUZZ = CommandSpec(
    ("fuzz",),
    "Draw inputs from a contract's input schema, perform them, and find what breaks: the smallest input is kept.",
    (RUN.arguments[0], RUN.arguments[2]),
    (
        OptionSpec(
            ("--in-process",),
            "flag",
            "Perform inputs in one loaded process, several times as fast, instead of whole runs with their sandbox.",
        ),
        OptionSpec(("--seconds",), "number", "How long to search. Default: 30.", "SECONDS"),
        OptionSpec(("--draws",), "count", "End after so many inputs.", "N"),
        OptionSpec(
            ("--show-inputs",), "flag", "Put every input that was performed into the report of the format json."
        ),
        OptionSpec(("--until-found",), "flag", "End as soon as a fault was found and its input made small."),
        OptionSpec(
            ("--seed",), "count", "The same seed draws the same inputs. Default: a new one, which is told.", "N"
        ),
        OptionSpec(("--hang",), "number", "How long one answer may take. Default: 5.", "SECONDS"),
        OptionSpec(("--example",), "many", "An input document to vary. Repeatable.", "FILE"),
        OptionSpec(
            ("--kept",), "text", "The file of inputs that failed. Default: NAME.fuzz.jsonl beside SPEC.", "FILE"
        ),
        OptionSpec(("--no-keep",), "flag", "Add nothing to this file."),
        OptionSpec(
            ("--skip",),
            "many",
            "Leave this check out: crash, output, hang, key, differs, leak, secret, killed. Repeatable.",
            "CHECK",
        ),
        OptionSpec(
            ("--format",),
            "text",
            "How to print: text (the default), json, junit.",
            "FORMAT",
            ("text", "json", "junit"),
        ),
        _REPORT,
        *(
            option
            for option in RUN.options
            if option.flags[0] in _LIKE_RUN - {"--run-id-from", "--timeout", "--max-attempts"}
        ),
    ),
)

VALIDATE = CommandSpec(
    ("validate",),
    "Check contracts: everything that makes one unusable or a run unsafe, with its place.",
    (
        ArgumentSpec(
            "paths",
            "Files, folders (searched for *.worker.md that Git does not ignore), globs, NAME or NAME@VERSION of a registry, "
            "or - for standard input. Default: the working directory.",
            "PATH",
            many=True,
            required=False,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(
            ("--format",),
            "text",
            "How to print: text (the default), json, jsonl, sarif, github, junit, markdown.",
            "FORMAT",
            ("text", "json", "jsonl", "sarif", "github", "junit", "markdown"),
        ),
        _REPORT,
        OptionSpec(
            ("--output",),
            "many",
            "Deprecated: the former spelling of --report, where - is standard output.",
            "FORMAT=FILE",
        ),
        OptionSpec(("--input",), "text", "Check this document against the input schema, without running.", "FILE"),
        OptionSpec(("--output-file",), "text", "Check this document against the output schema.", "FILE"),
        OptionSpec(
            ("--select",),
            "many",
            "Only these rules: codes or how codes begin, WM1,WM203. Repeatable.",
            "CODES",
            offers="rules",
        ),
        OptionSpec(("--ignore",), "many", "Not these rules. Repeatable.", "CODES", offers="rules"),
        OptionSpec(
            ("--fail-on",),
            "text",
            "The mildest finding that makes the exit code 1.",
            "error|warning|info",
            ("error", "warning", "info"),
            "error",
        ),
        OptionSpec(("--strict",), "flag", "The same as --fail-on warning."),
        OptionSpec(("--baseline",), "text", "Accept the findings that this file lists.", "FILE"),
        OptionSpec(("--baseline-update",), "flag", "Write the baseline from what is found now."),
        OptionSpec(("--fix",), "flag", "Make the safe fixes: those that leave the meaning as it is."),
        OptionSpec(
            ("--diff",), "flag", "Print the safe fixes as a diff and write nothing; exit 1 where there are some."
        ),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 even when there are findings."),
        _QUIET,
        _CONFIG,
        _NO_CONFIG,
    ),
)

DIFF = CommandSpec(
    ("diff",),
    "Say what changed in meaning between two versions of a contract, and whether the version says so.",
    (
        ArgumentSpec(
            "old",
            "The contract before: a file, a name of a registry, git:REV:path from the repository's root, or -.",
            "OLD",
        ),
        ArgumentSpec("new", "The contract now, named likewise.", "NEW"),
    ),
    (
        OptionSpec(
            ("--format",),
            "text",
            "How to print.",
            "text|json|sarif|markdown",
            ("text", "json", "sarif", "markdown"),
            "text",
        ),
        _REPORT,
        OptionSpec(
            ("--fail-on",),
            "text",
            "What makes the exit 1: a major bump that is missing (missing-major), any breaking change (breaking), any "
            "bump that is missing (missing-bump), or any change at all (any).",
            "WHAT",
            ("missing-major", "breaking", "missing-bump", "any"),
            "missing-major",
        ),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 whatever changed."),
        _QUIET,
    ),
)

FMT = CommandSpec(
    ("fmt",),
    "Lay contracts out: keys and constraints in order, schemas indented, prose as it is. Only files without errors.",
    (
        ArgumentSpec(
            "paths",
            "Files, folders, globs, or - for standard input, printed to standard output.",
            "PATH",
            many=True,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(("--check",), "flag", "Write nothing; exit 1 when a file would change."),
        OptionSpec(("--diff",), "flag", "Write nothing; print what would change."),
        OptionSpec(("--to",), "text", "Convert the site's shape into the registry's.", "registry", ("registry",)),
        _QUIET,
        _CONFIG,
        _NO_CONFIG,
    ),
)

DOCTOR = CommandSpec(
    ("doctor",),
    "Say what is installed, what the configuration says and where it came from, and whether it would work.",
    (),
    (
        OptionSpec(("--json",), "flag", "Print a JSON document."),
        OptionSpec(("--offline",), "flag", "Ask no endpoint whether it answers."),
        OptionSpec(
            ("--probe",),
            "text",
            "Ask the endpoint of [models.MODEL] a few small requests, and print the keys that its table needs.",
            "MODEL",
        ),
        OptionSpec(("--write",), "flag", "With --probe: put these keys into the configuration, after showing how."),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 also where something would not work."),
        _LEDGER,
        _CONFIG,
        _NO_CONFIG,
    ),
)

SERVE = CommandSpec(
    ("serve",),
    "Serve contracts over HTTP: run, look, cancel, decide. Every caller needs a token.",
    (
        ArgumentSpec(
            "specs",
            "Contracts: files, folders (searched for *.worker.md), globs, or names of a registry.",
            "SPEC",
            many=True,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(("--host",), "text", "The address to listen on.", "ADDRESS", default="127.0.0.1"),
        OptionSpec(("--port",), "count", "The port to listen on; 0 takes a free one.", "N", default=8420),
        OptionSpec(("--jobs", "-j"), "count", "Runs at a time. Default: as many as there are cores.", "N"),
        OptionSpec(("--queue",), "count", "Runs that wait for their turn; more get 429. Default: 4 for each job.", "N"),
        OptionSpec(
            ("--tokens",),
            "text",
            "Who may call: a file of lines NAME:TOKEN that only its owner reads. Default: one token is made and shown once.",
            "FILE",
        ),
        OptionSpec(
            ("--public",), "many", "The address under which a proxy shows this server, https://HOST. Repeatable.", "URL"
        ),
        OptionSpec(("--tls-cert",), "text", "Serve HTTPS with this certificate (PEM).", "FILE"),
        OptionSpec(("--tls-key",), "text", "The certificate's key (PEM).", "FILE"),
        OptionSpec(("--rate",), "count", "Requests a minute that one caller may send.", "N", default=6000),
        OptionSpec(
            ("--grace",),
            "number",
            "At its end, wait so long for runs before they are interrupted.",
            "SECONDS",
            default=30.0,
        ),
        OptionSpec(
            ("--access-log",), "flag", "Write a JSON line for every request to standard error; no secret is in it."
        ),
        OptionSpec(
            ("--a2a",), "flag", "Each contract as a skill of the Agent2Agent protocol, beside the rest at /a2a."
        ),
        OptionSpec(
            ("--mcp",),
            "text",
            "Each contract as a tool of the Model Context Protocol: http beside the rest at /mcp, or stdio instead of it.",
            "stdio|http",
            ("stdio", "http"),
        ),
        OptionSpec(
            ("--mcp-run-id",),
            "text",
            "Who names the run of a tool's call: the server, for every call anew, or the model.",
            "server|model",
            ("server", "model"),
            "server",
        ),
        *(option for option in RUN.options if option.flags[0] == "--sandbox"),
        _QUIET,
        _LEDGER,
        _CONFIG,
        _NO_CONFIG,
    ),
)

STUDIO = CommandSpec(
    ("studio",),
    "Show runs, contracts and what waits for a person as pages in a browser, and run and decide there.",
    (
        ArgumentSpec(
            "specs",
            "Contracts: files, folders (searched for *.worker.md), globs, or names of a registry. Default: this folder.",
            "SPEC",
            many=True,
            required=False,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(
            ("--edit",),
            "text",
            "Let the browser change contracts and bindings of models in this folder, through a diff. On loopback only.",
            "DIR",
        ),
        *(
            option
            for option in SERVE.options
            if option.flags[0] in ("--host", "--jobs", "--queue", "--public", "--tls-cert", "--tls-key", "--grace")
        ),
        OptionSpec(("--port",), "count", "The port to listen on; 0 takes a free one.", "N", default=8421),
        *SERVE.options[-5:],
    ),
)

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
    CommandSpec(
        ("runs", "list"),
        "List runs, the newest first.",
        (),
        (
            _WORKER,
            _STATUS,
            *_FILTERS,
            OptionSpec(("--rejected",), "flag", "List the inputs that were refused before any attempt instead."),
            OptionSpec(("--limit",), "count", "At most this many.", "N", default=50),
            OptionSpec(("--behind",), "text", "The next page: behind the last run of the page before.", "NEXT"),
            OptionSpec(
                ("--format",),
                "text",
                "How to print.",
                "text|json|jsonl|csv",
                ("text", "json", "jsonl", "csv"),
                "text",
            ),
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "show"),
        "Show one run and its attempts as a timeline.",
        (_RUN_ID,),
        (
            OptionSpec(("--log",), "flag", "Print what the attempts wrote to standard output and error instead."),
            OptionSpec(("--conversation",), "flag", "Show what agents said and did, too."),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "pending"),
        "List what waits for a person's decision, the oldest first.",
        (),
        (_WORKER, _FORMAT, _LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("runs", "reopen"),
        "Grant a settled run further starts; who and why are recorded.",
        (_RUN_ID,),
        (
            _BY,
            OptionSpec(("--reason",), "text", "Why.", "TEXT"),
            OptionSpec(("--attempts",), "count", "How many further starts.", "N", default=1),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "prune"),
        "Remove finished runs. Their keys are forgotten: the same run_id would run again.",
        (),
        (
            OptionSpec(("--older-than",), "number", "Only runs settled more than this many days ago.", "DAYS"),
            OptionSpec(("--all",), "flag", "All finished runs."),
            _WORKER,
            OptionSpec(("--dry-run",), "flag", "Only say how many."),
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "erase"),
        "Remove one run for good, finished or not: input, answer, events, log and artifacts. A tombstone stays.",
        (_RUN_ID,),
        (
            OptionSpec(("--by",), "text", "Who has it erased. Default: the name you are logged in with.", "NAME"),
            OptionSpec(("--reason",), "text", "Why.", "TEXT"),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "verify"),
        "Check the chain of receipts, and every settled run against it; exit 1 where something was changed.",
        (),
        (
            OptionSpec(
                ("--against",), "text", "A head that was kept elsewhere: it shows whether the tail was cut.", "FILE"
            ),
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "receipt"),
        "Print the receipt of a settled run: an in-toto statement in a DSSE envelope; or the head of the chain.",
        (ArgumentSpec("run_id", "The run's id.", "RUN_ID", required=False, offers="run_ids"),),
        (
            OptionSpec(("--head",), "flag", "Print the last link of the chain instead, to be kept elsewhere."),
            OptionSpec(("--key",), "text", "Sign it with this private key (PEM).", "FILE"),
            _WORKER,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("runs", "verify-receipt"),
        "Check a receipt without a ledger: that it agrees with itself, and who signed it.",
        (ArgumentSpec("file", "What runs receipt printed.", "FILE"),),
        (OptionSpec(("--public-key",), "text", "The public key (PEM) that it has to be signed with.", "FILE"),),
    ),
    CommandSpec(
        ("ledger", "check"),
        "Check the ledger: the file, its rows, its chain of receipts; exit 1 where something is wrong.",
        (),
        (_LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("ledger", "backup"),
        "Copy the ledger whole, while others write to it.",
        (ArgumentSpec("target", "The new file.", "NEW"),),
        (_LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("ledger", "salvage"),
        "Read what can be read of a damaged ledger into a new file, and say what was lost.",
        (ArgumentSpec("target", "The new file.", "NEW"),),
        (_LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("ledger", "compact"),
        "Write the ledger anew, smaller: without what was removed. Nothing may run meanwhile.",
        (),
        (_LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("ledger", "init"),
        "Make an empty ledger, or bring an old one up to date.",
        (),
        (_LEDGER, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("approve",),
        "Decide what a run asks a person: approve it, deny it or answer it. One further start is granted; run it again.",
        (_RUN_ID,),
        (
            OptionSpec(("--deny",), "flag", "Deny it. The next attempt is told, and goes on without."),
            OptionSpec(("--final",), "flag", "With --deny: grant no start; the run is settled as approval_denied."),
            OptionSpec(("--answer",), "text", "Answer this; one of the options where the request has any.", "TEXT"),
            _BY,
            OptionSpec(("--reason",), "text", "Why.", "TEXT"),
            OptionSpec(("--request",), "text", "Decide only if this request is the open one.", "ID"),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("registry", "list"),
        "List the contracts of the registries.",
        (),
        (_FORMAT, _REGISTRY, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "search"),
        "List the contracts whose id, name, tags or purpose hold a text.",
        (ArgumentSpec("text", "The text, in any case.", "TEXT"),),
        (_FORMAT, _REGISTRY, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "show"),
        "Print a contract of a registry, its digest checked.",
        (_NAMED,),
        (_REGISTRY, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "add"),
        "Put a contract into a registry; of a saved registry page, the contract that it shows.",
        (ArgumentSpec("file", "The contract or the saved page, or - for standard input.", "FILE"),),
        (
            OptionSpec(("--name",), "text", "The name in the registry. Default: the contract's id.", "NAME"),
            OptionSpec(("--registry",), "text", "The registry's folder.", "DIR", default="registry"),
            _QUIET,
        ),
    ),
    CommandSpec(
        ("registry", "verify"),
        "Check the digest of every contract of the registries, and that it validates.",
        (),
        (_FORMAT, _REPORT, _REGISTRY, _QUIET, _CONFIG, _NO_CONFIG),
    ),
    CommandSpec(
        ("derive",),
        "Derive a contract from a repository, or hold a derived one against it.",
        (
            ArgumentSpec(
                "target",
                "OWNER/REPO, OWNER/REPO@REF, a URL of a GitHub repository, or the folder of a local clone.",
                "TARGET",
            ),
        ),
        (
            OptionSpec(("--write", "-o"), "text", "Write the contract here instead of to standard output.", "FILE"),
            OptionSpec(
                ("--interface",),
                "text",
                "Take the schemas from this interface; `none` takes the starter.",
                "KIND[:PATH[#NAME]]",
            ),
            OptionSpec(
                ("--path",),
                "text",
                "One project of a monorepo: README, manifests and interfaces of this folder.",
                "DIR",
            ),
            OptionSpec(("--list-interfaces",), "flag", "List the interfaces that the repository offers."),
            OptionSpec(
                ("--mode",),
                "text",
                "The worker mode, instead of the one that the signals give.",
                "MODE",
                offers="modes",
            ),
            OptionSpec(("--id",), "text", "The worker's id, instead of one made from the repository's name.", "ID"),
            OptionSpec(
                ("--quotes",),
                "text",
                "Whether the repository's sentences are quoted (full, the default) or only cited, by place and digest (none).",
                "full|none",
                ("full", "none"),
            ),
            OptionSpec(("--offline",), "flag", "Use the cache of earlier answers alone."),
            OptionSpec(
                ("--check",), "text", "Look every claim of this contract up again; exit 1 when one drifted.", "FILE"
            ),
            OptionSpec(
                ("--update",), "flag", "With --check: rewrite what drifted, and leave the author's edits alone."
            ),
            OptionSpec(("--exit-zero",), "flag", "Exit 0 even when something drifted."),
            OptionSpec(
                ("--format",),
                "text",
                "How to print.",
                "text|json|sarif|markdown",
                ("text", "json", "sarif", "markdown"),
                "text",
            ),
            _REPORT,
            _QUIET,
        ),
    ),
    CommandSpec(
        ("conformance",),
        "Hold a command that runs contracts against the cases of the conformance kit; without one, workermd itself.",
        (
            ArgumentSpec(
                "program",
                "The command, with {spec}, {input}, {task} and {ledger} where those paths belong.",
                "-- COMMAND",
                many=True,
                required=False,
                after_dashes=True,
            ),
        ),
        (
            OptionSpec(
                ("--runtime",),
                "text",
                "How a runtime is called, its exit codes, claims and known failures; see docs/conformance.md.",
                "FILE",
            ),
            OptionSpec(
                ("--claims",), "many", "The levels to try: core, durable, strict, people, agents, readers.", "LEVELS"
            ),
            OptionSpec(("--case",), "many", "Only this case. Repeatable.", "ID"),
            OptionSpec(("--list-cases",), "flag", "List the cases, their levels and rules, and try none."),
            OptionSpec(("--jobs", "-j"), "count", "Cases at a time. Default: as many as there are cores.", "N"),
            OptionSpec(("--patience",), "number", "Multiply the times that cases allow, on a slow machine.", "FACTOR"),
            OptionSpec(
                ("--format",),
                "text",
                "How to print.",
                "text|json|junit|markdown|badge",
                ("text", "json", "junit", "markdown", "badge"),
                "text",
            ),
            OptionSpec(
                ("--report",), "many", "Write a report of this format to a file besides what is printed.", "FORMAT=FILE"
            ),
            OptionSpec(("--exit-zero",), "flag", "Exit 0 even where a case failed."),
            _QUIET,
        ),
    ),
    CommandSpec(
        ("lsp",),
        "Speak with an editor: diagnostics, hover, completion, fixes, outline, layout. Started by the editor itself.",
        (),
        (
            OptionSpec(("--stdio",), "flag", "Over standard input and output: the default, for editors that say so."),
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    CommandSpec(
        ("rule",),
        "Explain a rule: what it asks, why, and whether it can be mended safely.",
        (ArgumentSpec("code", "The rule's code, such as WM510.", "CODE", offers="rules"),),
        (),
    ),
    CommandSpec(
        ("new",),
        "Write a contract that validates, its input and its task, and say the command that runs it.",
        (ArgumentSpec("name", "The worker's id; the files are called after it.", "NAME"),),
        (
            OptionSpec(
                ("--language",),
                "text",
                "What the task is written in. Default: python.",
                "python|shell|node",
                ("python", "shell", "node"),
            ),
            OptionSpec(("--agent",), "flag", "A contract for an agent with a model: its purpose is the task."),
        ),
    ),
    CommandSpec(("init",), "Write a workermd.toml that shows what it can say, as comments.", (), ()),
    CommandSpec(
        ("docs",),
        "Print a page of the documentation, or the list of pages.",
        (ArgumentSpec("page", "The page, such as validate. Default: a list.", "PAGE", required=False, offers="pages"),),
        (),
    ),
    CommandSpec(
        ("help",),
        "Show the help of a command.",
        (
            ArgumentSpec(
                "words", "The command, such as runs list.", "COMMAND", many=True, required=False, offers="commands"
            ),
        ),
        (),
    ),
    CommandSpec(("version",), "Print the version.", (), ()),
    CommandSpec(
        ("schema",),
        "Print the JSON Schema of a document of ours.",
        (ArgumentSpec("name", "Which one: contract, parsed, envelope, finding or suite.", "NAME", offers="schemas"),),
        (),
    ),
)

EXAMPLES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("run",): (
        "workermd run task.worker.md input.json --backend command -- ./answer.sh",
        "workermd run task.worker.md input.json --function words:run",
        "workermd run task.worker.md input.json --backend chat --model NAME",
        "workermd run task.worker.md input.json --dry-run",
    ),
    ("batch",): (
        "workermd batch task.worker.md inputs.jsonl --function words:run",
        "workermd batch task.worker.md - --jobs 8 -o answers.jsonl --run-id-from /id",
    ),
    ("serve",): ("workermd serve contracts --tokens tokens --port 8420",),
    ("bench",): (
        "workermd bench notes.bench.yaml --report html=notes.html",
        "workermd bench notes.bench.yaml --baseline main.json --subject small",
    ),
    ("fuzz",): (
        "workermd fuzz task.worker.md --function words:run --in-process",
        "workermd fuzz task.worker.md --function words:run --seconds 60 --seed 7",
    ),
    ("validate",): (
        "workermd validate contracts --strict --report sarif=out.sarif",
        "workermd validate task.worker.md --input input.json",
    ),
    ("fmt",): ("workermd fmt contracts --check",),
    ("diff",): (
        "workermd diff old.worker.md new.worker.md",
        "workermd diff git:main:contracts/task.worker.md contracts/task.worker.md",
    ),
    ("approve",): (
        "workermd approve RUN_ID --reason 'she asked for it'",
        "workermd approve RUN_ID --answer blue",
    ),
    ("derive",): (
        "workermd derive OWNER/REPO -o task.worker.md",
        "workermd derive ./clone --interface openapi:api/openapi.json#getPet",
        "workermd derive ./clone --check task.worker.md",
    ),
    ("new",): ("workermd new greet", "workermd new count --language node", "workermd new sum-up --agent"),
    ("runs", "prune"): ("workermd runs prune --older-than 30 --dry-run",),
    ("conformance",): (
        "workermd conformance --claims core,durable",
        "workermd conformance --claims core -- ./runner {spec} {input} {task}",
    ),
}
"""Command to calls that its help shows: each can be read; a test holds them against the table."""
