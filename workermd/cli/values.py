"""The words of a call become values: numbers, choices, arguments in their places. Both readers use the same functions."""

import re
from typing import Any

from workermd.cli.table.form import MOST, CommandSpec, OptionSpec
from workermd.protocol.errors import UsageError


def converted(option: OptionSpec, word: str) -> Any:
    """The value that a word on the command line stands for. Raises UsageError."""
    if option.choices and word not in option.choices:
        allowed = f"allowed: {', '.join(option.choices)}"
        near = nearest(word, option.choices)
        raise UsageError(
            f"{option.flags[0]}: found {word[:40]!r}", f"did you mean {near}? {allowed}" if near else allowed
        )
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


def placed(command: CommandSpec, words: list[str], after_dashes: list[str]) -> dict[str, Any]:
    """The arguments by name: `words` stood before `--`, or where there is none. Raises UsageError."""
    values: dict[str, Any] = {}
    if not any(argument.after_dashes for argument in command.arguments):
        words, after_dashes = words + after_dashes, []
    for argument in command.arguments:
        if argument.after_dashes:
            values[argument.name] = after_dashes
            continue
        if argument.required and not words:
            raise UsageError(f"{argument.metavar} is missing", help_of(command))
        if argument.many:
            values[argument.name], words = words, []
        else:
            values[argument.name], words = (words[0] if words else None), words[1:]
    if words:
        shown = " ".join(word[:40] for word in words[:3])
        raise UsageError(f"there are more arguments than the command takes: {shown}", help_of(command))
    return values


def help_of(command: CommandSpec | None) -> str:
    """Where a mistaken call goes next."""
    return f"see: {' '.join(('workermd', *(command.name if command else ()), '--help'))}"


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The known word that was probably meant; empty where none is near: a far guess misleads more than none."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1, cutoff=0.75)
    return found[0] if found else ""
