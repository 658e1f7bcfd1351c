"""Skills of A2A agent cards: text in, text out."""

import re
from collections.abc import Iterator
from typing import Any

from workermd.derive.interfaces.dialect import arguments, fits
from workermd.derive.interfaces.reading import Data, reading
from workermd.derive.interfaces.texts import Notes, name_of, summary_of, unique
from workermd.derive.model import Interface, Repository
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_SKILLS = 200

MAX_READ = 150
MAX_CARD = 128 * 1024

_LIKELY = re.compile(r"agent|card|a2a|skill|well-known", re.IGNORECASE).search
_MARKS = {"url", "supportedInterfaces", "protocolVersion", "protocolVersions", "capabilities", "defaultInputModes"}


def find(repository: Repository) -> Iterator[Interface]:
    """One interface for each skill of each card: a card is known by what it holds, not by its name."""
    files = reading(repository)
    paths = [path for path in files.ending(".json") if files.size(path) <= MAX_CARD]
    paths.sort(key=lambda path: (_LIKELY(path) is None, path))
    for path in paths[MAX_READ:]:
        files.skip(path, f"was not searched for an agent card: more than {MAX_READ} JSON files") if _LIKELY(
            path
        ) else None
    for path in sorted(paths[:MAX_READ]):
        if '"skills"' not in (files.text(path) or ""):
            continue
        data = files.data(path)
        if data is None or not isinstance(data.value, dict):
            continue
        skills = data.value.get("skills")
        if isinstance(skills, list) and isinstance(data.value.get("name"), str) and _MARKS & data.value.keys():
            yield from _skills(data, skills[:MAX_SKILLS])


def _skills(data: Data, skills: list[Any]) -> Iterator[Interface]:
    taken: set[str] = set()
    for index, skill in enumerate(skills):
        if not isinstance(skill, dict):
            continue
        name = name_of(skill.get("id")) or name_of(skill.get("name"))
        if not name:
            continue
        notes = Notes()
        for direction in ("input", "output"):
            _remark(data.value, skill, direction, notes)
        yield Interface(
            kind="a2a",
            path=data.path,
            name=unique(name, taken),
            summary=summary_of(skill.get("description"), skill.get("name")),
            input_schema=arguments({"message": _message(skill)}, ["message"]),
            output_schema={
                "type": "object",
                "properties": {"text": {"type": "string", "description": "What the agent answers."}},
                "required": ["text"],
            },
            evidence=(data.cite(f"/skills/{index}"), data.cite("/name")),
            notes=notes.all(),
        )


def _message(skill: dict[str, Any]) -> Document:
    message: Document = {"type": "string", "minLength": 1, "description": "What the agent is asked to do."}
    examples = skill.get("examples")
    kept = [cleaned(example, 300) for example in examples[:3]] if isinstance(examples, list) else []
    kept = [example for example in kept if example and fits(example)]
    if kept:
        message["examples"] = kept
    return message


def _remark(card: dict[str, Any], skill: dict[str, Any], direction: str, notes: Notes) -> None:
    """Modes other than text, which no schema of a card describes."""
    title = direction.capitalize()
    modes = skill.get(f"{direction}Modes", card.get(f"default{title}Modes"))
    others = [cleaned(mode, 60) for mode in modes if isinstance(mode, str)] if isinstance(modes, list) else []
    others = [mode for mode in others if not mode.startswith("text")]
    if others:
        notes.add(f"{direction} is also offered as {', '.join(others[:5])}, which the card does not describe")
