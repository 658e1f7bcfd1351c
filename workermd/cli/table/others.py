"""The installation, editors, beginnings, explanations."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.shared import CONFIG, LEDGER, NO_CONFIG

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
        LEDGER,
        CONFIG,
        NO_CONFIG,
    ),
)

OTHERS = (
    CommandSpec(
        ("lsp",),
        "Speak with an editor: diagnostics, hover, completion, fixes, outline, layout. Started by the editor itself.",
        (),
        (
            OptionSpec(("--stdio",), "flag", "Over standard input and output: the default, for editors that say so."),
            CONFIG,
            NO_CONFIG,
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
    CommandSpec(
        ("import",),
        "Write the contract, the binding and the tools of a team of AutoGen's or AutoGen Studio's.",
        (ArgumentSpec("file", "A component file of a team, or a gallery of AutoGen Studio.", "TEAM.json"),),
        (
            OptionSpec(("--team",), "text", "Which team of a gallery, by its label.", "LABEL"),
            OptionSpec(
                ("--name",), "text", "The worker's id; the files are called after it. Default: the label.", "NAME"
            ),
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
