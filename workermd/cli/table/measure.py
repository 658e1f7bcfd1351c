"""What is measured and searched: suites, inputs that break a worker, another runtime."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.run import LIKE_RUN, RUN
from workermd.cli.table.shared import CONFIG, LEDGER, NO_CONFIG, QUIET, REPORT

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
    REPORT,
    OptionSpec(("--exit-zero",), "flag", "Exit 0 whatever the gate says."),
    next(option for option in RUN.options if option.flags[0] == "--sandbox"),
    QUIET,
    LEDGER,
    CONFIG,
    NO_CONFIG,
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
            QUIET,
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
        REPORT,
        *(
            option
            for option in RUN.options
            if option.flags[0] in LIKE_RUN - {"--tag", "--run-id-from", "--timeout", "--max-attempts"}
        ),
    ),
)

CONFORMANCE = CommandSpec(
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
        QUIET,
    ),
)
