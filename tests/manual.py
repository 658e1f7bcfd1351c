"""`workermd.1`, the manual page, from the table of commands. `python -m tests.reference` writes it."""

from collections.abc import Iterator

from workermd.cli.table import COMMANDS
from workermd.cli.table.examples import EXAMPLES
from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec

EXITS = (
    ("0", "ok, or a status of the contract's success_statuses; nothing found"),
    ("1", "findings, or a fault of workermd"),
    ("2", "usage, configuration, or an unusable contract or ledger"),
    ("3", "invalid_request"),
    ("4", "invalid_output"),
    ("5", "retryable_error"),
    ("6", "needs_human"),
    ("7", "another status of the contract's own"),
    ("130", "interrupted"),
)


def _text(text: str) -> str:
    """A line of text: nothing in it is an instruction."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _bold(text: str) -> str:
    return f"\\fB{_text(text)}\\fR"


def _usage(command: CommandSpec) -> str:
    def word(argument: ArgumentSpec) -> str:
        shown = f"\\fI{_text(argument.metavar)}\\fR" + ("..." if argument.many else "")
        return shown if argument.required else f"[{shown}]"

    parts = [_bold(" ".join(("workermd", *command.name))), *map(word, command.arguments)]
    return " ".join([*parts, *["[\\fIOPTION\\fR...]"] * bool(command.options)])


def _option(option: OptionSpec) -> str:
    value = f" \\fI{_text(option.metavar)}\\fR" if option.metavar else " \\fIN\\fR" if option.kind == "count" else ""
    return ", ".join(_bold(flag) + value for flag in option.flags)


def _command(command: CommandSpec) -> Iterator[str]:
    yield f".SS {_text(' '.join(command.name))}\n{_usage(command)}\n.PP\n{_text(command.summary)}\n"
    for argument in command.arguments:
        yield f".TP\n\\fI{_text(argument.metavar)}\\fR\n{_text(argument.help)}\n"
    for option in command.options:
        yield f".TP\n{_option(option)}\n{_text(option.help)}\n"
    for example in EXAMPLES.get(command.name, ()):
        yield f".PP\n.nf\n{_text(example)}\n.fi\n"


def page() -> str:
    exits = "".join(f".TP\n{code}\n{_text(meaning)}\n" for code, meaning in EXITS)
    return (
        '.\\" Written by `python -m tests.reference` from workermd/cli/table/, never by hand.\n'
        '.TH WORKERMD 1 "" "workermd" "User Commands"\n'
        ".SH NAME\nworkermd \\- run worker.md contracts, one bounded and auditable step at a time\n"
        ".SH SYNOPSIS\n\\fBworkermd\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n"
        ".SH DESCRIPTION\nA worker.md contract has a purpose, a JSON Schema for the input, another for the output, and constraints.\n"
        "workermd checks the input, keeps the constraints, never does the same run twice, and checks the output.\n"
        ".SH COMMANDS\n"
        + "".join(part for command in COMMANDS for part in _command(command))
        + f".SH EXIT STATUS\n{exits}"
        + ".SH FILES\n.TP\nworkermd.toml\nThe configuration, found from the working directory upward.\n"
        + ".TP\n~/.local/state/workermd/ledger.db\nThe ledger, where nothing else is named.\n"
        + ".SH SEE ALSO\n\\fBworkermd docs\\fR prints the pages that messages cite.\n"
    )
