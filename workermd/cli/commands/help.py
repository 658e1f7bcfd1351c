"""`workermd help`: the help of a command, of a group of commands, or of the program."""

from typing import NamedTuple

from workermd.cli import full_reader


class HelpOptions(NamedTuple):
    words: list[str]


def execute(options: HelpOptions) -> int:
    """Raises UsageError for a command that there is not."""
    from workermd.cli.typer_app import shown

    return shown(full_reader.help_wanted([*options.words, "--help"]) or [])
