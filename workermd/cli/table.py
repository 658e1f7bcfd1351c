"""Every command's arguments and options, as data: one table, two readers.

`quick` reads a well-formed call of the table in well under a millisecond. Whatever it is not sure about
(help, abbreviations, mistakes) goes to typer, which is built from the same table and costs as much to
import as several interpreter starts. Both give the same values; a test holds them against each other.
"""

import re
from typing import Any, Literal, NamedTuple

from workermd.protocol.errors import UsageError

Kind = Literal["flag", "text", "number", "count", "many"]

MOST = 10**9
"""The largest number that an option takes: beyond any use, and within what a database and a clock can hold."""


class Option(NamedTuple):
    """`flags` as typed; `name` as the command sees it. `many` collects a repeated option."""

    flags: tuple[str, ...]
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None

    @property
    def name(self) -> str:
        return self.flags[0].removeprefix("--").replace("-", "_")

    @property
    def initial(self) -> Any:
        """The value when the option is not given."""
        if self.kind == "flag":
            return False
        return [] if self.kind == "many" else self.default


class Argument(NamedTuple):
    """A positional argument; `many` takes all that are left, `required` at least one."""

    name: str
    help: str
    metavar: str
    many: bool = False
    required: bool = True


class Command(NamedTuple):
    """`name` is the words typed; `module` has `execute(values) -> int`. `document` commands print one on failure too."""

    name: tuple[str, ...]
    summary: str
    module: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    document: bool = False
    fixed: dict[str, Any] = {}  # noqa: RUF012 - a frozen record's default, never mutated


_QUIET = Option(("--quiet", "-q"), "flag", "Say on standard error only why the call could not be carried out.")
_LEDGER = Option(
    ("--ledger",),
    "text",
    "The ledger file. Default: WORKERMD_LEDGER, else the configuration's, else ~/.local/state/workermd/ledger.db.",
    "FILE",
)
_CONFIG = Option(("--config",), "text", "Read this configuration instead of looking for one.", "FILE")
_NO_CONFIG = Option(("--no-config",), "flag", "Read no configuration.")
_FORMAT = Option(("--format",), "text", "How to print.", "text|json", ("text", "json"), "text")
_RUN_ID = Argument("run_id", "The run's id.", "RUN_ID")
_REGISTRY = Option(("--registry",), "text", "The registry's folder. Default: see docs/registry.md.", "DIR")
_NAMED = Argument("name", "The contract: NAME, or NAME@VERSION.", "NAME")
_BY = Option(("--by",), "text", "Who grants it. Default: the name you are logged in with.", "NAME")
_WORKER = Option(("--worker",), "text", "Only this worker's runs.", "ID")

RUN = Command(
    ("run",),
    "Run a contract: check the input, attempt the task within its bounds, check the output, print it.",
    "workermd.cli.commands.run",
    (
        Argument("spec", "The contract: a worker.md file, or NAME or NAME@VERSION of a registry.", "SPEC"),
        Argument("input", "The input, a JSON file, or - for standard input.", "INPUT"),
        Argument(
            "program",
            "The program of --backend command, or the server of --backend mcp, and its arguments.",
            "-- PROGRAM",
            many=True,
            required=False,
        ),
    ),
    (
        Option(
            ("--backend",),
            "text",
            "What performs the task: function, command, chat, team, ag2, agent-framework, mcp or replay.",
            "KIND",
        ),
        Option(("--function",), "text", "The Python function of --backend function.", "MODULE:CALLABLE"),
        Option(
            ("--model",), "text", "The model, as its endpoint calls it, or one of the configuration's models.", "NAME"
        ),
        Option(
            ("--base-url",),
            "text",
            "The model's OpenAI-compatible endpoint (default: OpenAI's), or the server's of --backend mcp.",
            "URL",
        ),
        Option(("--api-key-env",), "text", "The variable that holds the endpoint's key.", "VARIABLE"),
        Option(
            ("--setting",),
            "many",
            "A setting for the worker. A VALUE that is JSON is taken as JSON. Repeatable.",
            "KEY=VALUE",
        ),
        Option(("--env",), "many", "Pass this variable on to the task. Repeatable.", "NAME"),
        Option(("--secret-env",), "many", "The same, and mask its value in everything written. Repeatable.", "NAME"),
        Option(("--record",), "text", "Keep every attempt in this folder, without secrets.", "DIR"),
        Option(("--replay",), "text", "Give recorded attempts back: nothing is asked, no key is needed.", "DIR"),
        Option(("--verbose", "-v"), "flag", "Show on standard error what agents say and do, as they do it."),
        Option(("--events",), "text", "Append the same to this file, one JSON object a line.", "FILE"),
        Option(("--envelope",), "flag", "Print the record of the run instead of its output."),
        Option(("--run-id",), "text", "The run's id, where the input has none.", "ID"),
        Option(("--new-run-id",), "flag", "A fresh run id (UUIDv7), where the input has none."),
        Option(("--timeout",), "number", "Tighten the contract's timeout_seconds.", "SECONDS"),
        Option(("--max-attempts",), "count", "Tighten the contract's max_attempts.", "N"),
        Option(
            ("--interactive",), "flag", "Ask at this terminal what the run asks a person, and go on with the answer."
        ),
        Option(("--no-wait",), "flag", "When the run is being executed elsewhere, answer run_in_progress at once."),
        Option(("--dry-run",), "flag", "Do everything but the attempt, and say what would run."),
        Option(("--exit-zero",), "flag", "Exit 0 whatever the status; 1, 2 and 130 stay."),
        _QUIET,
        _LEDGER,
        _CONFIG,
        _NO_CONFIG,
    ),
    document=True,
)

VALIDATE = Command(
    ("validate",),
    "Check contracts: everything that makes one unusable or a run unsafe, with its place.",
    "workermd.cli.commands.validate",
    (
        Argument(
            "paths",
            "Files, folders (searched for *.worker.md), globs, NAME or NAME@VERSION of a registry, or - for standard "
            "input.",
            "PATH",
            many=True,
        ),
    ),
    (
        Option(
            ("--format",),
            "text",
            "How to print: text (the default), json, jsonl, sarif, github, junit, markdown.",
            "FORMAT",
            ("text", "json", "jsonl", "sarif", "github", "junit", "markdown"),
        ),
        Option(
            ("--output",),
            "many",
            "Write a report of this format to a file too; - is standard output. Repeatable.",
            "FORMAT=FILE",
        ),
        Option(("--input",), "text", "Check this document against the input schema, without running.", "FILE"),
        Option(("--output-file",), "text", "Check this document against the output schema.", "FILE"),
        Option(("--select",), "many", "Only these rules: codes or how codes begin, WM1,WM203. Repeatable.", "CODES"),
        Option(("--ignore",), "many", "Not these rules. Repeatable.", "CODES"),
        Option(
            ("--fail-on",),
            "text",
            "The mildest finding that makes the exit code 1.",
            "error|warning|info",
            ("error", "warning", "info"),
            "error",
        ),
        Option(("--strict",), "flag", "The same as --fail-on warning."),
        Option(("--baseline",), "text", "Accept the findings that this file lists.", "FILE"),
        Option(("--baseline-update",), "flag", "Write the baseline from what is found now."),
        Option(("--fix",), "flag", "Make the safe fixes: those that leave the meaning as it is."),
        Option(("--diff",), "flag", "Print the safe fixes as a diff and write nothing; exit 1 where there are some."),
        Option(("--exit-zero",), "flag", "Exit 0 even when there are findings."),
        _QUIET,
        _CONFIG,
        _NO_CONFIG,
    ),
)

DIFF = Command(
    ("diff",),
    "Say what changed in meaning between two versions of a contract, and whether the version says so.",
    "workermd.cli.commands.diff",
    (
        Argument(
            "old",
            "The contract before: a file, a name of a registry, git:REV:path from the repository's root, or -.",
            "OLD",
        ),
        Argument("new", "The contract now, named likewise.", "NEW"),
    ),
    (
        Option(
            ("--format",),
            "text",
            "How to print.",
            "text|json|sarif|markdown",
            ("text", "json", "sarif", "markdown"),
            "text",
        ),
        Option(
            ("--fail-on",),
            "text",
            "What makes the exit 1: a major bump that is missing (missing-major), any breaking change (breaking), any "
            "bump that is missing (missing-bump), or any change at all (any).",
            "WHAT",
            ("missing-major", "breaking", "missing-bump", "any"),
            "missing-major",
        ),
        Option(("--exit-zero",), "flag", "Exit 0 whatever changed."),
        _QUIET,
    ),
)

FMT = Command(
    ("fmt",),
    "Lay contracts out: keys and constraints in order, schemas indented, prose as it is. Only files without errors.",
    "workermd.cli.commands.fmt",
    (
        Argument(
            "paths", "Files, folders, globs, or - for standard input, printed to standard output.", "PATH", many=True
        ),
    ),
    (
        Option(("--check",), "flag", "Write nothing; exit 1 when a file would change."),
        Option(("--diff",), "flag", "Write nothing; print what would change."),
        Option(("--to",), "text", "Convert the site's shape into the registry's.", "registry", ("registry",)),
        _QUIET,
    ),
)

DOCTOR = Command(
    ("doctor",),
    "Say what is installed, what the configuration says and where it came from, and whether it would work.",
    "workermd.cli.commands.doctor",
    (),
    (
        Option(("--json",), "flag", "Print a JSON document."),
        Option(("--offline",), "flag", "Ask no endpoint whether it answers."),
        Option(("--exit-zero",), "flag", "Exit 0 also where something would not work."),
        _LEDGER,
        _CONFIG,
        _NO_CONFIG,
    ),
)

COMMANDS: tuple[Command, ...] = (
    RUN,
    VALIDATE,
    FMT,
    DIFF,
    DOCTOR,
    Command(
        ("runs", "list"),
        "List runs, the newest first.",
        "workermd.cli.commands.runs",
        (),
        (
            _WORKER,
            Option(("--status",), "text", "Only runs with this status, or waiting, or running.", "STATUS"),
            Option(("--limit",), "count", "At most this many.", "N", default=50),
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
        fixed={"deed": "list"},
    ),
    Command(
        ("runs", "show"),
        "Show one run and its attempts as a timeline.",
        "workermd.cli.commands.runs",
        (_RUN_ID,),
        (_WORKER, _FORMAT, _LEDGER, _CONFIG, _NO_CONFIG),
        fixed={"deed": "show"},
    ),
    Command(
        ("runs", "pending"),
        "List what waits for a person's decision, the oldest first.",
        "workermd.cli.commands.people",
        (),
        (_WORKER, _FORMAT, _LEDGER, _CONFIG, _NO_CONFIG),
        fixed={"deed": "pending"},
    ),
    Command(
        ("runs", "reopen"),
        "Grant a settled run further starts; who and why are recorded.",
        "workermd.cli.commands.runs",
        (_RUN_ID,),
        (
            _BY,
            Option(("--reason",), "text", "Why.", "TEXT"),
            Option(("--attempts",), "count", "How many further starts.", "N", default=1),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
        fixed={"deed": "reopen"},
    ),
    Command(
        ("runs", "prune"),
        "Remove finished runs. Their keys are forgotten: the same run_id would run again.",
        "workermd.cli.commands.runs",
        (),
        (
            Option(("--older-than",), "number", "Only runs settled more than this many days ago.", "DAYS"),
            Option(("--all",), "flag", "All finished runs."),
            _WORKER,
            Option(("--dry-run",), "flag", "Only say how many."),
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
        fixed={"deed": "prune"},
    ),
    Command(
        ("approve",),
        "Decide what a run asks a person: approve it, deny it or answer it. One further start is granted; run it again.",
        "workermd.cli.commands.people",
        (_RUN_ID,),
        (
            Option(("--deny",), "flag", "Deny it. The next attempt is told, and goes on without."),
            Option(("--final",), "flag", "With --deny: grant no start; the run is settled as approval_denied."),
            Option(("--answer",), "text", "Answer this; one of the options where the request has any.", "TEXT"),
            _BY,
            Option(("--reason",), "text", "Why.", "TEXT"),
            Option(("--request",), "text", "Decide only if this request is the open one.", "ID"),
            _WORKER,
            _FORMAT,
            _LEDGER,
            _CONFIG,
            _NO_CONFIG,
        ),
        fixed={"deed": "approve"},
    ),
    Command(
        ("registry", "list"),
        "List the contracts of the registries.",
        "workermd.cli.commands.registry",
        (),
        (_FORMAT, _REGISTRY, _CONFIG, _NO_CONFIG),
        fixed={"deed": "list"},
    ),
    Command(
        ("registry", "search"),
        "List the contracts whose id, name, tags or purpose hold a text.",
        "workermd.cli.commands.registry",
        (Argument("text", "The text, in any case.", "TEXT"),),
        (_FORMAT, _REGISTRY, _CONFIG, _NO_CONFIG),
        fixed={"deed": "search"},
    ),
    Command(
        ("registry", "show"),
        "Print a contract of a registry, its digest checked.",
        "workermd.cli.commands.registry",
        (_NAMED,),
        (_REGISTRY, _CONFIG, _NO_CONFIG),
        fixed={"deed": "show"},
    ),
    Command(
        ("registry", "add"),
        "Put a contract into a registry; of a saved registry page, the contract that it shows.",
        "workermd.cli.commands.registry",
        (Argument("file", "The contract or the saved page, or - for standard input.", "FILE"),),
        (
            Option(("--name",), "text", "The name in the registry. Default: the contract's id.", "NAME"),
            Option(("--registry",), "text", "The registry's folder.", "DIR", default="registry"),
            _QUIET,
        ),
        fixed={"deed": "add"},
    ),
    Command(
        ("registry", "verify"),
        "Check the digest of every contract of the registries, and that it validates.",
        "workermd.cli.commands.registry",
        (),
        (_FORMAT, _REGISTRY, _QUIET, _CONFIG, _NO_CONFIG),
        fixed={"deed": "verify"},
    ),
    Command(
        ("derive",),
        "Derive a contract from a repository, or hold a derived one against it.",
        "workermd.cli.commands.derive",
        (
            Argument(
                "target",
                "OWNER/REPO, OWNER/REPO@REF, a URL of a GitHub repository, or the folder of a local clone.",
                "TARGET",
            ),
        ),
        (
            Option(("--write", "-o"), "text", "Write the contract here instead of to standard output.", "FILE"),
            Option(("--interface",), "text", "Take the schemas from this interface.", "KIND[:PATH[#NAME]]"),
            Option(("--list-interfaces",), "flag", "List the interfaces that the repository offers."),
            Option(("--mode",), "text", "The worker mode, instead of the one that the signals give.", "MODE"),
            Option(("--id",), "text", "The worker's id, instead of one made from the repository's name.", "ID"),
            Option(
                ("--quotes",),
                "text",
                "Whether the repository's sentences are quoted (full, the default) or only cited, by place and digest (none).",
                "full|none",
                ("full", "none"),
            ),
            Option(("--offline",), "flag", "Use the cache of earlier answers alone."),
            Option(
                ("--check",), "text", "Look every claim of this contract up again; exit 1 when one drifted.", "FILE"
            ),
            Option(("--update",), "flag", "With --check: rewrite what drifted, and leave the author's edits alone."),
            Option(("--exit-zero",), "flag", "Exit 0 even when something drifted."),
            Option(
                ("--format",),
                "text",
                "How to print.",
                "text|json|sarif|markdown",
                ("text", "json", "sarif", "markdown"),
                "text",
            ),
            _QUIET,
        ),
    ),
    Command(
        ("lsp",),
        "Speak with an editor: diagnostics, hover, completion, fixes, outline, layout. Started by the editor itself.",
        "workermd.cli.commands.lsp",
        (),
        (
            Option(("--stdio",), "flag", "Over standard input and output: the default, for editors that say so."),
            _CONFIG,
            _NO_CONFIG,
        ),
    ),
    Command(
        ("rule",),
        "Explain a rule: what it asks, why, and whether it can be mended safely.",
        "workermd.cli.commands.rule",
        (Argument("code", "The rule's code, such as WM510.", "CODE"),),
        (),
    ),
    Command(
        ("schema",),
        "Print the JSON Schema of a document of ours.",
        "workermd.cli.commands.schema",
        (Argument("name", "Which one: contract, envelope or finding.", "NAME"),),
        (),
    ),
)


def quick(arguments: list[str]) -> tuple[Command, dict[str, Any]] | None:
    """The command and its values, or None when typer should read the call."""
    for command in COMMANDS:
        if tuple(arguments[: len(command.name)]) == command.name:
            values = _values(command, arguments[len(command.name) :])
            return None if values is None else (command, values)
    return None


def _values(command: Command, words: list[str]) -> dict[str, Any] | None:
    by_flag = {flag: option for option in command.options for flag in option.flags}
    values: dict[str, Any] = {option.name: option.initial for option in command.options} | command.fixed
    positional: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            positional += words[position:]
            break
        if word == "-" or not word.startswith("-"):
            positional.append(word)
            continue
        option = by_flag.get(word)
        if option is None:
            return None
        if option.kind == "flag":
            values[option.name] = True
            continue
        if position == len(words):
            return None
        word = words[position]
        position += 1
        if word.startswith("-") and option.kind not in ("number", "count"):
            return None  # more likely a forgotten value than one
        try:
            value = converted(option, word)
        except UsageError:
            return None
        if option.kind == "many":
            values[option.name] = [*values[option.name], value]
        else:
            values[option.name] = value
    return _placed(command, positional, values)


def converted(option: Option, word: str) -> Any:
    """The value that a word on the command line stands for. Raises UsageError."""
    if option.choices and word not in option.choices:
        raise UsageError(f"{option.flags[0]}: found {word[:40]!r}", f"allowed: {', '.join(option.choices)}")
    if option.kind == "count":
        # int() and float() take more than anybody means: blanks, 1_000, nan, digits of other scripts.
        if re.fullmatch("[0-9]{1,18}", word) and int(word) <= MOST:
            return int(word)
        raise UsageError(f"{option.flags[0]}: found {word[:40]!r}", f"allowed: a whole number from 0 to {MOST:,}")
    if option.kind == "number":
        if re.fullmatch(r"[0-9]{0,18}\.?[0-9]{1,18}", word) and float(word) <= MOST:
            return float(word)
        raise UsageError(
            f"{option.flags[0]}: found {word[:40]!r}", f"allowed: a number from 0 to {MOST:,}, such as 2.5"
        )
    return word


def _placed(command: Command, positional: list[str], values: dict[str, Any]) -> dict[str, Any] | None:
    for argument in command.arguments:
        if argument.many:
            if argument.required and not positional:
                return None
            values[argument.name] = positional
            positional = []
        elif positional:
            values[argument.name] = positional[0]
            positional = positional[1:]
        else:
            return None
    return None if positional else values
