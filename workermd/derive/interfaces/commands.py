"""What a command takes, however it is declared: the records that argparse, click and typer readers fill.

A command is also *called*: `call_of` lists its words, options and positionals in the order of the command line.
"""

import re
from typing import Any, NamedTuple

from workermd.derive.interfaces.dialect import arguments, defaulted, fits, fitted
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes
from workermd.derive.model import Evidence
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible

MAX_OPTIONS = 400
MAX_COMMANDS = 200
REST = "args"
"""The property for arguments that are not described: words, passed on as they are."""


class CommandOption(NamedTuple):
    """An argument of a command: the name it has in the code, its flags, its schema.

    `way` says how its value is written on the command line, by the words of `x-call`; `level` how many words of the
    command stand before it. `value` is what the flag alone stands for where several flags share one name.
    """

    name: str
    flags: tuple[str, ...]
    schema: Document
    required: bool
    way: Document
    level: int = 0
    value: Any = None


class CommandSignature(NamedTuple):
    """A command with its words (`("git", "commit")` has the words `commit`), its options and where it is declared.

    `unread` says what of it is not read; () where everything is.
    """

    words: tuple[str, ...]
    summary: str
    options: tuple[CommandOption, ...]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


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


def in_any_case(choices: list[str]) -> Document:
    """One of these words, whatever the case of its letters."""
    ways = ["".join(_both_cases(character) for character in choice) for choice in choices]
    return {"type": "string", "pattern": f"^({'|'.join(ways)})$"}


def _both_cases(character: str) -> str:
    lower, upper = character.lower(), character.upper()
    if lower != upper and len(lower) == len(upper) == 1:
        return f"[{lower}{upper}]"
    return character if character.isalnum() or character in "_ " else re.escape(character)


def together(options: list[CommandOption]) -> list[CommandOption]:
    """Options with one name become one property: several flags for one destination are a choice between them."""
    by_name: dict[str, list[CommandOption]] = {}
    for option in options:
        by_name.setdefault(option.name, []).append(option)
    return [_one(same) for same in by_name.values()]


def _one(same: list[CommandOption]) -> CommandOption:
    deepest = max(option.level for option in same)
    same = [option for option in same if option.level == deepest]
    if len(same) == 1:
        one = same[0]
        return one._replace(way={"off": one.way["flag"]}) if "flag" in one.way and one.value is False else one
    flags = tuple(flag for option in same for flag in option.flags)
    texts = "; ".join(text for option in same if (text := option.schema.get("description")))
    required = any(option.required for option in same)
    head = same[0]._replace(flags=flags, required=required)
    plain = [option for option in same if "flag" not in option.way and "choice" not in option.way]
    on = [option for option in same if option.way.get("flag") and option.value is True]
    off = [option for option in same if option.way.get("flag") and option.value is False]
    if not plain and len(on) + len(off) == len(same):
        way: Document = {"flag": on[0].way["flag"]} if on else {}
        if off:
            way["off"] = off[0].way["flag"]
        schema: Document = {"type": "boolean"}
        if len(on) == 1 and "default" in on[0].schema:
            schema["default"] = on[0].schema["default"]
        return head._replace(schema=described(schema, (), texts), way=way, value=None)
    return _chosen(head, same, plain, texts)


def _chosen(head: CommandOption, same: list[CommandOption], plain: list[CommandOption], texts: str) -> CommandOption:
    """A value by one of several flags, beside an option that takes any where there is one."""
    choice: dict[str, str] = {}
    for option in same:
        if "flag" in option.way:
            choice.setdefault(_label(option), option.way["flag"])
    labels: Document = {"enum": list(choice)}
    default = next((option.schema["default"] for option in same if "default" in option.schema), None)
    lists = any(option.way.get("each") for option in same)
    if not plain:
        schema = {"type": "array", "items": labels} if lists else labels
        way: Document = {"choice": choice, **({"each": True} if lists else {})}
    else:
        bare = {key: value for key, value in plain[0].schema.items() if key not in ("description", "default")}
        schema = bare if bare.get("type") == "string" and "pattern" not in bare else {"anyOf": [bare, labels]}
        way = {**plain[0].way, "choice": choice}
    return head._replace(schema=with_default(described(schema, (), texts), default), way=way, value=None)


def _label(option: CommandOption) -> str:
    value = option.value
    if isinstance(value, str) and value and is_visible(value) and len(value) <= MAX_KEY:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return str(option.way["flag"]).lstrip("-+")


def schema_of(options: list[CommandOption], notes: Notes, unread: tuple[str, ...] = ()) -> Document:
    """One object of all options. Where something is not read it stays open, and takes further arguments as words."""
    properties: dict[str, Document] = {}
    required: dict[str, None] = {}
    whole = not unread
    for option in options[:MAX_OPTIONS]:
        if not is_key(option.name):
            notes.add("an option whose name is too long, or cannot be read, is left out")
            whole = False
            continue
        properties[option.name] = option.schema
        if option.required:
            required[option.name] = None
    if len(options) > MAX_OPTIONS:
        notes.add(f"more than {MAX_OPTIONS} options; the rest is left out")
        whole = False
    schema = arguments(properties, list(required))
    if not whole:
        name = rest_name(options)
        properties[name] = words_schema("Further arguments, as words.")
        schema["additionalProperties"] = True
    return fitted(schema, notes)


def is_key(name: str) -> bool:
    return bool(name) and len(name) <= MAX_KEY and is_visible(name)


def rest_name(options: list[CommandOption]) -> str:
    return REST if all(option.name != REST for option in options) else "further_args"


def words_schema(text: str) -> Document:
    return {"type": "array", "items": {"type": "string"}, "default": [], "description": text}


def call_of(command: CommandSignature, options: list[CommandOption], *, is_open: bool) -> Document:
    """How the command is called: words and arguments in the order of the command line.

    Before each word stand the options of what the word belongs to; positionals come last, and further words after them.
    """
    shown = [option for option in options[:MAX_OPTIONS] if is_key(option.name)]
    line: list[Any] = []
    for level in range(len(command.words) + 1):
        here = [option for option in shown if option.level == level]
        line += [{**option.way, "from": option.name} for option in here if "position" not in option.way]
        line += [{**option.way, "from": option.name} for option in here if "position" in option.way]
        line += command.words[level : level + 1]
    if is_open:
        line.append({"rest": True, "from": rest_name(options)})
    return {"kind": "program", "line": line}


def kept_default(value: Any) -> Any:
    """A default that can stand in a schema; None for anything else."""
    if isinstance(value, tuple | set):
        value = list(value)
    return value if isinstance(value, str | int | float | bool | list) and fits(value) else None
