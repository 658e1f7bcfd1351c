"""Reads every call of the table, with argparse: the rarer forms (`--format=json`, `-qv`), and every mistake in our words."""

import argparse
from typing import Any, NoReturn

from workermd.cli.table import COMMANDS
from workermd.cli.table.form import CommandSpec, OptionSpec
from workermd.cli.values import converted, help_of, nearest, placed
from workermd.protocol.errors import UsageError

GROUPS = tuple({command.name[0]: None for command in COMMANDS if len(command.name) == 2})
"""The first words of commands that have two."""

ELSEWHERE = {
    "check": "validate",
    "lint": "validate",
    "format": "fmt",
    "explain": "rule",
    "list": "runs list",
    "ls": "runs list",
    "ps": "runs list",
    "logs": "runs show",
    "show": "runs show",
    "search": "registry search",
    "deny": "approve",
    "exec": "run",
    "compare": "diff",
    "create": "new",
    "scaffold": "new",
    "generate": "new",
    "start": "serve",
    "config": "init",
}
"""What other programs call what we have, to our command for it."""

OPTIONS_ELSEWHERE = {
    "--force": "--again",
    "--rerun": "--again",
    "--retry": "--again",
    "--fresh": "--scratch",
    "--no-cache": "--scratch",
    "--json": "--format",
    "--out": "--write",
}
"""The same of options, for the commands that have ours."""


def read(arguments: list[str]) -> tuple[CommandSpec, dict[str, Any]]:
    """The command and its values. Raises UsageError, which names what was found, what is allowed and what is near."""
    command = _command(arguments)
    words = arguments[len(command.name) :]
    ends = words.index("--") if "--" in words else len(words)
    given, others = _Reader(command).values(words[:ends])
    _refuse_unknown(command, others)
    return command, command.initial | vars(given) | placed(command, others, words[ends + 1 :])


def help_wanted(arguments: list[str]) -> list[str] | None:
    """The call of the help that is asked for; None where none is. Raises UsageError for help of what there is not."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asked = "--help" in before or "-h" in before
    if tuple(arguments) in {(), *((group,) for group in GROUPS)}:
        return [*arguments, "--help"]
    if not asked:
        return None
    words = [word for word in before if not word.startswith("-")]
    if words[:1] and words[0] in GROUPS and len(words) == 1:
        return [*words, "--help"]
    return [*(_command(words).name if words else ()), "--help"]


def _command(arguments: list[str]) -> CommandSpec:
    for command in COMMANDS:
        if tuple(arguments[: len(command.name)]) == command.name:
            return command
    group = arguments[0] if arguments[0] in GROUPS else ""
    word = arguments[1] if group else arguments[0]
    where = f"see: workermd {f'{group} ' if group else ''}--help"
    if word.startswith("-"):
        raise UsageError(f"there is no option {word[:40]!r} before a command", where)
    if group:
        meant = nearest(word, [command.name[1] for command in COMMANDS if command.name[0] == group])
    else:
        near = nearest(word, [*(" ".join(command.name) for command in COMMANDS), *GROUPS])
        meant = ELSEWHERE.get(word) or near
    raise UsageError(f"there is no command {word[:40]!r}", f"did you mean '{meant}'? {where}" if meant else where)


def _refuse_unknown(command: CommandSpec, words: list[str]) -> None:
    """Before `--` nothing but options begins with a dash; a lone dash is a name."""
    for word in words:
        if word.startswith("-") and word != "-":
            flag = word.partition("=")[0]
            flags = [flag for option in command.options for flag in option.flags]
            elsewhere = OPTIONS_ELSEWHERE.get(flag, "")
            near = elsewhere if elsewhere in flags else nearest(flag, flags)
            hint = f"did you mean {near}? {help_of(command)}" if near else help_of(command)
            raise UsageError(f"there is no option {flag[:40]!r}", hint)


class _Reader(argparse.ArgumentParser):
    """The options of one command; everything else is left in order. Gives the values of those that are named."""

    def __init__(self, command: CommandSpec) -> None:
        super().__init__(
            add_help=False, allow_abbrev=False, exit_on_error=False, argument_default=argparse.SUPPRESS, usage=""
        )
        self._command = command
        for option in command.options:
            self.add_argument(*option.flags, dest=option.name, **_form(option))

    def values(self, words: list[str]) -> tuple[argparse.Namespace, list[str]]:
        """The options that are given, and the words that belong to none. Raises UsageError."""
        empty = next((word for word in words if word.startswith("--") and word.endswith("=--")), "")
        if empty:  # argparse would take the dashes away and leave no text
            raise UsageError(f"{empty[:-3]} needs a value after it", help_of(self._command))
        try:
            return self.parse_known_args(words)
        except argparse.ArgumentError as error:
            flags = (error.argument_name or "").split("/")
            option = next(each for each in self._command.options if each.flags[0] in flags)
            problem = "takes no value" if option.kind == "flag" else "needs a value after it"
            raise UsageError(f"{option.flags[0]} {problem}", help_of(self._command)) from None

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, help_of(self._command))


def _form(option: OptionSpec) -> dict[str, Any]:
    if option.kind == "flag":
        return {"action": "store_true"}
    action = "append" if option.kind == "many" else "store"
    return {"action": action, "type": lambda word: converted(option, word)}
