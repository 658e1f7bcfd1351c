"""What a command takes, however it is declared: the record that argparse, click and typer readers fill."""

import re
from typing import NamedTuple

from workermd.derive.interfaces.dialect import arguments, defaulted, fitted
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes
from workermd.derive.model import Evidence
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible

MAX_OPTIONS = 150
MAX_COMMANDS = 200


class CommandOption(NamedTuple):
    """An argument of a command: the name it has in the code, its flags, its schema."""

    name: str
    flags: tuple[str, ...]
    schema: Document
    required: bool


class CommandSignature(NamedTuple):
    """A command with its words (`("git", "commit")` has the words `commit`), its options and where it is declared."""

    words: tuple[str, ...]
    summary: str
    options: tuple[CommandOption, ...]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()


def described(schema: Document, flags: tuple[str, ...], help_text: object) -> Document:
    """The schema with its flags and its help as the description."""
    said = cleaned(help_text, MAX_DESCRIPTION - 100)
    shown = ", ".join(cleaned(flag, 60) for flag in flags[:4])
    text = f"{shown}: {said}" if shown and said else shown or said
    return {**schema, "description": text} if text else schema


def with_default(schema: Document, value: object) -> Document:
    """The schema with a default, where it is one that the schema accepts."""
    if schema.get("type") == "integer" and isinstance(value, str) and re.fullmatch("-?[0-9]{1,15}", value):
        value = int(value)
    return schema if value is None else defaulted(schema, value)


def schema_of(options: tuple[CommandOption, ...], notes: Notes) -> Document:
    """One object of all options; of two with one name the later counts, as it does for the parser."""
    properties: dict[str, Document] = {}
    required: dict[str, None] = {}
    for option in options[:MAX_OPTIONS]:
        if not option.name or len(option.name) > MAX_KEY or not is_visible(option.name):
            continue
        properties[option.name] = option.schema
        required.pop(option.name, None)
        if option.required:
            required[option.name] = None
    if len(options) > MAX_OPTIONS:
        notes.add(f"more than {MAX_OPTIONS} options; the rest is left out")
    return fitted(arguments(properties, list(required)), notes)
