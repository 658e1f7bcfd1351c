"""Contracts as files: checked, laid out, compared, derived, kept in registries."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.shared import CONFIG, FORMAT, NAMED, NO_CONFIG, QUIET, REGISTRY, REPORT

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
        REPORT,
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
        OptionSpec(
            ("--jobs", "-j"), "count", "Processes that check side by side. Default: as many as there are cores.", "N"
        ),
        OptionSpec(("--baseline",), "text", "Accept the findings that this file lists.", "FILE"),
        OptionSpec(("--baseline-update",), "flag", "Write the baseline from what is found now."),
        OptionSpec(("--fix",), "flag", "Make the safe fixes: those that leave the meaning as it is."),
        OptionSpec(
            ("--diff",), "flag", "Print the safe fixes as a diff and write nothing; exit 1 where there are some."
        ),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 even when there are findings."),
        QUIET,
        CONFIG,
        NO_CONFIG,
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
        QUIET,
        CONFIG,
        NO_CONFIG,
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
        REPORT,
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
        QUIET,
    ),
)

DERIVE = CommandSpec(
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
            ("--registry-url",),
            "text",
            "Address of the registry that the contract goes into: `source_registry_url` is its page there.",
            "URL",
        ),
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
        OptionSpec(("--update",), "flag", "With --check: rewrite what drifted, and leave the author's edits alone."),
        OptionSpec(("--exit-zero",), "flag", "Exit 0 even when something drifted."),
        OptionSpec(
            ("--format",),
            "text",
            "How to print.",
            "text|json|sarif|markdown",
            ("text", "json", "sarif", "markdown"),
            "text",
        ),
        REPORT,
        QUIET,
    ),
)

REGISTRY_COMMANDS = (
    CommandSpec(
        ("registry", "list"),
        "List the contracts of the registries.",
        (),
        (FORMAT, REGISTRY, CONFIG, NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "search"),
        "List the contracts whose id, name, tags or purpose hold a text.",
        (ArgumentSpec("text", "The text, in any case.", "TEXT"),),
        (FORMAT, REGISTRY, CONFIG, NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "show"),
        "Print a contract of a registry, its digest checked.",
        (NAMED,),
        (REGISTRY, CONFIG, NO_CONFIG),
    ),
    CommandSpec(
        ("registry", "add"),
        "Put a contract into a registry; of a saved registry page, the contract that it shows.",
        (ArgumentSpec("file", "The contract or the saved page, or - for standard input.", "FILE"),),
        (
            OptionSpec(("--name",), "text", "The name in the registry. Default: the contract's id.", "NAME"),
            OptionSpec(("--registry",), "text", "The registry's folder.", "DIR", default="registry"),
            QUIET,
        ),
    ),
    CommandSpec(
        ("registry", "verify"),
        "Check the digest of every contract of the registries, and that it validates.",
        (),
        (FORMAT, REPORT, REGISTRY, QUIET, CONFIG, NO_CONFIG),
    ),
)
