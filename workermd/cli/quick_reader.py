"""Reads a well-formed call of the table in well under a millisecond; anything else is left to the full reader."""

from typing import Any

from workermd.cli.table import COMMANDS
from workermd.cli.table.form import CommandSpec
from workermd.cli.values import converted, placed
from workermd.protocol.errors import UsageError


def quick(arguments: list[str]) -> tuple[CommandSpec, dict[str, Any]] | None:
    """The command and its values, or None when the full reader should look at the call."""
    for command in COMMANDS:
        if tuple(arguments[: len(command.name)]) == command.name:
            try:
                values = _values(command, arguments[len(command.name) :])
            except UsageError:  # the full reader says it
                return None
            return None if values is None else (command, values)
    return None


def _values(command: CommandSpec, words: list[str]) -> dict[str, Any] | None:
    by_flag = {flag: option for option in command.options for flag in option.flags}
    values = command.initial
    positional: list[str] = []
    after_dashes: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            after_dashes = words[position:]
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
        if word.startswith("-") and word != "-":
            return None  # more likely a forgotten value than one
        value = converted(option, word)
        if option.kind == "many":
            values[option.name] = [*values[option.name], value]
        else:
            values[option.name] = value
    return values | placed(command, positional, after_dashes)
