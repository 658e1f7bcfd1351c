"""Python projects of a repository: their metadata files, read as data, and the packages they hold."""

import re
from typing import Any, NamedTuple

from workermd.derive.evaluation.evaluator import Evaluator
from workermd.derive.evaluation.values import Exhausted, Invocation, Library
from workermd.derive.interfaces.reading import RepositoryReading, reading
from workermd.derive.interfaces.scope import Sources
from workermd.derive.interfaces.texts import name_of
from workermd.derive.model import Evidence, Repository
from workermd.system import toml

MAX_PROJECTS = 30
MAX_SCRIPTS = 100

_SETUPS = ("setuptools.setup", "distutils.core.setup", "numpy.distutils.core.setup", "skbuild.setup")


class Script(NamedTuple):
    """A console command: its name, `module:attribute`, and the line that declares it."""

    name: str
    target: str
    evidence: Evidence


class Project(NamedTuple):
    """A folder (ending in `/`, or empty) with the metadata of a Python distribution."""

    folder: str
    name: str
    summary: str
    scripts: tuple[Script, ...]


def projects(repository: Repository) -> tuple[Project, ...]:
    """Every Python project, by folder: pyproject.toml, setup.cfg and setup.py together."""
    files = reading(repository)
    paths = files.named("pyproject.toml", "setup.cfg", "setup.py")
    folders = sorted({path[: -len(path.rpartition("/")[2])] for path in paths})
    found: list[Project] = []
    for folder in folders[:MAX_PROJECTS]:
        parts = [
            read(files, f"{folder}{name}")
            for name, read in (("pyproject.toml", _pyproject), ("setup.cfg", _setup_cfg), ("setup.py", _setup_py))
            if files.has(f"{folder}{name}")
        ]
        scripts = {script.name: script for part in reversed(parts) for script in part.scripts}
        name = next((part.name for part in parts if part.name), "")
        summary = next((part.summary for part in parts if part.summary), "")
        found.append(Project(folder, name, summary, tuple(scripts[key] for key in sorted(scripts))[:MAX_SCRIPTS]))
    return tuple(found)


def _nothing(path: str) -> Project:
    return Project(path[: -len(path.rpartition("/")[2])], "", "", ())


def _pyproject(files: RepositoryReading, path: str) -> Project:
    text = files.text(path)
    if text is None:
        return _nothing(path)
    try:
        value = toml.parsed(text.removeprefix("\ufeff"))
    except ValueError:
        files.skip(path, "is not TOML")
        return _nothing(path)
    project = _table(value, "project")
    poetry = _table(value, "tool", "poetry")
    declared = {**_table(poetry, "scripts"), **_table(project, "scripts")}
    scripts = [
        Script(name_of(name), target, _line(files, path, name, target))
        for name, target in declared.items()
        if isinstance(target, str) and name_of(name)
    ]
    name = name_of(project.get("name", poetry.get("name")))
    summary = project.get("description", poetry.get("description"))
    return _nothing(path)._replace(
        name=name, summary=summary if isinstance(summary, str) else "", scripts=tuple(scripts)
    )


def _table(value: Any, *way: str) -> dict[str, Any]:
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _line(files: RepositoryReading, path: str, name: str, target: str) -> Evidence:
    """The line that declares a command: the first that holds its name before its target."""
    for number, line in enumerate((files.text(path) or "").split("\n"), 1):
        at = line.find(name)
        if at >= 0 and target in line[at + len(name) :]:
            return files.cite(path, number, number)
    return files.cite(path, 1, 1)


def _setup_cfg(files: RepositoryReading, path: str) -> Project:
    import configparser

    text = files.text(path)
    if text is None:
        return _nothing(path)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        files.skip(path, "is no configuration file")
        return _nothing(path)
    listed = parser.get("options.entry_points", "console_scripts", fallback="")
    return _nothing(path)._replace(
        name=name_of(parser.get("metadata", "name", fallback="")),
        summary=parser.get("metadata", "description", fallback=""),
        scripts=_scripts(files, path, listed.split("\n")),
    )


def _scripts(files: RepositoryReading, path: str, lines: list[str]) -> tuple[Script, ...]:
    found: list[Script] = []
    for line in lines:
        name, mark, target = (part.strip() for part in line.partition("="))
        if mark and name_of(name) and ":" in target:
            found.append(Script(name_of(name), target, _line(files, path, name, target)))
    return tuple(found)


def _setup_py(files: RepositoryReading, path: str) -> Project:
    """What `setup(…)` is given, as far as the file's own code tells."""
    given = setup_arguments(files, path)
    listed = given.get("entry_points")
    if isinstance(listed, dict):
        scripts = listed.get("console_scripts", [])
        lines = (
            scripts.split("\n") if isinstance(scripts, str) else scripts if isinstance(scripts, list | tuple) else []
        )
    else:
        lines = _console_scripts(listed) if isinstance(listed, str) else []
    return _nothing(path)._replace(
        name=name_of(given.get("name")),
        summary=given["description"] if isinstance(given.get("description"), str) else "",
        scripts=_scripts(files, path, [line for line in lines if isinstance(line, str)]),
    )


def setup_arguments(repository: Repository, path: str) -> dict[str, Any]:
    """The keywords of the first call of `setup`, as far as the evaluator tells them."""
    sources = Sources(reading(repository))
    found: list[dict[str, Any]] = []

    def setup(_evaluator: Any, call: Invocation) -> None:
        found.append(call.keywords)

    library = Library({}, dict.fromkeys(_SETUPS, setup), frozenset(), str)
    try:
        Evaluator(sources, library).module(path)
    except (Exhausted, RecursionError):
        sources.files.skip(path, "is too large, or nested too deep, to be followed to its entry points")
    return found[0] if found else {}


def _console_scripts(text: str) -> list[str]:
    """The lines of the section `console_scripts` in entry points that are written as one text."""
    lines: list[str] = []
    section = ""
    for line in text[:20_000].split("\n"):
        heading = re.fullmatch(r"\s*\[\s*([\w.-]+)\s*\]\s*", line)
        section = heading[1] if heading else section
        if not heading and section == "console_scripts":
            lines.append(line)
    return lines
