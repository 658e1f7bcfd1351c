"""The command line as typer shows it: help and completion, built from the table. It reads no call."""

import inspect
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from workermd.cli.table import COMMANDS
from workermd.cli.table.examples import EXAMPLES
from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.report import say

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
  5    retryable_error: transient; error.retryable says whether to retry
  6    needs_human: approval or a decision is required
  7    another status of the contract's own
"""

_GROUPS = {
    "runs": "Look after runs",
    "registry": "Contracts by name",
    "ledger": "Care for the ledger",
    "node": "Machines that share a ledger",
}
_MOST_DEEDS = 5
"""Of a group, in the list of commands."""


_BELOW_A_COMMAND = {
    command.name
    for command in COMMANDS
    if len(command.name) == 2 and any(each.name == command.name[:1] for each in COMMANDS)
}
"""Commands such as `bench score` beside `bench SUITE`: typer has no group that takes an argument, so it knows their names
as one word, and the help of the command before names them."""


def shown(arguments: list[str]) -> int:
    """Print the help that a call asks for, or answer a shell that completes one."""
    if tuple(arguments[:2]) in _BELOW_A_COMMAND:
        arguments = [" ".join(arguments[:2]), *arguments[2:]]
    printed = StringIO()
    code: Any = 0
    try:
        with redirect_stdout(printed):
            _app()(args=arguments, prog_name="workermd", standalone_mode=False)
    except SystemExit as ended:  # a request for completion ends so
        code = ended.code
    say.text(printed.getvalue())
    return int(code or 0)


def _app() -> typer.Typer:
    """The commands as typer shows and completes them; none of them is carried out here."""
    both = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(
        help=_SUMMARY,
        epilog=f"{_EXITS_OF_RUN}\n{_EXITS}",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=both,
    )
    app.callback()(_version)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        place = app
        below = command.name in _BELOW_A_COMMAND
        if len(command.name) == 2 and not below:
            group = command.name[0]
            if group not in groups:
                groups[group] = typer.Typer(rich_markup_mode=None)
                app.add_typer(groups[group], name=group, help=_summary_of(group), context_settings=both)
            place = groups[group]
        describe = place.command(
            " ".join(command.name) if below else command.name[-1],
            cls=_Described,
            hidden=below,
            help=command.summary,
            short_help=command.summary.partition(": ")[0].partition(". ")[0].rstrip(".") + ".",
            epilog=_epilog(command),
            context_settings=both,
        )
        describe(_function(command))
    return app


def _summary_of(group: str) -> str:
    deeds = [command.name[-1] for command in COMMANDS if command.name[0] == group]
    more = " and more" if len(deeds) > _MOST_DEEDS else ""
    return f"{_GROUPS[group]}: {', '.join(deeds[:_MOST_DEEDS])}{more}."


def _epilog(command: CommandSpec) -> str | None:
    examples = "".join(f"  {line}\n" for line in EXAMPLES.get(command.name, ()))
    parts = [f"\b\nExamples:\n{examples}"] if examples else []
    below = [each for each in COMMANDS if each.name in _BELOW_A_COMMAND and each.name[:1] == command.name]
    if below:
        lines = "".join(f"  workermd {' '.join(each.name)} --help\n" for each in below)
        parts.append(f"\b\nSee also:\n{lines}")
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
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Shown in the help; `main` has answered it before typer is loaded."""


def _function(command: CommandSpec) -> Callable[..., None]:
    """A function with the signature that typer reads, made from the table. It is never called."""

    def execute() -> None:
        raise AssertionError("typer shows and completes; the full reader reads")

    parameters = [*map(_argument, command.arguments), *map(_option, command.options)]
    execute.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    execute.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return execute


def _argument(argument: ArgumentSpec) -> inspect.Parameter:
    kind: Any = list[str] if argument.many else str
    default: Any = inspect.Parameter.empty
    if not argument.required:
        kind, default = kind | None, None
    given = typer.Argument(help=argument.help, metavar=argument.metavar, autocompletion=_completing(argument.offers))
    annotation = Annotated[kind, given]
    return inspect.Parameter(argument.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(option: OptionSpec) -> inspect.Parameter:
    kinds: dict[str, Any] = {"flag": bool, "many": list[str] | None}
    kind: Any = kinds.get(option.kind, str | None)
    default: Any = False if option.kind == "flag" else None if option.default is None else str(option.default)
    given = typer.Option(
        *option.flags,
        help=option.help,
        metavar=option.metavar or None,
        autocompletion=_offering(option.choices) if option.choices else _completing(option.offers),
    )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, given]
    )


def _offering(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _completing(offers: str) -> Callable[..., list[str]] | None:
    if not offers:
        return None

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from workermd.cli.completion import OFFERS

        return OFFERS[offers](incomplete, ctx.params)

    return complete
