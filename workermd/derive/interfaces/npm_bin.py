"""Commands of npm packages: `bin` of package.json. Nothing says which arguments they take: a list of words."""

from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.dialect import arguments
from workermd.derive.interfaces.reading import Data, reading
from workermd.derive.interfaces.texts import name_of, summary_of, unique
from workermd.derive.model import Interface, Repository
from workermd.system.text import cleaned

MAX_COMMANDS = 50
MAX_PACKAGES = 60

_NOTE = "package.json does not describe the arguments: they are passed on as words"


def find(repository: Repository) -> Iterator[Interface]:
    """One interface for each command of each package."""
    files = reading(repository)
    for path in files.named("package.json")[:MAX_PACKAGES]:
        data = files.data(path)
        if data is not None and isinstance(data.value, dict):
            yield from _commands(data)


def _commands(data: Data) -> Iterator[Interface]:
    package: dict[str, Any] = data.value
    listed = package.get("bin")
    if isinstance(listed, str):
        own = str(package.get("name", "")).rpartition("/")[2]
        commands, places = {own: listed}, {own: "/bin"}
    elif isinstance(listed, dict):
        commands = dict(list(listed.items())[:MAX_COMMANDS])
        places = {name: f"/bin/{name.replace('~', '~0').replace('/', '~1')}" for name in commands}
    else:
        return
    taken: set[str] = set()
    for command, script in commands.items():
        name = name_of(command)
        if not name or not isinstance(script, str):
            continue
        words = {"type": "array", "items": {"type": "string"}, "default": [], "description": "Words after the command."}
        yield Interface(
            kind="npm-bin",
            path=data.path,
            name=unique(name, taken),
            summary=summary_of(package.get("description"), f"The command {name} runs {cleaned(script, 100)}."),
            input_schema=arguments({"args": words}, []),
            output_schema=None,
            evidence=(data.cite(places[command]),),
            notes=(_NOTE,),
        )
