"""The command line as typer sees it: built from the table of arguments, for help, completion and mistakes."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from workermd import __version__
from workermd.arguments import COMMANDS, Argument, Command, Option
from workermd.errors import UsageError
from workermd.report import say

Perform = Callable[[Command, dict[str, Any]], int]

_SUMMARY = "Run worker.md contracts: one bounded, auditable step, its input and output checked, its limits kept."

_EPILOG = (
    "Exit codes of run: 0 ok, 3 invalid_request, 4 invalid_output, 5 retryable_error, 6 needs_human, "
    "7 a status of the contract's own. Of every command: 0 clean, 1 findings or a fault of workermd, "
    "2 usage, configuration or an unusable contract, 130 interrupted."
)


def call(arguments: list[str], perform: Perform) -> int:
    """Read the call with typer and carry it out. Raises UsageError for a mistake in it."""
    codes: list[int] = []
    app = _app(perform, codes)
    try:
        app(args=arguments or ["--help"], prog_name="workermd", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "workermd"
        raise UsageError(error.format_message().rstrip("."), f"see: {where} --help") from None
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return 130
    return codes[-1] if codes else 0


def _app(perform: Perform, codes: list[int]) -> typer.Typer:
    app = typer.Typer(help=_SUMMARY, epilog=_EPILOG, rich_markup_mode=None, no_args_is_help=True)
    app.callback()(_version)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        place = app
        if len(command.name) == 2:
            group = command.name[0]
            if group not in groups:
                groups[group] = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
                app.add_typer(groups[group], name=group, help=f"Look after {group}.")
            place = groups[group]
        place.command(command.name[-1], help=command.summary)(_function(command, perform, codes))
    return app


def _version(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    if version:
        say.text(f"workermd {__version__}\n")
        raise typer.Exit


def _function(command: Command, perform: Perform, codes: list[int]) -> Callable[..., None]:
    """A function with the signature that typer reads, made from the table."""

    def execute(**values: Any) -> None:
        given = {name: [] if value is None and name in lists else value for name, value in values.items()}
        codes.append(perform(command, given | command.fixed))

    parameters = [*map(_argument, command.arguments), *map(_option, command.options)]
    lists = {each.name for each in command.arguments if each.many} | {
        each.name for each in command.options if each.kind == "many"
    }
    execute.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    execute.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return execute


def _argument(argument: Argument) -> inspect.Parameter:
    kind: Any = list[str] if argument.many else str
    default: Any = inspect.Parameter.empty
    if not argument.required:
        kind, default = kind | None, None
    annotation = Annotated[kind, typer.Argument(help=argument.help, metavar=argument.name.upper())]
    return inspect.Parameter(argument.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(option: Option) -> inspect.Parameter:
    kinds: dict[str, Any] = {"flag": bool, "text": str, "number": float, "count": int, "many": list[str]}
    kind = Literal[option.choices] if option.choices else kinds[option.kind]
    default: Any = option.default
    if option.kind == "flag":
        default = False
    elif option.default is None:
        kind = kind | None
    given = typer.Option(*option.flags, help=option.help, metavar=None if option.choices else option.metavar or None)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, given]
    )
