"""The command line as typer sees it: built from the table of arguments, for help, completion and mistakes."""

import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from workermd import __version__
from workermd.cli.table import COMMANDS, Argument, Command, Option, converted
from workermd.protocol.errors import UsageError
from workermd.report import say

Perform = Callable[[Command, dict[str, Any]], int]

_SUMMARY = "Run worker.md contracts: one bounded, auditable step, its input and output checked, its limits kept."

_EXITS = """\b
Exit codes of every command:
  0    done; for validate: no errors
  1    validate: errors found; or a fault of workermd itself
  2    usage, configuration, ledger, or a contract that cannot be used
  130  interrupted
"""

_EXITS_OF_RUN = """\b
Exit codes of run:
  0    ok, or a status of the contract's success_statuses
  3    invalid_request: the input is unusable; do not retry unchanged
  4    invalid_output: no valid output, or the task failed for good
  5    retryable_error: a transient failure or the deadline; safe to retry
  6    needs_human: approval or a decision is required
  7    another status of the contract's own
"""

EXAMPLES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("run",): (
        "workermd run task.worker.md input.json --backend command -- ./answer.sh",
        "workermd run task.worker.md input.json --function words:run",
        "workermd run task.worker.md input.json --backend chat --model NAME",
        "workermd run task.worker.md input.json --dry-run",
    ),
    ("validate",): (
        "workermd validate contracts --strict --output sarif=out.sarif",
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
    ("runs", "prune"): ("workermd runs prune --older-than 30 --dry-run",),
}
"""Command to calls that its help shows: each can be read; a test holds them against the table."""

_GROUPS = {"runs": "Look after runs", "registry": "Contracts by name"}

_WORDS = {
    "No such command": "there is no command",
    "Got unexpected extra argument(s)": "there are more arguments than the command takes:",
    ". Did you mean": "; did you mean",
}
"""Typer's words for the mistakes that have no kind of their own, and ours."""


def call(arguments: list[str], perform: Perform) -> int:
    """Read the call with typer and carry it out. Raises UsageError for a mistake in it."""
    calls: list[tuple[Command, dict[str, Any]]] = []
    printed = StringIO()
    code: Any = 0
    try:
        with redirect_stdout(printed):
            code = _app(calls)(args=arguments, prog_name="workermd", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ != "NoArgsIsHelpError":
            where = context.command_path if context else _command_path(arguments)
            raise UsageError(_mistake(error), f"see: {where} --help") from None
        printed.write(f"{error.message}\n")  # `workermd` or `workermd runs` alone
    except SystemExit as ended:  # a request for completion ends so
        code = ended.code
    # Typer has only read the call: what it wants to say, and what there is to do, fails in our way alone.
    say.text(printed.getvalue())
    return perform(*calls[0]) if calls else code or 0


def _command_path(arguments: list[str]) -> str:
    """As much of the call as names a command: typer does not say where an option lacks its value."""
    named = [command.name for command in COMMANDS if tuple(arguments[: len(command.name)]) == command.name]
    return " ".join(("workermd", *(named[0] if named else ())))


def _mistake(error: typer.TyperException) -> str:
    """One line in our words for the mistakes that can be made; typer's own words for any other."""
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", "")
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        return f"{parameter.metavar} is missing"
    if type(error).__name__ == "NoSuchOption":
        near = " or ".join(getattr(error, "possibilities", None) or ())
        return f"there is no option {option[:40]!r}" + (f"; did you mean {near}?" if near else "")
    if type(error).__name__ == "BadOptionUsage":
        return f"{option} " + ("takes no value" if "not take" in error.message else "needs a value after it")
    message = error.format_message().rstrip(".")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message


def _app(calls: list[tuple[Command, dict[str, Any]]]) -> typer.Typer:
    """The commands; the one that is called puts itself and its values into `calls`."""
    app = typer.Typer(
        help=_SUMMARY,
        epilog=f"{_EXITS_OF_RUN}\n{_EXITS}",
        rich_markup_mode=None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_version)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        place = app
        if len(command.name) == 2:
            group = command.name[0]
            if group not in groups:
                groups[group] = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
                app.add_typer(groups[group], name=group, help=_summary_of(group))
            place = groups[group]
        describe = place.command(
            command.name[-1],
            cls=_Described,
            help=command.summary,
            short_help=command.summary.partition(": ")[0].partition(". ")[0].rstrip(".") + ".",
            epilog=_epilog(command),
        )
        describe(_function(command, calls))
    return app


def _summary_of(group: str) -> str:
    deeds = ", ".join(command.name[-1] for command in COMMANDS if command.name[0] == group)
    return f"{_GROUPS[group]}: {deeds}."


def _epilog(command: Command) -> str | None:
    examples = "".join(f"  {line}\n" for line in EXAMPLES.get(command.name, ()))
    parts = [f"\b\nExamples:\n{examples}"] if examples else []
    if command.name == ("run",):
        parts.append(_EXITS_OF_RUN)
    return "\n".join(parts) or None


class _Described(TyperCommand):
    """A command's help without the types that typer adds to every argument: `SPEC <str>`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the name is typer's
        pieces = [self.options_metavar or ""]
        for argument in self._arguments():
            several = "..." if argument.nargs != 1 else ""
            pieces.append(f"{argument.metavar}{several}" if argument.required else f"[{argument.metavar}{several}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections = {
            "Arguments": [(each.metavar, each.help) for each in self._arguments()],
            "Options": [record for each in self.get_params(ctx) if (record := each.get_help_record(ctx))],
        }
        sections["Options"] = sections["Options"][len(sections["Arguments"]) :]
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _arguments(self) -> list[Any]:
        return [each for each in self.params if each.param_type_name == "argument"]


def _version(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"workermd {__version__}\n")
        raise typer.Exit


def _function(command: Command, calls: list[tuple[Command, dict[str, Any]]]) -> Callable[..., None]:
    """A function with the signature that typer reads, made from the table. Typer sees words; we convert them."""

    def execute(**words: Any) -> None:
        values = {argument.name: words[argument.name] for argument in command.arguments}
        values |= {argument.name: list(words[argument.name] or ()) for argument in command.arguments if argument.many}
        for option in command.options:
            word = words[option.name]
            if option.kind == "many":
                values[option.name] = list(word or ())
            elif option.kind == "flag" or word is None:
                values[option.name] = word
            else:
                values[option.name] = converted(option, word)
        calls.append((command, values | command.fixed))

    parameters = [*map(_argument, command.arguments), *map(_option, command.options)]
    execute.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    execute.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return execute


def _argument(argument: Argument) -> inspect.Parameter:
    kind: Any = list[str] if argument.many else str
    default: Any = inspect.Parameter.empty
    if not argument.required:
        kind, default = kind | None, None
    annotation = Annotated[kind, typer.Argument(help=argument.help, metavar=argument.metavar)]
    return inspect.Parameter(argument.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(option: Option) -> inspect.Parameter:
    kinds: dict[str, Any] = {"flag": bool, "many": list[str] | None}
    kind: Any = kinds.get(option.kind, str | None)
    default: Any = False if option.kind == "flag" else None if option.default is None else str(option.default)
    given = typer.Option(
        *option.flags,
        help=option.help,
        metavar=option.metavar or None,
        autocompletion=_offering(option.choices) if option.choices else None,
    )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, given]
    )


def _offering(choices: tuple[str, ...]) -> Callable[[], list[str]]:
    return lambda: list(choices)
