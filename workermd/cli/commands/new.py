"""`workermd new`: a contract that validates, its input and its task, to begin with."""

import os
from typing import NamedTuple

from workermd.cli import starters
from workermd.contract.forms import WrongForm, identifier
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.system import files


class NewOptions(NamedTuple):
    name: str
    language: str | None
    agent: bool


def execute(options: NewOptions) -> int:
    """Raises UsageError, and writes nothing, where a file is there already or the name is no id."""
    if options.agent and options.language:
        raise UsageError("--agent and --language exclude each other", "an agent's task is the contract's purpose")
    try:
        identifier(options.name, True)
    except WrongForm as wrong:
        raise UsageError(f"the name {options.name[:40]!r} is no worker's id", f"expected {wrong}") from None
    if options.name[0] in ".-":
        raise UsageError(f"the name {options.name[:40]!r} begins with {options.name[0]!r}", "begin it with a letter")
    made = (
        starters.of_agent(options.name)
        if options.agent
        else starters.of_language(options.name, options.language or "python")
    )
    there = [file.path for file in made.files if os.path.lexists(file.path)]
    if there:
        raise UsageError(f"{there[0]}: is there already; nothing was written", "choose another NAME, or move it away")
    for file in made.files:
        files.write(file.path, file.text.encode())
        if file.executable:
            os.chmod(file.path, os.stat(file.path).st_mode | 0o111 & ~_umask())
    width = max(len(file.path) for file in made.files)
    lines = [f"{file.path:<{width}}  {file.what}\n" for file in made.files]
    say.text("".join([*lines, f"next: {made.command}\n"]))
    return 0


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
