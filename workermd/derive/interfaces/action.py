"""Inputs and outputs of GitHub actions: `action.yml` and `action.yaml`. Every value is text, as the runner passes it."""

from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.dialect import arguments, fitted
from workermd.derive.interfaces.reading import Data, reading
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes, name_of, summary_of
from workermd.derive.model import Interface, Repository
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible


def find(repository: Repository) -> Iterator[Interface]:
    """One interface for each action file; an input with `required: true` and no default is required."""
    files = reading(repository)
    for path in files.named("action.yml", "action.yaml"):
        data = files.data(path, as_text=True)
        if data is not None and isinstance(data.value, dict) and isinstance(data.value.get("runs"), dict):
            typed = files.data(path)
            yield _action(data, _without_default(typed.value if typed is not None else None))


def _without_default(value: Any) -> frozenset[str]:
    """The inputs whose `default` is null: they have none."""
    inputs = value.get("inputs") if isinstance(value, dict) else None
    named = inputs.items() if isinstance(inputs, dict) else ()
    return frozenset(name for name, entry in named if isinstance(entry, dict) and entry.get("default", "") is None)


def _action(data: Data, bare: frozenset[str]) -> Interface:
    notes = Notes()
    value: dict[str, Any] = data.value
    properties, required = _inputs(value.get("inputs"), bare, notes)
    outputs = _outputs(value.get("outputs"), notes)
    folder = data.path.rpartition("/")[0].rpartition("/")[2]
    cited = ["/name", "/inputs", "/outputs"]
    if value["runs"].get("using") is not None:
        notes.add(f"the action runs as {cleaned(value['runs']['using'], 40)}")
    return Interface(
        kind="action",
        path=data.path,
        name=name_of(value.get("name")) or name_of(folder) or "action",
        summary=summary_of(value.get("description"), value.get("name"), f"The action in {data.path}."),
        input_schema=fitted(arguments(properties, required), notes),
        output_schema=fitted(arguments(outputs, []), notes) if outputs else None,
        evidence=tuple(data.cite(place) for place in cited if place[1:] in value) or (data.cite(""),),
        notes=notes.all(),
    )


def _named(listed: Any, notes: Notes) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in listed.items() if isinstance(listed, dict) else ():
        if len(name) > MAX_KEY or not is_visible(name) or not name:
            notes.add("an input or output whose name is too long, or cannot be read, is left out")
        else:
            yield name, entry if isinstance(entry, dict) else {}


def _inputs(listed: Any, bare: frozenset[str], notes: Notes) -> tuple[dict[str, Document], list[str]]:
    properties: dict[str, Document] = {}
    required: list[str] = []
    for name, entry in _named(listed, notes):
        schema: Document = {"type": "string"}
        said = cleaned(entry.get("description"), MAX_DESCRIPTION)
        if said:
            schema["description"] = said
        default = entry.get("default")
        if isinstance(default, str) and name not in bare:
            if is_visible(default.replace("\n", "")) and len(default) <= MAX_DESCRIPTION:
                schema["default"] = default
            else:
                notes.add("a default that is too long, or cannot be read, is left out")
        elif str(entry.get("required")).lower() == "true":
            required.append(name)
        if "deprecationMessage" in entry:
            schema["deprecated"] = True
        properties[name] = schema
    return properties, required


def _outputs(listed: Any, notes: Notes) -> dict[str, Document]:
    properties: dict[str, Document] = {}
    for name, entry in _named(listed, notes):
        said = cleaned(entry.get("description"), MAX_DESCRIPTION)
        properties[name] = {"type": "string", "description": said} if said else {"type": "string"}
    return properties
