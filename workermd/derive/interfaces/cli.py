"""Console commands of Python packages, with the options that argparse, click or typer declare for them."""

import ast
from collections.abc import Iterator

from workermd.derive.interfaces import argparse_commands, click_commands
from workermd.derive.interfaces.commands import CommandSignature, schema_of
from workermd.derive.interfaces.dialect import arguments
from workermd.derive.interfaces.packages import Project, Script, projects
from workermd.derive.interfaces.reading import reading
from workermd.derive.interfaces.scope import Scope, Sources
from workermd.derive.interfaces.texts import Notes, name_of, summary_of, unique
from workermd.derive.model import Interface, Repository
from workermd.protocol.envelope import Document

MAX_MODULES = 16
"""Modules looked through for one command: the entry's own, and what it imports from the repository."""

_NOTE = "the options are not declared in a form that is read here: the arguments are passed on as words"


def find(repository: Repository) -> Iterator[Interface]:
    """Every command, and every subcommand as one of its own (`tool sub`)."""
    files = reading(repository)
    sources = Sources(files)
    for project in projects(files):
        taken: set[str] = set()
        for script in project.scripts:
            yield from _script(sources, project, script, taken)


def _script(sources: Sources, project: Project, script: Script, taken: set[str]) -> Iterator[Interface]:
    found = _commands(sources, project, script)
    for command in found or (CommandSignature((), "", (), ()),):
        notes = Notes(command.notes)
        schema = schema_of(command.options, notes)
        if not found:
            notes.add(_NOTE)
            words: Document = {"type": "array", "items": {"type": "string"}, "default": []}
            schema = arguments({"args": words}, [])
        name = name_of(" ".join((script.name, *command.words)))
        yield Interface(
            kind="cli",
            path=script.evidence.path,
            name=unique(name, taken),
            summary=summary_of(command.summary, project.summary, f"The command {name}."),
            input_schema=schema,
            output_schema=None,
            evidence=tuple(dict.fromkeys((script.evidence, *command.evidence))),
            notes=notes.all(),
        )


def _commands(sources: Sources, project: Project, script: Script) -> tuple[CommandSignature, ...]:
    module, _, attribute = script.target.partition(":")
    attribute = attribute.partition("[")[0].strip()
    path = sources.locate(module.strip(), f"{project.folder}setup.py")
    scope = sources.scope(path) if path is not None else None
    if scope is None or not attribute.isidentifier():
        return ()
    scopes = _reached(sources, scope)
    found = click_commands.commands(sources, scopes, scope, attribute)
    if found:
        return found
    entry = sources.definition(scope, attribute)
    if entry is None or not isinstance(entry[1], ast.FunctionDef | ast.AsyncFunctionDef):
        return ()
    return argparse_commands.commands(sources, scopes, entry[0], entry[1])


def _reached(sources: Sources, start: Scope) -> list[Scope]:
    """The entry's module and those of the repository that it imports, nearest first."""
    found = {start.path: start}
    waiting = [start]
    while waiting and len(found) < MAX_MODULES:
        scope = waiting.pop(0)
        for module, name in scope.imports.values():
            for dotted in (f"{module}.{name}" if name else module, module):
                path = sources.locate(dotted, scope.path)
                if path is None or path in found or len(found) >= MAX_MODULES:
                    continue
                other = sources.scope(path)
                if other is not None:
                    found[path] = other
                    waiting.append(other)
    return list(found.values())
