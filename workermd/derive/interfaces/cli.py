"""Console commands of Python packages, with the options that argparse, click or typer declare for them."""

import re
from collections.abc import Iterator
from typing import Any

from workermd.derive.evaluation.evaluator import Evaluator
from workermd.derive.evaluation.values import Ended, Exhausted, Function, Invocation, Library, Modelled, Stopped
from workermd.derive.interfaces import argparse_commands, click_commands, plugins, typer_commands
from workermd.derive.interfaces.commands import CommandSignature, call_of, schema_of, together
from workermd.derive.interfaces.packages import Project, Script, projects
from workermd.derive.interfaces.reading import reading
from workermd.derive.interfaces.scope import Scope, Sources
from workermd.derive.interfaces.texts import Notes, name_of, summary_of, unique
from workermd.derive.model import Interface, Repository

MAX_MODULES = 60
"""Modules looked through for commands: the entry's own, and what it imports from the repository."""

_REGISTERS = re.compile(r"\.(?:command|group|callback|add_command|add_typer)\b").search
_NOTE = "the options are not declared in a form that is read here: the arguments are passed on as words"
_PACKAGES = frozenset(("argparse", "asyncclick", "click", "cloup", "rich_click", "typer"))
_PLATFORM = "options that depend on the system are those of Linux"
_UNREAD = "may have more than is listed, because of {}; further arguments are passed on as words"


def find(repository: Repository) -> Iterator[Interface]:
    """Every command, and every subcommand as one of its own (`tool sub`)."""
    files = reading(repository)
    sources = Sources(files)
    for project in projects(files):
        taken: set[str] = set()
        for script in project.scripts:
            yield from _script(sources, project, script, taken)


def _script(sources: Sources, project: Project, script: Script, taken: set[str]) -> Iterator[Interface]:
    notes, found = _commands(sources, project, script)
    for command in found or (CommandSignature((), "", (), (), (), (_NOTE,)),):
        said = Notes((*notes, *command.notes))
        reasons = [reason for reason in dict.fromkeys(command.unread) if reason != _NOTE]
        if not found:
            said.add(_NOTE)
        elif reasons:
            said.add(_UNREAD.format("; ".join(reasons[:4])))
        options = together(list(command.options))
        schema = schema_of(options, said, command.unread)
        name = name_of(" ".join((script.name, *command.words)))
        yield Interface(
            kind="cli",
            path=script.evidence.path,
            name=unique(name, taken),
            summary=summary_of(command.summary, project.summary, f"The command {name}."),
            input_schema=schema,
            output_schema=None,
            evidence=tuple(dict.fromkeys((script.evidence, *command.evidence))),
            notes=said.all(),
            call=call_of(command, options, is_open=schema["additionalProperties"] is not False),
        )


def _commands(
    sources: Sources, project: Project, script: Script
) -> tuple[tuple[str, ...], tuple[CommandSignature, ...]]:
    """Notes, and the commands that a script has; () where it is read by nothing here."""
    module, _, attribute = script.target.partition(":")
    attribute = attribute.partition("[")[0].strip()
    path = sources.locate(module.strip(), f"{project.folder}setup.py")
    if path is None or sources.scope(path) is None or not attribute.replace(".", "_").isidentifier():
        return (), ()
    program = _Program(sources)
    try:
        found = program.commands(path, attribute)
    except (Exhausted, RecursionError):
        return ("the program is too large, or nested too deep, to be followed to its options",), ()
    return ((_PLATFORM,) if program.evaluator.platform_asked else ()), found


class _Program:
    """One console script, followed from its entry point to its parser or its commands."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.parsers: list[argparse_commands.Parser] = []
        click_classes, click_functions = click_commands.library()
        typer_classes, typer_functions = typer_commands.library()
        classes = {
            **argparse_commands.library(self.parsers),
            **click_classes,
            **click_commands.types(),
            **typer_classes,
            **plugins.library(),
        }
        functions = {**click_functions, **typer_functions}
        library = Library(classes, functions, _PACKAGES, click_commands.alike)
        self.evaluator = Evaluator(sources, library)

    def commands(self, path: str, attribute: str) -> tuple[CommandSignature, ...]:
        root = self._root(path, attribute)
        if isinstance(root, argparse_commands.Parser):
            return argparse_commands.commands(self.sources, root)
        if isinstance(root, click_commands.Node | typer_commands.Application):
            self._registrations(path)
            if isinstance(root, click_commands.Node):
                return tuple(click_commands.Reader(self.sources).commands(root))
            return tuple(typer_commands.TyperReader(self.sources, self.evaluator).commands(root))
        return ()

    def _root(self, path: str, attribute: str) -> Modelled | None:
        """What the entry point is, or comes to when it is called."""
        try:
            module = self.evaluator.module(path)
            entry: Any = module
            for name in attribute.split("."):
                entry = self.evaluator.attribute(entry, name)
            if isinstance(entry, click_commands.Node | typer_commands.Application):
                return entry
            node = entry.node if isinstance(entry, Function) else None
            if module is not None and entry is not None:
                self.evaluator.call(entry, Invocation([], {}, False, node or self.sources.scope(path).tree, module))  # type: ignore[union-attr]
        except Stopped as stopped:
            return stopped.found if isinstance(stopped.found, Modelled) else None
        except Ended:
            pass
        return argparse_commands.root_of(self.parsers)

    def _registrations(self, path: str) -> None:
        """Works through the modules that register commands when they are imported."""
        for scope in _reached(self.sources, self.sources.scope(path)):
            text = self.sources.files.text(scope.path) or ""
            if _REGISTERS(text):
                try:
                    self.evaluator.module(scope.path)
                except Stopped:
                    continue


def _reached(sources: Sources, start: Scope | None) -> list[Scope]:
    """The entry's module and those of the repository that it imports, nearest first."""
    if start is None:
        return []
    found = {start.path: start}
    waiting = [start]
    while waiting and len(found) < MAX_MODULES:
        scope = waiting.pop(0)
        named = [(module, name) for module, name in scope.imports.values()]
        for module, name in [*named, *((star, None) for star in scope.stars)]:
            for dotted in (f"{module}.{name}" if name else module, module):
                path = sources.locate(dotted, scope.path)
                if path is None or path in found or len(found) >= MAX_MODULES:
                    continue
                other = sources.scope(path)
                if other is not None:
                    found[path] = other
                    waiting.append(other)
    return list(found.values())
