"""`workermd import TEAM.json`: a team of AutoGen's as a contract, a binding and tables of tools."""

import os
import re
from typing import Any, NamedTuple

from workermd.backends.autogen import importing, studio
from workermd.backends.autogen.components import Unfit
from workermd.backends.autogen.importing import TeamToImport
from workermd.cli import starters
from workermd.config import rewrite
from workermd.contract.forms import WrongForm, identifier
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.report import say
from workermd.system import files
from workermd.system.text import printable

_CONFIGURATION = "workermd.toml"
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names that models can call tools by, and that need no quotes in TOML."""


class ImportOptions(NamedTuple):
    file: str
    team: str | None
    name: str | None


class _Files(NamedTuple):
    """What is written, in this order: path, text, and what is said of it."""

    new: tuple[tuple[str, str, str], ...]
    configuration: str


def execute(options: ImportOptions) -> int:
    """Raises UsageError or ConfigurationError, and writes nothing, where a file is there already or the team does not
    fit."""
    try:
        document = studio.opened(options.file, options.team or "")
        found = importing.imported(document, importing.stem(options.file))
    except Unfit as unfit:
        hint = "write --team LABEL" if "found a gallery" in str(unfit) else "docs/import.md says what is taken"
        raise ConfigurationError(f"{options.file}: {unfit}", hint) from None
    name = _named(options.name or importing.slug(found.title))
    written = _written(name, options, found)
    there = [path for path, _, _ in written.new if os.path.lexists(path)]
    if there:
        raise UsageError(f"{there[0]}: is there already; nothing was written", "choose another --name, or move it away")
    for path, text, _ in written.new:
        files.write(path, text.encode())
    files.write(_CONFIGURATION, written.configuration.encode())
    told = [*((path, what) for path, _, what in written.new), (_CONFIGURATION, f"[workers.{name}], models and tools")]
    width = max(len(path) for path, _ in told)
    say.text("".join(f"{path:<{width}}  {what}\n" for path, what in told))
    for note in found.notes:
        say.note(note)
    say.text(f"next: workermd doctor, then workermd run {name}.worker.md {name}.input.json\n")
    return 0


def _named(name: str) -> str:
    try:
        identifier(name, True)
    except WrongForm as wrong:
        raise UsageError(f"the name {name[:40]!r} is no worker's id", f"expected {wrong}; write --name NAME") from None
    if name[0] in ".-":
        raise UsageError(f"the name {name[:40]!r} begins with {name[0]!r}", "begin it with a letter")
    return name


def _written(name: str, options: ImportOptions, found: TeamToImport) -> _Files:
    """Raises UsageError or ConfigurationError where something of it cannot be written."""
    text = rewrite.text_of(_CONFIGURATION)
    if rewrite.has(text, ("workers", name)):
        raise UsageError(
            f"{_CONFIGURATION}: has [workers.{name}] already; nothing was written", "choose another --name"
        )
    for model, keys in found.models.items():
        text = rewrite.with_new_table(text, ("models", model), keys)
    code: list[tuple[str, str, str]] = []
    for tool in found.tools:
        _callable(tool.tool, options.file)
        if rewrite.has(text, ("tools", tool.tool)):
            say.note(f"{_CONFIGURATION} has [tools.{tool.tool}] already: that one is used, and not the file's code")
            continue
        module = _module(name, tool.tool)
        text = rewrite.with_new_table(text, ("tools", tool.tool), {"function": f"{module}:{tool.function or 'NAME'}"})
        code.append((f"{module}.py", tool.source, f"the code of {tool.tool} from the file: read it before you run it"))
    starter = starters.of_team(
        name, _purpose(found), tuple(tool.tool for tool in found.tools), asks=found.needs.ask_user
    )
    new = [(file.path, file.text, file.what) for file in starter.files]
    return _Files(
        (*new, *code), rewrite.with_new_table(text, ("workers", name), _worker(options, found), _trust(found))
    )


def _callable(tool: str, file: str) -> None:
    if not _SAFE.fullmatch(tool):
        raise ConfigurationError(
            f"{file}: found a tool called {printable(tool)[:80]!r}; models call tools by letters, digits, _ and -, "
            "at most 64",
            "rename it in the file",
        )


def _purpose(found: TeamToImport) -> str:
    told = found.purpose.rstrip(".")
    as_told = f", which says of itself: {told}." if told else "."
    return f"Do what the text asks for and give the answer, as the team {found.title!r} does{as_told}"


def _module(name: str, tool: str) -> str:
    words = "_".join("".join(c if c.isalnum() and c.isascii() else "_" for c in each) for each in (name, tool))
    return words if not words[0].isdigit() else f"_{words}"


def _worker(options: ImportOptions, found: TeamToImport) -> dict[str, Any]:
    first, *others = found.models or {"": {}}
    keys: dict[str, Any] = {"backend": "team", "model": first or "NAME"}
    if others:
        keys["models"] = others
    keys |= {"component": os.path.relpath(options.file), **({"team": options.team} if options.team else {})}
    keys |= found.needs.keys()
    if found.variables:
        keys["secret_env"] = list(found.variables)
    return keys


def _trust(found: TeamToImport) -> str:
    providers = ", ".join(f'"{each}"' for each in found.needs.allow_providers)
    return f"allow_providers = [{providers}]" if providers else ""
